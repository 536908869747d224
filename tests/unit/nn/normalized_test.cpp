// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test::normalized_test {
namespace {

/// A positive kernel, so that no sum vanishes.
TnoOptions positive() {
    return {.channels = 3,
            .mlp = {.width = 5, .layers = 1, .activation = Activation::silu},
            .activation = Activation::elu_plus_one};
}

const std::vector<Index> some_lengths = {6, 0, 2};

TEST(NormalizedTest, DividesByWhatTheMixerMakesOfOnes) {
    const NormalizedTno normalized(positive());
    const DoubleTno<Causality::bidirectional> mixer(positive());
    const auto parameters = start(normalized, 2);
    const Matrix<double> x = random_matrix<double>(18, 3, 1);
    for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
        const Sequences sequences{6, lengths};
        const Matrix<double> sums = forward(mixer, parameters, Matrix<double>::Ones(18, 3), sequences);
        const Matrix<double> products = forward(mixer, parameters, x, sequences);
        Matrix<double> expected = Matrix<double>::Zero(18, 3);
        for (Index i = 0; i < expected.size(); ++i) {
            if (sums.data()[i] != 0) expected.data()[i] = products.data()[i] / sums.data()[i];
        }
        const Matrix<double> y = forward(normalized, parameters, x, sequences);
        EXPECT_LE(relative_error(y, expected), layer_error(2, 6));
        EXPECT_LE(relative_error(evaluate(normalized, parameters, x, sequences), expected),
                  layer_error(2, 6));
    }
}

TEST(NormalizedTest, KeepsConstants) {
    const NormalizedTno normalized(positive());
    const Matrix<double> x = Matrix<double>::Constant(14, 3, -2.5);
    const Matrix<double> y = forward(normalized, start(normalized, 2), x, {7});
    EXPECT_LE(relative_error(y, x), layer_error(2, 7));
}

TEST(NormalizedTest, PaddingHasNoInfluenceAndBecomesZero) {
    const NormalizedTno normalized(positive());
    const auto parameters = start(normalized, 2);
    const Sequences sequences{6, some_lengths};
    Matrix<double> x = random_matrix<double>(18, 3, 1);
    Matrix<double> g = random_matrix<double>(18, 3, 2);
    const auto clean = step(normalized, parameters, x, sequences, g);
    const Matrix<double> inference = evaluate(normalized, parameters, x, sequences);
    fill_padding(x, sequences, std::nan(""));
    fill_padding(g, sequences, std::nan(""));
    const auto dirty = step(normalized, parameters, x, sequences, g);
    EXPECT_TRUE(same_bits(dirty.y, clean.y));
    EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
    EXPECT_TRUE(equal(dirty.gradients, clean.gradients));
    EXPECT_TRUE(same_bits(evaluate(normalized, parameters, x, sequences), inference));
    for (Matrix<double> cleared : {clean.y, clean.dx, inference}) {
        const Matrix<double> before = cleared;
        fill_padding(cleared, sequences, 0);
        EXPECT_TRUE(same_bits(cleared, before));
    }
}

TEST(NormalizedErrorTest, NamesWhatDoesNotFit) {
    using M = NormalizedTno;
    const M normalized(positive());
    const auto parameters = start(normalized);
    const Matrix<double> x = Matrix<double>::Ones(6, 3);
    Matrix<double> y(6, 3);
    Matrix<double> narrow(5, 3);
    Workspace ws;
    M::Cache cache;
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(210, "[toeplitz.shape.210] Normalized::forward: expected B*4 rows, got 6",
                              [&] { forward(normalized, parameters, x, {4}); });
    expect_error<shape_error>(503,
                              "[toeplitz.shape.503] Normalized::forward: expected y of shape 6×3, got 5×3",
                              [&] { Calls<M>::forward(normalized, parameters, x, {3}, narrow, cache, ws); });
    expect_error<shape_error>(
        705,
        "[toeplitz.shape.705] Normalized::backward: expected the cache of a forward "
        "pass of x, got 0 rows",
        [&] { Calls<M>::backward(normalized, parameters, x, {}, x, y, gradients, ws); });
    Calls<M>::forward(normalized, parameters, x, {3}, y, cache, ws);
    expect_error<shape_error>(
        503, "[toeplitz.shape.503] Normalized::backward: expected dx of shape 6×3, got 5×3",
        [&] { Calls<M>::backward(normalized, parameters, x, cache, x, narrow, gradients, ws); });
    expect_error<shape_error>(
        503, "[toeplitz.shape.503] Normalized::backward: expected g of shape 6×3, got 5×3",
        [&] { Calls<M>::backward(normalized, parameters, x, cache, narrow, y, gradients, ws); });
    const auto prepared = Calls<M>::prepare(normalized, parameters, 3);
    expect_error<shape_error>(
        503, "[toeplitz.shape.503] Normalized::Prepared::evaluate: expected y of shape 6×3, got 5×3",
        [&] { Calls<M>::evaluate(prepared, x, narrow, ws); });
}

}  // namespace
}  // namespace toeplitz::test::normalized_test
