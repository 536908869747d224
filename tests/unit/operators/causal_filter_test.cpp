// SPDX-License-Identifier: MIT
// Blocks of long signals, which the lengths of the contract's tests are too short for, and the function.

#include <array>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/errors.hpp>
#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/causal_filter.hpp>

namespace toeplitz::test {
namespace {

/// Row t is Σ_l h_l x_{t−l}, or Σ_l h_l x_{t+l} for the adjoint.
template <class S>
LongMatrix filtered(const Matrix<S>& h, const Matrix<S>& x, Direction direction = Direction::forward) {
    return toeplitz_product(direction, h.template cast<long double>(), 0, x.template cast<long double>(),
                            x.rows());
}

template <class S>
LongMatrix gradient(const Matrix<S>& x, const Matrix<S>& g, Index taps) {
    LongMatrix dh = LongMatrix::Zero(taps, x.cols());
    for (Index l = 0; l < std::min(taps, x.rows()); ++l) {
        const Index rows = x.rows() - l;
        dh.row(l) = x.topRows(rows)
                        .template cast<long double>()
                        .cwiseProduct(g.bottomRows(rows).template cast<long double>())
                        .colwise()
                        .sum();
    }
    return dh;
}

template <class S>
class CausalFilterTest : public testing::Test {
protected:
    /// Rounding of a transform that holds a window; no window is longer than 2n + 2K points.
    static long double tolerance(const Matrix<S>& h, const Matrix<S>& x) {
        return transform_error(2 * (h.rows() + x.rows()) + 512) * unit<S> * norm(h) * norm(x);
    }
};

TYPED_TEST_SUITE(CausalFilterTest, Scalars);

TYPED_TEST(CausalFilterTest, ManyBlocksEqualTheDefinition) {
    using S = TypeParam;
    for (const auto& [n, taps, d] : std::vector<std::array<Index, 3>>{{3000, 40, 1},
                                                                      {2501, 33, 2},
                                                                      {3000, 100, 3},
                                                                      {2500, 65, 5},
                                                                      {2048, 150, 8},
                                                                      {4000, 17, 1},
                                                                      {1500, 64, 17}}) {
        SCOPED_TRACE(detail::text("n = ", n, ", ", taps, " taps, d = ", d));
        const Matrix<S> h = random_matrix<S>(taps, d, 1);
        const Matrix<S> x = random_matrix<S>(n, d, 2);
        const Matrix<S> g = random_matrix<S>(n, d, 3);
        const CausalFilter<S> op({.length = n, .channels = d, .taps = taps}, h);
        EXPECT_TRUE(near_all(op * x, filtered(h, x), this->tolerance(h, x)));
        EXPECT_TRUE(near_all(op.transpose() * g, filtered(h, g, Direction::adjoint), this->tolerance(h, g)));

        Workspace ws;
        Matrix<S> sum = x;
        op.accumulate(g, sum, ws);
        EXPECT_TRUE(near_all(sum, filtered(h, g) + x.template cast<long double>(),
                             this->tolerance(h, g) + 2 * unit<S> * norm(x)));
        sum = x;
        op.accumulate_adjoint(g, sum, ws);
        EXPECT_TRUE(near_all(sum, filtered(h, g, Direction::adjoint) + x.template cast<long double>(),
                             this->tolerance(h, g) + 2 * unit<S> * norm(x)));
        Matrix<S> dh = Matrix<S>::Zero(taps, d);
        op.accumulate_kernel_gradient(x, g, dh, ws);
        EXPECT_TRUE(near_all(dh, gradient(x, g, taps), this->tolerance(g, x)));
    }
}

TYPED_TEST(CausalFilterTest, TakesNumbersThatAreNeighbours) {
    using S = TypeParam;
    const std::vector<S> h = {1, 2}, x = {1, 0, 3};
    const std::array<S, 2> taps = {1, 2};
    const S signal[] = {1, 0, 3};
    Matrix<S> expected(3, 1);
    expected << 1, 2, 3;
    EXPECT_TRUE(same_bits(causal_filter(h, x), expected));
    EXPECT_TRUE(same_bits(causal_filter(taps, signal), expected));
    EXPECT_TRUE(same_bits(causal_filter(Matrix<S>(expected.topRows(2)), std::span<const S>(x)), expected));
}

TYPED_TEST(CausalFilterTest, IntegersOfManyBlocksAreExactWhenRounded) {
    using S = TypeParam;
    const Index n = 20000;
    Matrix<S> h = random_matrix<S>(100, 1, 1);
    Matrix<S> x = random_matrix<S>(n, 1, 2);
    h = h.array().round();
    x = x.array().round();
    const Matrix<S> y = causal_filter(h, x);
    const Matrix<S> rounded = y.array().round();
    const Matrix<S> exact = filtered(h, x).template cast<S>();
    EXPECT_TRUE(same_bits(rounded, exact));
}

TYPED_TEST(CausalFilterTest, StridesAndPaddingAmongBlocks) {
    using S = TypeParam;
    const Index n = 3000;
    const std::vector<Index> lengths = {2500, 3000, 0, 31};
    const Matrix<S> h = random_matrix<S>(50, 2, 1);
    Matrix<S> x = random_matrix<S>(4 * n, 2, 2);
    LongMatrix expected = LongMatrix::Zero(4 * n, 2);
    for (Index b = 0; b < 4; ++b) {
        const Index valid = lengths[static_cast<std::size_t>(b)];
        expected.middleRows(b * n, valid) = filtered<S>(h, x.middleRows(b * n, valid));
        x.middleRows(b * n + valid, n - valid).setConstant(std::numeric_limits<S>::quiet_NaN());
    }
    const CausalFilter<S> op({.length = n, .channels = 2, .taps = 50}, h);
    const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic> columns = x;
    Matrix<S> y(4 * n, 2);
    Workspace ws;
    op.apply(columns, y, ws, lengths);
    const long double norms = norm(h) * norm(random_matrix<S>(4 * n, 2, 2));
    EXPECT_TRUE(near_all(y, expected, transform_error(2 * n) * unit<S> * norms));
}

TYPED_TEST(CausalFilterTest, ShortSignalsAndFewTapsKeepThePastBitForBit) {
    using S = TypeParam;
    for (const auto& [n, taps] :
         std::vector<std::array<Index, 2>>{{2 * most_direct_lags, most_direct_lags}, {500, 1}}) {
        const Matrix<S> h = random_matrix<S>(taps, 16, 1);
        Matrix<S> x = random_matrix<S>(n, 16, 2);
        const Matrix<S> before = causal_filter(h, x).topRows(n / 2);
        x.bottomRows(n - n / 2) *= S(1e6);
        const Matrix<S> after = causal_filter(h, x).topRows(n / 2);
        EXPECT_TRUE(same_bits(after, before));
    }
}

TYPED_TEST(CausalFilterTest, TapsBeyondTheSignalDoNotMatter) {
    using S = TypeParam;
    const Matrix<S> h = random_matrix<S>(700, 1, 1);
    const Matrix<S> x = random_matrix<S>(300, 1, 2);
    const Matrix<S> first = h.topRows(300);
    EXPECT_TRUE(same_bits(causal_filter(h, x), causal_filter(first, x)));
    // Not even in what the operator holds.
    const CausalFilter<S> op({.length = 300, .channels = 1, .taps = Index{1} << 40});
    EXPECT_LT(op.state_bytes(), std::size_t{1} << 14);
}

TEST(CausalFilterMemory, DoesNotGrowWithTheSignal) {
    const CausalFilter<float> hour({.length = Index{1} << 27, .channels = 1, .taps = 10000});
    const CausalFilter<float> second({.length = Index{1} << 20, .channels = 1, .taps = 10000});
    EXPECT_EQ(hour.state_bytes(), second.state_bytes());
    EXPECT_LT(second.state_bytes() + second.required_workspace(), std::size_t{4} << 22);
}

TEST(CausalFilterErrors, TheirMessages) {
    expect_error<config_error>(510, "[toeplitz.config.510] CausalFilter: expected taps >= 1, got 0",
                               [] { CausalFilter<float>({.length = 4, .channels = 1}); });
    expect_error<config_error>(201, "[toeplitz.config.201] CausalFilter: expected length >= 1, got 0",
                               [] { CausalFilter<float>({.channels = 1, .taps = 3}); });
    const Matrix<float> h = Matrix<float>::Ones(3, 2);
    const Matrix<float> x = Matrix<float>::Ones(9, 1);
    expect_error<shape_error>(
        501, "[toeplitz.shape.501] CausalFilter::set_kernel: expected a kernel of 3×1, got 3×2",
        [&] { static_cast<void>(causal_filter(h, x)); });
    Matrix<float> nan = Matrix<float>::Ones(3, 1);
    nan(1, 0) = std::numeric_limits<float>::quiet_NaN();
    expect_error<value_error>(
        530,
        "[toeplitz.value.530] CausalFilter::set_kernel: expected a finite kernel, got a "
        "NaN or an infinity at tap 1, channel 0",
        [&] { static_cast<void>(causal_filter(nan, x)); });
}

}  // namespace
}  // namespace toeplitz::test
