// SPDX-License-Identifier: MIT
#include <map>
#include <string>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/core/options_text.hpp>

namespace toeplitz::test::precision_test {
namespace {

using Net = PlainModel<float>;
using Run = ModelCalls<Net>;

constexpr Index vocabulary = 7;
constexpr Index length = 8;
const std::vector<Index> some_lengths = {5, 0, 8};

/// Of either scalar.
template <class S>
typename PlainModel<S>::Options small(Precision precision = Precision::bf16) {
    typename PlainModel<S>::Options options{.input = {.vocabulary = vocabulary}, .width = 20, .layers = 2};
    options.block.gtu.inner_width = 30;
    options.block.norm.norm = Norm::rms;
    options.precision = precision;
    return options;
}

std::vector<Token> some_tokens() {
    std::vector<Token> tokens;
    for (Index i = 0; i < 3 * length; ++i) tokens.push_back(static_cast<Token>((i * i + 3 * i) % vocabulary));
    return tokens;
}

Net::Parameters some_parameters(const Net& net) {
    auto parameters = Run::make_parameters(net, 3);
    shake(parameters, 4);
    return parameters;
}

/// The same numbers.
PlainModel<double>::Parameters in_double(const Net::Parameters& parameters,
                                         const PlainModel<double>::Options& options) {
    std::map<std::string, Matrix<double>> tensors;
    for_each_parameter([&](const ParameterName& name,
                           const auto& tensor) { tensors[name.text()] = tensor.template cast<double>(); },
                       parameters);
    auto exact = options;
    exact.precision.reset();
    auto result = ModelCalls<PlainModel<double>>::make_parameters(PlainModel<double>(exact), 0);
    for_each_parameter([&](const ParameterName& name, auto& tensor) { tensor = tensors.at(name.text()); },
                       result);
    return result;
}

struct Trained {
    Matrix<float> outputs;
    Net::Parameters gradients;
};

Trained train(const Net& net, const Net::Parameters& parameters, const Sequences& sequences,
              std::uint64_t dropout_seed = 0) {
    const std::vector<Token> tokens = some_tokens();
    const Index rows = net.output_rows(static_cast<Index>(tokens.size()), length);
    Trained result{Matrix<float>(rows, net.outputs()), zeros_like(parameters)};
    Net::Cache cache;
    Workspace ws;
    Run::forward(net, parameters, tokens, sequences, result.outputs, cache, ws, dropout_seed);
    Run::backward(net, parameters, tokens, cache, random_matrix<float>(rows, net.outputs(), 5),
                  result.gradients, ws);
    return result;
}

/// Outputs are those of the definition, in which just what bf16 rounds is rounded.
template <class Change>
void expect_definition(Change&& change, const Sequences& sequences) {
    auto options = small<float>();
    auto wide = small<double>();
    change(options);
    change(wide);
    const Net net(options);
    const auto parameters = some_parameters(net);
    const auto exact = in_double(parameters, wide);
    const std::vector<Token> tokens = some_tokens();
    LongMatrix embedded(static_cast<Index>(tokens.size()), options.width);
    for (Index i = 0; i < embedded.rows(); ++i) {
        embedded.row(i) = exact.embed.weight.row(tokens[static_cast<std::size_t>(i)]).cast<long double>();
    }
    fill_padding(embedded, sequences, 0);
    const bool tied = options.output_weights == OutputWeights::tied;
    const auto expected = [&](Precision precision) {
        auto in = wide;
        in.precision = precision;
        return oracle_model<PlainModel<double>>(in, exact, embedded, sequences,
                                                tied ? &exact.embed.weight : nullptr);
    };
    const Matrix<float> y = train(net, parameters, sequences).outputs;
    // Where float rounds to the other side of a half, one number changes by 2⁻⁸ of itself.
    EXPECT_LE(relative_error(y, expected(Precision::bf16)), 3e-4L);
    EXPECT_GE(relative_error(y, expected(Precision::exact)), 1e-3L);
}

TEST(PrecisionTest, AgreesWithTheDefinition) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const Head head : {Head::per_token, Head::mean_pool}) {
            for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
                for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
                    SCOPED_TRACE(testing::Message() << static_cast<int>(placement) << static_cast<int>(head)
                                                    << static_cast<int>(weights) << lengths.size());
                    expect_definition(
                        [&](auto& options) {
                            options.block.placement = placement;
                            options.head = head;
                            options.output_weights = weights;
                        },
                        {length, lengths});
                }
            }
        }
    }
    expect_definition(
        [&](auto& options) {
            options.block.gtu.norm = Norm::rms;
            options.block.glu.final_activation = Activation::silu;
            options.blocks.assign(2, options.block);
        },
        {length});
}

