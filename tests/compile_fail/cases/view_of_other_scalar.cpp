// expect: the matrix and the operator have different scalars
// expect: convert one of them
// and no other error
#include <toeplitz/core/view.hpp>

void use(toeplitz::MatrixView<const float>) {}

void call() {
#if defined(TOEPLITZ_EXPECT_ERROR)
    toeplitz::Matrix<double> x(4, 2);
#else
    toeplitz::Matrix<float> x(4, 2);
#endif
    use(x);
}
