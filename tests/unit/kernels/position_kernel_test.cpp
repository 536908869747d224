// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/kinds.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/position_kernel.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class PositionKernelTest : public testing::Test {};
TYPED_TEST_SUITE(PositionKernelTest, Scalars, );

std::vector<DecayOptions> decays(Index channels) {
    return {{.mode = DecayMode::none},
            {.lambda = 0.97},
            {.per_channel = Vector<double>::LinSpaced(channels, 0.5, 1)},
            {.mode = DecayMode::learned, .lambda = 0.9}};
}

TYPED_TEST(PositionKernelTest, IsTheDecayTimesThePerceptron) {
    using Scalar = TypeParam;
    const Index d = 5;
    for (const DecayOptions& decay : decays(d)) {
        for_each_kind([&](auto causality) {
            for (const Positions positions : {Positions::lags, Positions::normalized}) {
                const PositionKernel<Scalar, causality> kernel(
                    {.mlp = {.channels = d, .width = 8, .layers = 1},
                     .decay = decay,
                     .positions = positions});
                const auto parameters = kernel.make_parameters(4);
                for (const Index n : {1, 2, 70, 130}) {
                    SCOPED_TRACE(n);
                    Workspace ws(kernel.required_workspace(n));
                    const std::size_t bytes = ws.capacity();
                    Matrix<Scalar> values(lag_count(n, causality), d);
                    kernel.evaluate(parameters, n, values, ws);
                    EXPECT_EQ(ws.capacity(), bytes);
                    for (Index row = 0; row < values.rows(); ++row) {
                        const Index t = row - first_lag_row(n, causality);
                        Scalar position = static_cast<Scalar>(t);
                        if (positions == Positions::normalized && n > 1)
                            position /= static_cast<Scalar>(n - 1);
                        Matrix<Scalar> perceptron(1, d);
                        kernel.mlp().evaluate(parameters.rpe, Matrix<Scalar>::Constant(1, 1, position).eval(),
                                              perceptron, ws);
                        for (Index c = 0; c < d; ++c) {
                            const long double power =
                                std::pow(static_cast<long double>(kernel.decay().lambda(parameters.decay, c)),
                                         static_cast<long double>(std::abs(t)));
                            // The power's error is the one that DecayPowers states.
                            const long double relative =
                                8 * unit<Scalar> - std::log(std::max(power, 1e-40L)) * 0x1p-52L;
                            const long double expected = power * static_cast<long double>(perceptron(0, c));
                            ASSERT_TRUE(
                                near(values(row, c), expected, relative * std::abs(expected) + 1e-37L));
                        }
                    }
                }
            }
        });
    }
}

TYPED_TEST(PositionKernelTest, DoesNotDependOnTheLength) {
    using Scalar = TypeParam;
    for (const DecayOptions& decay : decays(3)) {
        const PositionKernel<Scalar> kernel({.mlp = {.channels = 3}, .decay = decay});
        const auto parameters = kernel.make_parameters();
        Workspace ws;
        Matrix<Scalar> small(2 * 30 - 1, 3);
        Matrix<Scalar> large(2 * 200 - 1, 3);
        kernel.evaluate(parameters, 30, small, ws);
        kernel.evaluate(parameters, 200, large, ws);
        EXPECT_TRUE(same_bits(small, large.middleRows(200 - 30, small.rows())));
    }
}

TYPED_TEST(PositionKernelTest, RealLagsIncludeTheIntegerOnes) {
    using Scalar = TypeParam;
    for (const DecayOptions& decay : decays(4)) {
        const PositionKernel<Scalar> kernel({.mlp = {.channels = 4}, .decay = decay});
        const auto parameters = kernel.make_parameters();
        const Index n = 120;
        Workspace ws;
        Matrix<Scalar> values(2 * n - 1, 4);
        kernel.evaluate(parameters, n, values, ws);
        Vector<Scalar> lags(2 * n - 1);
        for (Index i = 0; i < lags.size(); ++i) lags(i) = static_cast<Scalar>(i - n + 1);
        Matrix<Scalar> at(2 * n - 1, 4);
        kernel.evaluate(parameters, lags, at, ws);
        EXPECT_LE(relative_error(at, values), 4 * unit<Scalar>);
        const Vector<Scalar> half = Vector<Scalar>::Constant(1, Scalar(2.5));
        Matrix<Scalar> between(1, 4);
        Matrix<Scalar> perceptron(1, 4);
        kernel.evaluate(parameters, half, between, ws);
        kernel.mlp().evaluate(parameters.rpe, half, perceptron, ws);
        for (Index c = 0; c < 4; ++c) {
            const double power = std::pow(kernel.decay().lambda(parameters.decay, c), 2.5);
            EXPECT_TRUE(near(between(0, c), power * static_cast<double>(perceptron(0, c)), 8 * unit<Scalar>));
        }
    }
}

