// SPDX-License-Identifier: MIT
// Certificates of kernels of any amplitude: nothing that is squared vanishes or overflows.
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/random.hpp>
#include <support/sanitizers.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/a_priori_bound.hpp>
#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/approximation/nystrom.hpp>
#include <toeplitz/operators/dense.hpp>

namespace toeplitz::test {
namespace {

template <class S>
using Limits = std::numeric_limits<S>;

// values · 2^k, rounded where the results are denormal.
template <class S>
Matrix<S> times_power(const Matrix<S>& values, int k) {
    return values.unaryExpr([k](S v) { return std::ldexp(v, k); });
}
template <class S>
Approximation<S> times_power(Approximation<S> made, int k) {
    made.taps = times_power(made.taps, k);
    made.inducing = times_power(made.inducing, k);
    return made;
}

// ‖E‖₂ · 2^−k of kernels of about 2^k, but for the rounding of the norm itself.
template <class S>
double scaled_norm(const Matrix<S>& lags, const Approximation<S>& made, int k) {
    const auto scaled = [k](const Matrix<S>& values) {
        return times_power(Matrix<double>(values.template cast<double>()), -k);
    };
    const double norm =
        spectral_norm(error_matrix(scaled(lags), scaled(made.taps), scaled(made.inducing), 0));
    return norm * (1 - 1e-13);
}

// Kernels with a largest value in [1/2, 1): a kink, one with all lags alike, noise.
template <class S>
std::vector<Matrix<S>> kernels(Index n) {
    const auto kink = [](double t) { return 0.9 * std::pow(0.98, std::abs(t)); };
    const auto wave = [](double t) { return 0.7 * std::cos(0.1 * t + 0.3) * std::exp(-std::abs(t) / 40); };
    std::vector<Matrix<S>> all = {lags_of(kink, n).template cast<S>(), lags_of(wave, n).template cast<S>(),
                                  random_matrix<S>(2 * n - 1, 1, 3)};
    all.back() *= S(0.75) / all.back().cwiseAbs().maxCoeff();
    return all;
}

constexpr ApproximationOptions shapes[] = {
    {},
    {.half_width = 3},
    {.rank = 9},
    {.half_width = 2, .rank = 9},
    {.half_width = 6, .rank = 13, .mode = InducingMode::balanced_bridge},
    {.half_width = 0, .rank = 12, .mode = InducingMode::balanced_sample},
};

template <class S>
class AmplitudeTest : public testing::Test {
protected:
    static constexpr bool is_double = std::is_same_v<S, double>;
    // From the least denormal number to the largest of all.
    static constexpr int lowest = is_double ? -1073 : -148;
    static constexpr int highest = is_double ? 1024 : 128;
    static constexpr int step = (is_double ? 53 : 7) * (is_sanitized ? 15 : 1);
    // Where no result of 40 bits below the largest is denormal, and no sum of a few overflows.
    static constexpr int lowest_exact = is_double ? -900 : -60;
    static constexpr int highest_exact = is_double ? 1010 : 116;

