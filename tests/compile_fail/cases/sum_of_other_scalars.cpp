// expect: the two operators of a sum have different scalars
// expect: build both with the same one
#include <toeplitz/operators/sum.hpp>

void call(const toeplitz::Band<float>& a, const toeplitz::Ski<float>& b, const toeplitz::Ski<double>& c) {
#if defined(TOEPLITZ_EXPECT_ERROR)
    auto sum = a + c;
    static_cast<void>(b);
#else
    auto sum = a + b;
    static_cast<void>(c);
#endif
}
