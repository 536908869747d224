// expect: an expression has no memory to look at; evaluate it
// and no other error
#include <toeplitz/operators/band.hpp>

void call(const toeplitz::Band<float>& op, const Eigen::MatrixXd& x, toeplitz::Workspace& ws) {
    toeplitz::Matrix<float> y(4, 2);
#if defined(TOEPLITZ_EXPECT_ERROR)
    op.apply(x.cast<float>(), y, ws);
#else
    op.apply(x.cast<float>().eval(), y, ws);
    y = op * x.cast<float>();  // makes a matrix anyway
#endif
}
