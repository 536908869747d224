// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/buffers.hpp>

namespace toeplitz::test::block_test {
namespace {

using Layer = PlainBlock<double>;
using Options = Layer::Options;

const std::vector<Index> some_lengths = {3, 0, 5};

Options small(NormPlacement placement, Norm norm = Norm::simple_rms) {
    Options options{.width = 4};
    options.gtu.inner_width = 6;
    options.glu.inner_width = 5;
    options.norm.norm = norm;
    options.placement = placement;
    return options;
}

Layer::Parameters some_parameters(const Layer& block) {
    auto parameters = Calls<Layer>::make_parameters(block, 3);
    shake(parameters, 4);
    return parameters;
}

TEST(BlockTest, AgreesWithTheDefinition) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const Norm norm : {Norm::simple_rms, Norm::rms, Norm::layer}) {
            for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
                Options options = small(placement, norm);
                options.glu.final_activation = Activation::silu;
                const Layer block(options);
                const auto parameters = some_parameters(block);
                const Sequences sequences{5, lengths};
                const Matrix<double> x = random_matrix<double>(15, 4, 1);
                const Matrix<double> y = forward(block, parameters, x, sequences);
                EXPECT_LE(
                    relative_error(y, oracle_block(options, parameters, x.cast<long double>(), sequences)),
                    layer_error(10, 6));
                EXPECT_TRUE(same_bits(evaluate(block, parameters, x, sequences), y));
            }
        }
    }
}

TEST(BlockTest, FillsInTheWidthsOfItsParts) {
    const Layer block({.width = 4});
    EXPECT_EQ(block.width(), 4);
    EXPECT_EQ(block.gtu().width(), 4);
    EXPECT_EQ(block.gtu().inner_width(), 12);
    EXPECT_EQ(block.gtu().mixer().channels(), 12);
    EXPECT_EQ(block.glu().width(), 4);
    EXPECT_EQ(block.options().norm.channels, 4);
}

TEST(BlockTest, PaddingHasNoInfluenceAndBecomesZero) {
    const Sequences sequences{5, some_lengths};
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        Options options = small(placement, Norm::layer);
        options.dropout = 0.2;
        const Layer block(options);
        const auto parameters = some_parameters(block);
        Matrix<double> x = random_matrix<double>(15, 4, 1);
        Matrix<double> g = random_matrix<double>(15, 4, 2);
        const auto clean = step(block, parameters, x, sequences, g, 7);
        const Matrix<double> inference = evaluate(block, parameters, x, sequences);
        fill_padding(x, sequences, std::nan(""));
        fill_padding(g, sequences, std::nan(""));
        const auto dirty = step(block, parameters, x, sequences, g, 7);
        EXPECT_TRUE(same_bits(dirty.y, clean.y));
        EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
        EXPECT_TRUE(equal(dirty.gradients, clean.gradients));
        EXPECT_TRUE(same_bits(evaluate(block, parameters, x, sequences), inference));
        for (Matrix<double> cleared : {clean.y, clean.dx, inference}) {
            const Matrix<double> before = cleared;
            fill_padding(cleared, sequences, 0);
            EXPECT_TRUE(same_bits(cleared, before));
        }
    }
}

TEST(BlockTest, DropsWhatEitherUnitAdds) {
    // With a last map of one unit that gives ones, what the unit adds is its mask.
    Options options = small(NormPlacement::pre);
    options.dropout = 0.5;
    const Layer block(options);
    auto parameters = Calls<Layer>::make_parameters(block, 3);
    for (LinearParameters<double>* last : {&parameters.gtu.o, &parameters.glu.l3}) {
        last->weight.setZero();
        last->bias.setOnes();
    }
    const Matrix<double> x = Matrix<double>::Zero(240, 4);
    const Matrix<double> y = forward(block, parameters, x, {8}, 5);
    const auto count = [&](double value) { return static_cast<double>((y.array() == value).count()); };
    // Two masks, 0 or 2 each, independent of one another: five standard deviations of the counts.
    EXPECT_NEAR(count(0), 240, 5 * std::sqrt(960 * 0.25 * 0.75));
    EXPECT_NEAR(count(2), 480, 5 * std::sqrt(960 * 0.25));
    EXPECT_NEAR(count(4), 240, 5 * std::sqrt(960 * 0.25 * 0.75));
    EXPECT_TRUE(same_bits(forward(block, parameters, x, {8}, 5), y));
    EXPECT_FALSE(same_bits(forward(block, parameters, x, {8}, 6), y));
    EXPECT_TRUE((evaluate(block, parameters, x, {8}).array() == 2).all());
}

