// SPDX-License-Identifier: MIT
/// \file
/// Streams of models whose type only their file knows.

#include <gtest/gtest.h>

#include <support/any_model.hpp>
#include <support/errors.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/io/stream_state.hpp>

namespace toeplitz::test {
namespace {

using Plan = Any::Stream;

/// Feeds steps `first` to `first + steps` of the tiny inputs, whichever the model takes.
template <class F>
void feed(const Any& model, Index first, Index steps, F&& f) {
    if (model.inputs() > 0) {
        const Matrix<float> features = tiny_features().middleRows(first, steps);
        f(MatrixView<const float>(features));
    } else {
        f(std::span(tiny_tokens).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(steps)));
    }
}

using Trial = std::tuple<const char*, bool, bool>;

class AnyModelStreamTest : public testing::TestWithParam<Trial> {};
INSTANTIATE_TEST_SUITE_P(All, AnyModelStreamTest,
                         testing::Combine(testing::ValuesIn(Any::Mixer::Options().kind.names),
                                          testing::Bool(), testing::Bool()));

TEST_P(AnyModelStreamTest, IsTheEvaluationOfTheSequenceOrRefused) {
    const auto [architecture, has_batch_norm, takes_features] = GetParam();
    const TemporaryFolder folder;
    const Matrix<float> y =
        save_tiny(folder / "a", {{tiny_mixer(architecture)}, has_batch_norm, takes_features});
    const Any model = Any::load(folder / "a");
    if (!std::string_view(architecture).starts_with("causal_")) {
        expect_error<config_error>(
            761,
            detail::text("[toeplitz.config.761] AnyModel::stream: expected a causal model, as others need "
                         "inputs that are not there yet, got the mixer ",
                         architecture, " in layer 0"),
            [&] { static_cast<void>(model.stream(tiny_length)); });
        return;
    }
    const Plan plan = model.stream(tiny_length, {.max_block = 4});
    EXPECT_EQ(plan.streams(), 1);
    EXPECT_EQ(plan.max_block(), 4);
    EXPECT_GT(plan.mixer_step_bound(), 0);
    EXPECT_GT(plan.state_bytes(), 0U);
    Plan::State state = plan.make_state();
    EXPECT_GT(state.state_bytes(), 0U);
    for (Index first : {Index(0), tiny_length}) {
        plan.reset(state);
        Matrix<float> streamed = y.middleRows(first, tiny_length);
        Matrix<float> one(1, tiny_outputs), three(3, tiny_outputs);
        feed(model, first, 1, [&](auto inputs) { plan.step(inputs, one, state); });
        streamed.row(0) = one;
        feed(model, first + 1, 3, [&](auto inputs) { plan.process(inputs, three, state); });
        streamed.middleRows(1, 3) = three;
        feed(model, first + 4, 1, [&](auto inputs) { plan.prefill(inputs, state); });
        feed(model, first + 5, 1, [&](auto inputs) { plan.step(inputs, one, state); });
        streamed.row(5) = one;
        EXPECT_EQ(state.time(), tiny_length);
        const Matrix<float> expected = y.middleRows(first, tiny_length);
        EXPECT_LT((streamed - expected).norm(), 1e-5F * expected.norm()) << architecture;
    }
}

TEST(AnyModelStreamsTest, StatesAreValues) {
    const TemporaryFolder folder;
    save_tiny(folder / "a", {{tiny_mixer("causal_tno"), tiny_mixer("causal_ski_tno")}});
    const Any model = Any::load(folder / "a");
    const Plan plan = model.stream(tiny_length);
    Plan::State state = plan.make_state();
    const Plan::State start = state;
    plan.prefill(tiny_tokens, state);
    EXPECT_FALSE(state == start);
    Plan::State fork = state;
    EXPECT_TRUE(fork == state);
    save_stream_state(folder / "state", plan, state);
    Plan::State loaded = plan.make_state();
    load_stream_state(folder / "state", plan, loaded);
    EXPECT_TRUE(loaded == state);
    Matrix<float> y(1, tiny_outputs), z(1, tiny_outputs);
    const Token next = 2;
    plan.step({&next, 1}, y, state);
    for (Plan::State* other : {&fork, &loaded}) {
        plan.step({&next, 1}, z, *other);
        EXPECT_TRUE(y == z);
    }
    plan.reset(state);
    EXPECT_TRUE(state == start);
}

TEST(AnyModelStreamsTest, StreamsSideBySide) {
    const TemporaryFolder folder;
    const Matrix<float> y = save_tiny(folder / "a", {{tiny_mixer("causal_tno")}, false, true});
    const Any model = Any::load(folder / "a");
    const Plan plan = model.stream({.length = tiny_length}, {.streams = 2});
    Plan::State state = plan.make_state();
    const Matrix<float> x = tiny_features();
    for (Index t = 0; t < tiny_length; ++t) {
        Matrix<float> inputs(2, 2), outputs(2, tiny_outputs);
        inputs << x.row(t), x.row(tiny_length + t);
        plan.step(inputs, outputs, state);
        for (Index s = 0; s < 2; ++s) {
            EXPECT_LT((outputs.row(s) - y.row(s * tiny_length + t)).norm(), 1e-5F * y.norm());
        }
    }
}

TEST(AnyModelStreamsTest, NameTheLayerThatLooksAhead) {
    const TemporaryFolder folder;
    save_tiny(folder / "a", {{tiny_mixer("causal_tno"), tiny_mixer("fd_tno")}});
    expect_error<config_error>(761,
                               "[toeplitz.config.761] AnyModel::stream: expected a causal model, as others "
                               "need inputs that are not there yet, got the mixer fd_tno in layer 1",
                               [&] { static_cast<void>(Any::load(folder / "a").stream(tiny_length)); });
}

TEST(AnyModelStreamsTest, TakeTheirOwnInputsAndStates) {
    const TemporaryFolder folder;
    save_tiny(folder / "a", {{tiny_mixer("causal_tno")}});
    save_tiny(folder / "b", {{tiny_mixer("causal_tno")}, false, true});
    const Plan tokens = Any::load(folder / "a").stream(tiny_length);
    const Plan features = Any::load(folder / "b").stream(tiny_length);
    Plan::State state = tokens.make_state(), other = features.make_state();
    const Plan::State before = state;
    Matrix<float> y(1, tiny_outputs);
    const Token token = 1, unknown = tiny_outputs;
    const Matrix<float> x = tiny_features().topRows(1);
    expect_error<value_error>(935,
                              "[toeplitz.value.935] AnyModel::Stream::step: expected tokens, which this "
                              "model takes, got features",
                              [&] { tokens.step(x, y, state); });
    expect_error<value_error>(935,
                              "[toeplitz.value.935] AnyModel::Stream::prefill: expected features, which this "
                              "model takes, got tokens",
                              [&] {
                                  features.prefill({&token, 1}, other);
                              });
    expect_error<shape_error>(1002,
                              "[toeplitz.shape.1002] AnyModel::Stream::process: expected a state of this "
                              "plan, got one of another plan",
                              [&] {
                                  tokens.process({&token, 1}, y, other);
                              });
    try {
        tokens.step({&unknown, 1}, y, state);
        ADD_FAILURE();
    } catch (const value_error& caught) {
        EXPECT_EQ(caught.id(), 711);
    }
    EXPECT_TRUE(state == before);
}

}  // namespace
}  // namespace toeplitz::test
