// expect: the matrix and the operator have different scalars
// and no other error
#include <toeplitz/operators/band.hpp>

void call(const toeplitz::Band<double>& op, toeplitz::Workspace& ws) {
#if defined(TOEPLITZ_EXPECT_ERROR)
    Eigen::MatrixXi x(4, 2);
#else
    Eigen::MatrixXd x(4, 2);
#endif
    toeplitz::Matrix<double> y(4, 2);
    op.apply(x, y, ws);
}