TYPED_TEST(PositionKernelTest, GivesTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    const PositionKernel<Scalar> kernel(
        {.mlp = {.channels = 30}, .decay = {.mode = DecayMode::learned, .lambda = 0.99}});
    const auto parameters = kernel.make_parameters();
    const Index n = 700;
    const Matrix<Scalar> g = random_matrix<Scalar>(2 * n - 1, 30, 1);
    Matrix<Scalar> expected;
    auto expected_gradients = zeros_like(parameters);
    for (const int threads : {1, 2, 3}) {
        with_threads(threads, [&] {
            Workspace ws;
            Matrix<Scalar> values(2 * n - 1, 30);
            PositionKernelCache<Scalar> cache;
            auto gradients = zeros_like(parameters);
            kernel.evaluate(parameters, n, values, ws, &cache);
            kernel.backward(parameters, cache, g, gradients, ws);
            if (threads == 1) {
                expected = values;
                expected_gradients = gradients;
            }
            EXPECT_TRUE(same_bits(values, expected));
            for_each_parameter(
                [](const ParameterName&, const auto& a, const auto& b) { EXPECT_TRUE(same_bits(a, b)); },
                gradients, expected_gradients);
        });
    }
}

TEST(PositionKernelNamesTest, AreTheOfficialOnes) {
    std::vector<std::string> names;
    const PositionKernel<float> kernel(
        {.mlp = {.channels = 2, .layers = 0, .bias = Bias::none}, .decay = {.mode = DecayMode::learned}});
    for_each_parameter([&](const std::string& name, const auto&) { names.push_back(name); },
                       kernel.make_parameters());
    EXPECT_EQ(names, (std::vector<std::string>{"gamma", "rpe.pos_proj.weight", "rpe.out.2.weight"}));
}

TEST(PositionKernelErrorTest, NamesWhatIsWrong) {
    const PositionKernel<double> kernel({.mlp = {.channels = 3}, .positions = Positions::normalized});
    auto parameters = kernel.make_parameters();
    Matrix<double> values(5, 3);
    const Vector<double> lags = Vector<double>::Zero(5);
    Workspace ws;
    expect_error<config_error>(201,
                               "[toeplitz.config.201] PositionKernel::evaluate: expected length >= 1, got 0",
                               [&] { kernel.evaluate(parameters, 0, values, ws); });
    expect_error<shape_error>(
        403, "[toeplitz.shape.403] PositionKernel::evaluate: expected values of shape 7×3, got 5×3",
        [&] { kernel.evaluate(parameters, 4, values, ws); });
    expect_error<config_error>(420,
                               "[toeplitz.config.420] PositionKernel::evaluate: expected positions that do "
                               "not depend on the length, got Positions::normalized",
                               [&] { kernel.evaluate(parameters, lags, values, ws); });
    PositionKernelCache<double> cache;
    kernel.evaluate(parameters, 3, values, ws, &cache);
    auto gradients = zeros_like(parameters);
    gradients.decay.gamma.resize(3);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] PositionKernel::backward: expected gradients with gamma "
                              "of size 0, got 3",
                              [&] { kernel.backward(parameters, cache, values, gradients, ws); });
    const Matrix<double> short_g(4, 3);
    expect_error<shape_error>(
        404, "[toeplitz.shape.404] PositionKernel::backward: expected g of shape 5×3, got 4×3",
        [&] { kernel.backward(parameters, cache, short_g, gradients, ws); });
}

}  // namespace
}  // namespace toeplitz::test
