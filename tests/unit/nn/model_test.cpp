// SPDX-License-Identifier: MIT
#include <thread>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test::model_test {
namespace {

using Net = PlainModel<double>;
using Run = ModelCalls<Net>;
using Options = Net::Options;

const std::vector<Index> some_lengths = {3, 0, 5};

Options small() {
    Options options{.input = {.vocabulary = 7}, .width = 4, .layers = 2};
    options.block.gtu.inner_width = 6;
    options.block.norm.norm = Norm::rms;
    return options;
}

std::vector<Token> some_tokens(Index count) {
    std::vector<Token> tokens;
    for (Index i = 0; i < count; ++i) tokens.push_back(static_cast<Token>((i * i + 3 * i) % 7));
    return tokens;
}

Net::Parameters some_parameters(const Net& net) {
    auto parameters = Run::make_parameters(net, 3);
    shake(parameters, 4);
    return parameters;
}

Matrix<double> outputs_of(const Net& net, const Net::Parameters& parameters, const std::vector<Token>& tokens,
                          const Sequences& sequences, std::uint64_t dropout_seed = 0) {
    Matrix<double> y(net.output_rows(Net::Input::rows(tokens), sequences.length()), net.outputs());
    Net::Cache cache;
    Workspace ws;
    Run::forward(net, parameters, tokens, sequences, y, cache, ws, dropout_seed);
    return y;
}

Matrix<double> inferred(const Net& net, const Net::Parameters& parameters, const std::vector<Token>& tokens,
                        const Sequences& sequences) {
    Matrix<double> y(net.output_rows(Net::Input::rows(tokens), sequences.length()), net.outputs());
    Workspace ws;
    Run::evaluate(Run::prepare(net, parameters, sequences.length()), tokens, y, ws, sequences.lengths());
    return y;
}

void expect_definition(const Options& options, const Sequences& sequences) {
    const Net net(options);
    const auto parameters = some_parameters(net);
    const std::vector<Token> tokens = some_tokens(3 * sequences.length());
    LongMatrix embedded(3 * sequences.length(), options.width);
    for (Index i = 0; i < embedded.rows(); ++i) {
        embedded.row(i) =
            parameters.embed.weight.row(tokens[static_cast<std::size_t>(i)]).cast<long double>();
    }
    fill_padding(embedded, sequences, 0);
    const bool tied = options.output_weights == OutputWeights::tied;
    const LongMatrix expected = oracle_model<Net>(options, parameters, embedded, sequences,
                                                  tied ? &parameters.embed.weight : nullptr);
    const Matrix<double> y = outputs_of(net, parameters, tokens, sequences);
    EXPECT_LE(relative_error(y, expected), layer_error(22, 8));
    EXPECT_TRUE(same_bits(inferred(net, parameters, tokens, sequences), y));
}

TEST(ModelTest, AgreesWithTheDefinition) {
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            for (const FinalNorm norm : {FinalNorm::none, FinalNorm::add}) {
                for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
                    Options options = small();
                    options.head = head;
                    options.output_weights = weights;
                    options.final_norm = norm;
                    expect_definition(options, {5, lengths});
                }
            }
        }
    }
}

TEST(ModelTest, AgreesWithTheDefinitionForOtherDepthsAndOutputs) {
    for (const Index layers : {0, 1, 3}) {
        for (const Index outputs : {1, 9}) {
            for (const Bias bias : {Bias::none, Bias::add}) {
                Options options = small();
                options.layers = layers;
                options.outputs = outputs;
                options.output_bias = bias;
                options.head = outputs == 1 ? Head::mean_pool : Head::per_token;
                expect_definition(options, {5, {}});
            }
        }
    }
    Options options = small();
    options.block.placement = NormPlacement::post;
    expect_definition(options, {5, some_lengths});
}

