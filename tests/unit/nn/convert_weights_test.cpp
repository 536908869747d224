// SPDX-License-Identifier: MIT
// Parameters with weights in fewer bits: prepared to the same bits, and not trained.
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test::convert_weights_test {
namespace {

using Layer = PlainBlock<double>;
using Net = PlainModel<double>;

constexpr WeightFormat all_formats[] = {WeightFormat::exact, WeightFormat::bf16, WeightFormat::int8};
constexpr WeightFormat fewer_bits[] = {WeightFormat::bf16, WeightFormat::int8};

Net some_net(OutputWeights weights) {
    Net::Options options{.input = {.vocabulary = 70}, .width = 30, .layers = 2};
    options.output_weights = weights;
    return Net(options);
}

Matrix<double> outputs(const Net& net, const Net::Parameters& parameters, WeightFormat format) {
    std::vector<Token> tokens;
    for (Index i = 0; i < 24; ++i) tokens.push_back(static_cast<Token>((i * i + 3 * i) % 70));
    Matrix<double> y(24, 70);
    Workspace ws;
    ModelCalls<Net>::evaluate(ModelCalls<Net>::prepare(net, parameters, 8, format), tokens, y, ws);
    return y;
}

/// f(weight as numbers, the part of the other set) for all weights.
template <class F>
int for_pairs(const Net::Parameters& exact, const Net::Parameters& other, F&& f) {
    int count = 0;
    detail::for_each_weight(
        [&](const ParameterName&, const auto& numbers, const auto& part) {
            if (numbers.weight.size() == 0) return;
            f(numbers.weight, part);
            ++count;
        },
        exact, other);
    return count;
}

TEST(ConvertWeightsTest, PreparesToTheBitsOfTheFormat) {
    for (const OutputWeights tied : {OutputWeights::separate, OutputWeights::tied}) {
        const Net net = some_net(tied);
        const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        for (const WeightFormat format : all_formats) {
            const auto converted = convert_weights(parameters, format);
            const Matrix<double> expected = outputs(net, parameters, format);
            EXPECT_TRUE(same_bits(outputs(net, converted, WeightFormat::exact), expected));
            EXPECT_TRUE(same_bits(outputs(net, converted, format), expected));
            const auto bytes = [&](const auto& set, WeightFormat weights) {
                return ModelCalls<Net>::prepare(net, set, 8, weights).state_bytes();
            };
            EXPECT_EQ(bytes(converted, WeightFormat::exact), bytes(parameters, format));
        }
        EXPECT_FALSE(same_bits(outputs(net, parameters, WeightFormat::bf16),
                               outputs(net, parameters, WeightFormat::int8)));
    }
}

TEST(ConvertWeightsTest, ConvertsEveryWeightThatIsPackedAndNothingElse) {
    const Net net = some_net(OutputWeights::separate);
    const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
    for (const WeightFormat format : fewer_bits) {
        const auto converted = convert_weights(parameters, format);
        Index numbers = 0;
        const int count =
            for_pairs(parameters, converted, [&](const Matrix<double>& weight, const auto& part) {
                EXPECT_EQ(part.weight.size(), 0);
                EXPECT_EQ(part.encoded.format(), format);
                const EncodedMatrix<double> expected(weight, format);
                EXPECT_EQ(part.encoded.decoded(), expected.decoded());
                numbers += weight.size();
            });
        EXPECT_EQ(count, 1 + 2 * 6 + 1);
        EXPECT_EQ(parameter_count(converted), parameter_count(parameters) - numbers);
        EXPECT_EQ(converted.out.bias, parameters.out.bias);
        EXPECT_EQ(converted.layers[1].gtu.toep.weight, parameters.layers[1].gtu.toep.weight);
    }
}

TEST(ConvertWeightsTest, GoesBackToTheRoundedNumbers) {
    const Net net = some_net(OutputWeights::tied);
    const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
    for (const WeightFormat format : fewer_bits) {
        const auto converted = convert_weights(parameters, format);
        const auto back = convert_weights(converted, WeightFormat::exact);
        EXPECT_EQ(parameter_count(back), parameter_count(parameters));
        for_pairs(parameters, back, [&](const Matrix<double>& weight, const auto& part) {
            EXPECT_TRUE(part.encoded.empty());
            EXPECT_EQ(part.weight, EncodedMatrix<double>(weight, format).decoded());
        });
        const WeightFormat other = format == WeightFormat::bf16 ? WeightFormat::int8 : WeightFormat::bf16;
        const Matrix<double> expected = outputs(net, back, other);
        EXPECT_TRUE(same_bits(outputs(net, converted, other), expected));
        EXPECT_TRUE(
            same_bits(outputs(net, convert_weights(converted, other), WeightFormat::exact), expected));
    }
}

TEST(ConvertWeightsTest, WeightsInFewerBitsAreNotTrained) {
    const auto expect_refused = [](const char* where, const char* format, auto&& f) {
        expect_error<config_error>(
            743,
            detail::text("[toeplitz.config.743] ", where,
                         ": expected weights that can be trained: convert_weights(parameters, "
                         "WeightFormat::exact) makes such, rounded as they are, got weights in ",
                         format, ", for inference"),
            f);
    };
    Workspace ws;
    const Linear<double> linear({.inputs = 3, .outputs = 2});
    const auto map = convert_weights(linear.make_parameters(1), WeightFormat::int8);
    auto gradients = zeros_like(map);
    const Matrix<double> x = random_matrix<double>(4, 3, 1);
    Matrix<double> y(4, 2), dx(4, 3);
    expect_refused("Linear::evaluate", "int8", [&] { linear.evaluate(map, x, y, ws); });
    expect_refused("Linear::backward", "int8", [&] { linear.backward(map, x, y, dx, gradients, ws); });

    const Embedding<double> embedding({.vocabulary = 5, .width = 3});
    const auto table = convert_weights(embedding.make_parameters(1), WeightFormat::bf16);
    auto dtable = zeros_like(table);
    const Token tokens[] = {4, 0, 2, 2};
    expect_refused("Embedding::evaluate", "bf16", [&] { embedding.evaluate(table, tokens, dx, ws); });
    expect_refused("Embedding::backward", "bf16",
                   [&] { embedding.backward(table, tokens, dx, {}, dtable, ws); });

    const Layer block({.width = 3});
    const auto layer = convert_weights(start(block, 1), WeightFormat::bf16);
    const Matrix<double> sequence = random_matrix<double>(8, 3, 2);
    expect_refused("Gtu::forward", "bf16", [&] { forward(block, layer, sequence, {8}); });
    auto half = start(block, 1);
    half.glu = convert_weights(half.glu, WeightFormat::int8);
    expect_refused("Glu::forward", "int8", [&] { forward(block, half, sequence, {8}); });
}

TEST(ConvertWeightsTest, KeepsTheChecksOfShapes) {
    const Linear<double> linear({.inputs = 2, .outputs = 3});
    auto map = linear.make_parameters(1);
    map.weight = random_matrix<double>(3, 3, 1);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Linear::prepare: expected parameters with weight of shape 3×2, got 3×3",
        [&] { linear.prepare(convert_weights(map, WeightFormat::int8)); });
    const Embedding<double> embedding({.vocabulary = 5, .width = 3});
    const auto other = Embedding<double>({.vocabulary = 4, .width = 3}).make_parameters(1);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Embedding::prepare: expected weight of shape 5×3, got 4×3",
        [&] { embedding.prepare(convert_weights(other, WeightFormat::bf16)); });
}

}  // namespace
}  // namespace toeplitz::test::convert_weights_test
