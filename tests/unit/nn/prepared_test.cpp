// SPDX-License-Identifier: MIT
// What modules hold for inference: packed weights with the bits of training, checked once, in known bytes.
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test::prepared_test {
namespace {

using Layer = PlainBlock<double>;
using Net = PlainModel<double>;
using FeatureNet = PlainFeatureModel;

std::size_t packed_bytes(const LinearParameters<double>& linear) {
    return PackedLinear<double>(linear).state_bytes();
}
template <ParameterSet P>
std::size_t plain_bytes(const P& parameters) {
    return static_cast<std::size_t>(parameter_count(parameters)) * sizeof(double);
}
std::size_t layer_bytes(const Layer::Parameters& p) {
    return packed_bytes(p.gtu.v_proj) + packed_bytes(p.gtu.u_proj) + packed_bytes(p.gtu.o) +
           plain_bytes(p.gtu.norm) + plain_bytes(p.gtu.toep) + plain_bytes(p.gtu_norm) +
           packed_bytes(p.glu.l1) + packed_bytes(p.glu.l2) + packed_bytes(p.glu.l3) + plain_bytes(p.glu_norm);
}

Layer::Options layer_options(NormPlacement placement) {
    Layer::Options options{.width = 60};
    options.gtu.norm = Norm::layer;
    options.gtu.mixer.length = 20;
    options.norm.norm = Norm::rms;
    options.placement = placement;
    return options;
}

TEST(PreparedTest, LayersHaveTheBitsOfTraining) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        const Layer block(layer_options(placement));
        auto parameters = start(block, 1);
        shake(parameters, 2);
        const Matrix<double> x = random_matrix<double>(140, 60, 3);
        const std::vector<Index> lengths = {20, 0, 3, 20, 7, 1, 19};
        const Matrix<double> expected = forward(block, parameters, x, {20, lengths});
        for (const int threads : {1, 2, 7}) {
            with_threads(threads, [&] {
                EXPECT_TRUE(same_bits(evaluate(block, parameters, x, {20, lengths}), expected)) << threads;
            });
        }
    }
}

TEST(PreparedTest, LayersHoldTheirParts) {
    const Layer block(layer_options(NormPlacement::pre));
    const auto parameters = start(block, 1);
    EXPECT_EQ(Calls<Layer>::prepare(block, parameters, 20).state_bytes(), layer_bytes(parameters));
    const PlainBatchBlock batch({.width = 5});
    const auto set = start(batch, 1);
    const auto other = Layer({.width = 5}).make_parameters(1);
    // A running mean and variance in two norms, weights, offsets and 1/√(σ² + ε), and a count of batches.
    EXPECT_EQ(
        Calls<PlainBatchBlock>::prepare(batch, set, 8).state_bytes(),
        layer_bytes({set.gtu, other.gtu_norm, set.glu, other.glu_norm}) + 2 * (5 * 5 + 1) * sizeof(double));
}

Net::Options net_options(OutputWeights weights) {
    Net::Options options{.input = {.vocabulary = 70}, .width = 30, .layers = 2, .input_scale = 1.5};
    options.output_weights = weights;
    return options;
}
std::vector<Token> some_tokens(Index count) {
    std::vector<Token> tokens;
    for (Index i = 0; i < count; ++i) tokens.push_back(static_cast<Token>((i * i + 3 * i) % 70));
    return tokens;
}

TEST(PreparedTest, ModelsHaveTheBitsOfTrainingAndHoldTiedWeightsOnce) {
    std::size_t bytes[2];
    for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
        const bool tied = weights == OutputWeights::tied;
        const Net net(net_options(weights));
        const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        const std::vector<Token> tokens = some_tokens(24);
        Matrix<double> expected(24, 70), y(24, 70);
        Net::Cache cache;
        Workspace ws;
        ModelCalls<Net>::forward(net, parameters, tokens, {8}, expected, cache, ws);
        const auto prepared = ModelCalls<Net>::prepare(net, parameters, 8);
        ModelCalls<Net>::evaluate(prepared, tokens, y, ws);
        EXPECT_TRUE(same_bits(y, expected));

        std::size_t parts = plain_bytes(parameters.norm);
        for (const auto& layer : parameters.layers) parts += layer_bytes(layer);
        parts += tied ? packed_bytes({parameters.embed.weight, {}})
                      : packed_bytes(parameters.out) + plain_bytes(parameters.embed);
        EXPECT_EQ(prepared.state_bytes(), parts);
        bytes[tied] = parts;
    }
    EXPECT_EQ(bytes[0] - bytes[1], (70 * 30 + 70) * sizeof(double));
}

