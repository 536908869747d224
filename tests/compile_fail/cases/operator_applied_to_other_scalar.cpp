// expect: the matrix and the operator have different scalars
// expect: convert one of them
// and no other error
#include <toeplitz/operators/band.hpp>

void call(const toeplitz::Band<float>& op, toeplitz::Workspace& ws) {
#if defined(TOEPLITZ_EXPECT_ERROR)
    toeplitz::Matrix<double> x(4, 2);
#else
    toeplitz::Matrix<float> x(4, 2);
#endif
    toeplitz::Matrix<float> y(4, 2);
    op.apply(x, y, ws);
}