TEST(BlockTest, TakesRowsWithGapsAndAddsToGradients) {
    const Layer block(small(NormPlacement::pre, Norm::rms));
    const auto parameters = some_parameters(block);
    const Matrix<double> x = random_matrix<double>(10, 4, 1);
    const Matrix<double> g = random_matrix<double>(10, 4, 2);
    const auto packed = step(block, parameters, x, {5}, g);
    Matrix<double> wide = Matrix<double>::Constant(10, 30, 7);
    const auto part = [&](Index i) { return wide.middleCols(1 + 6 * i, 4); };
    part(0) = x;
    part(1) = g;
    auto gradients = packed.gradients;
    Layer::Cache cache;
    Workspace ws;
    Calls<Layer>::forward(block, parameters, part(0), {5}, part(2), cache, ws);
    Calls<Layer>::backward(block, parameters, part(0), cache, part(1), part(3), gradients, ws);
    Calls<Layer>::evaluate(Calls<Layer>::prepare(block, parameters, 5), part(0), part(4), ws);
    EXPECT_LE(relative_error(part(2).eval(), packed.y), layer_error(10, 6));
    EXPECT_LE(relative_error(part(3).eval(), packed.dx), layer_error(20, 6));
    EXPECT_LE(relative_error(part(4).eval(), packed.y), layer_error(10, 6));
    for (const Index gap : {0, 5, 6, 11, 12, 17, 18, 23, 24, 29}) {
        EXPECT_TRUE((wide.col(gap).array() == 7).all()) << gap;
    }
    for_each_parameter(
        [](const ParameterName& name, const auto& two, const auto& one) {
            EXPECT_LE(relative_error(two, (2 * one).eval()), layer_error(20, 10)) << name.text();
        },
        gradients, packed.gradients);
}

TEST(BlockTest, ACacheServesOtherLengthsAndBatchesInTurn) {
    const Layer block(small(NormPlacement::pre));
    const auto parameters = some_parameters(block);
    Layer::Cache cache;
    Workspace ws;
    for (const Index rows : {15, 5, 40, 8}) {
        const Matrix<double> x = random_matrix<double>(rows, 4, 1);
        const Sequences sequences{rows % 5 == 0 ? 5 : 8};
        const auto fresh = step(block, parameters, x, sequences, x);
        Step<Layer> again{x, x, zeros_like(parameters)};
        Calls<Layer>::forward(block, parameters, x, sequences, again.y, cache, ws);
        Calls<Layer>::backward(block, parameters, x, cache, x, again.dx, again.gradients, ws);
        EXPECT_TRUE(same_bits(again.y, fresh.y));
        EXPECT_TRUE(same_bits(again.dx, fresh.dx));
        EXPECT_TRUE(equal(again.gradients, fresh.gradients));
    }
}

