// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/a_priori_bound.hpp>
#include <toeplitz/approximation/nystrom.hpp>

namespace toeplitz::test {
namespace {

double ski_error(const Matrix<double>& lags, const Matrix<double>& inducing) {
    return spectral_norm(error_matrix(lags, {}, inducing, 0));
}

// The dense matrix of a one-channel operator, column by column.
template <Direction direction>
Matrix<double> dense_of(const Nystrom<double>& op) {
    const Index n = op.length();
    Matrix<double> matrix(n, n);
    Workspace ws;
    for (Index j = 0; j < n; ++j) {
        Matrix<double> e = Matrix<double>::Zero(n, 1);
        e(j, 0) = 1;
        Matrix<double> y(n, 1);
        if constexpr (direction == Direction::forward) {
            op.apply(e, y, ws);
            matrix.col(j) = y;
        } else {
            op.apply_adjoint(e, y, ws);
            matrix.row(j) = y.transpose();
        }
    }
    return matrix;
}

TEST(NystromTest, IsExactWhereTheRankIsNoLargerThanItsPoints) {
    constexpr Index n = 30;
    // Two exponentials: rank 2, asymmetric.
    const Matrix<double> lags =
        lags_of([](double t) { return std::exp(-0.05 * t) + 0.5 * std::exp(0.03 * t); }, n);
    const Matrix<double> expected = error_matrix(lags, {}, {}, 0);
    for (const Index rank : {2, 3, 7}) {  // A is singular from 3 on
        const Nystrom<double> op(lags, nystrom_points(n, rank));
        EXPECT_TRUE(near_all(dense_of<Direction::forward>(op), expected, 1e-11)) << rank;
        EXPECT_TRUE(near_all(dense_of<Direction::adjoint>(op), expected, 1e-11)) << rank;
    }
    EXPECT_GT((dense_of<Direction::forward>(Nystrom<double>(lags, nystrom_points(n, 1))) - expected).norm(),
              1);
}

TEST(NystromTest, KeepsTheRowsAndColumnsOfItsPoints) {
    constexpr Index n = 24;
    const Matrix<double> lags = random_matrix<double>(2 * n - 1, 1, 3);
    const std::vector<Index> points = nystrom_points(n, 5);
    EXPECT_EQ(points, (std::vector<Index>{0, 6, 12, 17, 23}));
    const Matrix<double> t = error_matrix(lags, {}, {}, 0);
    const Matrix<double> approximation = dense_of<Direction::forward>(Nystrom<double>(lags, points));
    for (const Index p : points) {
        EXPECT_TRUE(near_all(approximation.row(p), t.row(p), 1e-10)) << p;
        EXPECT_TRUE(near_all(approximation.col(p), t.col(p), 1e-10)) << p;
    }
}

TEST(NystromTest, RefusesPointsOutsideTheSequence) {
    const Matrix<double> lags = random_matrix<double>(9, 1, 3);
    const std::vector<Index> points = {0, 5};
    expect_error<config_error>(
        555, "[toeplitz.config.555] Nystrom: expected 1..5 time steps of the sequence, got 2, or one outside",
        [&] { Nystrom<double>(lags, points); });
}

TEST(NystromTest, RouteBoundHolds) {
    for (const Index n : {1, 2, 5, 81}) {
        for (const NamedKernel& kernel : typical_kernels(n)) {
            const Matrix<double> lags = lags_of(kernel.value, n);
            for (const Index rank : {1, 2, 5, 14, 21, 81}) {
                if (rank > n) continue;
                const Matrix<double> inducing = sample_inducing(lags, rank);
                const double bound = nystrom_route_bound(lags, inducing)(0);
                EXPECT_GE(bound, ski_error(lags, inducing)) << kernel.name << " n = " << n << " r = " << rank;
                EXPECT_TRUE(rank < n || bound < 1e-9);
            }
        }
    }
}

TEST(NystromTest, RouteBoundIsOfUse) {
    constexpr Index n = 81;
    const Matrix<double> lags = lags_of(typical_kernels(n)[0].value, n);
    const Matrix<double> inducing = sample_inducing(lags, 21);
    EXPECT_LE(nystrom_route_bound(lags, inducing)(0), 10 * ski_error(lags, inducing));
}

// Bounds of kernels with known derivatives.
struct Formula {
    std::function<double(double)> kernel, second;
    double variation, curvature, lipschitz;
};

Formula gauss(double width) {
    // k′ has extremes of ∓√(2/e)/w at t = ±w/√2 and vanishes at infinity.
    const double slope = std::sqrt(2 / std::exp(1.0)) / width;
    const auto value = [=](double t) { return std::exp(-t * t / (width * width)); };
    return {
        value,
        [=](double t) { return std::abs(4 * t * t / std::pow(width, 4) - 2 / (width * width)) * value(t); },
        4 * slope, 2 / (width * width), slope};
}

TEST(APrioriBoundTest, HoldForAGaussAndAreNotFarOff) {
    constexpr Index n = 121;
    const Formula f = gauss(15);
    const Matrix<double> lags = lags_of(f.kernel, n);
    for (const Index rank : {7, 13, 21, 50}) {
        const Vector<double> at = inducing_lags(n, rank);
        Matrix<double> inducing(at.size(), 1);
        for (Index i = 0; i < at.size(); ++i) inducing(i, 0) = f.kernel(at(i));
        const double norm = ski_error(lags, inducing);
        const double h = InducingPoints(n, rank).spacing();
        std::vector<double> local(2 * n - 1);
        for (Index t = 1 - n; t < n; ++t) {
            double& most = local[static_cast<std::size_t>(t + n - 1)];
            for (double s = -2 * h; s <= 2 * h; s += h / 50) {
                most = std::max(most, f.second(static_cast<double>(t) + s));
            }
        }
        EXPECT_GE(variation_bound(n, rank, f.variation), norm);
        EXPECT_LE(variation_bound(n, rank, f.variation), 5 * norm);
        EXPECT_GE(local_curvature_bound(n, rank, local), norm);
        EXPECT_GE(curvature_bound(n, rank, f.curvature), norm);
        EXPECT_GE(curvature_bound(n, rank, f.curvature), local_curvature_bound(n, rank, local));
        EXPECT_GE(lipschitz_bound(n, rank, f.lipschitz), norm);
    }
}

TEST(APrioriBoundTest, HoldForKinksAndJumps) {
    constexpr Index n = 121;
    for (const Index rank : {2, 7, 41}) {
        for (double at = -5; at <= 5; at += 0.7) {
            const auto error = [&](auto kernel) {
                const Vector<double> positions = inducing_lags(n, rank);
                Matrix<double> inducing(positions.size(), 1);
                for (Index i = 0; i < positions.size(); ++i) inducing(i, 0) = kernel(positions(i));
                return ski_error(lags_of(kernel, n), inducing);
            };
            const double kink = error([=](double t) { return std::max(t - at, 0.0); });
            EXPECT_LE(kink, variation_bound(n, rank, 1)) << rank << ' ' << at;
            EXPECT_LE(kink, lipschitz_bound(n, rank, 1)) << rank << ' ' << at;
            EXPECT_LE(error([=](double t) { return t >= at ? -2.0 : 0.0; }), jump_bound(n, rank, 2))
                << rank << ' ' << at;
        }
    }
}

TEST(APrioriBoundTest, VanishWithAllInducingPointsAndNeedTwo) {
    EXPECT_EQ(variation_bound(9, 9, 1), 0);
    EXPECT_EQ(curvature_bound(9, 20, 1), 0);
    EXPECT_EQ(lipschitz_bound(1, 1, 1), 0);
    EXPECT_EQ(jump_bound(9, 9, 1), 0);
    EXPECT_TRUE(near(variation_bound(9, 5, 3), 6, 1e-14));   // h = 2: (1 + 1)·3
    EXPECT_TRUE(near(curvature_bound(9, 5, 3), 27, 5e-14));  // 9·4/4·3
    EXPECT_TRUE(near(jump_bound(9, 5, -2), 6, 1e-14));       // 2·(1.5 + 1.5)
    expect_error<config_error>(554,
                               "[toeplitz.config.554] variation_bound: expected a rank of at least 2, got 1",
                               [] { variation_bound(9, 1, 1); });
}

TEST(APrioriBoundTest, AreNoneOfConstantsThatNoKernelHas) {
    for (const double bad :
         {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        const auto refuses = [bad](const char* where, const auto& bound) {
            const std::string got = bad == -1 ? "-1" : bad > 0 ? "inf" : "nan";
            expect_error<config_error>(559,
                                       std::string("[toeplitz.config.559] ") + where +
                                           ": expected a finite constant >= 0, got " + got,
                                       bound);
        };
        refuses("variation_bound", [&] { variation_bound(9, 5, bad); });
        refuses("curvature_bound", [&] { curvature_bound(9, 5, bad); });
        refuses("lipschitz_bound", [&] { lipschitz_bound(9, 5, bad); });
        std::vector<double> curvatures(17, 1.0);
        curvatures[16] = bad;
        refuses("local_curvature_bound", [&] { local_curvature_bound(9, 5, curvatures); });
        if (bad != -1) refuses("jump_bound", [&] { jump_bound(9, 5, bad); });
    }
}

}  // namespace
}  // namespace toeplitz::test
