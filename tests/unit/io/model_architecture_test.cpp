// SPDX-License-Identifier: MIT
/// \file
/// Model files that are loaded by naming the type.

#include <gtest/gtest.h>

#include <support/any_model.hpp>
#include <support/errors.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {
namespace {

using Net = Model<FdTno<float, Causality::causal>>;

const std::vector<Token> some_tokens = {3, 1, 4, 1, 0, 2};

Net small_net() {
    Net::Options options{.input = {.vocabulary = 5}, .width = 3, .layers = 2};
    options.block.gtu.inner_width = 4;
    options.block.gtu.mixer.mlp = {.width = 4, .layers = 1};
    return Net(options);
}

Matrix<float> evaluate(const Net& net, const Net::Parameters& parameters, std::span<const Token> tokens) {
    Matrix<float> y(static_cast<Index>(tokens.size()), 5);
    Workspace ws;
    net.prepare(parameters, static_cast<Index>(tokens.size())).evaluate(tokens, y, ws);
    return y;
}

TEST(ModelArchitectureTest, ATypedModelComesBackByItsType) {
    const TemporaryFolder folder;
    const Net net = small_net();
    const auto parameters = net.make_parameters(7);
    save_model(folder / "a", net, parameters, some_tokens, 6, {{"run", "3"}});
    const auto loaded = load_model<Net>(folder / "a");
    EXPECT_EQ(options_text(loaded.model.options()), options_text(net.options()));
    EXPECT_EQ(evaluate(loaded.model, loaded.parameters, some_tokens), evaluate(net, parameters, some_tokens));
    EXPECT_EQ(loaded.metadata, (std::map<std::string, std::string>{{"run", "3"}}));
}

TEST(ModelArchitectureTest, ATypedModelComesBackWithoutIt) {
    const TemporaryFolder folder;
    Net::Options options = small_net().options();
    options.blocks.assign(2, options.block);
    options.blocks[1].gtu.mixer.mlp.layers = 2;
    const Net net(options);
    const auto parameters = net.make_parameters(7);
    save_model(folder / "a", net, parameters, some_tokens, 6);
    Matrix<float> y(6, 5);
    Workspace ws;
    Any::load(folder / "a").prepare(6).evaluate(some_tokens, y, ws);
    EXPECT_EQ(y, evaluate(net, parameters, some_tokens));
}

TEST(ModelArchitectureTest, BoundsOfStateSpacesComeBack) {
    const StateSpaceTno<float> mixer({.channels = 3, .modes = 2, .taps = 4});
    for (const bool is_distilled : {false, true}) {
        auto saved = mixer.make_parameters(1);
        if (is_distilled) saved.bounds = Vector<double>::LinSpaced(3, 0.25, 0.75);
        TensorFile file;
        store_parameters(file, saved, {.prefix = "toep."});
        EXPECT_EQ(file.tensors.count("toep.bounds"), is_distilled ? 1U : 0U);
        auto loaded = mixer.make_parameters(2);
        detail::take_shapes(file, "toep.", loaded);
        load_parameters(file, loaded, {.prefix = "toep."});
        EXPECT_EQ(loaded.bounds, saved.bounds);
        EXPECT_EQ(loaded.poles, saved.poles);
        EXPECT_EQ(loaded.residues, saved.residues);
        EXPECT_EQ(loaded.direct, saved.direct);
    }
}

TEST(ModelArchitectureTest, SavingTakesWholeSequences) {
    const TemporaryFolder folder;
    const Net net = small_net();
    const auto parameters = net.make_parameters(7);
    expect_error<config_error>(201, "[toeplitz.config.201] Model::prepare: expected length >= 1, got 0",
                               [&] { save_model(folder / "a", net, parameters, some_tokens, 0); });
    expect_error<shape_error>(210, "[toeplitz.shape.210] Model::Prepared::evaluate: expected B*4 rows, got 6",
                              [&] { save_model(folder / "a", net, parameters, some_tokens, 4); });
    EXPECT_EQ(folder.entries(), 0U);
}

TEST(ModelArchitectureTest, AnotherTypeIsRefused) {
    const TemporaryFolder folder;
    const std::string path = folder / "a";
    const std::string where = detail::text("load_model: file ", detail::in_quotes(path), ": expected ");
    save_tiny(path, {{tiny_mixer("causal_tno")}});
    expect_error<config_error>(
        225,
        "[toeplitz.config.225] " + where + "block.gtu.mixer.kind as one of causal_fd_tno, got 'causal_tno'",
        [&] { load_model<Net>(path); });
    save_tiny(path, {{}, true, false});
    expect_error<io_error>(933,
                           "[toeplitz.io.933] " + where + "a model with norm 'row_norm', got 'batch_norm'",
                           [&] { load_model<Net>(path); });
    save_tiny(path, {{}, false, true});
    expect_error<io_error>(933, "[toeplitz.io.933] " + where + "a model with input 'embedding', got 'linear'",
                           [&] { load_model<Net>(path); });
}

/// The file is of version 0.1: parameters, probe and the user's metadata.
TEST(ModelArchitectureTest, FilesOfTheFirstEditionLoadByNamingTheType) {
    const std::string path = std::string(TOEPLITZ_TEST_DATA_DIR) + "/first_edition.safetensors";
    Net::Options options = small_net().options();
    FdTnoOptions& mixer = options.block.gtu.mixer;  // as it was then
    mixer.input = FrequencyInput::cosine;
    mixer.scale.reset();
    mixer.pole.reset();
    const Net net(options);
    auto parameters = net.make_parameters(1);
    const auto metadata = load_model(
        path, parameters,
        [&](const Net::Parameters& p, std::span<const Token> tokens) { return evaluate(net, p, tokens); });
    EXPECT_EQ(metadata, (std::map<std::string, std::string>{{"length", "6"}, {"mixer", "fd"}}));
    const auto drawn = net.make_parameters(7);
    for_each_parameter([](const ParameterName& name, const auto& a,
                          const auto& b) { EXPECT_TRUE(a.isApprox(b)) << name.text(); },
                       parameters, drawn);
    expect_error<io_error>(932,
                           "[toeplitz.io.932] load_model: file " + detail::in_quotes(path) +
                               ": expected metadata 'toeplitz.model', got none",
                           [&] { Any::load(path); });
}

}  // namespace
}  // namespace toeplitz::test
