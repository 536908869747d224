// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/scalars.hpp>
#include <support/state_space.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/state_space_fit.hpp>

namespace toeplitz::test {
namespace {

/// Lags 0..n−1 of a kernel.
template <class S>
Matrix<S> causal_lags(const std::function<double(double)>& kernel, Index n) {
    return lags_of(kernel, n).bottomRows(n).template cast<S>();
}

/// T − T̂ of channel c, by definition.
template <class S>
Matrix<double> causal_error(const Matrix<S>& lags, const OwnedStateSpace<S>& kernel, Index c = 0) {
    const Index n = lags.rows();
    const LongMatrix error = lags.template cast<long double>() - lags_by_definition(kernel, n);
    Matrix<double> dense = Matrix<double>::Zero(n, n);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j <= i; ++j) dense(i, j) = static_cast<double>(error(i - j, c));
    }
    return dense;
}

template <class S>
OwnedStateSpace<S> owned(const StateSpaceFit<S>& fit) {
    return {fit.poles, fit.residues, fit.direct};
}

template <class S>
class StateSpaceFitTest : public testing::Test {};
TYPED_TEST_SUITE(StateSpaceFitTest, Scalars);

TYPED_TEST(StateSpaceFitTest, TypicalKernelsTakeFewModes) {
    using S = TypeParam;
    std::vector<double> ratios;
    for (const Index n : {100, 201}) {
        for (const NamedKernel& kernel : typical_kernels(n)) {
            SCOPED_TRACE(kernel.name);
            const Matrix<S> lags = causal_lags<S>(kernel.value, n);
            const auto fit = fit_state_space(lags, {.tolerance = 1e-3, .kind = ToleranceKind::relative});
            const double norm = spectral_norm(causal_error(lags, owned(fit)));
            EXPECT_GE(fit.bounds(0), norm * (1 - 1e-12));
            if (kernel.name == "warp") continue;  // 17 pieces
            EXPECT_TRUE(fit.meets_all());
            EXPECT_LE(fit.modes[0], 4);
            const double exact = spectral_norm(causal_error(lags, zero_state_space<S>(0, 1)));
            EXPECT_LE(norm, 1e-3 * exact);
            // Beyond that it is the rounding of the bound itself that counts.
            if (norm > 1e-9 * exact) ratios.push_back(fit.bounds(0) / norm);
        }
    }
    std::sort(ratios.begin(), ratios.end());
    EXPECT_LE(ratios[ratios.size() / 2], 1.5);
    EXPECT_LE(ratios.back(), 2.2);
}

TYPED_TEST(StateSpaceFitTest, RecoversTheModesOfAStateSpace) {
    using S = TypeParam;
    const double tolerance = std::is_same_v<S, float> ? 1e-5 : 1e-9;
    // Two modes that oscillate and two that do not: by a dense decomposition, and by products.
    for (const Index n : {60, 500}) {
        OwnedStateSpace<S> true_modes = zero_state_space<S>(4, 1);
        true_modes.poles << std::complex<S>(S(0.9)), std::complex<S>(S(0.5), S(0.7)),
            std::complex<S>(S(-0.6)), std::complex<S>(S(-0.3), S(0.8));
        true_modes.residues << std::complex<S>(S(1)), std::complex<S>(S(2), S(-1)), std::complex<S>(S(-3)),
            std::complex<S>(S(1), S(1));
        true_modes.direct << S(0.7);
        const Matrix<S> lags = lags_by_definition(true_modes, n).template cast<S>();
        const auto fit = fit_state_space(lags, {.tolerance = tolerance, .kind = ToleranceKind::relative});
        ASSERT_TRUE(fit.meets_all()) << fit.bounds(0) / fit.tolerances(0);
        ASSERT_EQ(fit.modes[0], 4) << "n = " << n;
        for (Index i = 0; i < 4; ++i) {
            double nearest = 1;
            for (Index j = 0; j < 4; ++j) {
                nearest = (std::min)(nearest,
                                     static_cast<double>(std::abs(fit.poles(j, 0) - true_modes.poles(i, 0))));
            }
            EXPECT_LE(nearest, 100 * tolerance);
        }
        EXPECT_EQ(fit.direct(0, 0), lags(0, 0));
    }
}

