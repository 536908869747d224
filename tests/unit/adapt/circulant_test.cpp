// SPDX-License-Identifier: MIT
// Circulant preconditioners against dense matrices, and the iterations that they save.
#include <toeplitz/adapt/circulant.hpp>

#include <cmath>

#include <gtest/gtest.h>
#include <Eigen/IterativeLinearSolvers>
#include <Eigen/LU>
#include <unsupported/Eigen/IterativeSolvers>

#include <support/eigen.hpp>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/sum.hpp>

using toeplitz::as_eigen;
using toeplitz::Circulant;
using toeplitz::CirculantPreconditioner;
using toeplitz::Fft;
using toeplitz::Index;
using namespace toeplitz::test;

namespace {

/// A random kernel whose lag 0 is twice as large as all its other lags together: circulants of it have a
/// condition of 3 at most.
template <class T>
toeplitz::Matrix<T> conditioned_kernel(Index n, Index d) {
    toeplitz::Matrix<T> kernel = random_matrix<T>(2 * n - 1, d, 23);
    kernel.row(n - 1).setZero();
    for (Index c = 0; c < d; ++c) {
        if (n > 1) kernel.col(c) /= kernel.col(c).template lpNorm<1>();
        kernel(n - 1, c) = 2;
    }
    return kernel;
}

template <class F>
Fft<double> operator_of(Index n, F&& kernel) {
    toeplitz::Matrix<double> lags(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) lags(t + n - 1, 0) = kernel(static_cast<double>(t));
    return Fft<double>({.length = n, .channels = 1}, lags);
}

/// The circulant of a column for each channel, entry by entry.
template <class T>
Columns<T> dense_circulant(const toeplitz::Matrix<T>& column) {
    const Index n = column.rows();
    const Index d = column.cols();
    Columns<T> dense = Columns<T>::Zero(n * d, n * d);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
            for (Index c = 0; c < d; ++c) dense(i * d + c, j * d + c) = column((i - j + n) % n, c);
        }
    }
    return dense;
}

/// With a condition of 3 and products to some units of rounding, what LU gives.
template <class T, Circulant kind, class Adaptor>
void expect_inverse(const Adaptor& A, const toeplitz::Matrix<T>& kernel) {
    const CirculantPreconditioner<T, kind> preconditioner(A);
    const Columns<T> dense = dense_circulant<T>(toeplitz::circulant_column<T>(kind, kernel));
    const Columns<T> b = random_columns<T>(A.rows(), 2, 3);
    const Columns<T> expected = dense.partialPivLu().solve(b);
    const Columns<T> x = preconditioner.solve(b);
    EXPECT_LE((x - expected).norm(), 300 * unit_roundoff<T> * expected.norm());
    EXPECT_EQ(preconditioner.rows(), A.rows());
    EXPECT_EQ(preconditioner.info(), Eigen::Success);
    EXPECT_TRUE(preconditioner.is_positive_definite());
}

template <class T, Circulant kind>
void expect_inverses() {
    for (const Index n : {1, 2, 7, 40, 150}) {
        for (const Index d : {1, 3, 19}) {
            if (n * d > 600) continue;
            const toeplitz::Matrix<T> kernel = conditioned_kernel<T>(n, d);
            const Fft<T> op({.length = n, .channels = d}, kernel);
            expect_inverse<T, kind>(as_eigen(op), kernel);
        }
    }
}

/// Iterations to a residual of 1e-10.
template <class Solver, class Op>
Index iterations(const Op& op, Index most) {
    const auto A = as_eigen(op);
    const Eigen::VectorXd b = A * Eigen::VectorXd::LinSpaced(A.rows(), 0.0, 20.0).array().sin().matrix();
    Solver solver;
    solver.setTolerance(1e-10);
    solver.setMaxIterations(most);
    solver.compute(A);
    const Eigen::VectorXd x = solver.solve(b);
    if (solver.info() == Eigen::Success) {
        EXPECT_LE((b - A * x).norm(), 1e-8 * b.norm());
    } else {
        EXPECT_EQ(solver.iterations(), most);
    }
    return solver.iterations();
}

using Matrix = toeplitz::EigenOperator<Fft<double>>;
template <class Preconditioner>
using ConjugateGradient = Eigen::ConjugateGradient<Matrix, Eigen::Lower | Eigen::Upper, Preconditioner>;

}  // namespace

