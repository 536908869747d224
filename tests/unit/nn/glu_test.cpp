// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test::glu_test {
namespace {

using Unit = Glu<double>;

void expect_definition(const GluOptions& options, Index rows) {
    const Unit glu(options);
    auto parameters = Calls<Unit>::make_parameters(glu, 3);
    const Matrix<double> x = random_matrix<double>(rows, options.width, 1);
    const LongMatrix expected = oracle_glu(options, parameters, x.cast<long double>());
    const Matrix<double> y = forward(glu, parameters, x, {rows});
    EXPECT_LE(relative_error(y, expected), layer_error(3, std::max(glu.inner_width(), options.width)));
    EXPECT_TRUE(same_bits(evaluate(glu, parameters, x, {rows}), y));
}

TEST(GluTest, AgreesWithTheDefinition) {
    for (const Activation activation :
         {Activation::silu, Activation::relu, Activation::gelu, Activation::sine, Activation::identity}) {
        for (const Activation last : {Activation::identity, Activation::silu, Activation::sigmoid}) {
            for (const Bias bias : {Bias::none, Bias::add}) {
                SCOPED_TRACE(testing::Message()
                             << static_cast<int>(activation) << " " << static_cast<int>(last));
                expect_definition({.width = 5,
                                   .inner_width = 7,
                                   .activation = activation,
                                   .final_activation = last,
                                   .bias = bias},
                                  6);
            }
        }
    }
    expect_definition({.width = 1}, 1);
    expect_definition({.width = 150, .final_activation = Activation::silu}, 300);  // several blocks and tiles
}

TEST(GluTest, HasAsManyFeaturesAsChannelsUnlessToldOtherwise) {
    EXPECT_EQ(Unit({.width = 4}).inner_width(), 4);
    EXPECT_EQ(Unit({.width = 4, .inner_width = 9}).inner_width(), 9);
}

TEST(GluTest, BackwardAddsToGradients) {
    const Unit glu({.width = 3, .final_activation = Activation::silu});
    const auto parameters = Calls<Unit>::make_parameters(glu, 3);
    const Matrix<double> x = random_matrix<double>(300, 3, 1);
    const Matrix<double> g = random_matrix<double>(300, 3, 2);
    const auto once = step(glu, parameters, x, {300}, g);
    auto gradients = once.gradients;
    Matrix<double> dx(300, 3);
    Matrix<double> y(300, 3);
    Unit::Cache cache;
    Workspace ws;
    Calls<Unit>::forward(glu, parameters, x, {300}, y, cache, ws);
    Calls<Unit>::backward(glu, parameters, x, cache, g, dx, gradients, ws);
    EXPECT_TRUE(same_bits(dx, once.dx));
    for_each_parameter(
        [](const ParameterName& name, const auto& two, const auto& one) {
            EXPECT_LE(relative_error(two, (2 * one).eval()), layer_error(1, 300)) << name.text();
        },
        gradients, once.gradients);
}

TEST(GluErrorTest, NamesWhatDoesNotFit) {
    expect_error<config_error>(201, "[toeplitz.config.201] Glu: expected width >= 1, got 0",
                               [] { Unit({.width = 0}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Glu: expected inner_width >= 1, got -2",
                               [] { Unit({.width = 2, .inner_width = -2}); });
    const Unit glu({.width = 2, .inner_width = 3});
    const auto parameters = Calls<Unit>::make_parameters(glu, 1);
    const Matrix<double> x = Matrix<double>::Ones(6, 2);
    expect_error<shape_error>(703, "[toeplitz.shape.703] Glu::forward: expected x of shape 6×2, got 6×3",
                              [&] { forward(glu, parameters, Matrix<double>(6, 3), {3}); });
    auto other = parameters;
    other.l2.bias.resize(0);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Glu::forward: expected parameters with bias of size 3, got 0",
        [&] { forward(glu, other, x, {3}); });
    Unit::Cache cache;
    Matrix<double> y(6, 2);
    Workspace ws;
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(
        705, "[toeplitz.shape.705] Glu::backward: expected the cache of a forward pass of x, got 0×0",
        [&] { Calls<Unit>::backward(glu, parameters, x, cache, x, y, gradients, ws); });
    Calls<Unit>::forward(glu, parameters, x, {3}, y, cache, ws);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Glu::backward: expected gradients with bias of size 3, got 0",
        [&] { Calls<Unit>::backward(glu, parameters, x, cache, x, y, other, ws); });
    Matrix<double> narrow(6, 1);
    expect_error<shape_error>(
        703, "[toeplitz.shape.703] Glu::backward: expected dx of shape 6×2, got 6×1",
        [&] { Calls<Unit>::backward(glu, parameters, x, cache, x, narrow, gradients, ws); });
}

}  // namespace
}  // namespace toeplitz::test::glu_test