TYPED_TEST(StateSpaceFitTest, LagsInFrontAreExactAndModesAreForTheRest) {
    using S = TypeParam;
    const Index n = 120;
    // One slow mode behind a few lags that no mode is like.
    Matrix<S> lags = causal_lags<S>([](double t) { return std::pow(0.95, t); }, n);
    for (Index t = 0; t < 5; ++t) lags(t, 0) += static_cast<S>(t % 2 == 0 ? 3 : -2);
    StateSpaceFitOptions options{.tolerance = 1e-4, .kind = ToleranceKind::relative};
    EXPECT_GT(fit_state_space(lags, options).modes[0], 1);
    for (const Index taps : {5, 9, 64}) {
        options.taps = taps;
        const auto fit = fit_state_space(lags, options);
        EXPECT_TRUE(fit.meets_all());
        EXPECT_EQ(fit.modes[0], 1) << "m = " << taps;
        EXPECT_TRUE(same_bits(fit.direct, lags.topRows(taps)));
        const double norm = spectral_norm(causal_error(lags, owned(fit)));
        EXPECT_GE(fit.bounds(0), norm * (1 - 1e-12));
        EXPECT_EQ(fit.bounds(0), state_space_bound(lags, fit.kernel())(0));
        const StateSpace<S> op = fit.make_operator(n);
        EXPECT_EQ(op.taps(), taps);
    }
    // All lags there are, and zeros behind them.
    const Matrix<S> few = lags.topRows(7);
    options.taps = 9;
    const auto fit = fit_state_space(few, options);
    EXPECT_EQ(fit.modes[0], 0);
    EXPECT_EQ(fit.bounds(0), 0);
    EXPECT_TRUE(fit.direct.bottomRows(2).isZero(0));
    expect_error<config_error>(513, "[toeplitz.config.513] fit_state_space: expected taps of 1..64, got 0",
                               [&] { fit_state_space(few, {.tolerance = 1, .taps = 0}); });
}

TYPED_TEST(StateSpaceFitTest, NoOrderBelowMeetsTheTolerance) {
    using S = TypeParam;
    const Index n = 120;
    for (const NamedKernel& kernel : typical_kernels(n)) {
        if (kernel.name == "warp") continue;
        SCOPED_TRACE(kernel.name);
        const Matrix<S> lags = causal_lags<S>(kernel.value, n);
        const auto fit = fit_state_space(lags, {.tolerance = 1e-2, .kind = ToleranceKind::relative});
        ASSERT_TRUE(fit.meets_all());
        // Any state space of one mode less, that of fewer modes than asked for included, misses.
        if (fit.modes[0] == 0) continue;
        const auto less = fit_state_space(
            lags, {.tolerance = 1e-2, .kind = ToleranceKind::relative, .most_modes = fit.modes[0] - 1});
        EXPECT_FALSE(less.meets_all());
        EXPECT_LT(less.modes[0], fit.modes[0]);
        EXPECT_GE(less.bounds(0), fit.bounds(0));
    }
}

TYPED_TEST(StateSpaceFitTest, PolesThatAreRealComeLast) {
    using S = TypeParam;
    const Matrix<S> lags = causal_lags<S>(
        [](double t) { return std::pow(0.95, t) + std::pow(0.5, t) + std::pow(0.6, t) * std::cos(t); }, 100);
    const auto fit = fit_state_space(lags, {.tolerance = 1e-4, .kind = ToleranceKind::relative});
    ASSERT_EQ(fit.modes[0], 3);
    EXPECT_NE(fit.poles(0, 0).imag(), 0);
    EXPECT_EQ(fit.poles(1, 0).imag(), 0);
    EXPECT_EQ(fit.poles(2, 0).imag(), 0);
}

TYPED_TEST(StateSpaceFitTest, ChannelsHaveOrdersOfTheirOwn) {
    using S = TypeParam;
    const Index n = 130;
    const auto kernels = typical_kernels(n);
    Matrix<S> lags(n, 3);
    for (Index c = 0; c < 2; ++c)
        lags.col(c) = causal_lags<S>(kernels[static_cast<std::size_t>(c + 1)].value, n);
    lags.col(2).setZero();
    const StateSpaceFitOptions options{.tolerance = 1e-3, .kind = ToleranceKind::relative};
    const auto fit = fit_state_space(lags, options);
    EXPECT_TRUE(fit.meets_all());
    EXPECT_EQ(fit.modes[2], 0);
    EXPECT_EQ(fit.bounds(2), 0);
    EXPECT_EQ(fit.poles.rows(), *std::max_element(fit.modes.begin(), fit.modes.end()));
    EXPECT_NE(fit.modes[0], fit.modes[1]);
    for (Index c = 0; c < 2; ++c) {
        const Matrix<S> column = lags.col(c);
        const auto alone = fit_state_space(column, options);
        EXPECT_EQ(alone.modes[0], fit.modes[static_cast<std::size_t>(c)]);
        EXPECT_EQ(alone.bounds(0), fit.bounds(c));
        for (Index i = 0; i < fit.poles.rows(); ++i) {
            const bool own = i < alone.modes[0];
            EXPECT_EQ(fit.poles(i, c), own ? alone.poles(i, 0) : std::complex<S>(0));
            EXPECT_EQ(fit.residues(i, c), own ? alone.residues(i, 0) : std::complex<S>(0));
        }
    }
    // What is stored is what was proven.
    const Vector<double> again = state_space_bound(lags, fit.kernel());
    for (Index c = 0; c < 3; ++c) EXPECT_LE(std::abs(again(c) - fit.bounds(c)), 1e-6 * fit.tolerances(c));
}