/// ‖Δ‖₂ / ‖gradient‖₂ of all gradients, between exact numbers and bf16.
long double gradient_error(Net::Options options) {
    Trained trained[2];
    for (const Precision precision : {Precision::exact, Precision::bf16}) {
        options.precision = precision;
        const Net net(options);
        trained[static_cast<int>(precision)] = train(net, some_parameters(net), {length, some_lengths});
    }
    long double difference = 0;
    long double size = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& actual, const auto& expected) {
            EXPECT_LE(relative_error(actual, expected), 0.06L) << name.text();
            difference += std::pow(norm((actual - expected).eval()), 2.0L);
            size += std::pow(norm(expected), 2.0L);
        },
        trained[1].gradients, trained[0].gradients);
    return std::sqrt(difference / size);
}

TEST(PrecisionTest, GradientsAreNearThoseOfExactNumbers) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            for (const Index layers : {0, 1, 2}) {
                auto options = small<float>();
                options.layers = layers;
                options.block.placement = placement;
                options.block.gtu.norm = Norm::rms;
                options.block.glu.final_activation = Activation::silu;
                options.output_weights = weights;
                // Factors err by 2⁻⁹ at most, and so does what is kept.
                const long double error = gradient_error(options);
                EXPECT_LE(error, 0.004L + 0.012L * static_cast<long double>(layers)) << layers;
                EXPECT_GE(error, 5e-4L) << layers;
            }
        }
    }
}

template <class Cache>
Index spectra_in(const Cache& cache) {
    if constexpr (requires { cache.mixer; }) {
        return spectra_in(cache.mixer);
    } else {
        return cache.product.spectra.size();
    }
}

template <class Mixer>
void expect_no_spectra(const Mixer& mixer) {
    constexpr Index n = 200;
    constexpr Index d = 9;
    const auto parameters = start(mixer, 1);
    const Matrix<double> x = random_matrix<double>(2 * n, d, 1);
    const Matrix<double> g = random_matrix<double>(2 * n, d, 2);
    Step<Mixer> results[2] = {{g, x, zeros_like(parameters)}, {g, x, zeros_like(parameters)}};
    typename Mixer::Cache cache;
    Workspace ws;
    for (const Precision precision : {Precision::exact, Precision::bf16}) {
        auto& result = results[static_cast<int>(precision)];
        cache.precision = precision;
        Calls<Mixer>::forward(mixer, parameters, x, {n}, result.y, cache, ws);
        EXPECT_EQ(spectra_in(cache) == 0, precision == Precision::bf16);
        Calls<Mixer>::backward(mixer, parameters, x, cache, g, result.dx, result.gradients, ws);
    }
    EXPECT_LE(relative_error(results[1].y, results[0].y), 1e-14L);
    EXPECT_LE(relative_error(results[1].dx, results[0].dx), 1e-14L);
    for_each_parameter(
        [](const ParameterName& name, const auto& actual, const auto& expected) {
            EXPECT_LE(relative_error(actual, expected), 1e-12L) << name.text();
        },
        results[1].gradients, results[0].gradients);
}

TEST(PrecisionTest, MixersKeepNoSpectraAndHaveTheSameResults) {
    const PositionMlpOptions mlp{.width = 20, .layers = 1};
    expect_no_spectra(DoubleTno<Causality::causal>({.channels = 9, .mlp = mlp}));
    expect_no_spectra(DoubleTno<Causality::bidirectional>({.channels = 9, .mlp = mlp}));
    expect_no_spectra(DoubleFdTno<Causality::causal>({.channels = 9, .mlp = mlp}));
    expect_no_spectra(NormalizedTno({.channels = 9, .mlp = mlp, .activation = Activation::elu_plus_one}));
}

