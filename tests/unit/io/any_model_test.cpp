// SPDX-License-Identifier: MIT
/// \file
/// Models whose type only their file knows.

#include <gtest/gtest.h>

#include <support/any_model.hpp>
#include <support/errors.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {
namespace {

using Trial = std::tuple<const char*, bool, bool>;

class AnyModelTest : public testing::TestWithParam<Trial> {};
INSTANTIATE_TEST_SUITE_P(All, AnyModelTest,
                         testing::Combine(testing::ValuesIn(Any::Mixer::Options().kind.names),
                                          testing::Bool(), testing::Bool()));

TEST_P(AnyModelTest, IsWhatWasSaved) {
    const auto [architecture, has_batch_norm, takes_features] = GetParam();
    const TemporaryFolder folder;
    const Matrix<float> y =
        save_tiny(folder / "a", {{tiny_mixer(architecture)}, has_batch_norm, takes_features}, {{"a", "b"}});
    const Any model = Any::load(folder / "a");
    EXPECT_TRUE(evaluate_tiny(model) == y);
    EXPECT_EQ(model.width(), 2);
    EXPECT_EQ(model.layers(), 1);
    EXPECT_EQ(model.outputs(), tiny_outputs);
    EXPECT_EQ(model.inputs(), takes_features ? 2 : 0);
    EXPECT_EQ(model.vocabulary(), takes_features ? 0 : tiny_outputs);
    EXPECT_EQ(model.causality() == Causality::causal, std::string_view(architecture).starts_with("causal_"));
    EXPECT_EQ(model.metadata(), (std::map<std::string, std::string>{{"a", "b"}}));
    EXPECT_NE(model.options().find(detail::text("\"kind\":{\"", architecture, "\"")), std::string::npos);
    const Any::Prepared prepared = model.prepare(tiny_length);
    EXPECT_EQ(prepared.length(), tiny_length);
    EXPECT_GT(prepared.required_workspace(), 0U);
    EXPECT_GT(prepared.state_bytes(), 0U);
}

TEST(AnyModelsTest, LayersMayHaveDifferentMixers) {
    const TemporaryFolder folder;
    auto wide = tiny_mixer("causal_ski_tno");
    wide.kind.visit([](const char*, auto& own) {
        if constexpr (requires { own.taps; }) own.taps = 5;
    });
    TinyModel tiny{{tiny_mixer("causal_fd_tno"), tiny_mixer("causal_ski_tno"), wide}};
    const Matrix<float> y = save_tiny(folder / "a", tiny);
    const Any model = Any::load(folder / "a");
    EXPECT_TRUE(evaluate_tiny(model) == y);
    EXPECT_EQ(model.causality(), Causality::causal);
    const TensorFile file = read_safetensors(folder / "a");
    EXPECT_EQ(file.at("layers.1.self_attn.gtu.toep.conv_kernel").shape, (std::vector<Index>{3, 3}));
    EXPECT_EQ(file.at("layers.2.self_attn.gtu.toep.conv_kernel").shape, (std::vector<Index>{3, 5}));

    tiny.mixers.push_back(tiny_mixer("tno"));
    save_tiny(folder / "b", tiny);
    EXPECT_EQ(Any::load(folder / "b").causality(), Causality::bidirectional);
}

TEST(AnyModelsTest, TakeTheirOwnKindOfInput) {
    const TemporaryFolder folder;
    Matrix<float> y(2 * tiny_length, tiny_outputs);
    Workspace ws;
    save_tiny(folder / "a", {{}});
    expect_error<value_error>(
        935,
        "[toeplitz.value.935] AnyModel::Prepared::evaluate: expected tokens, which this model takes, got "
        "features",
        [&] { Any::load(folder / "a").prepare(tiny_length).evaluate(tiny_features(), y, ws); });
    save_tiny(folder / "a", {{}, false, true});
    expect_error<value_error>(
        935,
        "[toeplitz.value.935] AnyModel::Prepared::evaluate: expected features, which this model takes, got "
        "tokens",
        [&] { Any::load(folder / "a").prepare(tiny_length).evaluate(tiny_tokens, y, ws); });
}

/// Loads a tiny model whose file was changed.
class AnyModelErrorTest : public testing::Test {
protected:
    AnyModelErrorTest() {
        save_tiny(path, {{tiny_mixer("causal_fd_tno")}});
        file = read_safetensors(path);
    }
    template <class Error>
    void expect_refused(int id, const std::string& complaint) {
        write_safetensors(path, file);
        const char* const kind = std::is_same_v<Error, io_error> ? "io" : "config";
        expect_error<Error>(id,
                            detail::text("[toeplitz.", kind, ".", id, "] load_model: file ",
                                         detail::in_quotes(path), ": expected ", complaint),
                            [&] { Any::load(path); });
    }
    void replace(const std::string& from, const std::string& to) {
        std::string& options = file.metadata.at("toeplitz.model.options");
        ASSERT_NE(options.find(from), std::string::npos);
        options.replace(options.find(from), from.size(), to);
    }
    TemporaryFolder folder;
    std::string path = folder / "a";
    TensorFile file;
};

TEST_F(AnyModelErrorTest, NoArchitecture) {
    file.metadata.clear();
    expect_refused<io_error>(932, "metadata 'toeplitz.model', got none");
    file.metadata["toeplitz.model"] = "1";
    expect_refused<io_error>(932, "metadata 'toeplitz.model.norm', got none");
    file.metadata["toeplitz.model"] = "2";
    expect_refused<io_error>(932, "version 1, got '2'");
}

TEST_F(AnyModelErrorTest, NoLengthOfTheProbe) {
    for (const char* length : {"0", "-6", "six", ""}) {
        file.metadata["toeplitz.model.probe_length"] = length;
        expect_refused<io_error>(
            932, detail::text("a length as 'toeplitz.model.probe_length', got '", length, "'"));
    }
}

TEST_F(AnyModelErrorTest, AProbeShorterThanItsLength) {
    file.metadata["toeplitz.model.probe_length"] = "1000000000000";
    expect_refused<io_error>(930, "a 'probe.input' of sequences of 1000000000000 steps, got shape (12)");
}

TEST_F(AnyModelErrorTest, MoreLayersThanTheFileCanHold) {
    const std::string tensors = detail::text(file.tensors.size(), " tensors");
    replace("\"layers\":1,", "\"layers\":1000000000,");
    expect_refused<io_error>(920, "tensors for 'layers' of 1000000000, got " + tensors);
    replace("\"layers\":1000000000,", "\"layers\":1,");
    replace("\"layers\":3", "\"layers\":1000000000");
    expect_refused<io_error>(
        920, "tensors for 'block.gtu.mixer.kind.causal_fd_tno.mlp.layers' of 1000000000, got " + tensors);
}

TEST_F(AnyModelErrorTest, OptionsThatNeedMoreMemoryThanThereIs) {
    replace("\"vocabulary\":5", "\"vocabulary\":1000000000000000");
    expect_refused<io_error>(909, "memory for a model of the options in the file, got too little");
}

TEST_F(AnyModelErrorTest, UnknownNormOrInput) {
    const char* const known = "a norm among row_norm, batch_norm and an input among embedding, linear, got ";
    file.metadata["toeplitz.model.norm"] = "group_norm";
    expect_refused<io_error>(933, detail::text(known, "'group_norm' and 'embedding'"));
    file.metadata["toeplitz.model.norm"] = "row_norm";
    file.metadata["toeplitz.model.input"] = "patches";
    expect_refused<io_error>(933, detail::text(known, "'row_norm' and 'patches'"));
}

TEST_F(AnyModelErrorTest, AnotherScalar) {
    file.metadata["toeplitz.model.scalar"] = "F64";
    expect_refused<io_error>(934, "a model of F32, got 'F64'");
}

TEST_F(AnyModelErrorTest, UnknownMixer) {
    replace("causal_fd_tno", "rank_tno");
    expect_refused<config_error>(
        225,
        "block.gtu.mixer.kind as one of tno, causal_tno, fd_tno, causal_fd_tno, ski_tno, causal_ski_tno, "
        "ski_mlp_tno, causal_ski_mlp_tno, compressed_tno, causal_state_space_tno, plain, got 'rank_tno'");
}

TEST_F(AnyModelErrorTest, AnOptionOfANewerVersion) {
    replace("\"input_scale\":1,", "\"input_scale\":1,\"output_scale\":2,");
    expect_refused<config_error>(220, "options that this version knows, got 'output_scale'");
}

TEST_F(AnyModelErrorTest, AnEnumeratorOfANewerVersion) {
    replace("\"head\":\"per_token\"", "\"head\":\"last_token\"");
    expect_refused<config_error>(222, "head as one of per_token, mean_pool, got 'last_token'");
}

TEST_F(AnyModelErrorTest, AMissingOption) {
    replace("\"input_scale\":1,", "");
    expect_refused<config_error>(221, "an option 'input_scale', got none");
}

TEST_F(AnyModelErrorTest, OptionsThatAreNoJson) {
    file.metadata["toeplitz.model.options"] = "layers=1";
    expect_refused<io_error>(960, "a JSON object without zero bytes, got 'layers=1'");
}

TEST_F(AnyModelErrorTest, OptionsOfAnotherModel) {
    replace("\"layers\":1,", "\"layers\":2,");
    write_safetensors(path, file);
    expect_error<config_error>(742,
                               "[toeplitz.config.742] Model: expected options of 2 layers, or none, got 1",
                               [&] { Any::load(path); });
}

TEST_F(AnyModelErrorTest, AChangedWeight) {
    file.tensors.at("out.weight").bytes[2] ^= std::byte{0x40};
    write_safetensors(path, file);
    try {
        Any::load(path);
        ADD_FAILURE();
    } catch (const io_error& caught) {
        EXPECT_EQ(caught.id(), 931);
    }
}

TEST(SaveModelErrorTest, MetadataOfTheLibrary) {
    const TemporaryFolder folder;
    expect_error<io_error>(942,
                           "[toeplitz.io.942] save_model: expected metadata whose names do not begin with "
                           "'toeplitz.', got 'toeplitz.x'",
                           [&] {
                               save_tiny(folder / "a", {{}}, {{"toeplitz.x", "1"}});
                           });
    EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace toeplitz::test