TEST(PreparedTest, ModelsOutliveTheirParameters) {
    for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
        const Net net(net_options(weights));
        auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        const auto prepared = ModelCalls<Net>::prepare(net, parameters, 8);
        const std::vector<Token> tokens = some_tokens(16);
        Matrix<double> before(16, 70), after(16, 70);
        Workspace ws;
        ModelCalls<Net>::evaluate(prepared, tokens, before, ws);
        detail::for_each_tensor(
            [](const ParameterName&, const detail::TensorRef* tensor) {
                tensor->with_data([&](auto* data) { std::fill_n(data, tensor->size(), 99); });
            },
            parameters);
        parameters = {};
        ModelCalls<Net>::evaluate(prepared, tokens, after, ws);
        EXPECT_TRUE(same_bits(before, after));
    }
}

TEST(PreparedTest, ModelsOfFeaturesHaveTheBitsOfTraining) {
    FeatureNet::Options options{.input = {.inputs = 5}, .width = 9, .layers = 1};
    options.head = Head::mean_pool;
    options.outputs = 3;
    const FeatureNet net(options);
    const auto parameters = ModelCalls<FeatureNet>::make_parameters(net, 1);
    const Matrix<double> x = random_matrix<double>(16, 5, 2);
    Matrix<double> expected(2, 3), y(2, 3);
    FeatureNet::Cache cache;
    Workspace ws;
    ModelCalls<FeatureNet>::forward(net, parameters, x, {8}, expected, cache, ws);
    const auto prepared = ModelCalls<FeatureNet>::prepare(net, parameters, 8);
    ModelCalls<FeatureNet>::evaluate(prepared, x, y, ws);
    EXPECT_TRUE(same_bits(y, expected));
    EXPECT_EQ(prepared.state_bytes(), packed_bytes(parameters.embed) + packed_bytes(parameters.out) +
                                          plain_bytes(parameters.norm) + layer_bytes(parameters.layers[0]));
}

constexpr WeightFormat formats[] = {WeightFormat::bf16, WeightFormat::int8};

/// ‖a − b‖ / ‖b‖
double relative_error(const Matrix<double>& a, const Matrix<double>& b) { return (a - b).norm() / b.norm(); }

/// Somewhat more than the products of a layer make of a rounding to 8 bits, and to 127 steps of the largest.
double tolerance_of(WeightFormat format) { return format == WeightFormat::bf16 ? 0.02 : 0.06; }

TEST(PreparedTest, LayersInFewerBitsAreCloseAndHaveTheSameBitsForAnyThreadsAndRows) {
    const Layer block(layer_options(NormPlacement::pre));
    const auto parameters = start(block, 1);
    const Matrix<double> x = random_matrix<double>(140, 60, 3);
    const std::size_t exact = Calls<Layer>::prepare(block, parameters, 20).state_bytes();
    const Matrix<double> expected = evaluate(block, parameters, x, {20});
    for (const WeightFormat format : formats) {
        const auto prepared = Calls<Layer>::prepare(block, parameters, 20, format);
        EXPECT_LT(prepared.state_bytes(), exact);
        Matrix<double> y(140, 60);
        Workspace ws;
        Calls<Layer>::evaluate(prepared, x, y, ws);
        EXPECT_LE(relative_error(y, expected), tolerance_of(format));
        EXPECT_GT(relative_error(y, expected), 1e-5);
        for (const int threads : {1, 2, 7}) {
            Matrix<double> again(140, 60), alone(20, 60);
            with_threads(threads, [&] {
                Calls<Layer>::evaluate(prepared, x, again, ws);
                Calls<Layer>::evaluate(prepared, x.middleRows(40, 20), alone, ws);
            });
            EXPECT_TRUE(same_bits(again, y)) << threads;
            EXPECT_TRUE(same_bits(alone, Matrix<double>(y.middleRows(40, 20)))) << threads;
        }
    }
}