TEST(PrecisionTest, RecomputedActivationsHaveTheSameBits) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        auto options = small<float>();
        options.layers = 3;
        options.dropout = 0.3;
        options.block.dropout = 0.3;
        options.block.placement = placement;
        const Net kept(options);
        options.activations = Activations::recompute;
        const Net recomputed(options);
        const auto parameters = some_parameters(kept);
        const Trained expected = train(kept, parameters, {length, some_lengths}, 9);
        const Trained actual = train(recomputed, parameters, {length, some_lengths}, 9);
        EXPECT_TRUE(same_bits(actual.outputs, expected.outputs));
        EXPECT_TRUE(equal(actual.gradients, expected.gradients));
    }
}

TEST(PrecisionTest, IsOfTrainingAlone) {
    const std::vector<Token> tokens = some_tokens();
    Matrix<float> outputs[2];
    for (const Precision precision : {Precision::exact, Precision::bf16}) {
        const Net net(small<float>(precision));
        Matrix<float>& y = outputs[static_cast<int>(precision)];
        y.resize(3 * length, vocabulary);
        Workspace ws;
        Run::evaluate(Run::prepare(net, some_parameters(net), length), tokens, y, ws);
    }
    EXPECT_TRUE(same_bits(outputs[0], outputs[1]));
}

TEST(PrecisionTest, PaddingHasNoInfluence) {
    using Layer = PlainBlock<float>;
    Layer::Options options{.width = 20};
    options.precision = Precision::bf16;
    options.placement = NormPlacement::post;
    const Layer layer(options);
    const auto parameters = start(layer, 1);
    const Sequences sequences{length, some_lengths};
    Matrix<float> x = random_matrix<float>(3 * length, 20, 1);
    Matrix<float> g = random_matrix<float>(3 * length, 20, 2);
    const auto clean = step(layer, parameters, x, sequences, g);
    fill_padding(x, sequences, std::nan(""));
    fill_padding(g, sequences, std::nan(""));
    const auto dirty = step(layer, parameters, x, sequences, g);
    EXPECT_TRUE(same_bits(dirty.y, clean.y));
    EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
    EXPECT_TRUE(equal(dirty.gradients, clean.gradients));
}

TEST(PrecisionTest, ACacheServesBothPrecisions) {
    const std::vector<Token> tokens = some_tokens();
    Net::Cache cache;
    Workspace ws;
    for (const Precision precision : {Precision::bf16, Precision::exact, Precision::bf16}) {
        const Net net(small<float>(precision));
        const auto parameters = some_parameters(net);
        Matrix<float> y(3 * length, vocabulary);
        auto gradients = zeros_like(parameters);
        Run::forward(net, parameters, tokens, {length}, y, cache, ws);
        Run::backward(net, parameters, tokens, cache, random_matrix<float>(3 * length, vocabulary, 5),
                      gradients, ws);
        const Trained expected = train(net, parameters, {length});
        EXPECT_TRUE(same_bits(y, expected.outputs));
        EXPECT_TRUE(equal(gradients, expected.gradients));
    }
}

TEST(PrecisionTest, IsAnOptionThatOldFilesLack) {
    const std::string old = options_text(PlainModel<float>::Options{});
    EXPECT_EQ(old.find("precision"), std::string::npos);
    EXPECT_FALSE(parse_options<Net::Options>(old).precision.has_value());
    const std::string text = options_text(small<float>());
    EXPECT_NE(text.find("precision=bf16"), std::string::npos) << text;
    EXPECT_EQ(parse_options<Net::Options>(text).precision, Precision::bf16);
    const Net net(small<float>());
    EXPECT_EQ(net.block(1).options().glu.precision, Precision::bf16);
    EXPECT_EQ(Net({.input = {.vocabulary = 7}, .width = 4}).block(0).options().precision, Precision::exact);
}

TEST(PrecisionTest, IsForModelsOfFloat) {
    const auto expect_refused = [](const std::string& where, auto&& make) {
        expect_error<config_error>(
            744,
            "[toeplitz.config.744] " + where +
                ": expected exact precision, or numbers that are float: sums of bf16 are in float, got bf16 "
                "and double",
            make);
    };
    expect_refused("Model", [] { PlainModel<double> net(small<double>()); });
    expect_refused("Gtu", [] { PlainGtu<double>({.width = 4, .precision = Precision::bf16}); });
    expect_refused("Glu", [] { Glu<double>({.width = 4, .precision = Precision::bf16}); });
    EXPECT_NO_THROW(PlainModel<double>(small<double>(Precision::exact)));
}

}  // namespace
}  // namespace toeplitz::test::precision_test
