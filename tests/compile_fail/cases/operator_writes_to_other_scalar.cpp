// expect: the matrix and the operator have different scalars
#include <toeplitz/operators/fft.hpp>

void call(const toeplitz::Fft<float>& op, toeplitz::Workspace& ws) {
    toeplitz::Matrix<float> x(4, 2);
#if defined(TOEPLITZ_EXPECT_ERROR)
    toeplitz::Matrix<double> y(4, 2);
#else
    toeplitz::Matrix<float> y(4, 2);
#endif
    op.apply(x, y, ws);
}