TEST(PreparedTest, ModelsInFewerBitsAreCloseAndHoldTheirParts) {
    for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
        const Net net(net_options(weights));
        const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        const std::vector<Token> tokens = some_tokens(24);
        const auto prepared = [&](WeightFormat format) {
            return ModelCalls<Net>::prepare(net, parameters, 8, format);
        };
        const auto outputs = [&](WeightFormat format) {
            Matrix<double> y(24, 70);
            Workspace ws;
            ModelCalls<Net>::evaluate(prepared(format), tokens, y, ws);
            return y;
        };
        const Matrix<double> expected = outputs(WeightFormat::exact);
        for (const WeightFormat format : formats) {
            EXPECT_LE(relative_error(outputs(format), expected), tolerance_of(format));
            const auto bytes = [&](const LinearParameters<double>& linear) {
                return PackedLinear<double>(linear, format).state_bytes();
            };
            std::size_t parts = plain_bytes(parameters.norm);
            for (const auto& layer : parameters.layers) {
                parts += layer_bytes(layer);
                for (const auto* map : {&layer.gtu.v_proj, &layer.gtu.u_proj, &layer.gtu.o, &layer.glu.l1,
                                        &layer.glu.l2, &layer.glu.l3}) {
                    parts += bytes(*map) - packed_bytes(*map);
                }
            }
            if (weights == OutputWeights::tied) {
                parts += bytes({parameters.embed.weight, {}});
            } else {
                parts += bytes(parameters.out) +
                         EncodedMatrix<double>(parameters.embed.weight, format).state_bytes();
            }
            EXPECT_EQ(prepared(format).state_bytes(), parts);
        }
    }
}

TEST(PreparedTest, MapsInFewerBitsNeedNoLength) {
    const Linear<double> linear({.inputs = 20, .outputs = 9});
    const auto parameters = linear.make_parameters(1);
    const Matrix<double> x = random_matrix<double>(5, 20, 2);
    for (const WeightFormat format : formats) {
        const auto prepared = linear.prepare(parameters, {.weights = format});
        Matrix<double> y(5, 9), expected(5, 9);
        Workspace ws(prepared.row_workspace(5));
        const std::size_t bytes = ws.capacity();
        prepared.evaluate(x, y, ws);
        EXPECT_EQ(ws.capacity(), bytes);
        PackedLinear<double>(parameters, format).apply(x, expected, ws);
        EXPECT_TRUE(same_bits(y, expected));
    }
}

TEST(PreparedTest, RefusesWrongParametersWhenPreparing) {
    const Layer block({.width = 4});
    const auto right = start(block, 1);
    auto wrong = right;
    wrong.gtu.o.bias.resize(0);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Gtu::prepare: expected parameters with bias of size 4, got 0",
        [&] { Calls<Layer>::prepare(block, wrong, 8); });
    wrong = right;
    wrong.glu.l1.weight.resize(4, 5);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Glu::prepare: expected parameters with weight of shape 4×4, got 4×5",
        [&] { Calls<Layer>::prepare(block, wrong, 8); });
    wrong = right;
    wrong.glu_norm.scale.resize(3);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] RowNorm::prepare: expected parameters with scale of size 0, got 3",
        [&] { Calls<Layer>::prepare(block, wrong, 8); });

    const Linear<double> linear({.inputs = 2, .outputs = 3});
    auto map = linear.make_parameters(1);
    map.weight.resize(3, 3);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Linear::prepare: expected parameters with weight of shape 3×2, got 3×3",
        [&] { linear.prepare(map); });
}

TEST(PreparedTest, RefusesWrongParametersOfModelsWhenPreparing) {
    const Net separate(net_options(OutputWeights::separate));
    const Net tied(net_options(OutputWeights::tied));
    const auto refused = [](const Net& net, const char* message, auto spoil) {
        auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        spoil(parameters);
        expect_error<shape_error>(405, message, [&] { ModelCalls<Net>::prepare(net, parameters, 8); });
    };
    refused(separate, "[toeplitz.shape.405] Model::prepare: expected parameters of 2 layers, got 1",
            [](auto& p) { p.layers.pop_back(); });
    refused(separate, "[toeplitz.shape.405] Model::prepare: expected parameters with bias of size 70, got 69",
            [](auto& p) { p.out.bias.resize(69); });
    refused(separate, "[toeplitz.shape.405] Embedding::prepare: expected weight of shape 70×30, got 70×29",
            [](auto& p) { p.embed.weight.resize(70, 29); });
    refused(tied, "[toeplitz.shape.405] Model::prepare: expected embed.weight of shape 70×30, got 71×30",
            [](auto& p) { p.embed.weight.resize(71, 30); });
}

}  // namespace
}  // namespace toeplitz::test::prepared_test
