// SPDX-License-Identifier: MIT
/// \file
/// How fast kernels decay in time follows from the smoothness of the frequency response, which the input of
/// the perceptron and its activation decide.

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/half_spectrum.hpp>
#include <toeplitz/kernels/frequency_kernel.hpp>

namespace toeplitz::test {
namespace {

/// Large enough that lags up to 4096 hardly see the aliases beyond them.
constexpr Index grid = 1 << 16;

/// |e_t|, t = 0..N/2, of the kernel with the response R of one channel.
template <class Spectrum>
std::vector<double> kernel_of(const std::vector<Spectrum>& response) {
    const Index half = static_cast<Index>(response.size()) - 1;
    const HalfSpectrum<double> transform(2 * half);
    Buffer<double> scratch(transform.scratch_size());
    std::vector<double> kernel(response.size());
    transform.to_lags(MatrixView<const Spectrum>(response.data(), half + 1, 1), Causality::bidirectional,
                      MatrixView<double>(kernel.data(), half + 1, 1), 0, scratch.data());
    for (double& e : kernel) e = std::abs(e);
    return kernel;
}

/// env_t = max over s ≥ t of |e_s|.
std::vector<double> envelope(std::vector<double> kernel) {
    for (std::size_t t = kernel.size() - 1; t > 0; --t) kernel[t - 1] = std::max(kernel[t - 1], kernel[t]);
    return kernel;
}

/// Slope of log max|e| over blocks of [64, 4096) against log t, by least squares.
double fitted_exponent(const std::vector<double>& kernel) {
    constexpr int blocks = 24;
    std::vector<double> x;
    std::vector<double> y;
    const auto edge = [](int b) {
        return static_cast<std::ptrdiff_t>(64 * std::pow(64.0, static_cast<double>(b) / blocks));
    };
    for (int b = 0; b < blocks; ++b) {
        x.push_back(0.5 * std::log(static_cast<double>(edge(b)) * static_cast<double>(edge(b + 1))));
        y.push_back(std::log(*std::max_element(kernel.begin() + edge(b), kernel.begin() + edge(b + 1))));
    }
    const auto count = static_cast<double>(blocks);
    double mean_x = 0;
    double mean_y = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        mean_x += x[i] / count;
        mean_y += y[i] / count;
    }
    double above = 0;
    double below = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        above += (x[i] - mean_x) * (y[i] - mean_y);
        below += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return above / below;
}

/// The response of a random net of two hidden layers of 16, weights scaled up by `scale`.
std::vector<double> random_response(Activation activation, Norm norm, FrequencyInput input, double scale,
                                    std::uint64_t seed) {
    const FrequencyKernel<double, Causality::causal> kernel(
        {.mlp = {.channels = 1, .width = 16, .layers = 2, .activation = activation, .norm = norm},
         .input = input});
    auto parameters = kernel.make_parameters();
    std::uint64_t next = 100 * seed;
    for_each_parameter(
        [&](const std::string& name, auto& tensor) {
            const bool is_weight = name.find(".2.weight") != std::string::npos;
            const double size = name == "rpe.pos_proj.weight"               ? scale
                                : name == "rpe.pos_proj.bias"               ? 1
                                : name == "rpe.out.2.weight"                ? 0.25
                                : is_weight                                 ? 0.25 * scale
                                : name.find(".2.bias") != std::string::npos ? 0.5
                                                                            : 0;
            if (size != 0) tensor = size * random_matrix<double>(tensor.rows(), tensor.cols(), ++next);
        },
        parameters);
    Matrix<double> response(grid / 2 + 1, 1);
    Workspace ws;
    kernel.evaluate(parameters, grid, response, ws);
    return {response.data(), response.data() + response.size()};
}

constexpr std::uint64_t seeds = 8;

TEST(FrequencyDecayTest, AngleInputLeavesAnInverseSquareLawWhateverTheActivation) {
    // Kinks of relu inside (0, π) add to those at the ends, and hide the law up to larger lags.
    for (const auto& [activation, slowest] :
         {std::pair{Activation::silu, -1.9}, std::pair{Activation::gelu, -1.9},
          std::pair{Activation::relu, -1.6}}) {
        double sum = 0;
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            const double exponent = fitted_exponent(
                kernel_of(random_response(activation, Norm::simple_rms, FrequencyInput::angle, 1.5, seed)));
            sum += exponent;
            EXPECT_GE(exponent, -2.1) << static_cast<int>(activation) << " seed " << seed;
            EXPECT_LE(exponent, slowest) << static_cast<int>(activation) << " seed " << seed;
        }
        // Single relu nets may lag behind the law; all of them together do not.
        EXPECT_LE(sum / static_cast<double>(seeds), std::min(slowest, -1.7)) << static_cast<int>(activation);
    }
}

