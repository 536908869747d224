// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two kernels to try the operators with, and what each operator wants of a kernel.

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <string>

#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/toeplitz.hpp>

namespace examples {

using toeplitz::Index, toeplitz::Matrix, toeplitz::Vector;

/// Values at any real lags, lags × channels.
using Kernel = std::function<Matrix<float>(const Vector<double>& lags)>;

/// A kernel for every length: as wide as the sequence, so that no length is easier than another.
struct KernelFamily {
    std::string name;
    std::string formula;
    std::function<Kernel(Index length)> make;
};

inline KernelFamily position_mlp(Index channels, std::uint64_t seed) {
    return {"position MLP", "k(t) = λ^|t| MLP(t), a random perceptron with 3 hidden layers of 64; λ^n = 0.01",
            [=](Index length) -> Kernel {
                const double lambda = std::pow(0.01, 1.0 / static_cast<double>(length));
                const toeplitz::PositionKernel<float> kernel(
                    {.mlp = {.channels = channels}, .decay = {.lambda = lambda}});
                return [kernel, parameters = kernel.make_parameters(seed)](const Vector<double>& lags) {
                    const Matrix<float> positions = lags.cast<float>();
                    Matrix<float> values(lags.size(), kernel.channels());
                    toeplitz::Workspace ws;
                    kernel.evaluate(parameters, positions, values, ws);
                    return values;
                };
            }};
}

inline KernelFamily spiky_plus_smooth(Index channels, std::uint64_t seed) {
    return {"spiky + smooth",
            "k(t) = (8/n) exp(-((t/n - μ)/σ)²) + exp(-((t - τ)/w)²), μ 0..0.4, σ 0.2..0.5, τ -1..2, w 1..3",
            [=](Index length) -> Kernel {
                return [length, d = channels,
                        random = toeplitz::CounterRandom(seed)](const Vector<double>& lags) {
                    const double n = static_cast<double>(length);
                    Matrix<float> values(lags.size(), d);
                    for (Index c = 0; c < d; ++c) {
                        const auto drawn = [&](int i, double low, double high) {
                            return random.uniform(static_cast<std::uint64_t>(4 * c + i), low, high);
                        };
                        const auto wide = (lags.array() / n - drawn(0, 0.0, 0.4)) / drawn(1, 0.2, 0.5);
                        const auto narrow = (lags.array() - drawn(2, -1.0, 2.0)) / drawn(3, 1.0, 3.0);
                        values.col(c) =
                            (8 / n * (-wide.square()).exp() + (-narrow.square()).exp()).cast<float>();
                    }
                    return values;
                };
            }};
}

/// What SKI makes of lags -b..b on average: the inducing values, interpolated linearly.
inline Matrix<float> interpolated(const Matrix<float>& inducing, Index length, Index half_width) {
    const Index r = (inducing.rows() + 1) / 2;
    if (r == 1) return inducing.replicate(2 * half_width + 1, 1);
    Matrix<float> values(2 * half_width + 1, inducing.cols());
    for (Index q = -half_width; q <= half_width; ++q) {
        // Lag q lies (q + n - 1)/h spacings beyond the first one, h = (n - 1)/(r - 1).
        const Index position = (q + length - 1) * (r - 1);
        const Index cell = std::clamp<Index>(position / (length - 1), 0, 2 * r - 3);
        const double f =
            static_cast<double>(position - cell * (length - 1)) / static_cast<double>(length - 1);
        values.row(q + half_width) =
            static_cast<float>(1 - f) * inducing.row(cell) + static_cast<float>(f) * inducing.row(cell + 1);
    }
    return values;
}

/// The frequency response of a kernel given at all lags, on the default grid.
inline Matrix<std::complex<float>> frequency_response(const Matrix<float>& lags, Index length,
                                                      toeplitz::Causality causality) {
    const toeplitz::HalfSpectrum<float> transform(toeplitz::default_frequency_grid(length));
    const Index d = lags.cols();
    Matrix<float> circular = Matrix<float>::Zero(transform.grid(), d);
    circular.topRows(length) = lags.bottomRows(length);
    if (causality == toeplitz::Causality::bidirectional) {
        circular.bottomRows(length - 1) = lags.topRows(length - 1);
    }

    Matrix<std::complex<float>> response(transform.frequencies(), d);
    toeplitz::Buffer<float> scratch(transform.scratch_size());
    for (Index c = 0; c < d; c += transform.lanes) {
        const Index width = std::min(transform.lanes, d - c);
        transform.to_spectrum(circular.middleCols(c, width), response.middleCols(c, width), scratch.data());
    }
    return response;
}

}  // namespace examples