TEST(ModelTest, LayersMayDifferInTheirOptions) {
    Options options = small();
    options.layers = 3;
    options.blocks.assign(3, options.block);
    options.blocks[0].gtu.inner_width = 3;
    options.blocks[1].placement = NormPlacement::post;
    options.blocks[2].glu.inner_width = 9;
    expect_definition(options, {5, some_lengths});
    const Net net(options);
    EXPECT_EQ(net.block(0).gtu().inner_width(), 3);
    EXPECT_EQ(net.block(1).gtu().inner_width(), 6);
    EXPECT_EQ(net.block(2).width(), 4);
    EXPECT_EQ(net.options().blocks[2].width, 4);
    EXPECT_EQ(net.options().block.gtu.inner_width, 3);
}

TEST(ModelTest, TheFinalNormIsThatOfTheLastLayer) {
    Options options = small();
    options.blocks.assign(2, options.block);
    options.blocks[1].norm.norm = Norm::layer;
    EXPECT_EQ(Net(options).options().norm->norm, Norm::layer);
    options.norm.emplace();
    EXPECT_EQ(Net(options).options().norm->norm, Norm::simple_rms);
}

TEST(ModelTest, EqualOptionsForEachLayerAreThoseForAll) {
    Options options = small();
    const auto together = Run::make_parameters(Net(options), 5);
    options.blocks.assign(2, options.block);
    options.block = {};
    const auto apart = Run::make_parameters(Net(options), 5);
    Index count = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& a, const auto& b) {
            count += a.size();
            EXPECT_EQ(a, b) << name.text();
        },
        together, apart);
    EXPECT_GT(count, 0);
}

TEST(ModelTest, MapsFeaturesByALinearInput) {
    using FeatureRun = ModelCalls<PlainFeatureModel>;
    PlainFeatureModel::Options options{.input = {.inputs = 3}, .width = 4, .layers = 1, .outputs = 2};
    options.head = Head::mean_pool;
    const PlainFeatureModel net(options);
    EXPECT_EQ(net.options().input.outputs, 4);
    auto parameters = FeatureRun::make_parameters(net, 3);
    shake(parameters, 4);
    const Sequences sequences{5, some_lengths};
    Matrix<double> x = random_matrix<double>(15, 3, 1);
    LongMatrix stream = oracle_linear(parameters.embed, x.cast<long double>());
    fill_padding(stream, sequences, 0);
    const LongMatrix expected = oracle_model<PlainFeatureModel>(options, parameters, stream, sequences);
    Matrix<double> y(3, 2);
    const Matrix<double> g = random_matrix<double>(3, 2, 2);
    const auto gradients_for = [&] {
        PlainFeatureModel::Cache cache;
        Workspace ws;
        FeatureRun::forward(net, parameters, x, sequences, y, cache, ws);
        auto gradients = zeros_like(parameters);
        FeatureRun::backward(net, parameters, x, cache, g, gradients, ws);
        return gradients;
    };
    const auto clean = gradients_for();
    EXPECT_LE(relative_error(y, expected), layer_error(12, 12));
    // Features of padding have no influence, not even where they are no numbers.
    fill_padding(x, sequences, std::nan(""));
    const auto dirty = gradients_for();
    EXPECT_LE(relative_error(y, expected), layer_error(12, 12));
    EXPECT_TRUE(equal(dirty, clean));
    Workspace ws;
    FeatureRun::evaluate(FeatureRun::prepare(net, parameters, 5), x, y, ws, sequences.lengths());
    EXPECT_LE(relative_error(y, expected), layer_error(12, 12));
}

