// expect: constraint
#include <toeplitz/operators/fft.hpp>

void call() {
    toeplitz::Matrix<float> lags(7, 2);
#if defined(TOEPLITZ_EXPECT_ERROR)
    toeplitz::Fft<int> op({.length = 4, .channels = 2}, lags.cast<int>().eval());
#else
    toeplitz::Fft<float> op({.length = 4, .channels = 2}, lags);
#endif
}
