// SPDX-License-Identifier: MIT
/// \file
/// Gradients of every kernel with respect to every parameter and input.

#include <gtest/gtest.h>

#include <support/activation.hpp>
#include <support/gradient_check.hpp>
#include <support/kinds.hpp>
#include <support/nn.hpp>
#include <support/normalize.hpp>
#include <support/random.hpp>

#include <toeplitz/kernels/frequency_kernel.hpp>
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/kernels/time_warp.hpp>

namespace toeplitz::test {
namespace {

constexpr Activation activations[] = {Activation::identity, Activation::relu, Activation::silu,
                                      Activation::gelu, Activation::sine};
constexpr Norm norms[] = {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer};

TEST(NormalizeGradientTest, AgreesWithDifferencesForEveryNorm) {
    for (const Norm norm : norms) {
        for (const Index d : {1, 3, 8, 21}) {
            SCOPED_TRACE(testing::Message() << "norm " << static_cast<int>(norm) << " d " << d);
            NormParameters<double> parameters = make_norm<double>(norm, d);
            shake(parameters, 1);
            // Rows of one small number are where norms vary faster than differences can follow.
            Matrix<double> x = random_matrix<double>(4, d, 2);
            x = x.unaryExpr([](double v) { return v + std::copysign(0.5, v); });
            const Matrix<double> g = random_matrix<double>(4, d, 3);
            Matrix<double> y(4, d);
            const auto loss = [&] {
                normalize<double>(norm, parameters, x, y);
                return (y.array() * g.array()).sum();
            };
            NormParameters<double> gradients = zeros_like(parameters);
            Matrix<double> dx(4, d);
            normalize_backward<double>(norm, parameters, x, g, dx, gradients);
            expect_gradient(x, dx, "x", loss);
            expect_parameter_gradients(parameters, gradients, loss);
        }
    }
}

TEST(ActivationGradientTest, AgreesWithDifferences) {
    for (const Activation activation : activations) {
        SCOPED_TRACE(static_cast<int>(activation));
        Matrix<double> x = random_matrix<double>(3, 37, 4);
        const Matrix<double> g = random_matrix<double>(3, 37, 5);
        const auto loss = [&] {
            Matrix<double> y = x;
            activate<double>(activation, y);
            return (y.array() * g.array()).sum();
        };
        Matrix<double> kept = x;
        Matrix<double> dx = g;
        activate_backward<double>(activation, kept, dx);
        expect_gradient(x, dx, "x", loss);
    }
}

class PositionMlpGradientTest : public testing::TestWithParam<Norm> {};

TEST_P(PositionMlpGradientTest, AgreesWithDifferencesForAllOptions) {
    for (const Activation activation : activations) {
        for (const Residual residual : {Residual::none, Residual::add}) {
            for (const Bias bias : {Bias::none, Bias::add}) {
                for (Index layers = 0; layers <= 3; ++layers) {
                    SCOPED_TRACE(testing::Message() << "activation " << static_cast<int>(activation)
                                                    << " residual " << static_cast<int>(residual) << " bias "
                                                    << static_cast<int>(bias) << " layers " << layers);
                    const PositionMlp<double> mlp({.channels = 2,
                                                   .width = 5,
                                                   .layers = layers,
                                                   .activation = activation,
                                                   .norm = GetParam(),
                                                   .residual = residual,
                                                   .bias = bias});
                    auto parameters = mlp.make_parameters(7);
                    shake(parameters, 100);
                    Matrix<double> positions(4, 1);
                    positions << -2.1, 0.4, 1.3, 3.2;
                    const Matrix<double> g = random_matrix<double>(4, 2, 9);
                    Matrix<double> values(4, 2);
                    Workspace ws;
                    const auto loss = [&] {
                        mlp.evaluate(parameters, positions, values, ws);
                        return (values.array() * g.array()).sum();
                    };
                    PositionMlp<double>::Cache cache;
                    mlp.evaluate(parameters, positions, values, ws, &cache);
                    auto gradients = zeros_like(parameters);
                    Matrix<double> dpositions(4, 1);
                    mlp.backward(parameters, cache, g, dpositions, gradients, ws);
                    // The seeds keep relu's kinks out of reach of a step.
                    expect_parameter_gradients(parameters, gradients, loss);
                    expect_gradient(positions, dpositions, "positions", loss);
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Norms, PositionMlpGradientTest, testing::ValuesIn(norms));

/// Checks backward of a kernel whose forward is called by `forward(parameters, values, cache)`.
template <class Kernel, class Forward>
void check_kernel(const Kernel& kernel, Index rows, Forward&& forward) {
    auto parameters = kernel.make_parameters(3);
    shake(parameters, 50);
    Matrix<double> values(rows, kernel.channels());
    const Matrix<double> g = random_matrix<double>(rows, kernel.channels(), 11);
    typename Kernel::Cache cache;
    Workspace ws;
    const auto loss = [&] {
        forward(parameters, values, cache, ws);
        return (values.array() * g.array()).sum();
    };
    loss();
    auto gradients = zeros_like(parameters);
    kernel.backward(parameters, cache, g, gradients, ws);
    const auto once = gradients;
    expect_parameter_gradients(parameters, gradients, loss);
    // Gradients are added to.
    loss();
    kernel.backward(parameters, cache, g, gradients, ws);
    for_each_parameter([](const ParameterName& name, const auto& two,
                          const auto& one) { EXPECT_TRUE(two.isApprox(2 * one, 1e-14)) << name.text(); },
                       gradients, once);
}

PositionMlpOptions small_mlp(Index channels) {
    return {.channels = channels, .width = 6, .layers = 2, .activation = Activation::silu};
}

TEST(PositionKernelGradientTest, AgreesWithDifferencesForEveryDecay) {
    const DecayOptions decays[] = {
        {.mode = DecayMode::none},
        {.mode = DecayMode::fixed, .lambda = 0.9},
        {.mode = DecayMode::fixed, .per_channel = Vector<double>::LinSpaced(3, 0.5, 1)},
        {.mode = DecayMode::learned, .lambda = 0.6}};
    for (const DecayOptions& decay : decays) {
        for_each_kind([&](auto causality) {
            for (const Positions positions : {Positions::lags, Positions::normalized}) {
                const PositionKernel<double, causality> kernel(
                    {.mlp = small_mlp(3), .decay = decay, .positions = positions});
                const Index n = 7;
                check_kernel(kernel, lag_count(n, causality),
                             [&](const auto& parameters, auto& values, auto& cache, Workspace& ws) {
                                 kernel.evaluate(parameters, n, values, ws, &cache);
                             });
            }
            const PositionKernel<double, causality> kernel({.mlp = small_mlp(3), .decay = decay});
            Vector<double> lags(5);
            lags << -3.7, -0.5, 0, 1.25, 6;
            check_kernel(kernel, lags.size(),
                         [&](const auto& parameters, auto& values, auto& cache, Workspace& ws) {
                             kernel.evaluate(parameters, lags, values, ws, &cache);
                         });
        });
    }
}

TEST(PositionKernelGradientTest, SumsOverManyTilesAsOverOneLagAtATime) {
    const PositionKernel<double> kernel(
        {.mlp = small_mlp(2), .decay = {.mode = DecayMode::learned, .lambda = 0.99}});
    const auto parameters = kernel.make_parameters();
    const Index n = 600;
    const Matrix<double> g = random_matrix<double>(2 * n - 1, 2, 5);
    Matrix<double> values(2 * n - 1, 2);
    PositionKernel<double>::Cache cache;
    Workspace ws;
    kernel.evaluate(parameters, n, values, ws, &cache);
    auto gradients = zeros_like(parameters);
    kernel.backward(parameters, cache, g, gradients, ws);
    auto expected = zeros_like(parameters);
    for (Index i = 0; i < 2 * n - 1; ++i) {
        const Vector<double> lag = Vector<double>::Constant(1, static_cast<double>(i - n + 1));
        Matrix<double> row(1, 2);
        kernel.evaluate(parameters, lag, row, ws, &cache);
        kernel.backward(parameters, cache, g.middleRows(i, 1), expected, ws);
    }
    for_each_parameter(
        [](const ParameterName& name, const auto& actual, const auto& reference) {
            EXPECT_LE((actual - reference).norm(), 1e-12 * reference.norm()) << name.text();
        },
        gradients, expected);
}

TEST(TimeWarpGradientTest, AgreesWithDifferencesForEveryDecay) {
    const DecayOptions decays[] = {{.mode = DecayMode::fixed, .lambda = 0.8},
                                   {.mode = DecayMode::learned, .lambda = 0.6}};
    for (const DecayOptions& decay : decays) {
        for_each_kind([&](auto causality) {
            for (const Index knots : {1, 2, 5}) {
                const TimeWarp<double, causality> kernel({.channels = 3, .knots = knots, .decay = decay});
                Vector<double> lags(7);
                lags << -9, -3.7, -0.5, 0, 1.25, 6, 40;
                check_kernel(kernel, lags.size(),
                             [&](const auto& parameters, auto& values, auto& cache, Workspace& ws) {
                                 kernel.evaluate(parameters, lags, values, ws, &cache);
                             });
                check_kernel(kernel, lag_count(6, causality),
                             [&](const auto& parameters, auto& values, auto& cache, Workspace& ws) {
                                 kernel.evaluate(parameters, 6, values, ws, &cache);
                             });
            }
        });
    }
}

/// Inputs of the perceptron; with the last one a scale and a pole.
constexpr FrequencyInput frequency_inputs[] = {FrequencyInput::cosine, FrequencyInput::angle,
                                               FrequencyInput::cosine_and_log};

FrequencyKernelOptions frequency_options(FrequencyInput input, Index channels, Index heads = 1) {
    FrequencyKernelOptions options{.mlp = small_mlp(channels), .input = input, .heads = heads};
    if (input == FrequencyInput::cosine_and_log) {
        options.scale = 3;
        options.pole.emplace();
    }
    return options;
}

TEST(FrequencyKernelGradientTest, CausalAgreesWithDifferences) {
    for (const FrequencyInput input : frequency_inputs) {
        for (const Index grid : {1, 2, 7, 12}) {
            const FrequencyKernel<double, Causality::causal> kernel(frequency_options(input, 3));
            check_kernel(kernel, grid / 2 + 1,
                         [&](const auto& parameters, auto& values, auto& cache, Workspace& ws) {
                             kernel.evaluate(parameters, grid, values, ws, &cache);
                         });
        }
    }
}

TEST(FrequencyKernelGradientTest, BidirectionalAgreesWithDifferences) {
    for (const FrequencyInput input : frequency_inputs) {
        for (const Index heads : {1, 2}) {
            for (const Index grid : {1, 2, 7, 12}) {
                const FrequencyKernel<double, Causality::bidirectional> kernel(
                    frequency_options(input, 4, heads));
                auto parameters = kernel.make_parameters(3);
                const Index rows = grid / 2 + 1;
                Matrix<std::complex<double>> response(rows, 4);
                Matrix<std::complex<double>> g(rows, 4);
                g.real() = random_matrix<double>(rows, 4, 21);
                g.imag() = random_matrix<double>(rows, 4, 22);
                Workspace ws;
                FrequencyKernelCache<double> cache;
                const auto loss = [&] {
                    kernel.evaluate(parameters, grid, response, ws, &cache);
                    return (response.array() * g.array().conjugate()).real().sum();
                };
                loss();
                auto gradients = zeros_like(parameters);
                kernel.backward(parameters, cache, g, gradients, ws);
                expect_parameter_gradients(parameters, gradients, loss);
            }
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
