// SPDX-License-Identifier: MIT
// Inputs and kernels of any size whose product has an ordinary one.
#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class RangeTest : public testing::Test {};

TYPED_TEST_SUITE(RangeTest, Scalars);

template <class S>
Matrix<S> times_power(const Matrix<S>& values, int k) {
    return values.unaryExpr([k](S v) { return std::ldexp(v, k); });
}

TYPED_TEST(RangeTest, LargeTimesSmallIsAsOneTimesOne) {
    using S = TypeParam;
    // About 1e22 and 1e30, and for double 1e210 and 1e240. Below the smallest number something vanishes at
    // the second alone.
    const std::array<int, 2> powers =
        std::is_same_v<S, float> ? std::array<int, 2>{74, 100} : std::array<int, 2>{700, 800};
    for (const Kind kind : all_kinds) {
        for (const Index n : {40, 300}) {
            SCOPED_TRACE(text({.kind = kind, .length = n, .channels = 3}));
            const auto model = make_operator<S>({.kind = kind, .length = n, .channels = 3});
            const Matrix<S> kernel = model->kernel();
            const Matrix<S> x = random_matrix<S>(n, 3, 5);
            const Matrix<S> g = random_matrix<S>(n, 3, 6);
            const Matrix<S> y = model->apply(x);
            const Matrix<S> dx = model->adjoint(g);
            const Matrix<S> gradient = model->gradient(x, g);
            for (const int k : {powers[0], -powers[0], powers[1], -powers[1]}) {
                // Scaling is exact; what differs is what vanishes beside the rest, and below the smallest
                // number, at most once for each point of a grid of 4n.
                const S vanished =
                    static_cast<S>(4 * n) * std::ldexp(std::numeric_limits<S>::min(), std::abs(k));
                const auto expect = [vanished](const Matrix<S>& actual, const Matrix<S>& expected) {
                    EXPECT_TRUE(
                        near_all(actual, expected, 8 * unit<S> * expected.cwiseAbs().maxCoeff() + vanished));
                };
                model->set_kernel(times_power(kernel, k));
                expect(model->apply(times_power(x, -k)), y);
                expect(model->adjoint(times_power(g, -k)), dx);
                expect(model->gradient(times_power(x, k), times_power(g, -k)), gradient);
            }
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
