// SPDX-License-Identifier: MIT
// A program of the single header, twice: in two units of one program.
#include "toeplitz_single.hpp"

int other();

int main() {
    using namespace toeplitz;
    const Index n = 100;
    Matrix<double> kernel = Matrix<double>::Zero(2 * n - 1, 1);
    kernel(n, 0) = 2;  // lag 1
    const Fft<double> op({.length = n, .channels = 1}, kernel);
    const Matrix<double> y = op * Matrix<double>::Ones(n, 1).eval();
    const bool is_right = std::abs(y(0, 0)) < 1e-12 && std::abs(y(n - 1, 0) - 2) < 1e-12;
    return is_right && other() == TOEPLITZ_VERSION_MINOR ? 0 : 1;
}