TEST(ModelTest, ABatchIsItsSequencesOneByOne) {
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        Options options = small();
        options.head = head;
        const Net net(options);
        const auto parameters = some_parameters(net);
        const std::vector<Token> tokens = some_tokens(15);
        const Sequences sequences{5, some_lengths};
        const Matrix<double> whole = outputs_of(net, parameters, tokens, sequences);
        for (std::size_t b = 0; b < 3; ++b) {
            // Where padding begins, the sequence ends.
            const Index valid = some_lengths[b];
            const Index rows = whole.rows() / 3;
            const Matrix<double> part = whole.middleRows(static_cast<Index>(b) * rows, rows);
            if (valid == 0) continue;
            const std::vector<Token> own(tokens.begin() + static_cast<Index>(b) * 5,
                                         tokens.begin() + static_cast<Index>(b) * 5 + valid);
            const Matrix<double> alone = outputs_of(net, parameters, own, {valid});
            EXPECT_LE(relative_error(part.topRows(alone.rows()).eval(), alone), layer_error(22, 8));
            EXPECT_TRUE(part.bottomRows(rows - alone.rows()).isZero(0));
        }
    }
}

TEST(ModelTest, ASequenceOfLengthZeroIsPooledToTheBias) {
    Options options = small();
    options.head = Head::mean_pool;
    const Net net(options);
    const auto parameters = some_parameters(net);
    const Matrix<double> y = outputs_of(net, parameters, some_tokens(15), {5, some_lengths});
    EXPECT_TRUE(same_bits(y.row(1).transpose(), parameters.out.bias));
}

TEST(ModelTest, DropoutActsInTrainingAlone) {
    Options options = small();
    options.dropout = 0.5;
    const Net net(options);
    const auto parameters = some_parameters(net);
    const std::vector<Token> tokens = some_tokens(10);
    const Matrix<double> y = outputs_of(net, parameters, tokens, {5}, 1);
    EXPECT_TRUE(same_bits(outputs_of(net, parameters, tokens, {5}, 1), y));
    EXPECT_FALSE(same_bits(outputs_of(net, parameters, tokens, {5}, 2), y));
    const Net without(small());
    const Matrix<double> inference = inferred(net, parameters, tokens, {5});
    EXPECT_TRUE(same_bits(inference, outputs_of(without, parameters, tokens, {5})));
    EXPECT_FALSE(same_bits(inference, y));
    // The layers' own rate, with a mask of each layer's own.
    options = small();
    options.block.dropout = 0.5;
    const Net inner(options);
    auto twins = some_parameters(inner);
    const auto drops = [&](int layer) {
        auto alone = twins;
        for (int l = 0; l < 2; ++l) {
            auto& parts = alone.layers[static_cast<std::size_t>(l)];
            for (LinearParameters<double>* last : {&parts.gtu.o, &parts.glu.l3}) {
                last->weight.setZero();
                last->bias.setConstant(l == layer ? 1 : 0);
            }
        }
        alone.embed.weight.setZero();
        alone.norm.scale.setOnes();
        alone.out.weight.setZero();
        alone.out.weight.topLeftCorner(4, 4).setIdentity();
        alone.out.bias.setZero();
        return outputs_of(inner, alone, tokens, {5}, 1);
    };
    EXPECT_FALSE(same_bits(drops(0), drops(1)));
}

TEST(ModelTest, RecomputedActivationsHaveTheSameBits) {
    for (const Index layers : {0, 1, 3}) {
        Options options = small();
        options.layers = layers;
        options.dropout = 0.3;
        options.block.dropout = 0.3;
        const Net kept(options);
        options.activations = Activations::recompute;
        const Net recomputed(options);
        const auto parameters = some_parameters(kept);
        const std::vector<Token> tokens = some_tokens(15);
        const Sequences sequences{5, some_lengths};
        const Matrix<double> g = random_matrix<double>(15, 7, 5);
        const auto train = [&](const Net& net, Net::Cache& cache) {
            Matrix<double> y(15, 7);
            auto gradients = zeros_like(parameters);
            Workspace ws;
            Run::forward(net, parameters, tokens, sequences, y, cache, ws, 9);
            // Once more: backward leaves the cache of another layer than forward does.
            for (int i = 0; i < 2; ++i) Run::backward(net, parameters, tokens, cache, g, gradients, ws);
            return gradients;
        };
        Net::Cache all;
        Net::Cache few;
        EXPECT_TRUE(equal(train(recomputed, few), train(kept, all))) << layers << " layers";
        for (const auto& layer : few.layers) EXPECT_EQ(layer.gtu_sum.size(), 0);
        for (const auto& layer : all.layers) EXPECT_NE(layer.gtu_sum.size(), 0);
    }
}

