// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/ski.hpp>

namespace toeplitz::test {
namespace {

TEST(InducingPoints, KeepTheSpacingOfAnotherLength) {
    const InducingPoints points(8, 4, 10);  // 0, 3, 6 and 9, which lies beyond
    EXPECT_EQ(points.rank(), 4);
    EXPECT_EQ(points.spacing(), 3.0);
    EXPECT_EQ(inducing_lags(InducingPoints(20, 3, 10)),
              (Vector<double>{{-22.5, -18, -13.5, -9, -4.5, 0, 4.5, 9, 13.5, 18, 22.5}}));
    EXPECT_EQ(InducingPoints(7, 4, 10).rank(), 3);
    EXPECT_EQ(InducingPoints(1, 4, 10).rank(), 1);
    EXPECT_EQ(InducingPoints(100, 1, 10).rank(), 1);
    EXPECT_EQ(InducingPoints(100, 64, 10).rank(), 100);  // h = 1
    // A constant cannot overflow on its way.
    constexpr InducingPoints far(10, 2, std::numeric_limits<Index>::max());
    EXPECT_EQ(far.rank(), 2);
    for (Index n = 1; n < 40; ++n) {
        const InducingPoints all(n, 4, 11);
        const auto last = all.at(n - 1);
        EXPECT_LE(last.below + (last.upper > 0 ? 1 : 0), all.rank() - 1) << n;
        EXPECT_GE(all.lag(all.rank() - 1), static_cast<double>(n - 1)) << n;
        EXPECT_LT(all.lag(all.rank() - 2), std::max(static_cast<double>(n - 1), 0.1)) << n;
    }
}

TEST(SkiTest, WithASpacingIsThatOfAsManyPoints) {
    const Matrix<double> kernel = random_matrix<double>(17, 2, 1);
    const Matrix<double> x = random_matrix<double>(33, 2, 2);
    const Ski<double> spaced({.length = 33, .channels = 2, .rank = 5, .spacing_length = 17}, kernel);
    const Ski<double> ranked({.length = 33, .channels = 2, .rank = 9}, kernel);
    EXPECT_EQ(spaced.rank(), 9);
    EXPECT_EQ((spaced * x).eval(), (ranked * x).eval());
    expect_error<config_error>(201, "[toeplitz.config.201] Ski: expected spacing_length >= 1, got 0", [] {
        Ski<double>({.length = 33, .channels = 2, .rank = 5, .spacing_length = 0});
    });
}

TEST(InducingPoints, AreEvenlySpacedFromTheFirstToTheLastStep) {
    EXPECT_EQ(effective_rank(10, 4), 4);
    EXPECT_EQ(effective_rank(10, 11), 10);
    EXPECT_EQ(InducingPoints(10, 4).spacing(), 3.0);
    EXPECT_EQ(InducingPoints(10, 3).spacing(), 4.5);
    EXPECT_EQ(InducingPoints(10, 1).spacing(), 0.0);
    EXPECT_EQ(InducingPoints(1, 5).spacing(), 0.0);
    EXPECT_EQ(inducing_lags(10, 4), (Vector<double>{{-9, -6, -3, 0, 3, 6, 9}}));
    EXPECT_EQ(inducing_lags(4, 3), (Vector<double>{{-3, -1.5, 0, 1.5, 3}}));
    EXPECT_EQ(inducing_lags(10, 1), Vector<double>{{0}});
    EXPECT_EQ(inducing_lags(1, 7), Vector<double>{{0}});
    EXPECT_EQ(inducing_lags(3, 100), (Vector<double>{{-2, -1, 0, 1, 2}}));
}

template <class S>
class SkiTest : public testing::Test {
protected:
    static Matrix<S> sampled(Index n, Index rank, auto&& kernel) {
        const Vector<double> lags = inducing_lags(n, rank);
        Matrix<S> samples(lags.size(), 1);
        for (Index i = 0; i < lags.size(); ++i) samples(i, 0) = static_cast<S>(kernel(lags(i)));
        return samples;
    }
};

TYPED_TEST_SUITE(SkiTest, Scalars);

TYPED_TEST(SkiTest, EqualsItsOwnDenseProduct) {
    using S = TypeParam;
    // In double the relative error is far below 1e-12.
    const long double limit = std::is_same_v<S, double> ? 1e-12L : 1e-12L * unit<float> / unit<double>;
    for (const auto& [n, rank] : std::vector<std::pair<Index, Index>>{{1, 1},
                                                                      {1, 4},
                                                                      {2, 1},
                                                                      {2, 2},
                                                                      {3, 2},
                                                                      {2, 5},
                                                                      {7, 3},
                                                                      {64, 100},
                                                                      {100, 7},
                                                                      {101, 26},
                                                                      {257, 100}}) {
        const Spec spec{.kind = Kind::ski, .length = n, .channels = 2, .rank = rank};
        SCOPED_TRACE(text(spec));
        const auto ski = make_operator<S>(spec);
        const Matrix<S> x = random_matrix<S>(n, 2, 2);
        const Matrix<S> g = random_matrix<S>(n, 2, 3);
        const LongMatrix long_x = x.template cast<long double>();
        const LongMatrix kernel = ski->kernel().template cast<long double>();
        const auto reference = [&](Direction direction) {
            return ski->oracle().product(direction, kernel, long_x, {}, unit<S>).value;
        };
        EXPECT_LE(relative_error(ski->apply(x), reference(Direction::forward)), limit);
        EXPECT_LE(relative_error(ski->adjoint(x), reference(Direction::adjoint)), limit);
        EXPECT_LE(
            relative_error(ski->gradient(x, g),
                           ski->oracle().gradient(long_x, g.template cast<long double>(), {}, unit<S>).value),
            limit);
    }
}

TYPED_TEST(SkiTest, IsTheExactOperatorFromRankNOn) {
    using S = TypeParam;
    for (const Index n : {1, 2, 30, 100}) {
        for (const Index rank : {n, n + 1, 5 * n}) {
            const Matrix<S> kernel = random_matrix<S>(2 * n - 1, 3, 1);
            const Matrix<S> x = random_matrix<S>(2 * n, 3, 2);
            const Matrix<S> g = random_matrix<S>(2 * n, 3, 3);
            const Ski<S> ski({.length = n, .channels = 3, .rank = rank}, kernel);
            const Fft<S> exact({.length = n, .channels = 3}, kernel);
            EXPECT_EQ(ski.rank(), n);
            EXPECT_TRUE(same_bits(ski * x, exact * x));
            EXPECT_TRUE(same_bits(ski.transpose() * x, exact.transpose() * x));
            Workspace ws;
            Matrix<S> gradient = Matrix<S>::Zero(2 * n - 1, 3);
            Matrix<S> exact_gradient = gradient;
            ski.accumulate_kernel_gradient(x, g, gradient, ws);
            exact.accumulate_kernel_gradient(x, g, exact_gradient, ws);
            EXPECT_TRUE(same_bits(gradient, exact_gradient));
        }
    }
}

TYPED_TEST(SkiTest, RankOneIsTheConstantKernel) {
    using S = TypeParam;
    const Index n = 50;
    const Ski<S> ski({.length = n, .channels = 2, .rank = 1}, Matrix<S>{{S(2), S(-3)}});
    const Matrix<S> y = ski * Matrix<S>::Ones(n, 2).eval();
    EXPECT_TRUE(same_bits(y, Matrix<S>{{S(100), S(-150)}}.replicate(n, 1)));
}

TYPED_TEST(SkiTest, AffineKernelsAreExactForAnyRank) {
    using S = TypeParam;
    const Index n = 61;
    const auto affine = [](double t) { return 3.0 - 0.25 * t; };
    LongMatrix dense(n, n);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j)
            dense(i, j) = static_cast<long double>(affine(static_cast<double>(i - j)));
    }
    const Matrix<S> x = random_matrix<S>(n, 1, 4);
    const LongMatrix y = dense * x.template cast<long double>();
    for (const Index rank : {2, 3, 11, 40, 60, 61, 80}) {
        const Matrix<S> kernel = this->sampled(n, rank, affine);
        const Ski<S> ski({.length = n, .channels = 1, .rank = rank}, kernel);
        const Index r = effective_rank(n, rank);
        // Rounded samples are as harmful as rounded products. Wᵀ|x| is no longer than √(n/r + 1) times x.
        const long double stretch = std::sqrt(static_cast<long double>(n) / static_cast<long double>(r) + 1);
        const long double tolerance =
            (transform_error(r) + stretch + 5) * unit<S> * norm(kernel) * stretch * norm(x);
        EXPECT_TRUE(near_all(ski * x, y, tolerance)) << "r = " << rank;
    }
}

