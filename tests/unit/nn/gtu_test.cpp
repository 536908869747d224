// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test::gtu_test {
namespace {

using Unit = PlainGtu<double>;
using Options = Unit::Options;

const std::vector<Index> some_lengths = {3, 0, 5};

void expect_definition(const Options& options, const Sequences& sequences) {
    const Unit gtu(options);
    auto parameters = Calls<Unit>::make_parameters(gtu, 3);
    shake(parameters, 4);
    const Matrix<double> x = random_matrix<double>(3 * sequences.length(), options.width, 1);
    const LongMatrix expected = oracle_gtu(options, parameters, x.cast<long double>(), sequences);
    const Matrix<double> y = forward(gtu, parameters, x, sequences);
    EXPECT_LE(relative_error(y, expected), layer_error(4, gtu.inner_width()));
    EXPECT_TRUE(same_bits(evaluate(gtu, parameters, x, sequences), y));
}

TEST(GtuTest, AgreesWithTheDefinition) {
    for (const Index width : {1, 4}) {
        for (const Activation activation : {Activation::silu, Activation::relu, Activation::gelu}) {
            for (const Bias bias : {Bias::none, Bias::add}) {
                for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
                    expect_definition({.width = width, .activation = activation, .bias = bias}, {5, lengths});
                }
            }
        }
    }
    expect_definition({.width = 3, .inner_width = 150}, {8, {}});  // wider than a block of a product
}

TEST(GtuTest, NormalisesTheGatedSequence) {
    for (const Norm norm : {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer}) {
        for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
            expect_definition({.width = 4, .inner_width = 6, .norm = norm}, {5, lengths});
        }
    }
}

TEST(GtuTest, HasThreeTimesTheChannelsUnlessToldOtherwise) {
    EXPECT_EQ(Unit({.width = 4}).inner_width(), 12);
    EXPECT_EQ(Unit({.width = 4}).mixer().channels(), 12);
    EXPECT_EQ(Unit({.width = 4, .inner_width = 5}).mixer().channels(), 5);
}

TEST(GtuTest, PaddingHasNoInfluenceAndBecomesZero) {
    const Unit gtu({.width = 4, .norm = Norm::layer});
    auto parameters = Calls<Unit>::make_parameters(gtu, 3);
    shake(parameters, 4);
    const Sequences sequences{5, some_lengths};
    Matrix<double> x = random_matrix<double>(15, 4, 1);
    Matrix<double> g = random_matrix<double>(15, 4, 2);
    const auto clean = step(gtu, parameters, x, sequences, g);
    fill_padding(x, sequences, std::nan(""));
    fill_padding(g, sequences, std::nan(""));
    const auto dirty = step(gtu, parameters, x, sequences, g);
    EXPECT_TRUE(same_bits(dirty.y, clean.y));
    EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
    EXPECT_TRUE(equal(dirty.gradients, clean.gradients));
    EXPECT_TRUE(same_bits(evaluate(gtu, parameters, x, sequences), clean.y));
    Matrix<double> cleared = clean.y;
    fill_padding(cleared, sequences, 0);
    EXPECT_TRUE(same_bits(cleared, clean.y));
    cleared = clean.dx;
    fill_padding(cleared, sequences, 0);
    EXPECT_TRUE(same_bits(cleared, clean.dx));
}

TEST(GtuTest, BackwardAddsToGradients) {
    const Unit gtu({.width = 3, .norm = Norm::rms});
    const auto parameters = Calls<Unit>::make_parameters(gtu, 3);
    const Matrix<double> x = random_matrix<double>(5, 3, 1);
    const Matrix<double> g = random_matrix<double>(5, 3, 2);
    const auto once = step(gtu, parameters, x, {5}, g);
    auto gradients = once.gradients;
    Matrix<double> dx(5, 3);
    Matrix<double> y(5, 3);
    Unit::Cache cache;
    Workspace ws;
    Calls<Unit>::forward(gtu, parameters, x, {5}, y, cache, ws);
    Calls<Unit>::backward(gtu, parameters, x, cache, g, dx, gradients, ws);
    EXPECT_TRUE(same_bits(dx, once.dx));
    for_each_parameter(
        [](const ParameterName& name, const auto& two, const auto& one) {
            EXPECT_LE(relative_error(two, (2 * one).eval()), layer_error(1, 15)) << name.text();
        },
        gradients, once.gradients);
}

