// SPDX-License-Identifier: MIT
#include <cstdio>
#include <toeplitz/toeplitz.hpp>

int main() {
    using namespace toeplitz;
    const Index n = 2000, d = 3, r = 64;  // time steps, channels, inducing points
    const Matrix<double> x = Matrix<double>::Random(n, d), impulse = Matrix<double>::Identity(n, d);
    const auto smooth = [](const auto& lags) -> Matrix<double> {  // the same kernel in each channel
        return (1 + (lags.array() / 300 - 0.2).square()).inverse().matrix().replicate(1, d);
    };
    const Matrix<double> spike = Vector<double>{{20, 50, 10}}.replicate(1, d);  // at lags -1, 0 and 1
    Matrix<double> kernel = smooth(inducing_lags(n, n));  // T_ij = k(i - j); row t + n - 1 is lag t
    kernel.middleRows(n - 2, 3) += spike;
    const Vector<double> w = Vector<double>::LinSpaced(n + 1, 0, 3.141592653589793);  // 0..pi
    const Matrix<double> real_part = (0.75 / (1.25 - w.array().cos())).replicate(1, d);

    const Fft<double> exact({.length = n, .channels = d}, kernel);
    const auto fast = Band<double>({.length = n, .channels = d, .taps = 3}, spike) +
                      Ski<double>({.length = n, .channels = d, .rank = r}, smooth(inducing_lags(n, r)));
    const CausalSpectral<double> causal({.length = n, .channels = d, .grid = 2 * n}, real_part);
    const Matrix<double> y = exact * x, z = fast * x, h = causal * impulse;
    std::printf("band + SKI against exact: %.1e\n", (z - y).norm() / y.norm());
    std::printf("<Tx, z> %.3f = <x, T'z> %.3f\n", y.cwiseProduct(z).sum(),
                x.cwiseProduct(exact.transpose() * z).sum());
    std::printf("causal kernel: %.3f %.3f %.3f %.3f\n", h(0, 0), h(1, 0), h(2, 0), h(3, 0));
}