TYPED_TEST(StateSpaceFitTest, PowersOfTwoScaleTheResult) {
    using S = TypeParam;
    const Index n = 90;
    const Matrix<S> lags = causal_lags<S>(typical_kernels(n)[6].value, n);
    const StateSpaceFitOptions options{.tolerance = 1e-3 * static_cast<double>(norm(lags))};
    const auto fit = fit_state_space(lags, options);
    ASSERT_TRUE(fit.meets_all());
    for (const int exponent :
         {-60, 60, std::is_same_v<S, float> ? 100 : 900, std::is_same_v<S, float> ? -90 : -900}) {
        const Matrix<S> scaled = lags.unaryExpr([&](S lag) { return std::ldexp(lag, exponent); });
        const auto other = fit_state_space(scaled, {.tolerance = std::ldexp(options.tolerance, exponent)});
        EXPECT_EQ(other.bounds(0), std::ldexp(fit.bounds(0), exponent)) << exponent;
        EXPECT_TRUE(same_bits(other.poles.real(), fit.poles.real()));
        EXPECT_EQ(other.residues(0, 0).real(), std::ldexp(fit.residues(0, 0).real(), exponent));
    }
}

TYPED_TEST(StateSpaceFitTest, TheShortestKernels) {
    using S = TypeParam;
    const StateSpaceFitOptions options{.tolerance = 1e-6, .kind = ToleranceKind::relative};
    const auto fit_of = [&](std::initializer_list<double> values) {
        Matrix<S> lags(static_cast<Index>(values.size()), 1);
        std::transform(values.begin(), values.end(), lags.data(), [](double v) { return static_cast<S>(v); });
        const auto fit = fit_state_space(lags, options);
        EXPECT_GE(fit.bounds(0), spectral_norm(causal_error(lags, owned(fit))) * (1 - 1e-9));
        return fit;
    };
    EXPECT_EQ(fit_of({3}).modes[0], 0);
    EXPECT_EQ(fit_of({3}).direct(0, 0), S(3));
    EXPECT_EQ(fit_of({3, 0}).modes[0], 0);
    EXPECT_EQ(fit_of({3, 2}).modes[0], 1);
    EXPECT_TRUE(fit_of({3, 2}).meets_all());
    EXPECT_EQ(fit_of({3, 2, 1}).modes[0], 1);
    EXPECT_TRUE(fit_of({3, 2, 1}).meets_all());
    EXPECT_EQ(fit_of({0, 0, 0}).bounds(0), 0);
    EXPECT_FALSE(fit_of({0, 1, 2}).meets_all()) << "no pole may lie outside the unit circle";
    EXPECT_EQ(fit_of({1, 1, 1, 1, 1, 1, 1}).modes[0], 1);
    EXPECT_TRUE(fit_of({1, 1, 1, 1, 1, 1, 1}).meets_all());
    EXPECT_EQ(fit_of({1, -1, 1, -1, 1, -1, 1}).poles(0, 0), std::complex<S>(-1));
}

TEST(StateSpaceBound, KnowsNumbersRoundedToFloat) {
    const Index n = 200;
    const Matrix<double> lags = causal_lags<double>(typical_kernels(n)[7].value, n);
    const auto fit = fit_state_space(
        lags, {.tolerance = 1e-4, .kind = ToleranceKind::relative, .rounding = Rounding::to_float});
    ASSERT_TRUE(fit.meets_all());
    EXPECT_TRUE(same_bits(fit.poles.real().cast<float>().eval(), fit.poles.real()));
    EXPECT_TRUE(same_bits(fit.poles.imag().cast<float>().eval(), fit.poles.imag()));
    EXPECT_TRUE(same_bits(fit.residues.real().cast<float>().eval(), fit.residues.real()));
    EXPECT_TRUE(same_bits(fit.direct.cast<float>().eval(), fit.direct));
}

