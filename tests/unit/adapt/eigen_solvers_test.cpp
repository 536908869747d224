// SPDX-License-Identifier: MIT
// Eigen's iterative solvers on operators, against dense LU.
#include <toeplitz/adapt/eigen.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

#include <gtest/gtest.h>
#include <Eigen/IterativeLinearSolvers>
#include <Eigen/LU>
#include <unsupported/Eigen/IterativeSolvers>

#include <support/eigen.hpp>
#include <support/own_operators.hpp>

#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/sum.hpp>

using toeplitz::as_eigen;
using toeplitz::Index;
using namespace toeplitz::test;

namespace {

// A nonsymmetric kernel whose lag 0 is `dominance` times as large as all its other lags together.
template <class T>
toeplitz::Matrix<T> dominant_kernel(Index length, Index channels, T dominance) {
    toeplitz::Matrix<T> kernel = random_matrix<T>(2 * length - 1, channels, 5);
    kernel.row(length - 1).setZero();
    for (Index c = 0; c < channels; ++c) {
        kernel.col(c) /= kernel.col(c).template lpNorm<1>();
        kernel(length - 1, c) = dominance;
    }
    return kernel;
}

// Solves A x = b for a matrix with ‖I − A/2‖₂ ≤ 1/2, hence condition number at most 3. The residual must be
// the one asked for, and the solution as near to that of LU as it allows.
template <class T, class Solver, class Matrix>
void expect_solution(Solver& solver, const Matrix& A, const Columns<T>& dense, T tolerance) {
    const Columns<T> b = random_columns<T>(A.rows(), 2, 17);
    solver.setTolerance(tolerance);
    solver.compute(A);
    const Columns<T> x = solver.solve(b);
    ASSERT_EQ(solver.info(), Eigen::Success);
    EXPECT_LE(solver.iterations(), 30);
    EXPECT_GE(solver.iterations(), 2);

    // A solver updates its residual by recurrence; the true one differs by a few roundings an iteration.
    const Columns<T> residual = b - A * x;
    EXPECT_LE(residual.norm(), 2 * tolerance * b.norm());
    const Columns<T> direct = dense.partialPivLu().solve(b);
    EXPECT_LE((x - direct).norm(), 3 * 2 * tolerance * direct.norm());
}

}  // namespace

template <class T>
class EigenSolvers : public testing::Test {
protected:
    // Above the error of a product, 4 u √log₂ N with N = 512, times some iterations.
    static constexpr T tolerance = 100 * unit_roundoff<T>;
    static constexpr Index length = 200;
};
// Eigen's solvers take long to compile; products in float are eigen_test.cpp's.
using Scalars = testing::Types<double>;
TYPED_TEST_SUITE(EigenSolvers, Scalars);

// The solvers are slow to compile: one of them in both scalars.
using DoubleSolvers = EigenSolvers<double>;

TYPED_TEST(EigenSolvers, BiCgStabSolvesNonsymmetricSystems) {
    using T = TypeParam;
    for (const Index channels : {1, 3}) {
        const toeplitz::Matrix<T> kernel = dominant_kernel<T>(this->length, channels, T(2));
        const toeplitz::Fft<T> op({.length = this->length, .channels = channels}, kernel);
        const auto A = as_eigen(op);
        Eigen::BiCGSTAB<toeplitz::EigenOperator<toeplitz::Fft<T>>, Eigen::IdentityPreconditioner> solver;
        expect_solution<T>(solver, A, matrix_of(kernel), this->tolerance);
    }
}

TEST_F(DoubleSolvers, BiCgStabSolvesTransposedSystems) {
    using T = double;
    const toeplitz::Matrix<T> kernel = dominant_kernel<T>(this->length, 3, T(2));
    const toeplitz::Fft<T> op({.length = this->length, .channels = 3}, kernel);
    const auto A = as_eigen(op).transpose();
    Eigen::BiCGSTAB<std::remove_const_t<decltype(A)>, Eigen::IdentityPreconditioner> solver;
    expect_solution<T>(solver, A, matrix_of(kernel).transpose(), this->tolerance);
}

TEST_F(DoubleSolvers, GmresSolvesNonsymmetricSystems) {
    using T = double;
    for (const Index channels : {1, 3}) {
        const toeplitz::Matrix<T> kernel = dominant_kernel<T>(this->length, channels, T(2));
        const toeplitz::Fft<T> op({.length = this->length, .channels = channels}, kernel);
        const auto A = as_eigen(op);
        Eigen::GMRES<toeplitz::EigenOperator<toeplitz::Fft<T>>, Eigen::IdentityPreconditioner> solver;
        expect_solution<T>(solver, A, matrix_of(kernel), this->tolerance);
    }
}

TEST_F(DoubleSolvers, ConjugateGradientsSolveSymmetricSystems) {
    using T = double;
    toeplitz::Matrix<T> kernel = dominant_kernel<T>(this->length, 1, T(2));
    kernel = (kernel + kernel.colwise().reverse()).eval() / 2;
    const toeplitz::Fft<T> op({.length = this->length, .channels = 1}, kernel);
    const auto A = as_eigen(op);
    Eigen::ConjugateGradient<toeplitz::EigenOperator<toeplitz::Fft<T>>, Eigen::Lower | Eigen::Upper,
                             Eigen::IdentityPreconditioner>
        solver;
    expect_solution<T>(solver, A, matrix_of(kernel), this->tolerance);
}

TEST_F(DoubleSolvers, LeastSquaresUseTheAdjoint) {
    using T = double;
    const toeplitz::Matrix<T> kernel = dominant_kernel<T>(this->length, 1, T(2));
    const toeplitz::Fft<T> op({.length = this->length, .channels = 1}, kernel);
    const auto A = as_eigen(op);
    Eigen::LeastSquaresConjugateGradient<toeplitz::EigenOperator<toeplitz::Fft<T>>,
                                         Eigen::IdentityPreconditioner>
        solver;
    expect_solution<T>(solver, A, matrix_of(kernel), this->tolerance);
}

// A user's operators, alone and in a sum, are matrices for a solver as the library's are.
TEST(EigenSolversOfOwnOperators, SolveAndTransposeLikeTheDenseMatrix) {
    constexpr Index length = 30;
    constexpr Index channels = 2;
    const toeplitz::Matrix<double> two = toeplitz::Matrix<double>::Constant(1, channels, 2.0);
    const toeplitz::Matrix<double> half = toeplitz::Matrix<double>::Constant(1, channels, 0.5);
    toeplitz::Workspace ws;
    Diagonal<double> diagonal(length, channels);
    diagonal.set_kernel(two, ws);
    Shift<double> shift(length, channels);
    shift.set_kernel({half}, ws);
    const auto sum = diagonal + shift;
    const auto A = as_eigen(sum);
    const Columns<double> dense = A;
    for (Index i = 0; i < dense.rows(); ++i) {
        for (Index j = 0; j < dense.cols(); ++j) {
            EXPECT_EQ(dense(i, j), i == j ? 2.0 : i == j + channels ? 0.5 : 0.0);
        }
    }
    const Columns<double> shifted = as_eigen(shift).transpose();
    EXPECT_EQ(shifted(0, channels), 0.5);
    Eigen::GMRES<std::remove_cvref_t<decltype(A)>, Eigen::IdentityPreconditioner> solver;
    expect_solution<double>(solver, A, dense, 1e-12);
}
