// expect: the output is read-only
// and no other error
#include <toeplitz/operators/band.hpp>

void call(const toeplitz::Band<float>& op, toeplitz::Workspace& ws) {
    toeplitz::Matrix<float> x(4, 2);
#if defined(TOEPLITZ_EXPECT_ERROR)
    const toeplitz::Matrix<float> y(4, 2);
#else
    toeplitz::Matrix<float> y(4, 2);
#endif
    op.apply(x, y, ws);
}
