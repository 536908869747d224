// expect: the matrix and the operator have different scalars
#include <toeplitz/core/view.hpp>

void use(toeplitz::MatrixView<const double>) {}

void call() {
#if defined(TOEPLITZ_EXPECT_ERROR)
    Eigen::MatrixXi x(4, 2);
#else
    Eigen::MatrixXd x(4, 2);
#endif
    use(x);
}
