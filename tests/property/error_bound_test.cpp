// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/random.hpp>

#include <toeplitz/approximation/a_priori_bound.hpp>
#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/approximation/nystrom.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/dense/activation.hpp>

namespace toeplitz::test {
namespace {

constexpr Activation activations[] = {Activation::identity,    Activation::relu, Activation::silu,
                                      Activation::gelu,        Activation::sine, Activation::sigmoid,
                                      Activation::leaky_relu,  Activation::elu,  Activation::elu_plus_one,
                                      Activation::elu_plus_two};

std::function<double(double)> random_kernel(Index family, Index length, Draw& draw) {
    const double n = static_cast<double>(length);
    const double center = draw.uniform(-n, n);
    const double width = draw.uniform(1, n + 1);
    const double scale = std::pow(10, draw.uniform(-6, 6));
    const auto smooth = [=](double t) { return scale * std::exp(-std::pow((t - center) / width, 2)); };
    switch (family) {
        case 0:
            return smooth;
        case 1: {
            const double period = draw.uniform(1.5, 2 * n);
            return [=](double t) { return std::sin(6.28 * (t - center) / period) * smooth(t); };
        }
        case 2: {
            const double height = scale * draw.uniform(-100, 100);
            const double at = std::floor(draw.uniform(-4, 4));
            return [=](double t) { return smooth(t) + height * std::max(0.0, 1 - std::abs(t - at)); };
        }
        case 3: {
            const double jump = scale * draw.uniform(-5, 5);
            return [=](double t) { return t < 0 ? smooth(t) : smooth(t) + jump; };
        }
        case 4: {
            const auto activation = activations[draw.whole(0, 9)];
            const auto unit = [=](double x) {
                activate(activation, MatrixView<double>(&x, 1, 1));
                return x;
            };
            return random_perceptron(draw.uniform(0.5, 1), static_cast<std::uint64_t>(draw.whole(0, 1 << 30)),
                                     unit);
        }
        default: {
            const CounterRandom noise(static_cast<std::uint64_t>(draw.whole(0, 1 << 30)));
            return [=](double t) { return scale * noise.normal(static_cast<std::uint64_t>(t + 2 * n)); };
        }
    }
}

/// Any taps and inducing values: optimal ones, or those and something at random.
template <class S>
Approximation<S> random_approximation(const Matrix<S>& lags, Draw& draw) {
    const Index n = (lags.rows() + 1) / 2;
    const ApproximationOptions options{.half_width = draw.whole(-1, std::min<Index>(n - 1, 20)),
                                       .rank = draw.whole(0, n),
                                       .mode = static_cast<InducingMode>(draw.whole(0, 3))};
    Approximation<S> made = approximate(lags, options);
    if (draw.whole(0, 3) == 0) {
        const double size = static_cast<double>(lags.cwiseAbs().maxCoeff());
        for (Index i = 0; i < made.taps.rows(); ++i) made.taps(i, 0) += static_cast<S>(size * draw.normal());
        for (Index i = 0; i < made.inducing.rows(); ++i) {
            made.inducing(i, 0) += static_cast<S>(size * draw.normal());
        }
    }
    return made;
}

template <class S>
void expect_bounds_to_hold(Index n, Index family, Draw& draw) {
    const Matrix<S> lags = lags_of(random_kernel(family, n, draw), n).cast<S>();
    const Approximation<S> made = random_approximation(lags, draw);
    const double norm =
        spectral_norm(error_matrix(lags.template cast<double>(), made.taps.template cast<double>(),
                                   made.inducing.template cast<double>(), 0));
    // The norm is rounded as well.
    const double least = norm * (1 - 4 * static_cast<double>(n) * std::numeric_limits<double>::epsilon());
    const auto about = [&] {
        return testing::Message() << "family " << family << " n = " << n << " m = " << made.tap_count()
                                  << " r = " << made.rank();
    };
    EXPECT_GE(error_bound(lags, made, ErrorBound::window)(0), least) << about();
    EXPECT_GE(error_bound(lags, made, ErrorBound::spectrum)(0), least) << about();
    if (n <= 40) {
        EXPECT_GE(dense_error_bound(lags, made)(0), least) << about();
    }
}

TEST(ErrorBoundProperty, HoldsForThousandsOfShortKernels) {
    Draw draw(1);
    for (Index round = 0; round < 4000; ++round) {
        const Index n = draw.whole(1, 40);
        expect_bounds_to_hold<double>(n, round % 6, draw);
        if (round % 4 == 0) expect_bounds_to_hold<float>(n, round % 6, draw);
        if (HasFailure()) return;
    }
}

TEST(ErrorBoundProperty, HoldsForLongerKernels) {
    Draw draw(2);
    for (Index round = 0; round < 60; ++round) {
        expect_bounds_to_hold<double>(draw.whole(41, 160), round % 6, draw);
    }
    for (Index round = 0; round < 6; ++round) {
        expect_bounds_to_hold<double>(513, round, draw);
    }
}

// --- Kernels of today -------------------------------------------------------------------------------------

// A power of two for a kernel of about 1: often none, otherwise any that the scalar has.
template <class S>
int random_exponent(Draw& draw) {
    if (draw.whole(0, 1) == 0) return 0;
    using Limits = std::numeric_limits<S>;
    return static_cast<int>(draw.whole(Limits::min_exponent - Limits::digits, Limits::max_exponent - 14));
}

template <class S>
Matrix<S> times_power(const Matrix<S>& values, int k) {
    return values.unaryExpr([k](S v) { return std::ldexp(v, k); });
}

// ‖E‖₂ 2^−k, but for the roundings of the norm.
template <class S>
long double scaled_norm(const Matrix<S>& lags, const Approximation<S>& made, int k) {
    const auto scaled = [k](const Matrix<S>& values) {
        return times_power(Matrix<double>(values.template cast<double>()), -k);
    };
    return exact_norm(error_matrix(scaled(lags), scaled(made.taps), scaled(made.inducing), 0)) * (1 - 1e-16L);
}

constexpr Index kernels_of_today = 100000;

template <class S>
void expect_bounds_to_hold_for_kernels_of_today() {
    Draw draw(seed_of_today());
    for (Index round = 0; round < kernels_of_today; ++round) {
        const Index n = draw.whole(1, 14);
        const Index family = round % 6;
        Matrix<S> lags = lags_of(random_kernel(family, n, draw), n).template cast<S>();
        const S largest = lags.cwiseAbs().maxCoeff();
        if (largest > 0) lags /= largest;
        const int k = random_exponent<S>(draw);
        lags = times_power(lags, k);
        Approximation<S> made = random_approximation(lags, draw);
        const long double norm = scaled_norm(lags, made, k);
        const auto holds = [&](const char* method, double bound) {
            ASSERT_GE(std::ldexp(static_cast<long double>(bound), -k), norm)
                << method << ", kernel " << round << ", family " << family << ", n = " << n << ", k = " << k
                << ", m = " << made.tap_count() << ", r = " << made.rank();
        };
        holds("window", error_bound(lags, made, ErrorBound::window)(0));
        holds("spectrum", error_bound(lags, made, ErrorBound::spectrum)(0));
        holds("dense", dense_error_bound(lags, made)(0));
        // That of inducing values alone.
        if (made.rank() == 0) made = approximate(lags, {.rank = draw.whole(1, n)});
        made.taps.resize(0, 1);
        const long double low_rank = scaled_norm(lags, made, k);
        ASSERT_GE(std::ldexp(static_cast<long double>(nystrom_route_bound(lags, made.inducing)(0)), -k),
                  low_rank)
            << "kernel " << round << ", n = " << n << ", k = " << k << ", r = " << made.rank();
        if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(SlowErrorBoundProperty, HoldsForTheFloatKernelsOfToday) {
    expect_bounds_to_hold_for_kernels_of_today<float>();
}
TEST(SlowErrorBoundProperty, HoldsForTheDoubleKernelsOfToday) {
    expect_bounds_to_hold_for_kernels_of_today<double>();
}

TEST(SlowErrorBoundProperty, ChoicesKeepTheirTolerancesForTheKernelsOfToday) {
    Draw draw(seed_of_today());
    Index approximations = 0;
    for (Index round = 0; round < kernels_of_today; ++round) {
        const Index n = draw.whole(2, 14);
        Matrix<double> lags = lags_of(random_kernel(round % 6, n, draw), n);
        const double largest = lags.cwiseAbs().maxCoeff();
        if (largest > 0) lags /= largest;
        const int k = random_exponent<double>(draw);
        lags = times_power(lags, k);
        const bool relative = draw.whole(0, 1) == 0;
        const double tolerance = std::pow(10, draw.uniform(-4, 0));
        const double absolute = std::max(std::ldexp(tolerance, k), std::numeric_limits<double>::denorm_min());
        const Approximation<double> choice =
            choose(lags, {.tolerance = relative ? tolerance : absolute,
                          .kind = relative ? ToleranceKind::relative : ToleranceKind::absolute,
                          // Of short sequences nothing is cheaper than the exact product, by measured costs.
                          .cost = {.direct_tap = 1},
                          .dense_length = draw.whole(0, 1) * 128,
                          .most_modes = 0});
        ASSERT_LE(choice.bound(), choice.tolerances(0));
        const long double most = relative ? tolerance * scaled_norm<double>(lags, {}, k) * (1 + 1e-12L)
                                          : std::ldexp(static_cast<long double>(absolute), -k);
        ASSERT_LE(std::ldexp(static_cast<long double>(choice.tolerances(0)), -k), most) << round;
        if (choice.method() == Method::fft) continue;
        ++approximations;
        ASSERT_GE(std::ldexp(static_cast<long double>(choice.bound()), -k), scaled_norm(lags, choice, k))
            << "kernel " << round << ", n = " << n << ", k = " << k;
    }
    EXPECT_GT(approximations, kernels_of_today / 4);
}

// Bounds of formulas, for kernels whose derivatives are known: a piecewise linear one with a jump, and a
// wave.
TEST(SlowErrorBoundProperty, FormulasHoldForTheKernelsOfToday) {
    Draw draw(seed_of_today());
    for (Index round = 0; round < kernels_of_today; ++round) {
        const Index n = draw.whole(2, 14);
        const Index rank = draw.whole(2, n);
        const double span = static_cast<double>(n - 1);
        const auto error = [&](const auto& kernel) {
            const Vector<double> at = inducing_lags(n, rank);
            Matrix<double> inducing(at.size(), 1);
            for (Index i = 0; i < at.size(); ++i) inducing(i, 0) = kernel(at(i));
            const Matrix<double> lags = lags_of(kernel, n);
            // Less what the kernel's own values are rounded by.
            const double rounded = 1e-13 * static_cast<double>(n) *
                                   (lags.cwiseAbs().maxCoeff() + inducing.cwiseAbs().maxCoeff());
            return exact_norm(error_matrix(lags, {}, inducing, 0)) - static_cast<long double>(rounded);
        };
        const Index count = draw.whole(1, 4);
        std::vector<double> knots;
        std::vector<double> bends;
        double variation = 0;
        for (Index i = 0; i < count; ++i) {
            knots.push_back(draw.uniform(-span, span));
            bends.push_back(draw.normal());
            variation += std::abs(bends.back());
        }
        const double slope = draw.normal();
        const double jump = draw.normal();
        const double jump_at = draw.uniform(-span, span);
        const auto polygon = [&](double t) {
            double value = slope * t;
            for (std::size_t i = 0; i < knots.size(); ++i) value += bends[i] * std::max(t - knots[i], 0.0);
            return value;
        };
        const auto about = [&] {
            return testing::Message() << "kernel " << round << ", n = " << n << ", r = " << rank;
        };
        ASSERT_GE(variation_bound(n, rank, variation), error(polygon)) << about();
        ASSERT_GE(lipschitz_bound(n, rank, std::abs(slope) + variation), error(polygon)) << about();
        const double both = variation_bound(n, rank, variation) + jump_bound(n, rank, jump);
        ASSERT_GE(both, error([&](double t) { return polygon(t) + (t >= jump_at ? jump : 0.0); })) << about();
        const double omega = draw.uniform(0, 4);
        const double phase = draw.uniform(-4, 4);
        const auto wave = [&](double t) { return std::cos(omega * t + phase); };
        ASSERT_GE(curvature_bound(n, rank, omega * omega), error(wave)) << about();
        const std::vector<double> everywhere(static_cast<std::size_t>(2 * n - 1), omega * omega);
        ASSERT_GE(local_curvature_bound(n, rank, everywhere), error(wave)) << about();
    }
}

}  // namespace
}  // namespace toeplitz::test