TEST(FrequencyDecayTest, CosineInputAndSmoothActivationsDecayBelowRoundingSoon) {
    for (const Activation activation : {Activation::silu, Activation::gelu}) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            const std::vector<double> env = envelope(
                kernel_of(random_response(activation, Norm::simple_rms, FrequencyInput::cosine, 1.5, seed)));
            EXPECT_LT(env[256], 1e-12 * env[0]) << static_cast<int>(activation) << " seed " << seed;
        }
    }
}

// The logarithm is analytic for |Im ω| < log 128/127 alone, so that the decay is exponential, and slower.
TEST(FrequencyDecayTest, TheLogFrequencyLeavesAnExponentialDecay) {
    for (const Activation activation : {Activation::silu, Activation::gelu}) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            const std::vector<double> env = envelope(kernel_of(
                random_response(activation, Norm::simple_rms, FrequencyInput::cosine_and_log, 1.5, seed)));
            EXPECT_LT(env[2048], 1e-9 * env[0]) << static_cast<int>(activation) << " seed " << seed;
            EXPECT_GT(env[256], 1e-12 * env[0]) << static_cast<int>(activation) << " seed " << seed;
        }
    }
}

TEST(FrequencyDecayTest, CosineInputAndReluDecayLikeAnInverseSquare) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const double exponent = fitted_exponent(kernel_of(
            random_response(Activation::relu, Norm::simple_rms, FrequencyInput::cosine, 1.5, seed)));
        EXPECT_GE(exponent, -2.1) << seed;
        EXPECT_LE(exponent, -1.7) << seed;
    }
}

/// Local exponential rates of act(a cos ω + c): that of the last third of the lags above the floor of
/// rounding over that of the middle third.
double rate_ratio(Activation activation, double a, double c) {
    constexpr Index points = 4097;
    Vector<double> response(points);
    for (Index k = 0; k < points; ++k) {
        response(k) = a * std::cos(std::numbers::pi * static_cast<double>(k) / (points - 1)) + c;
    }
    activate<double>(activation, response);
    const std::vector<double> env =
        envelope(kernel_of(std::vector<double>(response.data(), response.data() + points)));
    std::size_t last = 0;
    while (env[last + 1] > 1e-13 * env[0]) ++last;
    const auto rate = [&](std::size_t from, std::size_t to) {
        return std::log(env[from] / env[to]) / static_cast<double>(to - from);
    };
    return rate(2 * last / 3, last) / rate(last / 3, 2 * last / 3);
}

TEST(FrequencyDecayTest, OneGeluUnitDecaysFasterThanAnyExponentialAndOneSiluUnitDoesNot) {
    for (const double a : {3.0, 4.0, 5.0, 6.0}) {
        for (const double c : {0.0, 0.5, -0.7}) {
            EXPECT_GT(rate_ratio(Activation::gelu, a, c), 1.10) << a << " " << c;
            EXPECT_LT(rate_ratio(Activation::silu, a, c), 1.12) << a << " " << c;
        }
    }
}

TEST(FrequencyDecayTest, TheImaginaryPartMustVanishSmoothlyAtBothEnds) {
    for (const FrequencyInput input : {FrequencyInput::cosine, FrequencyInput::angle}) {
        const FrequencyKernel<double, Causality::bidirectional> kernel(
            {.mlp = {.channels = 1, .width = 16, .layers = 2, .activation = Activation::gelu},
             .input = input});
        const auto parameters = kernel.make_parameters(3);
        Matrix<std::complex<double>> response(grid / 2 + 1, 1);
        Workspace ws;
        kernel.evaluate(parameters, grid, response, ws);
        // The odd part of the kernel, which is zero at lag 0.
        std::vector<std::complex<double>> imaginary;
        for (Index k = 0; k <= grid / 2; ++k) imaginary.emplace_back(0, response(k, 0).imag());
        const std::vector<double> odd = kernel_of(imaginary);
        if (input == FrequencyInput::angle) {
            EXPECT_NEAR(fitted_exponent(odd), -1, 0.05);
        } else {
            const std::vector<double> env = envelope(odd);
            EXPECT_LT(env[256], 1e-12 * env[0]);
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
