// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/sum.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class SumTest : public testing::Test {
protected:
    static constexpr Index n = 300;
    static constexpr Index d = 5;
    static constexpr Index rank = 20;

    Matrix<S> band_kernel = random_matrix<S>(7, d, 1);
    Matrix<S> ski_kernel = random_matrix<S>(2 * rank - 1, d, 2);
    Band<S> band{{.length = n, .channels = d, .taps = 7}, band_kernel};
    Ski<S> ski{{.length = n, .channels = d, .rank = rank}, ski_kernel};
    Matrix<S> x = random_matrix<S>(2 * n, d, 3);
};

TYPED_TEST_SUITE(SumTest, Scalars);

TYPED_TEST(SumTest, OrderOfBandAndSkiDoesNotMatter) {
    const auto a = this->band + this->ski;
    const auto b = this->ski + this->band;
    EXPECT_TRUE(same_bits(a * this->x, b * this->x));
    EXPECT_TRUE(same_bits(a.transpose() * this->x, b.transpose() * this->x));
}

TYPED_TEST(SumTest, FusedProductIsTheSumOfTheProducts) {
    using S = TypeParam;
    const auto sum = this->band + this->ski;
    for (const Direction direction : {Direction::forward, Direction::adjoint}) {
        const auto product = [&](const auto& op) -> Matrix<S> {
            return direction == Direction::forward ? op * this->x : op.transpose() * this->x;
        };
        const Matrix<S> y = product(sum);
        const Matrix<S> from_band = product(this->band);
        const Matrix<S> from_ski = product(this->ski);
        // The same terms in another order: one rounding per tap, of sums no larger than this.
        EXPECT_TRUE(near_each(y, from_band + from_ski, [&](Index i, Index c) {
            return 16 * unit<S> *
                   (std::abs(static_cast<long double>(from_ski(i, c))) +
                    norm(this->band_kernel.col(c)) *
                        norm(this->x.col(c).segment(
                            std::max<Index>(i - 3, 0),
                            std::min<Index>(7, 2 * this->n - std::max<Index>(i - 3, 0)))));
        }));
    }
}

TYPED_TEST(SumTest, KeepsCopiesOfItsParts) {
    using S = TypeParam;
    auto sum = this->band + this->ski;
    const Matrix<S> y = sum * this->x;
    this->band.set_kernel(Matrix<S>::Zero(7, this->d).eval());
    EXPECT_TRUE(same_bits(sum * this->x, y));
    EXPECT_EQ(sum.first().taps(), 7);
    EXPECT_EQ(sum.second().rank(), this->rank);
    EXPECT_EQ(sum.length(), this->n);
    EXPECT_EQ(sum.channels(), this->d);
    EXPECT_EQ(sum.state_bytes(), this->band.state_bytes() + this->ski.state_bytes());
}

TYPED_TEST(SumTest, KernelIsThePairOfBoth) {
    using S = TypeParam;
    auto sum = this->band + this->ski;
    const Matrix<S> no_taps = Matrix<S>::Zero(7, this->d);
    sum.set_kernel({no_taps, this->ski_kernel});
    EXPECT_TRUE(same_bits(sum * this->x, this->ski * this->x));
    const Matrix<S> no_inducing = Matrix<S>::Zero(2 * this->rank - 1, this->d);
    sum.set_kernel({this->band_kernel, no_inducing});
    EXPECT_TRUE(same_bits(sum * this->x, this->band * this->x));
}

TYPED_TEST(SumTest, KernelGradientIsThePairOfBoth) {
    using S = TypeParam;
    const auto sum = this->band + this->ski;
    const Matrix<S> g = random_matrix<S>(2 * this->n, this->d, 4);
    std::pair<Matrix<S>, Matrix<S>> both{Matrix<S>::Zero(7, this->d),
                                         Matrix<S>::Zero(2 * this->rank - 1, this->d)};
    std::pair<Matrix<S>, Matrix<S>> single = both;
    Workspace ws;
    sum.accumulate_kernel_gradient(this->x, g, {both.first, both.second}, ws);
    this->band.accumulate_kernel_gradient(this->x, g, single.first, ws);
    this->ski.accumulate_kernel_gradient(this->x, g, single.second, ws);
    EXPECT_TRUE(same_bits(both.first, single.first));
    EXPECT_TRUE(same_bits(both.second, single.second));
}

}  // namespace
}  // namespace toeplitz::test