    template <class F>
    static void sweep(F&& f) {
        for (int k = lowest; k < highest; k += step) f(k);
        for (int k = highest - 12; k <= highest; ++k) f(k);
    }
    template <class F>
    static void sweep_exact(F&& f) {
        for (int k = lowest_exact; k < highest_exact; k += step) f(k);
        f(highest_exact);
    }
};

TYPED_TEST_SUITE(AmplitudeTest, Scalars);

TYPED_TEST(AmplitudeTest, BoundsHoldFromDenormalToTheLargestNumbers) {
    using S = TypeParam;
    constexpr Index n = 33;
    for (const Matrix<S>& kernel : kernels<S>(n)) {
        for (const ApproximationOptions& shape : shapes) {
            TestFixture::sweep([&](int k) {
                const Matrix<S> lags = times_power(kernel, k);
                const Approximation<S> made = approximate(lags, shape);
                if (!made.taps.allFinite() || !made.inducing.allFinite()) {
                    EXPECT_GT(k, TestFixture::highest - 4);
                    return;
                }
                const double norm = scaled_norm(lags, made, k);
                const auto holds = [&](double bound) {
                    EXPECT_GE(std::ldexp(bound, -k), norm)
                        << k << ' ' << shape.half_width << ' ' << shape.rank;
                    EXPECT_TRUE(std::isfinite(bound) || k > 1024 - 9) << k;
                };
                holds(error_bound(lags, made, ErrorBound::window)(0));
                holds(error_bound(lags, made, ErrorBound::spectrum)(0));
                holds(dense_error_bound(lags, made)(0));
                if (shape.rank > 0 && shape.half_width < 0)
                    holds(nystrom_route_bound(lags, made.inducing)(0));
            });
        }
    }
}

TYPED_TEST(AmplitudeTest, BoundsAreThoseOfAmplitudeOne) {
    using S = TypeParam;
    for (const Matrix<S>& kernel : kernels<S>(41)) {
        for (const ApproximationOptions& shape : shapes) {
            const Approximation<S> made = approximate(kernel, shape);
            TestFixture::sweep_exact([&](int k) {
                const Matrix<S> lags = times_power(kernel, k);
                const Approximation<S> scaled = times_power(made, k);
                const auto agree = [&](double at_one, double bound) {
                    EXPECT_EQ(bound, std::ldexp(at_one, k)) << k;
                };
                for (const ErrorBound kind : {ErrorBound::window, ErrorBound::spectrum}) {
                    agree(error_bound(kernel, made, kind)(0), error_bound(lags, scaled, kind)(0));
                }
                agree(dense_error_bound(kernel, made)(0), dense_error_bound(lags, scaled)(0));
                if (shape.rank > 0) {
                    agree(nystrom_route_bound(kernel, made.inducing)(0),
                          nystrom_route_bound(lags, scaled.inducing)(0));
                }
                const Approximation<S> anew = approximate(lags, shape);
                EXPECT_EQ(anew.taps, scaled.taps) << k;
                EXPECT_EQ(anew.inducing, scaled.inducing) << k;
            });
        }
    }
}

TYPED_TEST(AmplitudeTest, TheChoiceIsThatOfAmplitudeOne) {
    using S = TypeParam;
    for (const Index n : {65, 200}) {  // with dense_error_bound, and without
        const Matrix<S> kernel = kernels<S>(n)[0];
        const double tolerance = 0.02 * norm_estimate(Dense<S>({n, 1}, kernel))(0);
        for (const ToleranceKind kind : {ToleranceKind::absolute, ToleranceKind::relative}) {
            const auto choose_at = [&](int k) {
                const bool absolute = kind == ToleranceKind::absolute;
                return choose(
                    times_power(kernel, k),
                    {.tolerance = absolute ? std::ldexp(tolerance, k) : 0.02, .kind = kind, .most_modes = 0});
            };
            const Approximation<S> at_one = choose_at(0);
            ASSERT_NE(at_one.method(), Method::fft);
            for (const int k : {TestFixture::lowest_exact, -20, 33, TestFixture::highest_exact}) {
                const Approximation<S> choice = choose_at(k);
                EXPECT_EQ(choice.method(), at_one.method()) << k;
                EXPECT_EQ(choice.mode, at_one.mode) << k;
                EXPECT_EQ(choice.taps, times_power(at_one.taps, k)) << k;
                EXPECT_EQ(choice.inducing, times_power(at_one.inducing, k)) << k;
                EXPECT_EQ(choice.bound(), std::ldexp(at_one.bound(), k)) << k;
                EXPECT_EQ(choice.tolerances(0), std::ldexp(at_one.tolerances(0), k)) << k;
            }
        }
    }
}

TYPED_TEST(AmplitudeTest, ToleranceIsKeptFromDenormalToTheLargestNumbers) {
    using S = TypeParam;
    constexpr Index n = 129;
    const Matrix<S> kernel = kernels<S>(n)[0];
    const double norm = scaled_norm(kernel, {}, 0);
    TestFixture::sweep([&](int k) {
        const Matrix<S> lags = times_power(kernel, k);
        if (!lags.allFinite() || k < TestFixture::lowest + 8) return;
        const double tolerance = std::min(std::ldexp(0.05 * norm, k), Limits<double>::max());
        for (const ChooseOptions& options :
             {ChooseOptions{.tolerance = tolerance, .dense_length = 0, .most_modes = 0},
              ChooseOptions{
                  .tolerance = 0.05, .kind = ToleranceKind::relative, .dense_length = 0, .most_modes = 0}}) {
            const Approximation<S> choice = choose(lags, options);
            EXPECT_TRUE(std::isfinite(choice.tolerances(0))) << k;
            EXPECT_LE(choice.bound(), choice.tolerances(0)) << k;
            EXPECT_LE(std::ldexp(choice.tolerances(0), -k), 0.0501 * norm) << k;
            if (choice.method() == Method::fft) continue;
            EXPECT_LE(scaled_norm(lags, choice, k), std::ldexp(choice.bound(), -k)) << k;
        }
    });
}

TYPED_TEST(AmplitudeTest, NormEstimateIsThatOfAmplitudeOne) {
    using S = TypeParam;
    constexpr Index n = 40;
    for (const Matrix<S>& kernel : kernels<S>(n)) {
        const double at_one = norm_estimate(Dense<S>({n, 1}, kernel))(0);
        ASSERT_GT(at_one, 1);
        TestFixture::sweep_exact([&](int k) {
            const double estimate = norm_estimate(Dense<S>({n, 1}, times_power(kernel, k)))(0);
            EXPECT_TRUE(near(std::ldexp(estimate, -k), at_one, 1e-13 * at_one)) << k;
        });
    }
}

TYPED_TEST(AmplitudeTest, NystromIsThatOfAmplitudeOne) {
    using S = TypeParam;
    constexpr Index n = 24;
    const Matrix<S> kernel = random_matrix<S>(2 * n - 1, 1, 5) / S(4);
    const std::vector<Index> points = nystrom_points(n, 6);
    const Matrix<S> x = random_matrix<S>(n, 1, 6) / S(8);
    Workspace ws;
    Matrix<S> y(n, 1);
    Nystrom<S>(kernel, points).apply(x, y, ws);
    const Matrix<S> at_one = y;
    TestFixture::sweep_exact([&](int k) {
        Nystrom<S>(times_power(kernel, k), points).apply(x, y, ws);
        EXPECT_TRUE(near_all(times_power(y, -k), at_one, 1e-30L)) << k;
    });
}

// What is left of a kernel may be far smaller than what the band has taken.
TYPED_TEST(AmplitudeTest, BoundsHoldForNumbersOfAllSizesInOneKernel) {
    using S = TypeParam;
    constexpr Index n = 20;
    const S tiny = Limits<S>::denorm_min();
    const S small = 3 * Limits<S>::min();
    const S huge = Limits<S>::max() / 64;
    for (const S rest : {tiny, small, S(1), huge / 2}) {
        for (const S peak : {S(0), tiny, small, S(1), huge}) {
            Matrix<S> lags = Matrix<S>::Constant(2 * n - 1, 1, rest);
            lags(n - 1, 0) = peak;
            for (const S inducing : {S(0), tiny, small, S(1), huge}) {
                Approximation<S> made{.taps = Matrix<S>::Constant(1, 1, peak)};
                // Inducing values of one point are those of all lags.
                made.inducing = Matrix<S>::Constant(1, 1, inducing);
                made.taps(0, 0) = peak - inducing;
                // E is d everywhere but on the diagonal, where it is e: its norm is |(n−1) d + e| at least.
                const auto wide = [](S v) { return static_cast<long double>(v); };
                const long double d = wide(rest) - wide(inducing);
                const long double e = wide(peak) - wide(inducing) - wide(made.taps(0, 0));
                const long double norm = std::abs((n - 1) * d + e);
                const auto about = [&] {
                    return testing::Message() << rest << ' ' << peak << ' ' << inducing;
                };
                const long double least = norm * (1 - 1e-15L);
                EXPECT_GE(error_bound(lags, made, ErrorBound::window)(0), least) << about();
                EXPECT_GE(error_bound(lags, made, ErrorBound::spectrum)(0), least) << about();
                EXPECT_GE(dense_error_bound(lags, made)(0), least) << about();
            }
        }
    }
}

TYPED_TEST(AmplitudeTest, ToleranceIsNeverInfinite) {
    using S = TypeParam;
    constexpr Index n = 200;
    // ‖T‖₂ is beyond the range of the scalar.
    const Matrix<S> lags = Matrix<S>::Constant(2 * n - 1, 1, Limits<S>::max());
    for (const double tolerance : {1e-3, 0.9, 1e300, 1.7e308}) {
        const Approximation<S> choice =
            choose(lags, {.tolerance = tolerance, .kind = ToleranceKind::relative});
        EXPECT_TRUE(std::isfinite(choice.tolerances(0))) << tolerance;
        EXPECT_LE(choice.bound(), choice.tolerances(0)) << tolerance;
    }
    // A band alone is no approximation of it.
    const Approximation<S> band = approximate(lags, {.half_width = 3});
    EXPECT_GE(error_bound(lags, band)(0), 100 * static_cast<double>(Limits<S>::max()));
}

TEST(AmplitudeOfFormulaTest, BoundsAreNotRoundedDown) {
    // Exact values have to be compared in long double, which has the exponents for them.
    const long double h = (33.0L - 1) / (7 - 1);
    for (int k = -1074; k < 1000; k += 61) {
        const double size = std::ldexp(1.0, k);
        const auto exceeds = [&](double bound, long double exact) {
            EXPECT_GE(bound, exact) << k;
            EXPECT_LE(bound, exact * (1 + 1e-12L) + 2 * Limits<double>::denorm_min()) << k;
        };
        exceeds(variation_bound(33, 7, size), (h * h / 4 + h / 2) * size);
        exceeds(curvature_bound(33, 7, size), 33 * h * h / 4 * size);
        exceeds(lipschitz_bound(33, 7, size), 33 * h * size / std::sqrt(2.0L));
        exceeds(jump_bound(33, 7, size), size * (0.75L * h + 1.5L));
        exceeds(local_curvature_bound(33, 7, std::vector<double>(65, size)), 33 * h * h / 4 * size);
    }
}

}  // namespace
}  // namespace toeplitz::test