TEST(GtuErrorTest, NamesWhatDoesNotFit) {
    expect_error<config_error>(201, "[toeplitz.config.201] Gtu: expected width >= 1, got 0",
                               [] { Unit({.width = 0}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Gtu: expected inner_width >= 1, got -1",
                               [] { Unit({.width = 1, .inner_width = -1}); });
    expect_error<config_error>(
        202, "[toeplitz.config.202] Gtu: expected a size below 2^63, got 3 * 4611686018427387904",
        [] { Unit({.width = Index{1} << 62}); });
    const Unit gtu({.width = 2, .inner_width = 3, .norm = Norm::rms});
    const auto parameters = Calls<Unit>::make_parameters(gtu, 1);
    const Matrix<double> x = Matrix<double>::Ones(6, 2);
    expect_error<shape_error>(703, "[toeplitz.shape.703] Gtu::forward: expected x of shape 6×2, got 6×3",
                              [&] { forward(gtu, parameters, Matrix<double>(6, 3), {3}); });
    expect_error<shape_error>(210, "[toeplitz.shape.210] Gtu::forward: expected B*4 rows, got 6",
                              [&] { forward(gtu, parameters, x, {4}); });
    expect_error<shape_error>(210, "[toeplitz.shape.210] Gtu::forward: expected B*7 rows, got 6",
                              [&] { forward(gtu, parameters, x, {7}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Gtu::forward: expected length >= 1, got 0",
                               [&] { forward(gtu, parameters, x, {0}); });
    const std::vector<Index> one = {1};
    const std::vector<Index> long_one = {1, 4};
    const std::vector<Index> negative = {-1, 3};
    expect_error<shape_error>(211, "[toeplitz.shape.211] Gtu::forward: expected 2 lengths, got 1", [&] {
        forward(gtu, parameters, x, {3, one});
    });
    expect_error<shape_error>(211, "[toeplitz.shape.211] Gtu::forward: expected lengths of 0..3, got 4", [&] {
        forward(gtu, parameters, x, {3, long_one});
    });
    expect_error<shape_error>(211, "[toeplitz.shape.211] Gtu::forward: expected lengths of 0..3, got -1",
                              [&] {
                                  forward(gtu, parameters, x, {3, negative});
                              });
    auto other = parameters;
    other.o.weight.resize(2, 4);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Gtu::forward: expected parameters with weight of shape 2×3, got 2×4",
        [&] { forward(gtu, other, x, {3}); });
    other = parameters;
    other.norm.scale.resize(4);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Gtu::forward: expected parameters with scale of size 3, got 4",
        [&] { forward(gtu, other, x, {3}); });
    Unit::Cache cache;
    Matrix<double> y(6, 2);
    Workspace ws;
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(
        705, "[toeplitz.shape.705] Gtu::backward: expected the cache of a forward pass of x, got 0×0",
        [&] { Calls<Unit>::backward(gtu, parameters, x, cache, x, y, gradients, ws); });
    Calls<Unit>::forward(gtu, parameters, x, {3}, y, cache, ws);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Gtu::backward: expected gradients with scale of size 3, got 4",
        [&] { Calls<Unit>::backward(gtu, parameters, x, cache, x, y, other, ws); });
    Matrix<double> narrow(6, 1);
    expect_error<shape_error>(704, "[toeplitz.shape.704] Gtu::forward: expected y or g of shape 6×2, got 6×1",
                              [&] { Calls<Unit>::forward(gtu, parameters, x, {3}, narrow, cache, ws); });
    const auto prepared = Calls<Unit>::prepare(gtu, parameters, 4);
    expect_error<shape_error>(210, "[toeplitz.shape.210] Gtu::Prepared::evaluate: expected B*4 rows, got 6",
                              [&] { Calls<Unit>::evaluate(prepared, x, y, ws); });
}

}  // namespace
}  // namespace toeplitz::test::gtu_test
