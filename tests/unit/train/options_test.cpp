// SPDX-License-Identifier: MIT
/// \file
/// Every option set of the library is an aggregate, visited in whole, and the same after a turn through text.

#include <gtest/gtest.h>

#include <support/built_in_options.hpp>
#include <support/options.hpp>

namespace toeplitz::test {
namespace {

template <class O>
class BuiltInOptionsTest : public testing::Test {};
TYPED_TEST_SUITE(BuiltInOptionsTest, BuiltInOptions, );

TYPED_TEST(BuiltInOptionsTest, ReadBackFromText) {
    static_assert(OptionSet<TypeParam>);
    expect_round_trip<TypeParam>(
        [](const TypeParam& options) { return parse_options<TypeParam>(options_text(options)); });
}

TEST(BuiltInOptionsTextTest, IsWhatFilesHold) {
    using Mixer = Tno<float, Causality::causal>;
    const BlockOptions<Mixer, RowNorm<float>> options{.width = 64,
                                                      .gtu = {.inner_width = 96,
                                                              .norm = Norm::layer,
                                                              .mixer = {.mlp = {.layers = 2},
                                                                        .decay = {.lambda = 0.999},
                                                                        .positions = Positions::normalized}},
                                                      .dropout = 0.1};
    EXPECT_EQ(
        options_text(options),
        "width=64 gtu.width=0 gtu.inner_width=96 gtu.activation=silu gtu.norm=layer gtu.bias=add "
        "gtu.mixer.channels=0 gtu.mixer.mlp.channels=0 gtu.mixer.mlp.width=64 gtu.mixer.mlp.layers=2 "
        "gtu.mixer.mlp.activation=relu gtu.mixer.mlp.norm=simple_rms gtu.mixer.mlp.residual=none "
        "gtu.mixer.mlp.bias=add gtu.mixer.decay.mode=fixed gtu.mixer.decay.lambda=0.999 "
        "gtu.mixer.decay.per_channel=0 gtu.mixer.positions=normalized gtu.mixer.activation=identity "
        "glu.width=0 glu.inner_width=0 glu.activation=silu glu.final_activation=identity glu.bias=add "
        "norm.channels=0 norm.norm=simple_rms norm.bias=none norm.measured=0 placement=pre dropout=0.1");
}

TEST(BuiltInOptionsTextTest, HasTheWordsOfEveryEnumeration) {
    const auto words = [](const auto& names) {
        std::string all;
        for (const std::string_view name : names) all.append(all.empty() ? "" : " ").append(name);
        return all;
    };
    EXPECT_EQ(words(enumerator_names<Causality>), "bidirectional causal");
    EXPECT_EQ(words(enumerator_names<Activation>),
              "identity relu silu gelu sine sigmoid leaky_relu elu elu_plus_one elu_plus_two");
    EXPECT_EQ(words(enumerator_names<Norm>), "simple_rms rms scale layer");
    EXPECT_EQ(words(enumerator_names<NormPlacement>), "pre post");
    EXPECT_EQ(words(enumerator_names<Residual>), "none add");
    EXPECT_EQ(words(enumerator_names<Bias>), "none add");
    EXPECT_EQ(words(enumerator_names<DecayMode>), "none fixed learned");
    EXPECT_EQ(words(enumerator_names<Positions>), "lags normalized");
    EXPECT_EQ(words(enumerator_names<FrequencyInput>), "cosine angle cosine_and_log");
    EXPECT_EQ(words(enumerator_names<FrequencyGrid>), "smooth power_of_two");
    EXPECT_EQ(words(enumerator_names<Extrapolation>), "keep_spacing keep_rank");
    EXPECT_EQ(words(enumerator_names<Head>), "per_token mean_pool");
    EXPECT_EQ(words(enumerator_names<OutputWeights>), "separate tied");
    EXPECT_EQ(words(enumerator_names<FinalNorm>), "none add");
    EXPECT_EQ(words(enumerator_names<AdamVariant>), "pytorch fairseq");
    EXPECT_EQ(words(enumerator_names<Course>), "constant cosine inverse_sqrt polynomial");
    EXPECT_EQ(words(enumerator_names<InducingMode>), "sample bridge balanced_sample balanced_bridge");
    EXPECT_EQ(words(enumerator_names<ToleranceKind>), "absolute relative");
    EXPECT_EQ(words(enumerator_names<Rounding>), "none to_float");
}

}  // namespace
}  // namespace toeplitz::test
