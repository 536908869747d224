// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdio>
#include <toeplitz/toeplitz.hpp>

using namespace toeplitz;

int main() {
    const Index n = 1000;  // samples of a signal; output i is the sum of kernel(i - j) times input j
    Matrix<double> kernel(2 * n - 1, 1);
    for (Index lag = 1 - n; lag < n; ++lag) kernel(lag + n - 1, 0) = std::exp(-0.1 * std::abs(double(lag)));
    const Fft<double> smooth({.length = n, .channels = 1}, kernel);
    const Matrix<double> x = Matrix<double>::Ones(n, 1);
    const Matrix<double> y = smooth * x;
    std::printf("%.4f at the edge, %.4f in the middle\n", y(0, 0), y(n / 2, 0));
}
