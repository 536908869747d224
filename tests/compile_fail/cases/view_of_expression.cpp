// expect: an expression has no memory to look at; evaluate it
// and no other error
#include <toeplitz/core/view.hpp>

void use(toeplitz::MatrixView<const float>) {}

void call() {
    toeplitz::Matrix<float> a(4, 2), b(4, 2);
#if defined(TOEPLITZ_EXPECT_ERROR)
    use(a + b);
#else
    use((a + b).eval());
#endif
}
