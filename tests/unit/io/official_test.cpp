// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <toeplitz/io/official.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test {
namespace {

using Network = Model<Tno<float, Causality::causal>>;

Network::Options official(Index layers) {
    Network::Options options;
    options.input.vocabulary = 11;
    options.width = 4;
    options.layers = layers;
    options.block.gtu.mixer.mlp = {.width = 8, .layers = 2};
    options.block.gtu.mixer.decay = {.mode = DecayMode::fixed, .lambda = 0.99};
    options.input_scale = 2;
    options.norm = RowNormOptions{.norm = Norm::layer};
    options.output_bias = Bias::none;
    return options;
}

TensorFile state_dict_of(const Network::Parameters& parameters, Index layers) {
    TensorFile file;
    store_parameters(file, parameters, {.prefix = "decoder."}, DecoderNames{});
    const std::vector<float> gamma(12, 0.99F);
    for (Index l = 0; l < layers; ++l) {
        file.tensors[detail::text("decoder.layers.", l, ".self_attn.gtu.toep.gamma")] =
            make_tensor(std::span(gamma), {1, 1, 12});
    }
    const std::vector<float> version(1, 3.0F);
    file.tensors["decoder.version"] = make_tensor(std::span(version), {1});
    return file;
}

TEST(ImportLanguageModelTest, FindsEveryTensorByItsOfficialName) {
    const Network network(official(2));
    const auto expected = network.make_parameters(5);
    const TensorFile file = state_dict_of(expected, 2);
    for (const char* name :
         {"decoder.embed_tokens.weight", "decoder.layers.1.self_attn.gtu.u_proj.weight",
          "decoder.layers.0.self_attn.gtu.toep.rpe.layers.1.2.bias", "decoder.layers.1.glu.l3.weight",
          "decoder.layer_norm.weight", "decoder.layer_norm.bias", "decoder.output_projection.weight"}) {
        EXPECT_EQ(file.tensors.count(name), 1U) << name;
    }
    auto parameters = network.make_parameters(6);
    import_language_model(file, parameters);
    for_each_parameter(
        [](const ParameterName& name, const auto& a, const auto& b) { EXPECT_EQ(a, b) << name.text(); },
        parameters, expected);
}

TEST(ImportLanguageModelTest, ReportsEveryMismatchAtOnceAndChangesNothing) {
    const Network network(official(1));
    TensorFile file = state_dict_of(network.make_parameters(5), 1);
    file.tensors.erase("decoder.layer_norm.bias");
    file.tensors.erase("decoder.layers.0.glu.l1.weight");
    file.tensors["decoder.extra"] = file.tensors.at("decoder.version");
    const auto before = network.make_parameters(6);
    auto parameters = before;
    try {
        import_language_model(file, parameters);
        FAIL() << "nothing was thrown";
    } catch (const io_error& error) {
        EXPECT_EQ(error.id(), 920);
        for (const char* name :
             {"decoder.layer_norm.bias", "decoder.layers.0.glu.l1.weight", "decoder.extra"}) {
            EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << name;
        }
    }
    for_each_parameter(
        [](const ParameterName& name, const auto& a, const auto& b) { EXPECT_EQ(a, b) << name.text(); },
        parameters, before);
}

TEST(OfficialImageNamesTest, AreThoseOfTheTwoAxes) {
    const OfficialImageNames names;
    EXPECT_EQ(names("layers.0.self_attn.gtu.toep.rows.rpe.out.0.weight"),
              "layers.0.self_attn.gtu.toep1.rpe.out.0.weight");
    EXPECT_EQ(names("toep.columns.gamma"), "toep2.gamma");
    EXPECT_EQ(names("u_proj.weight"), "u_proj.weight");
}

TEST(FixedDecayTest, IsTheOneThatAllLayersShare) {
    const Network network(official(2));
    TensorFile file = state_dict_of(network.make_parameters(5), 2);
    const DecayOptions decay = fixed_decay(file, "decoder.");
    EXPECT_EQ(decay.mode, DecayMode::fixed);
    ASSERT_EQ(decay.per_channel.size(), 12);
    EXPECT_EQ(decay.per_channel(7), static_cast<double>(0.99F));

    const std::vector<float> other(12, 0.9F);
    file.tensors["decoder.layers.1.self_attn.gtu.toep.gamma"] = make_tensor(std::span(other), {1, 1, 12});
    EXPECT_THROW(fixed_decay(file, "decoder."), io_error);
    EXPECT_THROW(fixed_decay(file, "encoder."), io_error);
}

}  // namespace
}  // namespace toeplitz::test
