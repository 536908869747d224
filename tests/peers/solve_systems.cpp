// SPDX-License-Identifier: MIT
// Solves Toeplitz systems with preconditioners, and prints them with their solutions: for each one a line
// with its name, and lines of first column, first row, right-hand side, solution.
#include <cmath>
#include <cstdio>

#include <Eigen/IterativeLinearSolvers>

#include <toeplitz/adapt/circulant.hpp>
#include <toeplitz/operators/fft.hpp>

namespace {

using namespace toeplitz;
using A = EigenOperator<Fft<double>>;

void write_line(const Eigen::VectorXd& numbers) {
    for (Index i = 0; i < numbers.size(); ++i) std::printf("%s%.17g", i == 0 ? "" : " ", numbers(i));
    std::printf("\n");
}

template <class Solver, class F>
void solve(const char* name, Index n, F&& kernel) {
    Matrix<double> lags(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) lags(t + n - 1, 0) = kernel(static_cast<double>(t));
    const Fft<double> op({.length = n, .channels = 1}, lags);
    const A matrix = as_eigen(op);
    const Eigen::VectorXd b = Eigen::VectorXd::LinSpaced(n, 0.0, 7.0).array().cos();
    Solver solver;
    solver.setTolerance(1e-14);
    solver.compute(matrix);
    const Eigen::VectorXd x = solver.solve(b);
    std::printf("%s\n", name);
    write_line(lags.col(0).tail(n));
    write_line(lags.col(0).head(n).reverse());
    write_line(b);
    write_line(x);
}

}  // namespace

int main() {
    using Cg = Eigen::ConjugateGradient<A, Eigen::Lower | Eigen::Upper, CirculantPreconditioner<double>>;
    using BiCgStab = Eigen::BiCGSTAB<A, CirculantPreconditioner<double, Circulant::strang>>;
    solve<Cg>("well conditioned", 1000, [](double t) { return std::exp(-std::abs(t) / 3); });
    solve<Cg>("badly conditioned", 1000,
              [](double t) { return std::exp(-t * t / 200) + (t == 0 ? 1e-6 : 0.0); });
    solve<BiCgStab>("not symmetric", 777, [](double t) {
        return t == 0 ? 2.0 : (t > 0 ? 0.3 * std::cos(t) : -0.2) * std::pow(std::abs(t), -1.1);
    });
}
