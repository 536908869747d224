// SPDX-License-Identifier: MIT
// No kernel is further from its state space than the certificate says.

#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>

#include <toeplitz/approximation/state_space_fit.hpp>

namespace toeplitz::test {
namespace {

/// Lags 0..n−1: exponentials, noise under a decay, steps, a few spikes, a smooth bump, or something constant.
template <class S>
Matrix<S> random_lags(Index n, Draw& draw) {
    const Index family = draw.whole(0, 5);
    const double scale = std::pow(10, draw.uniform(-6, 6));
    const double decay = std::pow(draw.uniform(0, 1), 1 / static_cast<double>(n));
    const double frequency = draw.uniform(0, 3.14);
    const double center = draw.uniform(0, static_cast<double>(n));
    const double width = draw.uniform(1, static_cast<double>(n) + 1);
    Matrix<S> lags(n, 1);
    double level = draw.normal();
    for (Index i = 0; i < n; ++i) {
        const double t = static_cast<double>(i);
        double value = 0;
        switch (family) {
            case 0:
                value = std::pow(decay, t) * std::cos(frequency * t) + std::pow(decay, 3 * t);
                break;
            case 1:
                value = std::pow(decay, t) * draw.normal();
                break;
            case 2:
                if (draw.whole(0, 7) == 0) level = draw.normal();
                value = level;
                break;
            case 3:
                value = draw.whole(0, 9) == 0 ? draw.normal() : 0.0;
                break;
            case 4:
                value = std::exp(-std::pow((t - center) / width, 2)) * std::cos(frequency * t / 8);
                break;
            default:
                value = 1;
        }
        lags(i, 0) = static_cast<S>(scale * value);
    }
    return lags;
}

/// ‖T_e‖₂ of the lags 1−n..n−1 in long double, by power iteration: never above it but for rounding.
double toeplitz_norm(const LongMatrix& e) {
    const Index n = (e.rows() + 1) / 2;
    const long double largest = e.cwiseAbs().maxCoeff();
    if (largest == 0) return 0;
    std::vector<long double> v(static_cast<std::size_t>(n));
    std::vector<long double> w(v.size());
    const CounterRandom random(3);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.normal(i);
    long double norm = 0;
    for (int step = 0; step < 60; ++step) {
        long double length = 0;
        for (const long double x : v) length += x * x;
        length = std::sqrt(length);
        if (length == 0) return 0;
        for (long double& x : v) x /= length;
        long double square = 0;
        for (Index i = 0; i < n; ++i) {
            long double sum = 0;
            for (Index j = 0; j < n; ++j)
                sum += e(n - 1 + i - j, 0) / largest * v[static_cast<std::size_t>(j)];
            w[static_cast<std::size_t>(i)] = sum;
            square += sum * sum;
        }
        const long double next = std::sqrt(square);
        const bool settled = step > 3 && next - norm <= 1e-5L * next;
        norm = next;
        if (settled) break;
        for (Index j = 0; j < n; ++j) {
            long double sum = 0;
            for (Index i = 0; i < n; ++i)
                sum += e(n - 1 + i - j, 0) / largest * w[static_cast<std::size_t>(i)];
            v[static_cast<std::size_t>(j)] = sum;
        }
    }
    return static_cast<double>(norm * largest);
}

/// A fit of random lags, spoiled now and then.
template <class S>
StateSpaceFit<S> random_fit(const Matrix<S>& lags, Draw& draw) {
    const double tolerance = std::pow(10, draw.uniform(-5, -0.5));
    auto fit = fit_state_space(lags, {.tolerance = tolerance,
                                      .kind = ToleranceKind::relative,
                                      .taps = draw.whole(0, 1) == 0 ? 1 : draw.whole(1, 12),
                                      .most_modes = draw.whole(0, 12)});
    if (draw.whole(0, 3) == 0) {
        const double size = static_cast<double>(lags.cwiseAbs().maxCoeff());
        for (Index i = 0; i < fit.residues.rows(); ++i) {
            fit.residues(i, 0) += static_cast<S>(size * draw.normal());
            // Unstable ones, too.
            fit.poles(i, 0) += static_cast<S>(draw.uniform(-0.05, 0.05));
        }
        fit.direct(draw.whole(0, fit.direct.rows() - 1), 0) += static_cast<S>(0.1 * size * draw.normal());
        fit.bounds = state_space_bound(lags, fit.kernel());
    }
    return fit;
}

/// h − ĥ at lags 0..n−1.
template <class S>
LongMatrix error_of(const Matrix<S>& lags, const StateSpaceFit<S>& fit) {
    const OwnedStateSpace<S> kernel{fit.poles, fit.residues, fit.direct};
    return lags.template cast<long double>() - lags_by_definition(kernel, lags.rows());
}

/// That the bound is no less than the norm; returns bound / norm, 0 where the error is nothing but rounding.
double expect_no_less(double bound, const LongMatrix& error, double largest_lag) {
    const double norm = toeplitz_norm(error);
    EXPECT_GE(bound, norm * (1 - 1e-14)) << "n = " << (error.rows() + 1) / 2;
    return norm > 1e-9 * largest_lag ? bound / norm : 0;
}

template <class S>
double expect_the_bound_to_hold(Index n, Draw& draw) {
    const Matrix<S> lags = random_lags<S>(n, draw);
    const StateSpaceFit<S> fit = random_fit(lags, draw);
    LongMatrix error = LongMatrix::Zero(2 * n - 1, 1);
    error.bottomRows(n) = error_of(lags, fit);
    return expect_no_less(fit.bounds(0), error, static_cast<double>(lags.cwiseAbs().maxCoeff()));
}

/// The same of one in each direction of time, of amplitudes that have nothing to do with each other, or are
/// the same.
template <class S>
double expect_the_sum_to_hold(Index n, Draw& draw) {
    const Matrix<S> forward = random_lags<S>(n, draw);
    Matrix<S> backward = draw.whole(0, 1) == 0 ? random_lags<S>(n, draw) : forward;
    if (draw.whole(0, 1) == 0) backward(0, 0) = 0;
    Matrix<S> lags(2 * n - 1, 1);
    lags.topRows(n) = backward.colwise().reverse();
    lags.bottomRows(n) = forward;
    const StateSpaceFit<S> one = random_fit(forward, draw);
    const StateSpaceFit<S> other = random_fit(backward, draw);
    // Lag 0 is that of `forward`; what `backward` has there is in addition.
    LongMatrix error = LongMatrix::Zero(2 * n - 1, 1);
    error.topRows(n) = error_of(backward, other).colwise().reverse();
    error(n - 1, 0) = -static_cast<long double>(other.direct(0, 0));
    error.bottomRows(n) += error_of(forward, one);
    return expect_no_less(state_space_bound(lags, one.kernel(), other.kernel())(0), error,
                          static_cast<double>(lags.cwiseAbs().maxCoeff()));
}

/// Median and largest of bound / norm over random kernels.
void expect_bounds_to_hold(Index rounds, Index longest, std::uint64_t seed) {
    Draw draw(seed);
    std::vector<double> ratios;
    for (Index round = 0; round < rounds; ++round) {
        const Index n = draw.whole(1, longest);
        const double ratio = round % 4 == 0   ? expect_the_bound_to_hold<double>(n, draw)
                             : round % 4 == 1 ? expect_the_bound_to_hold<float>(n, draw)
                             : round % 4 == 2 ? expect_the_sum_to_hold<double>(n, draw)
                                              : expect_the_sum_to_hold<float>(n, draw);
        if (testing::Test::HasFailure()) return;
        if (ratio > 0) ratios.push_back(ratio);
    }
    ASSERT_GT(ratios.size(), static_cast<std::size_t>(rounds / 3));
    std::sort(ratios.begin(), ratios.end());
    testing::Test::RecordProperty("median", std::to_string(ratios[ratios.size() / 2]));
    testing::Test::RecordProperty("largest", std::to_string(ratios.back()));
    EXPECT_LE(ratios[ratios.size() / 2], 2);
}

TEST(StateSpaceBoundProperty, HoldsForRandomKernels) { expect_bounds_to_hold(1500, 40, 1); }

TEST(StateSpaceBoundProperty, HoldsForLongerKernels) { expect_bounds_to_hold(40, 300, 2); }

TEST(SlowStateSpaceBoundProperty, HoldsForTwoHundredThousandKernels) { expect_bounds_to_hold(200000, 32, 3); }

}  // namespace
}  // namespace toeplitz::test
