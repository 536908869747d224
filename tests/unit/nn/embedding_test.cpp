// SPDX-License-Identifier: MIT
#include <cmath>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/embedding.hpp>

namespace toeplitz::test::embedding_test {
namespace {

constexpr EmbeddingOptions small = {.vocabulary = 5, .width = 3};

TEST(EmbeddingTest, CopiesTheRowOfEveryToken) {
    const Embedding<double> embedding(small);
    Workspace ws;
    const auto parameters = embedding.make_parameters(1);
    const std::vector<Token> tokens = {4, 0, 0, 2};
    Matrix<double> y(4, 3);
    embedding.evaluate(parameters, tokens, y, ws);
    for (Index i = 0; i < 4; ++i) {
        EXPECT_TRUE(same_bits(y.row(i), parameters.weight.row(tokens[static_cast<std::size_t>(i)]))) << i;
    }
    EXPECT_EQ(Embedding<double>::rows(tokens), 4);
}

TEST(EmbeddingTest, BackwardAddsEveryRowToThatOfItsToken) {
    const Embedding<double> embedding(small);
    Workspace ws;
    const auto parameters = embedding.make_parameters(1);
    const std::vector<Token> tokens = {4, 0, 0, 2};
    const Matrix<double> g = random_matrix<double>(4, 3, 2);
    auto gradients = zeros_like(parameters);
    gradients.weight.setOnes();
    embedding.backward(parameters, tokens, g, {}, gradients, ws);
    Matrix<double> expected = Matrix<double>::Ones(5, 3);
    expected.row(4) += g.row(0);
    expected.row(0) += g.row(1);
    expected.row(0) += g.row(2);
    expected.row(2) += g.row(3);
    EXPECT_TRUE(same_bits(gradients.weight, expected));
}

TEST(EmbeddingTest, StartsWithRowsOfUnitLength) {
    const Embedding<double> embedding({.vocabulary = 200, .width = 64});
    const Matrix<double> weight = embedding.make_parameters(1).weight;
    // Mean and variance of N = 12800 normal numbers are within 5 standard errors.
    const double count = 12800;
    EXPECT_NEAR(weight.mean(), 0, 5 / std::sqrt(64 * count));
    EXPECT_NEAR(weight.squaredNorm() / 200, 1, 5 * std::sqrt(2 / count));
    EXPECT_NE(weight, embedding.make_parameters(2).weight);
}

TEST(EmbeddingErrorTest, NamesTheTokenAndItsPosition) {
    expect_error<config_error>(201, "[toeplitz.config.201] Embedding: expected vocabulary >= 1, got 0",
                               [] { Embedding<double>({.vocabulary = 0, .width = 1}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Embedding: expected width >= 1, got 0",
                               [] { Embedding<double>({.vocabulary = 1, .width = 0}); });
    const Embedding<double> embedding(small);
    Workspace ws;
    const auto parameters = embedding.make_parameters();
    Matrix<double> y = Matrix<double>::Constant(2, 3, 7);
    expect_error<value_error>(
        711, "[toeplitz.value.711] Embedding::evaluate: expected tokens in 0..4, got 5 at position 1", [&] {
            embedding.evaluate(parameters, std::vector<Token>{0, 5}, y, ws);
        });
    EXPECT_TRUE((y.array() == 7).all());  // nothing was written
    auto gradients = zeros_like(parameters);
    expect_error<value_error>(
        711, "[toeplitz.value.711] Embedding::backward: expected tokens in 0..4, got -1 at position 0", [&] {
            embedding.backward(parameters, std::vector<Token>{-1, 0}, y, {}, gradients, ws);
        });
    EXPECT_TRUE(gradients.weight.isZero(0));
    expect_error<shape_error>(
        704, "[toeplitz.shape.704] Embedding::evaluate: expected y or g of shape 3×3, got 2×3", [&] {
            embedding.evaluate(parameters, std::vector<Token>{0, 1, 2}, y, ws);
        });
    const auto other = Embedding<double>({.vocabulary = 6, .width = 3}).make_parameters();
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Embedding::evaluate: expected weight of shape 5×3, got 6×3", [&] {
            embedding.evaluate(other, std::vector<Token>{0, 1}, y, ws);
        });
}

}  // namespace
}  // namespace toeplitz::test::embedding_test
