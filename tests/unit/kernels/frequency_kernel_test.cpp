// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/frequency_kernel.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class FrequencyKernelTest : public testing::Test {};
TYPED_TEST_SUITE(FrequencyKernelTest, Scalars, );

constexpr FrequencyInput frequency_inputs[] = {FrequencyInput::cosine, FrequencyInput::angle,
                                               FrequencyInput::cosine_and_log};

/// log |1 − ρ e^{−iω}|², scaled to [−1, 1].
long double log_frequency(long double omega) {
    const long double rho = 127.0L / 128;
    const auto size = [&](long double cosine) { return std::log(1 + rho * rho - 2 * rho * cosine); };
    return (2 * size(std::cos(omega)) - size(1) - size(-1)) / (size(-1) - size(1));
}

/// The perceptron's outputs at frequency k.
template <class Kernel, class Parameters>
auto outputs(const Kernel& kernel, const Parameters& parameters, FrequencyInput input, Index k, Index grid) {
    using Scalar = typename Kernel::Scalar;
    const double omega = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(grid);
    Matrix<Scalar> position(1, kernel.mlp().inputs());
    position(0) = static_cast<Scalar>(input == FrequencyInput::angle ? omega : std::cos(omega));
    if (input == FrequencyInput::cosine_and_log) position(1) = static_cast<Scalar>(log_frequency(omega));
    Matrix<Scalar> values(1, kernel.mlp().channels());
    Workspace ws;
    kernel.mlp().evaluate(parameters.rpe, position, values, ws);
    return values;
}

TYPED_TEST(FrequencyKernelTest, CausalResponsesAreThePerceptron) {
    using Scalar = TypeParam;
    for (const FrequencyInput input : frequency_inputs) {
        const FrequencyKernel<Scalar, Causality::causal> kernel({.mlp = {.channels = 5}, .input = input});
        const auto parameters = kernel.make_parameters(1);
        for (const Index grid : {1, 2, 9, 300}) {
            Matrix<Scalar> response(grid / 2 + 1, 5);
            Workspace ws(kernel.required_workspace(grid));
            const std::size_t bytes = ws.capacity();
            kernel.evaluate(parameters, grid, response, ws);
            EXPECT_EQ(ws.capacity(), bytes);
            for (Index k = 0; k < response.rows(); ++k) {
                const Matrix<Scalar> expected = outputs(kernel, parameters, input, k, grid);
                if (input == FrequencyInput::cosine_and_log) {
                    // the logarithms differ by a few u, and the perceptron's slopes are those of its weights
                    ASSERT_TRUE(near_all(response.row(k), expected, 256 * unit<Scalar>)) << k;
                } else {
                    ASSERT_TRUE(same_bits(response.row(k), expected));
                }
            }
        }
    }
}

TYPED_TEST(FrequencyKernelTest, BidirectionalResponsesPairTheHalvesOfEachHead) {
    using Scalar = TypeParam;
    const Index d = 6;
    for (const FrequencyInput input : {FrequencyInput::cosine, FrequencyInput::angle}) {
        for (const Index heads : {1, 2, 3, 6}) {
            const double scale = heads == 2 ? 4 : 1;  // a power of two: no rounding
            const FrequencyKernel<Scalar, Causality::bidirectional> kernel(
                {.mlp = {.channels = d}, .input = input, .heads = heads, .scale = scale});
            const auto parameters = kernel.make_parameters(2);
            for (const Index grid : {1, 2, 9, 300}) {
                Matrix<std::complex<Scalar>> response(grid / 2 + 1, d);
                Workspace ws(kernel.required_workspace(grid));
                kernel.evaluate(parameters, grid, response, ws);
                for (Index k = 0; k < response.rows(); ++k) {
                    const Matrix<Scalar> all =
                        static_cast<Scalar>(scale) * outputs(kernel, parameters, input, k, grid);
                    const double omega =
                        2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(grid);
                    const bool real_only = k == 0 || 2 * k == grid;
                    const double weight =
                        real_only ? 0 : (input == FrequencyInput::angle ? 1.0 : std::sin(omega));
                    for (Index c = 0; c < d; ++c) {
                        const Index per_head = d / heads;
                        const Index real = c / per_head * 2 * per_head + c % per_head;
                        ASSERT_EQ(response(k, c).real(), all(0, real));
                        ASSERT_TRUE(near(response(k, c).imag(),
                                         weight * static_cast<double>(all(0, real + per_head)),
                                         4 * static_cast<long double>(scale) * unit<Scalar>));
                        if (real_only) {
                            ASSERT_EQ(response(k, c).imag(), 0);
                        }
                    }
                }
            }
        }
    }
}

