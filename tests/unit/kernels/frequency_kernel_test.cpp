// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/frequency_kernel.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class FrequencyKernelTest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(FrequencyKernelTest, Scalars, );

/// The perceptron's outputs at frequency k.
template <class Kernel, class Parameters>
auto outputs(const Kernel& kernel, const Parameters& parameters, FrequencyInput input, Index k, Index grid) {
    using Scalar = typename Kernel::Scalar;
    const double omega = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(grid);
    const Matrix<Scalar> position = Matrix<Scalar>::Constant(
        1, 1, static_cast<Scalar>(input == FrequencyInput::angle ? omega : std::cos(omega)));
    Matrix<Scalar> values(1, kernel.mlp().channels());
    Workspace ws;
    kernel.mlp().evaluate(parameters.rpe, position, values, ws);
    return values;
}

TYPED_TEST(FrequencyKernelTest, CausalResponsesAreThePerceptron) {
    using Scalar = TypeParam;
    for (const FrequencyInput input : {FrequencyInput::cosine, FrequencyInput::angle}) {
        const FrequencyKernel<Scalar, Causality::causal> kernel({.mlp = {.channels = 5}, .input = input});
        const auto parameters = kernel.make_parameters(1);
        for (const Index grid : {1, 2, 9, 300}) {
            Matrix<Scalar> response(grid / 2 + 1, 5);
            Workspace ws(kernel.required_workspace(grid));
            const std::size_t bytes = ws.capacity();
            kernel.evaluate(parameters, grid, response, ws);
            EXPECT_EQ(ws.capacity(), bytes);
            for (Index k = 0; k < response.rows(); ++k) {
                ASSERT_TRUE(same_bits(response.row(k), outputs(kernel, parameters, input, k, grid)));
            }
        }
    }
}

TYPED_TEST(FrequencyKernelTest, BidirectionalResponsesPairTheHalvesOfEachHead) {
    using Scalar = TypeParam;
    const Index d = 6;
    for (const FrequencyInput input : {FrequencyInput::cosine, FrequencyInput::angle}) {
        for (const Index heads : {1, 2, 3, 6}) {
            const FrequencyKernel<Scalar, Causality::bidirectional> kernel(
                {.mlp = {.channels = d}, .input = input, .heads = heads});
            const auto parameters = kernel.make_parameters(2);
            for (const Index grid : {1, 2, 9, 300}) {
                Matrix<std::complex<Scalar>> response(grid / 2 + 1, d);
                Workspace ws(kernel.required_workspace(grid));
                kernel.evaluate(parameters, grid, response, ws);
                for (Index k = 0; k < response.rows(); ++k) {
                    const Matrix<Scalar> all = outputs(kernel, parameters, input, k, grid);
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
                                         4 * unit<Scalar>));
                        if (real_only) {
                            ASSERT_EQ(response(k, c).imag(), 0);
                        }
                    }
                }
            }
        }
    }
}

TEST(FrequencyKernelErrorTest, NamesWhatIsWrong) {
    using Kernel = FrequencyKernel<double, Causality::bidirectional>;
    expect_error<config_error>(201, "[toeplitz.config.201] FrequencyKernel: expected channels >= 1, got 0",
                               [] { Kernel({}); });
    expect_error<config_error>(430,
                               "[toeplitz.config.430] FrequencyKernel: expected heads that divide 4, got 3",
                               [] { Kernel({.mlp = {.channels = 4}, .heads = 3}); });
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
