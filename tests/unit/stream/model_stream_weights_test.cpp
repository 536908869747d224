// SPDX-License-Identifier: MIT
// Streams of models whose weights are in fewer bits.
#include <gtest/gtest.h>

#include <support/stream.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::test {
namespace {

using Net = Model<FdTno<float, Causality::causal>>;

/// Logits of all steps in calls of `block` steps; 0 for cuts of all sizes.
template <class Plan>
Matrix<float> streamed_tokens(const Plan& plan, std::span<const Token> tokens, Index block) {
    const Index length = static_cast<Index>(tokens.size());
    Matrix<float> outputs(length, plan.model().model().outputs());
    auto state = plan.make_state();
    const std::size_t bytes = state.state_bytes();
    for_cuts(length, block, [&](Index at, Index count) {
        plan.process(tokens.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
                     MatrixView<float>(outputs).middle_rows(at, count), state);
    });
    EXPECT_EQ(state.state_bytes(), bytes);  // scratch memory did not grow
    return outputs;
}

TEST(ModelStreamWeightsTest, EveryFormatHasTheSameBitsForAnyCutAndIsCloseToTheBatch) {
    const Index length = 150;
    std::vector<Token> tokens;
    for (Index i = 0; i < length; ++i) tokens.push_back(static_cast<Token>(i * i * 7 % 11));
    for (const OutputWeights output_weights : {OutputWeights::separate, OutputWeights::tied}) {
        Net::Options options{.input = {.vocabulary = 11}, .width = 40, .layers = 2};
        options.block.gtu.mixer.mlp = {.width = 8, .layers = 1};
        options.output_weights = output_weights;
        const Net net(options);
        const auto parameters = net.make_parameters(3);
        // Numbers that differ in their last digits may be rounded to different ones of fewer.
        const auto is_close = [&](WeightFormat weights, float tolerance) {
            const auto prepared = net.prepare(parameters, {.length = length, .weights = weights});
            Matrix<float> batch(length, 11);
            Workspace ws;
            prepared.evaluate(tokens, batch, ws);
            const auto plan = stream(prepared, {.max_block = 100});
            const Matrix<float> steps = streamed_tokens(plan, tokens, 1);
            EXPECT_LE((steps - batch).norm(), tolerance * batch.norm());
            for (const Index block : {0, 7, 100}) {
                EXPECT_TRUE(same_bits(streamed_tokens(plan, tokens, block), steps)) << block;
            }
        };
        is_close(WeightFormat::exact, 1e-5F);
        is_close(WeightFormat::bf16, 0.01F);
        is_close(WeightFormat::int8, 0.03F);
    }
}

}  // namespace
}  // namespace toeplitz::test