TEST(CirculantColumn, OfChanIsTheMeanOfTheDiagonalsThatItStandsFor) {
    for (const Index n : {1, 2, 5, 8}) {
        const toeplitz::Matrix<double> kernel = random_matrix<double>(2 * n - 1, 2, 9);
        const auto column = toeplitz::circulant_column<double>(Circulant::chan, kernel);
        for (Index t = 0; t < n; ++t) {
            for (Index c = 0; c < 2; ++c) {
                double sum = 0;
                for (Index j = 0; j < n; ++j) sum += kernel((j + t) % n - j + n - 1, c);
                EXPECT_NEAR(column(t, c), sum / static_cast<double>(n), 1e-14);
            }
        }
    }
}

TEST(CirculantColumn, OfStrangHasTheLagsAroundZero) {
    toeplitz::Matrix<double> odd(5, 1);
    odd << 30, 40, 1, 2, 3;  // lags −2..2
    EXPECT_EQ(toeplitz::circulant_column<double>(Circulant::strang, odd),
              (Columns<double>(3, 1) << 1, 2, 40).finished());
    toeplitz::Matrix<double> even(7, 1);
    even << 20, 30, 40, 1, 2, 5, 4;  // lags −3..3
    EXPECT_EQ(toeplitz::circulant_column<double>(Circulant::strang, even),
              (Columns<double>(4, 1) << 1, 2, 17.5, 40).finished());
}

TEST(CirculantColumn, OfAnEvenNumberOfLagsIsRefused) {
    const toeplitz::Matrix<double> lags = random_matrix<double>(6, 1, 1);
    EXPECT_THROW(toeplitz::circulant_column<double>(Circulant::chan, lags), toeplitz::shape_error);
}

TEST(CirculantPreconditioner, IsTheInverseOfTheCirculant) {
    expect_inverses<double, Circulant::chan>();
    expect_inverses<double, Circulant::strang>();
    expect_inverses<float, Circulant::chan>();
}

TEST(CirculantPreconditioner, TakesTransposesBandsAndSums) {
    const Index n = 60;
    const Index d = 3;
    const toeplitz::Matrix<double> kernel = conditioned_kernel<double>(n, d);
    const Fft<double> op({.length = n, .channels = d}, kernel);
    expect_inverse<double, Circulant::chan>(as_eigen(op).transpose(),
                                            toeplitz::Matrix<double>(kernel.colwise().reverse()));

    const toeplitz::Matrix<double> taps = 0.1 * random_matrix<double>(5, d, 4);
    const toeplitz::Band<double> band({.length = n, .channels = d, .taps = 5}, taps);
    const auto sum = op + band;
    toeplitz::Matrix<double> both = kernel;
    both.middleRows(n - 3, 5) += taps;
    expect_inverse<double, Circulant::strang>(as_eigen(sum), both);
}

TEST(CirculantPreconditioner, SolvesACirculantSystemAtOnce) {
    const Index n = 100;
    const toeplitz::Matrix<double> half = conditioned_kernel<double>(n, 1);
    toeplitz::Matrix<double> kernel(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) {
        kernel(t + n - 1, 0) = half((t + n) % n + n - 1, 0) + half((n - t) % n + n - 1, 0);  // symmetric
    }
    const Fft<double> op({.length = n, .channels = 1}, kernel);
    EXPECT_LE(iterations<ConjugateGradient<CirculantPreconditioner<double>>>(op, 10), 1);  // counted from 0
}

TEST(CirculantPreconditioner, SaysWhetherItIsPositiveDefinite) {
    // The matrix is positive definite, and so is T. Chan's circulant; Strang's has the eigenvalue 1 − 1.2 +
    // 0.1.
    const double lags[] = {1, 0.6, 0.1, 0};
    const Fft<double> op = operator_of(4, [&](double t) { return lags[static_cast<int>(std::abs(t))]; });
    const auto A = as_eigen(op);
    EXPECT_TRUE(CirculantPreconditioner<double>(A).is_positive_definite());
    EXPECT_FALSE((CirculantPreconditioner<double, Circulant::strang>(A).is_positive_definite()));
    EXPECT_FALSE(CirculantPreconditioner<double>().is_positive_definite());
}