/// k(t), t = −⌈N/2⌉+1 … ⌈N/2⌉−1, of what a pole alone adds to the response; by definition.
template <Causality kind, class Pole, class Parameters>
Matrix<long double> pole_lags(const Pole& pole, const Parameters& parameters, Index channels, Index grid) {
    using Response = typename Pole::Response;
    Matrix<Response> response = Matrix<Response>::Zero(grid / 2 + 1, channels);
    Workspace ws(pole.required_workspace(grid));
    const std::size_t bytes = ws.capacity();
    pole.add(parameters, grid, response, ws);
    EXPECT_EQ(ws.capacity(), bytes);
    const Index reach = (grid + 1) / 2 - 1;
    Matrix<long double> lags = Matrix<long double>::Zero(2 * reach + 1, channels);
    for (Index t = kind == Causality::causal ? 0 : -reach; t <= reach; ++t) {
        for (Index k = 0; k <= grid / 2; ++k) {
            const long double both = k == 0 || 2 * k == grid ? 1 : 2;
            const long double folds = kind == Causality::causal && t > 0 ? 2 : 1;
            const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<long double>(k * t) /
                                      static_cast<long double>(grid);
            for (Index c = 0; c < channels; ++c) {
                const std::complex<double> value = response(k, c);
                lags(t + reach, c) += folds * both / static_cast<long double>(grid) *
                                      (std::cos(angle) * static_cast<long double>(value.real()) -
                                       std::sin(angle) * static_cast<long double>(value.imag()));
            }
        }
    }
    return lags;
}

template <class Scalar, Causality kind>
void expect_exponentials() {
    constexpr Index channels = 70;  // more than one block
    const FrequencyPole<Scalar, kind> pole(FrequencyPoleOptions{.lambda = 0.3}, channels);
    auto parameters = pole.make_parameters(5);
    parameters.gamma(0) = 40;   // λ = 127/128: a small grid cuts off most of it
    parameters.gamma(1) = -40;  // λ = 0.3
    for (const Index grid : {1, 2, 3, 4, 7, 8, 9, 16, 101, 200}) {
        SCOPED_TRACE(testing::Message() << "grid " << grid);
        const Matrix<long double> lags = pole_lags<kind>(pole, parameters, channels, grid);
        const Index reach = lags.rows() / 2;
        for (Index t = -reach; t <= reach; ++t) {
            for (Index c = 0; c < channels; ++c) {
                long double amplitude = parameters.amplitude(c);
                if (kind == Causality::causal && t < 0) amplitude = 0;
                if (kind == Causality::bidirectional && t != 0) {
                    amplitude += (t > 0 ? 1 : -1) * static_cast<long double>(parameters.odd(c));
                }
                const auto lambda = static_cast<long double>(pole.lambda(parameters, c));
                const long double expected =
                    amplitude * std::pow(lambda, static_cast<long double>(std::abs(t)));
                // λ itself is rounded, which λ^t has t times, at most 47 of it; the rest to a few u of the
                // response, whose mean size is that of the kernel, three for the odd part.
                ASSERT_TRUE(near(lags(t + reach, c), expected, 256 * unit<Scalar>)) << t << " " << c;
            }
        }
    }
}

TYPED_TEST(FrequencyKernelTest, ThePoleIsTheSameExponentialOnEveryGrid) {
    expect_exponentials<TypeParam, Causality::causal>();
    expect_exponentials<TypeParam, Causality::bidirectional>();
}

