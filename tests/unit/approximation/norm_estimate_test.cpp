// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/dense_bound.hpp>
#include <toeplitz/approximation/norm_estimate.hpp>
#include <toeplitz/operators/dense.hpp>

namespace toeplitz::test {
namespace {

Dense<double> dense(Index length, const Matrix<double>& lags) {
    return {{.length = length, .channels = lags.cols()}, lags};
}

TEST(NormEstimateTest, IsCloseToTheNormOfEveryChannelAndNotAboveIt) {
    for (const Index n : {1, 2, 7, 60, 201}) {
        Matrix<double> lags = random_matrix<double>(2 * n - 1, 3, 1);
        lags.col(1) = lags_of(typical_kernels(n)[4].value, n);
        lags.col(2) *= 1e-9;
        const Vector<double> estimates = norm_estimate(dense(n, lags), {.relative_change = 1e-5});
        // Within a thousandth of the norm.
        const Vector<double> proven = dense_error_bound(lags, Approximation<double>{});
        for (Index c = 0; c < 3; ++c) {
            EXPECT_LE(estimates(c), proven(c)) << n << ' ' << c;
            EXPECT_GE(estimates(c), 0.997 * proven(c)) << n << ' ' << c;
        }
    }
}

TEST(NormEstimateTest, NeverExceedsANormThatIsKnown) {
    constexpr Index n = 50;
    const Matrix<double> lags = Matrix<double>::Constant(2 * n - 1, 1, -2.0);
    const double estimate = norm_estimate(dense(n, lags))(0);
    EXPECT_LE(estimate, 2.0 * n * (1 + 1e-13));
    EXPECT_GE(estimate, 2.0 * n * (1 - 1e-6));
}

TEST(NormEstimateTest, IsZeroForTheZeroOperatorBesideOthers) {
    Matrix<double> lags = random_matrix<double>(2 * 20 - 1, 2, 2);
    lags.col(0).setZero();
    const Vector<double> estimates = norm_estimate(dense(20, lags));
    EXPECT_EQ(estimates(0), 0);
    EXPECT_GT(estimates(1), 1);
}

TEST(NormEstimateTest, StartsAnywhereAndGrowsWithEveryStep) {
    const Matrix<double> lags = random_matrix<double>(2 * 90 - 1, 1, 3);
    const Dense<double> op = dense(90, lags);
    double before = 0;
    for (Index steps = 1; steps < 12; ++steps) {
        const double estimate = norm_estimate(op, {.relative_change = -1, .max_steps = steps, .seed = 5})(0);
        EXPECT_GE(estimate, before * (1 - 1e-12));
        before = estimate;
    }
    EXPECT_TRUE(near(norm_estimate(op, {.relative_change = 1e-6, .seed = 6})(0),
                     norm_estimate(op, {.relative_change = 1e-6, .seed = 7})(0), 1e-2));
}

TEST(NormEstimateTest, RefusesOptionsThatAreNoLimits) {
    const Dense<double> op = dense(20, random_matrix<double>(2 * 20 - 1, 1, 4));
    for (const double change : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        expect_error<config_error>(
            557,
            detail::text("[toeplitz.config.557] norm_estimate: expected a finite relative_change, got ",
                         change),
            [&] { norm_estimate(op, {.relative_change = change}); });
    }
    expect_error<config_error>(201, "[toeplitz.config.201] norm_estimate: expected max_steps >= 1, got 0",
                               [&] { norm_estimate(op, {.max_steps = 0}); });
}

TEST(NormEstimateTest, OfADifferenceIsThatOfTheDifferentKernel) {
    const Matrix<double> a = random_matrix<double>(2 * 40 - 1, 2, 8);
    const Matrix<double> b = random_matrix<double>(2 * 40 - 1, 2, 9);
    const Dense<double> first = dense(40, a);
    const Dense<double> second = dense(40, b);
    const Vector<double> estimates = norm_estimate(Difference(first, second));
    const Vector<double> expected = norm_estimate(dense(40, a - b));
    EXPECT_TRUE(near_all(estimates, expected, 1e-10));
    const Dense<double> shorter = dense(39, Matrix<double>(a.topRows(2 * 39 - 1)));
    expect_error<shape_error>(540,
                              "[toeplitz.shape.540] Difference: expected two operators of n×d = 40×2, got a "
                              "second one of 39×2",
                              [&] { Difference(first, shorter); });
}

}  // namespace
}  // namespace toeplitz::test
