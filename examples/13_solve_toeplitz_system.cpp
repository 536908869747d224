// SPDX-License-Identifier: MIT
// Solves a Toeplitz system T x = b with a solver of Eigen. T is never formed: as a dense matrix of doubles it
// would take 3.2 GB, here it takes its 2n - 1 numbers.

#include <iostream>

#include <Eigen/IterativeLinearSolvers>

#include <toeplitz/adapt/eigen.hpp>
#include <toeplitz/operators/fft.hpp>

int main() {
    const toeplitz::Index n = 20000;

    // T_ij = k(i - j), not symmetric: the past (positive lags) weighs three times as much as the future.
    // Row t + n - 1 of the kernel is lag t; there is one channel.
    toeplitz::Matrix<double> kernel(2 * n - 1, 1);
    for (toeplitz::Index t = -(n - 1); t < n; ++t) {
        const double lag = static_cast<double>(t);
        kernel(t + n - 1, 0) = t == 0 ? 1.0 : (t > 0 ? 0.3 : 0.1) / (lag * lag);
    }
    const toeplitz::Fft<double> op({.length = n, .channels = 1}, kernel);

    // The same operator as a matrix of Eigen; op must outlive it.
    const auto T = toeplitz::as_eigen(op);

    // A right-hand side with a known solution.
    const Eigen::VectorXd solution = Eigen::VectorXd::LinSpaced(n, 0.0, 20.0).array().sin();
    const Eigen::VectorXd b = T * solution;

    // The default preconditioner of Eigen reads the diagonal of a stored matrix; this one needs nothing.
    Eigen::BiCGSTAB<toeplitz::EigenOperator<toeplitz::Fft<double>>, Eigen::IdentityPreconditioner> solver;
    solver.setTolerance(1e-12);
    solver.compute(T);
    const Eigen::VectorXd x = solver.solve(b);

    const double error = (x - solution).norm() / solution.norm();
    std::cout << "unknowns:       " << n << '\n'
              << "iterations:     " << solver.iterations() << '\n'
              << "residual:       " << (b - T * x).norm() / b.norm() << '\n'
              << "relative error: " << error << '\n';
    return solver.info() == Eigen::Success && error < 1e-10 ? 0 : 1;
}