TEST(ModelTest, SaysWhichGradientsAreFinished) {
    for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
        Options options = small();
        options.layers = 3;
        options.output_weights = weights;
        const Net net(options);
        const auto parameters = some_parameters(net);
        const std::vector<Token> tokens = some_tokens(15);
        Matrix<double> y(15, 7);
        auto gradients = zeros_like(parameters);
        Net::Cache cache;
        Workspace ws;
        Run::forward(net, parameters, tokens, {5, some_lengths}, y, cache, ws);
        struct Finished {
            detail::TensorRef tensor;
            std::vector<double> then;
        };
        std::vector<Finished> all;
        const auto numbers = [](const detail::TensorRef& tensor) {
            return std::vector<double>(tensor.data<double>(), tensor.data<double>() + tensor.size());
        };
        const auto listen = [&](const detail::TensorRef& tensor) {
            all.push_back({tensor, numbers(tensor)});
        };
        Run::backward(net, parameters, tokens, cache, random_matrix<double>(15, 7, 5), gradients, ws,
                      FinishedGradients(listen));
        for (const Finished& one : all) EXPECT_EQ(numbers(one.tensor), one.then);
        // Whole parts, the last ones first; all but the embedding.
        std::vector<detail::TensorRef> expected;
        const auto expect = [&](const auto& part) {
            detail::for_each_tensor(
                [&](const ParameterName&, const detail::TensorRef* tensor) { expected.push_back(*tensor); },
                part);
        };
        if (weights == OutputWeights::separate) expect(gradients.out);
        if (parameter_count(gradients.norm) > 0) expect(gradients.norm);
        for (std::size_t layer = 3; layer-- > 0;) expect(gradients.layers[layer]);
        ASSERT_EQ(all.size(), expected.size());
        for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(all[i].tensor.has_memory_of(expected[i]));
    }
}

TEST(ModelTest, ThreadsShareAPreparedModel) {
    const Net net(small());
    const auto parameters = some_parameters(net);
    const auto prepared = Run::prepare(net, parameters, 5);
    EXPECT_EQ(prepared.length(), 5);
    const std::vector<Token> tokens = some_tokens(15);
    const Matrix<double> expected = outputs_of(net, parameters, tokens, {5, some_lengths});
    bool same[2] = {true, true};
    const auto use = [&](int thread) {
        Workspace ws;
        for (int repeat = 0; repeat < 20; ++repeat) {
            Matrix<double> y(15, 7);
            Run::evaluate(prepared, tokens, y, ws, some_lengths);
            same[thread] = same[thread] && y == expected;
        }
    };
    std::thread other(use, 1);
    use(0);
    other.join();
    EXPECT_TRUE(same[0] && same[1]);
}

TEST(ModelTest, APreparedModelKeepsItsParameters) {
    const Net net(small());
    auto parameters = some_parameters(net);
    const std::vector<Token> tokens = some_tokens(5);
    const Matrix<double> expected = outputs_of(net, parameters, tokens, {5});
    const auto prepared = Run::prepare(net, parameters, 5);
    set_zero(parameters);
    Matrix<double> y(5, 7);
    Workspace ws;
    Run::evaluate(prepared, tokens, y, ws);
    EXPECT_TRUE(same_bits(y, expected));
}

TEST(ModelTest, LayersStartFromDifferentNumbers) {
    const Net net(small());
    const auto parameters = Run::make_parameters(net, 1);
    ASSERT_EQ(parameters.layers.size(), 2u);
    EXPECT_FALSE(equal(parameters.layers[0], parameters.layers[1]));
    EXPECT_TRUE(equal(parameters, Run::make_parameters(net, 1)));
    EXPECT_FALSE(equal(parameters, Run::make_parameters(net, 2)));
    const auto& layer = parameters.layers[0];
    EXPECT_NE(layer.gtu.u_proj.weight, layer.gtu.v_proj.weight);
    EXPECT_NE(layer.gtu.u_proj.weight.topRows(4), layer.glu.l1.weight);
}

