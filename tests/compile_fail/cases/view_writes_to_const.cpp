// expect: the output is read-only
// expect: pass a matrix that may be written
// and no other error
#include <toeplitz/core/view.hpp>

void write(toeplitz::MatrixView<float>) {}

void call() {
#if defined(TOEPLITZ_EXPECT_ERROR)
    const toeplitz::Matrix<float> y(4, 2);
#else
    toeplitz::Matrix<float> y(4, 2);
#endif
    write(y);
}