TYPED_TEST(SkiTest, WeightsAreExactWhereProductsOfPositionsExceed32Bits) {
    using S = TypeParam;
    const Index n = 50001;
    // A tent on every second step: exact where the inducing points hit all even steps.
    const Index rank = 25001;
    Matrix<S> kernel = Matrix<S>::Zero(2 * rank - 1, 1);
    kernel(rank - 1, 0) = 1;  // W A Wᵀ = W Wᵀ
    const Ski<S> ski({.length = n, .channels = 1, .rank = rank}, kernel);
    Matrix<S> x = Matrix<S>::Zero(n, 1);
    x(n - 2, 0) = 1;  // halfway between the last two inducing points
    const Matrix<S> y = ski * x;
    // Rounding of a transform whose kernel and input have norms 1 and √½.
    const long double tolerance = transform_error(rank) * unit<S>;
    EXPECT_TRUE(near(y(n - 1, 0), 0.5, tolerance));
    EXPECT_TRUE(near(y(n - 2, 0), 0.5, tolerance));
    EXPECT_TRUE(near(y(n - 3, 0), 0.5, tolerance));
    EXPECT_TRUE(near(y(n - 4, 0), 0.25, tolerance));
    EXPECT_LE(norm(y.topRows(n - 4)), tolerance * std::sqrt(static_cast<long double>(n)));
}