TEST(CirculantPreconditioner, CountsEigenvaluesThatAreRoundingAsPositive) {
    // All lags are 1: one eigenvalue is n, the others are 0.
    const Fft<double> op = operator_of(50, [](double) { return 1.0; });
    const CirculantPreconditioner<double> preconditioner(as_eigen(op));
    EXPECT_TRUE(preconditioner.is_positive_definite());
    const Eigen::VectorXd x = preconditioner.solve(Eigen::VectorXd::Ones(50));
    EXPECT_LE((x - Eigen::VectorXd::Constant(50, 1.0 / 50)).norm(),
              1);  // noise of u / (ε · 50), not infinity
}

TEST(CirculantPreconditioner, RefusesAZeroChannel) {
    toeplitz::Matrix<double> kernel = conditioned_kernel<double>(10, 2);
    kernel.col(1).setZero();
    const Fft<double> op({.length = 10, .channels = 2}, kernel);
    CirculantPreconditioner<double> preconditioner;
    EXPECT_EQ(preconditioner.info(), Eigen::InvalidInput);
    try {
        preconditioner.compute(as_eigen(op));
        FAIL() << "a circulant without an inverse was taken";
    } catch (const toeplitz::value_error& e) {
        EXPECT_STREQ(e.what(),
                     "[toeplitz.value.602] CirculantPreconditioner: expected a circulant with an inverse, "
                     "got zero in channel 1");
    }
}

TEST(CirculantPreconditioner, MayBeCopiedAndOutlivesItsMatrix) {
    const Eigen::VectorXd b = random_columns<double>(80, 1, 5);
    Eigen::VectorXd x;
    CirculantPreconditioner<double> copy;
    {
        const toeplitz::Matrix<double> kernel = conditioned_kernel<double>(40, 2);
        const Fft<double> op({.length = 40, .channels = 2}, kernel);
        const CirculantPreconditioner<double> first(as_eigen(op));
        x = first.solve(b);
        copy = first;
    }
    EXPECT_EQ(Eigen::VectorXd(copy.solve(b)), x);
    Eigen::VectorXd in_place = b;
    in_place = copy.solve(in_place);
    EXPECT_EQ(in_place, x);
    EXPECT_THROW(static_cast<void>(copy.solve(Eigen::VectorXd(79))), toeplitz::shape_error);
}

// A well-conditioned system that is not symmetric: fewer iterations, never more.
TEST(CirculantPreconditioner, ServesGmresAndBiCgStab) {
    const Fft<double> op = operator_of(2000, [](double t) {
        return t == 0 ? 1.0 : (t > 0 ? 0.3 * std::cos(t) : -0.2) * std::pow(std::abs(t), -1.1);
    });
    EXPECT_LE((iterations<Eigen::GMRES<Matrix, CirculantPreconditioner<double>>>(op, 100)), 20);
    EXPECT_LE((iterations<Eigen::BiCGSTAB<Matrix, CirculantPreconditioner<double>>>(op, 100)), 15);
    EXPECT_GE((iterations<Eigen::BiCGSTAB<Matrix, Eigen::IdentityPreconditioner>>(op, 100)), 30);
}

// Measured with g++ 12, -march=native: 1547, 163 and 32; of a well-conditioned one 268, 12 and 11.
TEST(SlowCirculantPreconditioner, SavesMostIterationsOfBadlyConditionedSystems) {
    const auto gaussian = [](double jitter) {
        return operator_of(20000, [=](double t) { return std::exp(-t * t / 200) + (t == 0 ? jitter : 0.0); });
    };
    using None = ConjugateGradient<Eigen::IdentityPreconditioner>;
    using Chan = ConjugateGradient<CirculantPreconditioner<double, Circulant::chan>>;
    using Strang = ConjugateGradient<CirculantPreconditioner<double, Circulant::strang>>;
    const Fft<double> bad = gaussian(1e-6);
    EXPECT_GE(iterations<None>(bad, 1000), 1000);
    EXPECT_LE(iterations<Chan>(bad, 1000), 250);
    EXPECT_LE(iterations<Strang>(bad, 1000), 50);
    const Fft<double> good = gaussian(1e-2);
    EXPECT_GE(iterations<None>(good, 1000), 150);
    EXPECT_LE(iterations<Chan>(good, 1000), 20);
    EXPECT_LE(iterations<Strang>(good, 1000), 20);
}
