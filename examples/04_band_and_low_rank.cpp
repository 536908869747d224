// SPDX-License-Identifier: MIT
#include <cstdio>
#include <toeplitz/toeplitz.hpp>

int main() {
    using namespace toeplitz;
    const Index n = 4096, d = 3, r = 64;                          // time steps, channels, inducing points
    const auto smooth = [](const auto& lags) -> Matrix<double> {  // the same kernel in each channel
        return (1 + (lags.array() / 600 - 0.2).square()).inverse().matrix().replicate(1, d);
    };
    const Matrix<double> spike = Vector<double>{{20, 50, 10}}.replicate(1, d);  // at lags -1, 0 and 1
    Matrix<double> kernel = smooth(inducing_lags(n, n));  // T_ij = k(i - j); row t + n - 1 is lag t
    kernel.middleRows(n - 2, 3) += spike;

    const Fft<double> exact({.length = n, .channels = d}, kernel);
    const auto fast = Band<double>({.length = n, .channels = d, .taps = 3}, spike) +
                      Ski<double>({.length = n, .channels = d, .rank = r}, smooth(inducing_lags(n, r)));
    const Matrix<double> x = Matrix<double>::Random(n, d), y = exact * x, z = fast * x;
    std::printf("relative error of band + SKI: %.0e\n", (z - y).norm() / y.norm());
}