TYPED_TEST(SkiTest, LongCellsAreSummedInChunks) {
    using S = TypeParam;
    const Index n = 5003;
    const Index d = Simd<S>::lanes + 1;
    const Matrix<S> kernel = random_matrix<S>(5, d, 5);
    const Ski<S> ski({.length = n, .channels = d, .rank = 3}, kernel);
    const Matrix<S> x = random_matrix<S>(2 * n, d, 6);
    Oracle oracle(n);
    oracle.add(interpolation_part(n, 3));
    const std::vector<Index> lengths = {n, 1700};
    const Reference y = oracle.product(Direction::forward, kernel.template cast<long double>(),
                                       x.template cast<long double>(), lengths, unit<S>);
    Matrix<S> actual(2 * n, d);
    Workspace ws;
    ski.apply(x, actual, ws, lengths);
    EXPECT_TRUE(near_each(actual, y.value, y.tolerance));
}

TYPED_TEST(SkiTest, IsZeroUntilItsKernelIsSet) {
    using S = TypeParam;
    const Ski<S> ski({.length = 300, .channels = 2, .rank = 100});
    EXPECT_TRUE(near_all(ski * random_matrix<S>(300, 2, 7), Matrix<S>::Zero(300, 2), 0));
}

TYPED_TEST(SkiTest, SetKernelTakesItsScratchFromAWorkspace) {
    using S = TypeParam;
    const Matrix<S> kernel = random_matrix<S>(199, 2, 8);
    const SkiOptions options{.length = 300, .channels = 2, .rank = 100};
    Ski<S> ski(options);
    Workspace ws;
    ski.set_kernel(kernel, ws);
    EXPECT_GT(ws.capacity(), 0U);
    const Matrix<S> x = random_matrix<S>(300, 2, 9);
    EXPECT_TRUE(same_bits(ski * x, Ski<S>(options, kernel) * x));
}

}  // namespace
}  // namespace toeplitz::test
