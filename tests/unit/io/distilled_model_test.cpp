// SPDX-License-Identifier: MIT
/// \file
/// State spaces with taps in front of their modes: distilled, saved, loaded and streamed.

#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::test {
namespace {

constexpr Index steps = 200;
using Net = Model<AnyOf<StateSpaceTno<double>>>;

/// One slow mode in every channel, and six that are gone within a few steps.
Net::Parameters parameters_of(const Net& net) {
    Net::Parameters parameters = net.make_parameters(1);
    for (auto& layer : parameters.layers) {
        auto& kernel = std::get<0>(layer.gtu.toep.of);
        for (Index c = 0; c < kernel.direct.cols(); ++c) {
            const double slow = 0.9 + 0.001 * static_cast<double>(c);
            const double re[] = {slow, 0.15, -0.2, 0.1, -0.1, 0, 0};
            const double im[] = {0, 0, 0, 0.2, 0.15, 0.2, 0.1};
            for (Index i = 0; i < 7; ++i) {
                kernel.poles(i, 2 * c) = re[i];
                kernel.poles(i, 2 * c + 1) = im[i];
                kernel.residues(i, 2 * c) = i == 0 ? 1.0 : std::pow(-2, static_cast<double>(i));
                kernel.residues(i, 2 * c + 1) = i < 3 ? 0.0 : static_cast<double>(i);
            }
            kernel.direct(0, c) = 1;
        }
    }
    return parameters;
}

TEST(DistilledModelTest, TapsInFrontOfModesAreSavedLoadedAndStreamed) {
    Net::Options options{.input = {.vocabulary = 7}, .width = 6, .layers = 2};
    options.block.gtu.mixer = Net::Mixer::options<StateSpaceTno<double>>({.modes = 7});
    const Net net(options);
    const Net::Parameters parameters = parameters_of(net);
    DistillOptions distilling{.tolerance = 1e-4};
    distilling.cost.band_step = 0.01;  // a pass for the taps costs little
    const Distilled<Net> made = distill(net, parameters, steps, distilling);
    for (const DistilledLayer& layer : made.layers) {
        ASSERT_TRUE(layer.is_state_space());
        EXPECT_LE(layer.modes, 2);
        EXPECT_GT(layer.taps, 1);
        EXPECT_LE(layer.taps, 16);
        const auto modes = static_cast<double>(layer.modes);
        EXPECT_GE(layer.cost, distilling.cost.state_space(steps, {.real = modes}, layer.taps));
        EXPECT_LE(layer.cost, distilling.cost.state_space(steps, {.complex = modes}, layer.taps));
        for (Index c = 0; c < layer.bounds.size(); ++c) EXPECT_LE(layer.bounds(c), layer.tolerances(c));
    }
    EXPECT_EQ(made.module.options().blocks[0].gtu.mixer.kind.get<0>().taps, made.layers[0].taps);

    std::vector<Token> tokens;
    for (Index t = 0; t < steps; ++t) tokens.push_back(static_cast<Token>(t * t % 7));
    const TemporaryFolder folder;
    save_model(folder / "made", made.module, made.parameters, tokens, steps);
    const auto loaded = load_model<Net>(folder / "made");
    EXPECT_EQ(loaded.parameters.layers[0].gtu.toep.of.index(), 0U);
    const auto prepared = loaded.model.prepare(loaded.parameters, steps);
    Workspace ws;
    Matrix<double> batch(steps, 7);
    prepared.evaluate(tokens, batch, ws);
    Matrix<double> others(steps, 7);
    made.module.prepare(made.parameters, steps).evaluate(tokens, others, ws);
    EXPECT_EQ(batch, others);
    Matrix<double> exact(steps, 7);
    net.prepare(parameters, steps).evaluate(tokens, exact, ws);
    EXPECT_LT((batch - exact).norm(), 1e-2 * exact.norm());
    EXPECT_GT((batch - exact).norm(), 0);

    const auto plan = stream(prepared);
    auto state = plan.make_state();
    Matrix<double> logits(1, 7);
    for (Index t = 0; t < steps; ++t) {
        plan.step(std::span(tokens).subspan(static_cast<std::size_t>(t), 1), logits, state);
        ASSERT_LT((logits - batch.row(t)).norm(), 1e-11 * (1 + batch.norm())) << t;
    }
    // Fewer operations than of the modes that there were.
    EXPECT_LT(plan.mixer_step_bound(), stream(net.prepare(parameters, steps)).mixer_step_bound());
}

}  // namespace
}  // namespace toeplitz::test