TEST(BlockTest, WithBatchNormTrainsOnTheBatchAndInfersFromRunningStatistics) {
    using BatchLayer = PlainBatchBlock;
    BatchLayer::Options options{.width = 3};
    options.norm.momentum = 1;  // the running statistics are those of the last batch
    const BatchLayer block(options);
    auto parameters = Calls<BatchLayer>::make_parameters(block, 1);
    shake(parameters, 2);
    const Sequences sequences{5, some_lengths};
    const Matrix<double> x = random_matrix<double>(15, 3, 1);
    Matrix<double> y(15, 3);
    BatchLayer::Cache cache;
    Workspace ws;
    Calls<BatchLayer>::forward(block, parameters, x, sequences, y, cache, ws);
    Matrix<double> dx(15, 3);
    auto gradients = zeros_like(parameters);
    Calls<BatchLayer>::backward(block, parameters, x, cache, x, dx, gradients, ws);
    update_buffers(parameters, gradients);
    EXPECT_EQ(parameters.gtu_norm.num_batches_tracked(0), 1);
    EXPECT_EQ(parameters.glu_norm.num_batches_tracked(0), 1);
    EXPECT_NE(parameters.gtu_norm.running_mean, parameters.glu_norm.running_mean);
    // Eight valid steps: the running variance is the unbiased one, 8/7 of the batch's.
    for (auto* norm : {&parameters.gtu_norm, &parameters.glu_norm}) norm->running_var *= 7.0 / 8;
    EXPECT_LE(relative_error(evaluate(block, parameters, x, sequences), y), layer_error(20, 9));
}

TEST(BlockErrorTest, NamesWhatDoesNotFit) {
    expect_error<config_error>(201, "[toeplitz.config.201] Block: expected width >= 1, got 0",
                               [] { Layer({.width = 0}); });
    expect_error<config_error>(720,
                               "[toeplitz.config.720] Block: expected a dropout rate in [0, 1), got 1.000000",
                               [] { Layer({.width = 2, .dropout = 1}); });
    const Layer block(small(NormPlacement::pre, Norm::rms));
    const auto parameters = some_parameters(block);
    const Matrix<double> x = Matrix<double>::Ones(6, 4);
    Matrix<double> y(6, 4);
    Layer::Cache cache;
    Workspace ws;
    expect_error<shape_error>(703, "[toeplitz.shape.703] Block::forward: expected x of shape 6×4, got 6×3",
                              [&] { forward(block, parameters, Matrix<double>(6, 3), {3}); });
    expect_error<shape_error>(210, "[toeplitz.shape.210] Block::forward: expected B*4 rows, got 6",
                              [&] { forward(block, parameters, x, {4}); });
    Matrix<double> narrow(5, 4);
    expect_error<shape_error>(704,
                              "[toeplitz.shape.704] Block::forward: expected y or g of shape 6×4, got 5×4",
                              [&] { Calls<Layer>::forward(block, parameters, x, {3}, narrow, cache, ws); });
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(
        705, "[toeplitz.shape.705] Block::backward: expected the cache of a forward pass of x, got 0 rows",
        [&] { Calls<Layer>::backward(block, parameters, x, {}, x, y, gradients, ws); });
    Calls<Layer>::forward(block, parameters, x, {3}, y, cache, ws);
    expect_error<shape_error>(
        703, "[toeplitz.shape.703] Block::backward: expected dx of shape 6×4, got 5×4",
        [&] { Calls<Layer>::backward(block, parameters, x, cache, x, narrow, gradients, ws); });
    expect_error<shape_error>(
        704, "[toeplitz.shape.704] Block::backward: expected y or g of shape 6×4, got 5×4",
        [&] { Calls<Layer>::backward(block, parameters, x, cache, narrow, y, gradients, ws); });
    auto other = parameters;
    other.gtu_norm.scale.resize(3);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] RowNorm: expected parameters with scale of size 4, got 3",
                              [&] { forward(block, other, x, {3}); });
    const auto prepared = Calls<Layer>::prepare(block, parameters, 4);
    expect_error<shape_error>(210, "[toeplitz.shape.210] Block::Prepared::evaluate: expected B*4 rows, got 6",
                              [&] { Calls<Layer>::evaluate(prepared, x, y, ws); });
}

}  // namespace
}  // namespace toeplitz::test::block_test