/// Names, shapes, and a star for buffers.
template <class P>
std::string listing(const P& parameters) {
    std::string text;
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            text += name.text() + (name.is_buffer() ? "* " : " ") + std::to_string(tensor.rows()) +
                    (tensor.cols() == 1 ? "" : "x" + std::to_string(tensor.cols())) + "\n";
        },
        parameters);
    return text;
}

TEST(ModelTest, HasTheOfficialNames) {
    Options options = small();
    options.layers = 1;
    options.block.gtu.norm = Norm::layer;
    EXPECT_EQ(listing(Run::make_parameters(Net(options), 1)),
              "embed.weight 7x4\n"
              "layers.0.self_attn.gtu.v_proj.weight 6x4\n"
              "layers.0.self_attn.gtu.v_proj.bias 6\n"
              "layers.0.self_attn.gtu.u_proj.weight 6x4\n"
              "layers.0.self_attn.gtu.u_proj.bias 6\n"
              "layers.0.self_attn.gtu.o.weight 4x6\n"
              "layers.0.self_attn.gtu.o.bias 4\n"
              "layers.0.self_attn.gtu.norm.weight 6\n"
              "layers.0.self_attn.gtu.norm.bias 6\n"
              "layers.0.self_attn.gtu.toep.weight 8x8\n"
              "layers.0.self_attn.gtu.toep.gain 6\n"
              "layers.0.self_attn_layer_norm.scale 4\n"
              "layers.0.glu.l1.weight 4x4\n"
              "layers.0.glu.l1.bias 4\n"
              "layers.0.glu.l2.weight 4x4\n"
              "layers.0.glu.l2.bias 4\n"
              "layers.0.glu.l3.weight 4x4\n"
              "layers.0.glu.l3.bias 4\n"
              "layers.0.final_layer_norm.scale 4\n"
              "norm.scale 4\n"
              "out.weight 7x4\n"
              "out.bias 7\n");
    options.layers = 0;
    options.final_norm = FinalNorm::none;
    options.output_weights = OutputWeights::tied;
    EXPECT_EQ(listing(Run::make_parameters(Net(options), 1)), "embed.weight 7x4\n");
}

TEST(ModelErrorTest, RefusesOptionsThatDoNotFit) {
    const auto refused = [](int id, const std::string& text, auto&& change) {
        Options options = small();
        change(options);
        expect_error<config_error>(id, "[toeplitz.config." + std::to_string(id) + "] " + text,
                                   [&] { Net{options}; });
    };
    refused(201, "Model: expected width >= 1, got 0", [](Options& o) { o.width = 0; });
    refused(201, "Model: expected input.vocabulary >= 1, got 0", [](Options& o) {
        o.input.vocabulary = 0;
        o.outputs = 0;
    });
    refused(201, "Embedding: expected vocabulary >= 1, got -2", [](Options& o) {
        o.input.vocabulary = -2;
        o.outputs = 3;
    });
    refused(201, "Model: expected outputs >= 1, got -1", [](Options& o) { o.outputs = -1; });
    refused(740, "Model: expected layers >= 0, got -1", [](Options& o) { o.layers = -1; });
    refused(720, "Model: expected a dropout rate in [0, 1), got 1.500000",
            [](Options& o) { o.dropout = 1.5; });
    refused(720, "Block: expected a dropout rate in [0, 1), got -1.000000",
            [](Options& o) { o.block.dropout = -1; });
    for (const double scale : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        refused(762, detail::text("Model: expected a finite input_scale, got ", scale),
                [&](Options& o) { o.input_scale = scale; });
    }
    refused(742, "Model: expected options of 2 layers, or none, got 3",
            [](Options& o) { o.blocks.assign(3, o.block); });
    refused(741, "Model: expected tied weights with as many outputs as tokens, 7, got 6", [](Options& o) {
        o.output_weights = OutputWeights::tied;
        o.outputs = 6;
    });
}

