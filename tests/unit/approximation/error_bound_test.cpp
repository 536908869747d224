// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/approximate.hpp>
#include <toeplitz/approximation/dense_bound.hpp>

namespace toeplitz::test {
namespace {

constexpr InducingMode bound_modes[] = {InducingMode::sample, InducingMode::bridge,
                                        InducingMode::balanced_sample, InducingMode::balanced_bridge};

template <class S>
double true_norm(const Matrix<S>& lags, const Approximation<S>& approximation, Index c = 0) {
    return spectral_norm(error_matrix(lags.template cast<double>(),
                                      approximation.taps.template cast<double>(),
                                      approximation.inducing.template cast<double>(), c));
}

TEST(ErrorBoundTest, IsCloseToTheNormOnTypicalKernels) {
    constexpr Index n = 201;
    std::vector<double> ratios;
    for (const NamedKernel& kernel : typical_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        for (const Index rank : {11, 26, 51}) {
            for (const auto& [b, mode] : {std::pair<Index, InducingMode>{-1, InducingMode::sample},
                                          {4, InducingMode::sample},
                                          {4, InducingMode::bridge},
                                          {16, InducingMode::bridge}}) {
                const auto made = approximate(lags, {.half_width = b, .rank = rank, .mode = mode});
                const double norm = true_norm(lags, made);
                const double bound = error_bound(lags, made)(0);
                EXPECT_GE(bound, norm) << kernel.name << " r = " << rank << " b = " << b;
                ratios.push_back(bound / norm);
                EXPECT_LE(ratios.back(), 3.6) << kernel.name << " r = " << rank << " b = " << b;
            }
        }
    }
    std::sort(ratios.begin(), ratios.end());
    EXPECT_LE(ratios[ratios.size() / 2], 2.0);
}

TEST(ErrorBoundTest, DenseBoundIsSharp) {
    constexpr Index n = 65;
    for (const NamedKernel& kernel : typical_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        const auto made = approximate(lags, {.half_width = 3, .rank = 14, .mode = InducingMode::bridge});
        const double norm = true_norm(lags, made);
        const double bound = dense_error_bound(lags, made)(0);
        EXPECT_GE(bound, norm) << kernel.name;
        EXPECT_LE(bound, 1.02 * norm) << kernel.name;
    }
}

TEST(ErrorBoundTest, SpectrumIsFarBelowTheWindowOnWhiteNoise) {
    const Matrix<double> lags = random_matrix<double>(2 * 512 - 1, 3, 5);
    const Vector<double> window = norm_bound(lags, ErrorBound::window);
    const Vector<double> spectrum = norm_bound(lags, ErrorBound::spectrum);
    for (Index c = 0; c < 3; ++c) {
        EXPECT_GE(spectrum(c), spectral_norm(error_matrix(lags, {}, {}, c)));
        EXPECT_LT(spectrum(c), window(c) / 4);
    }
}

TEST(ErrorBoundTest, ConstantKernelHasItsExactNorm) {
    const Matrix<double> lags = Matrix<double>::Ones(2 * 100 - 1, 1);
    EXPECT_TRUE(near(norm_bound(lags, ErrorBound::window)(0), 100, 1e-9));
    EXPECT_TRUE(near(dense_error_bound(lags, Approximation<double>{})(0), 100, 0.2));
    const auto constant = approximate(lags, {.rank = 1});
    EXPECT_LE(error_bound(lags, constant)(0), 1e-9);
}

TEST(ErrorBoundTest, OptimalTapsLeaveNothingToGain) {
    const Matrix<double> lags = lags_of(typical_kernels(60)[9].value, 60);
    auto made = approximate(lags, {.half_width = 3, .rank = 12});
    const double best = error_bound(lags, made, ErrorBound::window)(0);
    for (Index q = 0; q < 7; ++q) {
        for (const double change : {-1e-3, 1e-3}) {
            auto other = made;
            other.taps(q, 0) += change;
            EXPECT_GT(error_bound(lags, other, ErrorBound::window)(0), best) << q;
        }
    }
}

TEST(ErrorBoundTest, BridgeHasTheLeastSecondDifferences) {
    constexpr Index n = 61;
    constexpr Index rank = 16;  // h = 4
    const auto bending = [](const Matrix<double>& v) {
        double sum = 0;
        for (Index i = 1; i + 1 < v.rows(); ++i) {
            const double d = v(i - 1, 0) - 2 * v(i, 0) + v(i + 1, 0);
            sum += d * d;
        }
        return sum;
    };
    const Matrix<double> sampled = sample_inducing(random_matrix<double>(2 * n - 1, 1, 2), rank);
    for (const Index b : {0, 3, 4, 9, 59}) {
        const Matrix<double> bridged = adjust_inducing(sampled, n, b, InducingMode::bridge);
        const Index inside = std::min<Index>(b / 4, rank - 3);
        for (Index delta = 1 - rank; delta < rank; ++delta) {
            if (std::abs(delta) > inside) {
                EXPECT_EQ(bridged(delta + rank - 1, 0), sampled(delta + rank - 1, 0));
                continue;
            }
            for (const double change : {-1e-3, 1e-3}) {
                Matrix<double> other = bridged;
                other(delta + rank - 1, 0) += change;
                EXPECT_GT(bending(other), bending(bridged)) << b << ' ' << delta;
            }
        }
    }
}

TEST(ErrorBoundTest, CubicsReproduceCubicsBetweenTheLags) {
    const auto cubic = [](double t) { return 1 + t * (0.5 + t * (-0.25 + t * 0.03)); };
    constexpr Index n = 12;
    const Matrix<double> lags = lags_of(cubic, n);
    for (const Index rank : {2, 5, 8, 12}) {
        const Matrix<double> values = sample_inducing(lags, rank);
        const Vector<double> at = inducing_lags(n, rank);
        for (Index i = 0; i < at.size(); ++i) EXPECT_TRUE(near(values(i, 0), cubic(at(i)), 1e-12));
    }
}

TEST(ErrorBoundTest, RefusesWhatDoesNotFit) {
    const Matrix<double> lags = random_matrix<double>(9, 2, 1);
    Approximation<double> made = approximate(lags, {.half_width = 1, .rank = 3});
    expect_error<shape_error>(
        550, "[toeplitz.shape.550] error_bound: expected lags of (2n−1)×d in row-major order, got 8×2",
        [&] { error_bound(Matrix<double>(lags.topRows(8)), made); });
    made.taps.resize(2, 2);
    expect_error<shape_error>(551,
                              "[toeplitz.shape.551] error_bound: expected taps of m×2, m odd, and inducing "
                              "values of (2r−1)×2, r <= 5, or lags of 9×2, got 2×2, 5×2 and 0×0",
                              [&] { error_bound(lags, made); });
    made = approximate(lags, {.rank = 3});
    made.inducing(2, 1) = std::numeric_limits<double>::quiet_NaN();
    expect_error<value_error>(530,
                              "[toeplitz.value.530] error_bound: expected a finite kernel, got a NaN or an "
                              "infinity at inducing lag 0, channel 1",
                              [&] { error_bound(lags, made); });
    Matrix<double> bad = lags;
    bad(8, 1) = std::numeric_limits<double>::infinity();
    expect_error<value_error>(530,
                              "[toeplitz.value.530] error_bound: expected a finite kernel, got a NaN or an "
                              "infinity at lag 4, channel 1",
                              [&] { norm_bound(bad); });
    expect_error<config_error>(
        552,
        "[toeplitz.config.552] sample_inducing: expected a rank of 0..5 and a half width "
        "of -1..4, got 6 and -1",
        [&] { approximate(lags, {.rank = 6}); });
    expect_error<config_error>(
        552,
        "[toeplitz.config.552] adjust_inducing: expected a rank of 0..5 and a half width "
        "of -1..4, got 0 and 5",
        [&] { approximate(lags, {.half_width = 5}); });
}

template <class S>
class TypedErrorBoundTest : public testing::Test {};

TYPED_TEST_SUITE(TypedErrorBoundTest, Scalars);

// Stored taps and inducing values are rounded; their bound is that of what is stored.
TYPED_TEST(TypedErrorBoundTest, AnyWidthGivesTheBoundsOfItsChannels) {
    using S = TypeParam;
    constexpr Index n = 40;
    const Matrix<S> lags = random_matrix<S>(2 * n - 1, 37, 3);
    for (const InducingMode mode : bound_modes) {
        const auto made = approximate(lags, {.half_width = 2, .rank = 11, .mode = mode});
        const Vector<double> all = error_bound(lags, made);
        for (Index c = 0; c < lags.cols(); ++c) {
            const Approximation<S> one{made.taps.col(c), made.inducing.col(c)};
            const Matrix<S> column = lags.col(c);
            EXPECT_TRUE(near(error_bound(column, one)(0), all(c), 1e-6L * all(c))) << c;
            EXPECT_GE(all(c), true_norm(lags, made, c));
        }
    }
}

TYPED_TEST(TypedErrorBoundTest, AllLagsAsInducingValuesLeaveRounding) {
    using S = TypeParam;
    for (const Index n : {1, 2, 3, 33}) {
        const Matrix<S> lags = random_matrix<S>(2 * n - 1, 2, 4);
        for (const InducingMode mode : bound_modes) {
            const auto made = approximate(lags, {.half_width = n > 1 ? 1 : 0, .rank = n, .mode = mode});
            EXPECT_LE(error_bound(lags, made).maxCoeff(), 1e-9) << n;
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