TEST(StateSpaceBound, IsInfiniteWhereLagsOverflow) {
    OwnedStateSpace<double> kernel = zero_state_space<double>(1, 1);
    kernel.poles << 2;
    kernel.residues << 1;
    const Matrix<double> lags = Matrix<double>::Zero(2000, 1);
    EXPECT_EQ(state_space_bound(lags, kernel.views())(0), std::numeric_limits<double>::infinity());
    const Matrix<double> few = Matrix<double>::Zero(5, 1);  // 0 0 1 2 4 8 against zeros
    const double norm = spectral_norm(causal_error(few, kernel));
    EXPECT_GE(state_space_bound(few, kernel.views())(0), norm);
    EXPECT_LE(state_space_bound(few, kernel.views())(0), 1.5 * norm);
}

TEST(StateSpaceBound, KeepsWhatScalingLoses) {
    // Lag 0 is exact, and the other one vanishes beside it.
    const Matrix<double> lags = Vector<double>{{1e300, 1e-320}};
    OwnedStateSpace<double> kernel = zero_state_space<double>(0, 1);
    kernel.direct << 1e300;
    EXPECT_GE(state_space_bound(lags, kernel.views())(0), 1e-320);
    const Matrix<double> both = Vector<double>{{1e-320, 1e300, 0}};
    EXPECT_GE(state_space_bound(both, kernel.views(), zero_state_space<double>(0, 1).views())(0), 1e-320);
}

TEST(StateSpaceRounding, BoundsWhatAProductRounds) {
    // One, two and three channels share vectors with modes.
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
        const Index n = 400;
        const Index d = seed > 3 ? static_cast<Index>(seed) - 3 : 20;
        const Index taps = 1 + static_cast<Index>(seed) % 3;
        const auto kernel = random_state_space<float>(6, d, seed, 0.99, taps);
        const Vector<double> bounds = state_space_rounding<float>(kernel.views(), n);
        const Matrix<float> x = Matrix<float>::Random(n, d);
        const Matrix<float> y =
            StateSpace<float>({.length = n, .channels = d, .modes = 6, .taps = taps}, kernel.views()) * x;
        const LongMatrix lags = lags_by_definition(kernel, n);
        for (Index c = 0; c < d; ++c) {
            long double square = 0;
            for (Index i = 0; i < n; ++i) {
                long double exact = 0;
                for (Index j = 0; j <= i; ++j) exact += lags(i - j, c) * static_cast<long double>(x(j, c));
                square +=
                    (exact - static_cast<long double>(y(i, c))) * (exact - static_cast<long double>(y(i, c)));
            }
            const double error = static_cast<double>(std::sqrt(square) / norm(x.col(c)));
            EXPECT_GE(bounds(c), error);
            EXPECT_GT(error, 0);
        }
    }
}

TEST(StateSpaceFitErrors, SayWhatWasExpected) {
    const Matrix<double> lags = Matrix<double>::Ones(5, 2);
    expect_error<config_error>(553,
                               "[toeplitz.config.553] fit_state_space: expected a tolerance above 0 that is "
                               "finite, got one that is not",
                               [&] { fit_state_space(lags, {}); });
    expect_error<config_error>(556, "[toeplitz.config.556] fit_state_space: expected most_modes >= 0, got -1",
                               [&] { fit_state_space(lags, {.tolerance = 1, .most_modes = -1}); });
    expect_error<shape_error>(550, "[toeplitz.shape.550] fit_state_space: expected lags of n×d, got 0×2",
                              [&] { fit_state_space(Matrix<double>(0, 2), {.tolerance = 1}); });
    Matrix<double> bad = lags;
    bad(3, 1) = std::numeric_limits<double>::quiet_NaN();
    expect_error<value_error>(
        530,
        "[toeplitz.value.530] fit_state_space: expected a finite kernel, got a NaN or an "
        "infinity at lag 3, channel 1",
        [&] { fit_state_space(bad, {.tolerance = 1}); });
    expect_error<shape_error>(501,
                              "[toeplitz.shape.501] state_space_bound: expected a kernel of 3×2, got 3×1",
                              [&] { state_space_bound(lags, zero_state_space<double>(3, 1).views()); });
}

}  // namespace
}  // namespace toeplitz::test
