// expect: the matrix and the operator have different scalars
// and no other error
#include <toeplitz/operators/fft.hpp>

void call() {
#if defined(TOEPLITZ_EXPECT_ERROR)
    toeplitz::Matrix<double> lags(7, 2);
#else
    toeplitz::Matrix<float> lags(7, 2);
#endif
    toeplitz::Fft<float> op({.length = 4, .channels = 2}, lags);
}
