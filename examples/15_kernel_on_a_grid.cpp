// SPDX-License-Identifier: MIT
// Takes the noise from measurements at equal distances, by a Gaussian process: a smooth curve is looked for
// whose values at distance t are correlated by k(t). With the Toeplitz matrix K of k it is K (K + s² I)⁻¹ y.
#include <cmath>
#include <cstdio>

#include <Eigen/IterativeLinearSolvers>

#include <toeplitz/adapt/eigen.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/fft.hpp>

using namespace toeplitz;

int main() {
    const Index n = 5000;
    const double width = 50, noise = 0.5;
    Matrix<double> covariance(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) {
        const double x = static_cast<double>(t) / width;
        covariance(t + n - 1, 0) = std::exp(-x * x / 2);
    }
    const Fft<double> smooth({.length = n, .channels = 1}, covariance);
    covariance(n - 1, 0) += noise * noise;  // at lag 0
    const Fft<double> measured({.length = n, .channels = 1}, covariance);

    Eigen::VectorXd truth(n), y(n);
    const CounterRandom random(/*seed=*/1);
    for (Index t = 0; t < n; ++t) {
        truth(t) = std::sin(0.01 * static_cast<double>(t));
        y(t) = truth(t) + noise * random.normal(static_cast<std::uint64_t>(t));
    }

    // Symmetric and positive: conjugate gradients. Lower | Upper: both halves are there.
    const auto K = as_eigen(measured);
    Eigen::ConjugateGradient<EigenOperator<Fft<double>>, Eigen::Lower | Eigen::Upper,
                             Eigen::IdentityPreconditioner>
        solver(K);
    solver.setTolerance(1e-8);
    const Eigen::VectorXd curve = as_eigen(smooth) * solver.solve(y).eval();

    const auto error = [&](const Eigen::VectorXd& v) { return (v - truth).norm() / std::sqrt(double(n)); };
    std::printf("error of the measurements %.2f, of the curve %.2f\n", error(y), error(curve));
    return solver.info() == Eigen::Success ? 0 : 1;
}