TEST(FrequencyPoleTest, IsAddedToThePerceptronAndHasTheSameBitsForAnyNumberOfThreads) {
    using Kernel = FrequencyKernel<float, Causality::bidirectional>;
    const Kernel both({.mlp = {.channels = 130}, .pole = FrequencyPoleOptions{}});
    const Kernel alone({.mlp = {.channels = 130}});
    const FrequencyPole<float, Causality::bidirectional> pole(FrequencyPoleOptions{}, 130);
    const auto parameters = both.make_parameters(1);
    auto without = alone.make_parameters(1);
    EXPECT_EQ(without.pole.gamma.size(), 0);
    const Index grid = 600;
    Matrix<std::complex<float>> response[2];
    FrequencyKernelParameters<float> gradients[2] = {zeros_like(parameters), zeros_like(parameters)};
    for (const int threads : {1, 2}) {
        with_threads(threads, [&] {
            Workspace ws;
            FrequencyKernelCache<float> cache;
            auto& values = response[threads - 1];
            values.resize(grid / 2 + 1, 130);
            both.evaluate(parameters, grid, values, ws, &cache);
            both.backward(parameters, cache, values, gradients[threads - 1], ws);
        });
    }
    EXPECT_TRUE(same_bits(response[0].real().eval(), response[1].real().eval()));
    EXPECT_TRUE(same_bits(gradients[0].pole.gamma, gradients[1].pole.gamma));
    EXPECT_TRUE(same_bits(gradients[0].pole.odd, gradients[1].pole.odd));
    Matrix<std::complex<float>> sum(grid / 2 + 1, 130);
    Workspace ws;
    alone.evaluate(without, grid, sum, ws);
    pole.add(parameters.pole, grid, sum, ws);
    EXPECT_EQ(sum, response[0]);
}

TEST(FrequencyKernelErrorTest, NamesWhatIsWrong) {
    using Kernel = FrequencyKernel<double, Causality::bidirectional>;
    expect_error<config_error>(201, "[toeplitz.config.201] FrequencyKernel: expected channels >= 1, got 0",
                               [] { Kernel({}); });
    expect_error<config_error>(430,
                               "[toeplitz.config.430] FrequencyKernel: expected heads that divide 4, got 3",
                               [] { Kernel({.mlp = {.channels = 4}, .heads = 3}); });
    expect_error<config_error>(
        431,
        "[toeplitz.config.431] FrequencyKernel: expected 0 < pole.lambda < pole.limit "
        "< 1, got 0.5 and 0.4",
        [] { Kernel({.mlp = {.channels = 4}, .pole = FrequencyPoleOptions{.lambda = 0.5, .limit = 0.4}}); });
    expect_error<config_error>(432, "[toeplitz.config.432] FrequencyKernel: expected a finite scale, got nan",
                               [] { Kernel({.mlp = {.channels = 4}, .scale = std::nan("")}); });
    expect_error<config_error>(
        432, "[toeplitz.config.432] FrequencyKernel: expected a finite scale, got 1e+39",
        [] { FrequencyKernel<float, Causality::causal>({.mlp = {.channels = 4}, .scale = 1e39}); });
    const Kernel kernel({.mlp = {.channels = 2}});
    const auto parameters = kernel.make_parameters();
    Matrix<std::complex<double>> response(5, 2);
    Workspace ws;
    expect_error<config_error>(201,
                               "[toeplitz.config.201] FrequencyKernel::evaluate: expected grid >= 1, got 0",
                               [&] { kernel.evaluate(parameters, 0, response, ws); });
    expect_error<shape_error>(
        403, "[toeplitz.shape.403] FrequencyKernel::evaluate: expected response of shape 6×2, got 5×2",
        [&] { kernel.evaluate(parameters, 10, response, ws); });
    const Kernel with_pole({.mlp = {.channels = 2}, .pole = FrequencyPoleOptions{}});
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] FrequencyKernel: expected parameters with pole.amplitude of size 2, got 0",
        [&] { with_pole.evaluate(parameters, 8, response, ws); });
    FrequencyKernelCache<double> cache;
    kernel.evaluate(parameters, 8, response, ws, &cache);
    auto gradients = zeros_like(parameters);
    const Matrix<std::complex<double>> g(4, 2);
    expect_error<shape_error>(
        404, "[toeplitz.shape.404] FrequencyKernel::backward: expected g of shape 5×2, got 4×2",
        [&] { kernel.backward(parameters, cache, g, gradients, ws); });
}

}  // namespace
}  // namespace toeplitz::test