TEST(ModelErrorTest, NamesWhatDoesNotFit) {
    const Net net(small());
    const auto parameters = Run::make_parameters(net, 1);
    Net::Cache cache;
    Workspace ws;
    Matrix<double> y(6, 7);
    std::vector<Token> tokens = some_tokens(6);
    const auto run = [&](const Net::Parameters& set, Index length, Lengths lengths = {}) {
        Run::forward(net, set, tokens, {length, lengths}, y, cache, ws);
    };
    expect_error<shape_error>(210, "[toeplitz.shape.210] Model::forward: expected B*4 rows, got 6",
                              [&] { run(parameters, 4); });
    expect_error<config_error>(201, "[toeplitz.config.201] Model::forward: expected length >= 1, got 0",
                               [&] { run(parameters, 0); });
    const std::vector<Index> one = {2};
    expect_error<shape_error>(211, "[toeplitz.shape.211] Model::forward: expected 2 lengths, got 1",
                              [&] { run(parameters, 3, one); });
    auto other = parameters;
    other.layers.pop_back();
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] Model::forward: expected parameters of 2 layers, got 1",
                              [&] { run(other, 3); });
    other = parameters;
    other.out.bias.resize(6);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Model::forward: expected parameters with bias of size 7, got 6",
        [&] { run(other, 3); });
    other = parameters;
    other.embed.weight.resize(8, 4);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Embedding::evaluate: expected weight of shape 7×4, got 8×4",
        [&] { run(other, 3); });
    other = parameters;
    other.norm.scale.resize(0);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] RowNorm: expected parameters with scale of size 4, got 0",
                              [&] { run(other, 3); });
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(705,
                              "[toeplitz.shape.705] Model::backward: expected the cache of a forward pass "
                              "of these inputs, got another one",
                              [&] { Run::backward(net, parameters, tokens, {}, y, gradients, ws); });
    run(parameters, 3);
    other = parameters;
    other.layers.clear();
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] Model::backward: expected gradients of 2 layers, got 0",
                              [&] { Run::backward(net, parameters, tokens, cache, y, other, ws); });
    Matrix<double> narrow(6, 6);
    expect_error<shape_error>(
        704, "[toeplitz.shape.704] Model::backward: expected outputs or g of shape 6×7, got 6×6",
        [&] { Run::backward(net, parameters, tokens, cache, narrow, gradients, ws); });
    tokens[4] = 7;
    expect_error<value_error>(
        711, "[toeplitz.value.711] Embedding::evaluate: expected tokens in 0..6, got 7 at position 4",
        [&] { run(parameters, 3); });
    expect_error<config_error>(201, "[toeplitz.config.201] Model::prepare: expected length >= 1, got 0",
                               [&] { Run::prepare(net, parameters, 0); });
    const auto prepared = Run::prepare(net, parameters, 3);
    expect_error<shape_error>(704,
                              "[toeplitz.shape.704] Model::Prepared::evaluate: expected outputs or g of "
                              "shape 6×7, got 6×6",
                              [&] { Run::evaluate(prepared, tokens, narrow, ws); });
}

TEST(ModelTest, NoSequencesAreNothingToDo) {
    const Net net(small());
    const Net::Parameters parameters = some_parameters(net);
    Net::Parameters gradients = zeros_like(parameters);
    Net::Cache cache;
    Workspace ws;
    Matrix<double> none(0, net.outputs());
    Run::forward(net, parameters, {}, 3, none, cache, ws);
    Run::backward(net, parameters, {}, cache, none, gradients, ws);
    for_each_parameter([](const ParameterName&, const auto& g) { EXPECT_TRUE(g.isZero(0)); }, gradients);
    Run::evaluate(Run::prepare(net, parameters, 3), {}, none, ws);
}

}  // namespace
}  // namespace toeplitz::test::model_test
