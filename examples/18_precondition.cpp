// SPDX-License-Identifier: MIT
// Solves badly conditioned Toeplitz systems: circulant preconditioners save most of the iterations.
#include <cmath>
#include <cstdio>

#include <Eigen/IterativeLinearSolvers>

#include <toeplitz/adapt/circulant.hpp>
#include <toeplitz/operators/fft.hpp>

using namespace toeplitz;
using A = EigenOperator<Fft<double>>;

const Index n = 20000;

/// T_ij = kernel(i - j).
template <class F>
Fft<double> make_operator(F&& kernel) {
    Matrix<double> lags(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) lags(t + n - 1, 0) = kernel(static_cast<double>(t));
    return Fft<double>({.length = n, .channels = 1}, lags);
}

/// Whether the solver finds a solution whose residual is as small as was asked for.
template <class Solver>
bool try_solver(const char* name, const Fft<double>& op) {
    const A matrix = as_eigen(op);
    const Eigen::VectorXd b = matrix * Eigen::VectorXd::LinSpaced(n, 0.0, 20.0).array().sin().matrix();
    Solver solver;
    solver.setTolerance(1e-10);
    solver.setMaxIterations(5000);
    solver.compute(matrix);
    const Eigen::VectorXd x = solver.solve(b);
    const double residual = (b - matrix * x).norm() / b.norm();
    std::printf("%-30s %5td iterations, residual %.0e\n", name, static_cast<Index>(solver.iterations()),
                residual);
    return solver.info() == Eigen::Success && residual < 1e-8;
}

template <class Preconditioner>
using Cg = Eigen::ConjugateGradient<A, Eigen::Lower | Eigen::Upper, Preconditioner>;

int main() {
    // A smooth covariance: symmetric, positive definite, of condition 2.5e7.
    const auto smooth =
        make_operator([](double t) { return std::exp(-t * t / 200) + (t == 0 ? 1e-6 : 0.0); });
    bool good = try_solver<Cg<Eigen::IdentityPreconditioner>>("symmetric: none", smooth);
    good &= try_solver<Cg<CirculantPreconditioner<double, Circulant::chan>>>("symmetric: T. Chan", smooth);
    good &= try_solver<Cg<CirculantPreconditioner<double, Circulant::strang>>>("symmetric: Strang", smooth);

    // Not symmetric: long tails, of one kind to the past and another to the future.
    const auto skew = make_operator([](double t) {
        return t == 0 ? 1.0 : (t > 0 ? 0.3 * std::cos(t) : -0.2) * std::pow(std::abs(t), -1.1);
    });
    good &= try_solver<Eigen::BiCGSTAB<A, CirculantPreconditioner<double>>>("not symmetric: T. Chan", skew);
    return good ? 0 : 1;
}
