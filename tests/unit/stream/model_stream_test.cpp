// SPDX-License-Identifier: MIT
#include <set>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/stream.hpp>

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/normalized.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::test {
namespace {

constexpr Causality causal = Causality::causal;
using DoubleTno = Tno<double, causal>;

std::vector<Token> random_tokens(Index count, Index vocabulary, std::uint64_t seed) {
    const CounterRandom random(seed);
    std::vector<Token> tokens;
    for (Index i = 0; i < count; ++i) {
        tokens.push_back(static_cast<Token>(random.bits(static_cast<std::uint64_t>(i)) %
                                            static_cast<std::uint64_t>(vocabulary)));
    }
    return tokens;
}

/// Parameters of which none has a special value.
template <class Net>
auto shaken_parameters(const Net& net, std::uint64_t seed) {
    auto parameters = net.make_parameters(seed);
    const CounterRandom random(seed + 1);
    std::uint64_t drawn = 0;
    for_each_parameter(
        [&](const ParameterName& name, auto& tensor) {
            for (Index i = 0; i < tensor.size(); ++i) {
                const bool is_variance = name.text().find("running_var") != std::string::npos;
                const double shake = 0.1 * random.normal(drawn++);
                tensor.data()[i] += static_cast<typename Net::Scalar>(is_variance ? std::abs(shake) : shake);
            }
        },
        parameters);
    return parameters;
}

/// Steps of S streams, as they come; those of one stream.
template <class S>
Matrix<S> stream_rows(const Matrix<S>& rows, Index stream, Index streams) {
    return rows(Eigen::seq(stream, Eigen::last, streams), Eigen::all);
}

/// outputs of the stream are those of the batch, for several cuts, prefill, forks and saved states.
template <class Net>
void expect_the_batch(const Net& net, Index length, double tolerance) {
    using S = typename Net::Scalar;
    constexpr Index streams = 2;
    const auto parameters = shaken_parameters(net, 3);
    const auto prepared = net.prepare(parameters, length);
    const auto plan = stream(prepared, {.streams = streams, .max_block = 70});
    const bool pools = net.options().head == Head::mean_pool;
    const Index k = net.outputs();

    // Streams side by side, and each by itself for the batch.
    const Matrix<S> features = random_matrix<S>(streams * length, 3, 4);
    const std::vector<Token> tokens = random_tokens(streams * length, 11, 5);
    const auto inputs = [&](Index first, Index steps) {
        if constexpr (decltype(plan)::takes_tokens) {
            return std::span<const Token>(tokens).subspan(static_cast<std::size_t>(first * streams),
                                                          static_cast<std::size_t>(steps * streams));
        } else {
            return MatrixView<const S>(features).middle_rows(first * streams, steps * streams);
        }
    };
    const auto batch = [&](Index stream, Index steps) {
        Matrix<S> outputs(pools ? 1 : length, k);
        Workspace ws;
        const std::vector<Index> lengths = {steps};
        if constexpr (decltype(plan)::takes_tokens) {
            std::vector<Token> own;
            for (Index t = 0; t < length; ++t)
                own.push_back(tokens[static_cast<std::size_t>(t * streams + stream)]);
            prepared.evaluate(own, outputs, ws, lengths);
        } else {
            prepared.evaluate(stream_rows(features, stream, streams), outputs, ws, lengths);
        }
        return outputs;
    };
    const auto run = [&](auto& state, Index first, Index steps, Index block) {
        Matrix<S> outputs = Matrix<S>::Constant(pools ? streams : streams * steps, k, S(9));
        for_cuts(steps, block, [&](Index at, Index count) {
            count = std::min<Index>(count, 70);
            for (Index done = 0; done < count;) {
                const Index part = std::min<Index>(count - done, 70);
                const MatrixView<S> out = outputs;
                plan.process(inputs(first + at + done, part),
                             pools ? out : out.middle_rows(streams * (at + done), streams * part), state);
                done += part;
            }
        });
        return outputs;
    };
    for (const Index block : {1, 7, 70}) {
        auto state = plan.make_state();
        const Matrix<S> outputs = run(state, 0, length, block);
        EXPECT_EQ(state.time(), length);
        for (Index s = 0; s < streams; ++s) {
            const Matrix<S> expected = batch(s, length);
            EXPECT_TRUE(near_all(stream_rows(outputs, s, streams), expected, tolerance)) << block;
        }
    }
    // A prompt, a fork, a saved state.
    const Index prompt = length * 2 / 3;
    auto state = plan.make_state();
    run(state, 0, prompt, 33);
    auto filled = plan.make_state();
    plan.prefill(inputs(0, prompt), filled);
    EXPECT_EQ(filled.time(), prompt);
    auto fork = filled;
    EXPECT_TRUE(fork == filled);
    std::vector<std::byte> bytes(plan.saved_bytes(filled));
    plan.save(filled, bytes);
    const Matrix<S> rest = run(filled, prompt, length - prompt, 5);
    EXPECT_FALSE(fork == filled);
    EXPECT_TRUE(same_bits(run(fork, prompt, length - prompt, 5), rest));
    EXPECT_TRUE(fork == filled);
    plan.restore(bytes, fork);
    EXPECT_EQ(fork.time(), prompt);
    EXPECT_TRUE(same_bits(run(fork, prompt, length - prompt, 5), rest));
    EXPECT_TRUE(near_all(run(state, prompt, length - prompt, 5), rest, tolerance));
    plan.reset(state);
    EXPECT_TRUE(state == plan.make_state());
    EXPECT_TRUE(near_all(stream_rows(run(state, 0, 9, 4), 1, streams).bottomRows(1),
                         batch(1, 9).row(pools ? 0 : 8), tolerance));
}

template <class Mixer, class Norm = RowNorm<typename Mixer::Scalar>>
using TokenModel = Model<Mixer, Norm>;

template <class Net>
typename Net::Options token_options(const typename Net::Mixer::Options& mixer) {
    typename Net::Options options{.input = {.vocabulary = 11}, .width = 10, .layers = 2};
    options.block.gtu.mixer = mixer;
    return options;
}

PositionMlpOptions small_mlp() { return {.width = 8, .layers = 2}; }

TEST(ModelStreamTest, TnoIsTheBatch) {
    using Net = TokenModel<DoubleTno>;
    for (const DecayMode mode : {DecayMode::none, DecayMode::learned}) {
        auto options = token_options<Net>({.mlp = small_mlp(), .decay = {.mode = mode, .lambda = 0.97}});
        for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
            options.block.placement = placement;
            options.block.dropout = 0.5;  // of training alone
            expect_the_batch(Net(options), 40, 1e-10);
            expect_the_batch(Net(options), 200, 1e-10);
        }
    }
}

TEST(ModelStreamTest, FdTnoIsTheBatch) {
    using Net = TokenModel<FdTno<double, causal>>;
    for (const FrequencyGrid grid : {FrequencyGrid::smooth, FrequencyGrid::power_of_two}) {
        expect_the_batch(Net(token_options<Net>({.mlp = small_mlp(), .grid = grid})), 150, 1e-10);
    }
}

TEST(ModelStreamTest, SkiTnoIsTheBatch) {
    using Net = TokenModel<SkiTno<double, causal>>;
    expect_the_batch(Net(token_options<Net>({.length = 100, .rank = 9, .taps = 5})), 150, 1e-10);
}

TEST(ModelStreamTest, SkiTnoOfAPerceptronIsTheBatch) {
    using Source = PositionKernel<double, causal>;
    using Net = TokenModel<SkiTno<double, causal, Source>>;
    typename Net::Mixer::Options mixer{.length = 100, .rank = 9, .taps = 3};
    mixer.kernel.mlp = small_mlp();
    expect_the_batch(Net(token_options<Net>(mixer)), 150, 1e-10);
}

TEST(ModelStreamTest, NormalizedIsTheBatch) {
    using Net = TokenModel<Normalized<DoubleTno>>;
    expect_the_batch(Net(token_options<Net>({.mlp = small_mlp(), .activation = Activation::sigmoid})), 150,
                     1e-10);
}

TEST(ModelStreamTest, LayersOfDifferentMixersAreTheBatch) {
    using Mixer = AnyOf<DoubleTno, FdTno<double, causal>, Normalized<DoubleTno>, StateSpaceTno<double>>;
    using Net = TokenModel<Mixer>;
    Net::Options options{.input = {.vocabulary = 11}, .width = 10, .layers = 4};
    options.blocks.resize(4);
    options.blocks[0].gtu.mixer = Mixer::options<DoubleTno>({.mlp = small_mlp()});
    options.blocks[1].gtu.mixer = Mixer::options<FdTno<double, causal>>({.mlp = small_mlp()});
    options.blocks[2].gtu.mixer =
        Mixer::options<Normalized<DoubleTno>>({.mlp = small_mlp(), .activation = Activation::sigmoid});
    options.blocks[3].gtu.mixer = Mixer::options<StateSpaceTno<double>>({.modes = 3, .taps = 4});
    expect_the_batch(Net(options), 140, 1e-10);
}

TEST(ModelStreamTest, AStateSpaceIsTheBatchBeyondItsLengthToo) {
    using Net = TokenModel<StateSpaceTno<float>>;
    const Net net(token_options<Net>({.modes = 3, .taps = 2}));
    expect_the_batch(net, 150, 1e-3);
    const auto parameters = net.make_parameters(3);
    const auto plan = stream(net.prepare(parameters, 20));
    auto state = plan.make_state();
    const std::vector<Token> tokens = random_tokens(300, 11, 5);
    Matrix<float> batch(300, 11);
    Matrix<float> logits(1, 11);
    Workspace ws;
    net.prepare(parameters, 300).evaluate(tokens, batch, ws);
    for (Index t = 0; t < 300; ++t) {
        plan.step(std::span(tokens).subspan(static_cast<std::size_t>(t), 1), logits, state);
        ASSERT_TRUE(near_all(logits, batch.row(t), 1e-5)) << t;
    }
    // Six operations of each of three modes, two sums of them and two taps, for every vector of channels.
    EXPECT_EQ(plan.mixer_step_bound(), 2 * ((30 + Simd<float>::lanes - 1) / Simd<float>::lanes) * 22);
}

TEST(ModelStreamTest, AStateSpaceAloneIsItsRecurrence) {
    const StateSpaceTno<double> mixer({.channels = 3, .modes = 4, .taps = 7});
    auto parameters = mixer.make_parameters(1);
    parameters.direct = random_matrix<double>(7, 3, 4);
    const auto prepared = mixer.prepare(parameters, 500);
    const auto plan = stream(prepared, {.streams = 1});
    EXPECT_EQ(plan.modes(), 4);
    EXPECT_EQ(plan.taps(), 7);
    const Matrix<double> x = random_matrix<double>(500, 3, 2);
    const Matrix<double> expected = prepared.op() * x;
    EXPECT_TRUE(same_bits(streamed(plan, x, 0), expected));
}

TEST(ModelStreamTest, EveryRowNormHeadAndWeightIsTheBatch) {
    using Net = TokenModel<DoubleTno>;
    for (const Norm norm : {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer}) {
        for (const Head head : {Head::per_token, Head::mean_pool}) {
            auto options = token_options<Net>({.mlp = small_mlp()});
            options.block.norm.norm = norm;
            options.block.gtu.norm = norm;
            options.block.glu.final_activation = Activation::silu;
            options.head = head;
            options.input_scale = 1.5;
            options.final_norm = norm == Norm::scale ? FinalNorm::none : FinalNorm::add;
            options.output_weights = norm == Norm::layer ? OutputWeights::tied : OutputWeights::separate;
            expect_the_batch(Net(options), 70, 1e-10);
        }
    }
}

TEST(ModelStreamTest, FeaturesWithBatchNormInFloatAreTheBatch) {
    using Mixer = Tno<float, causal>;
    using Net = Model<Mixer, BatchNorm<float>, Linear<float>>;
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        Net::Options options{.input = {.inputs = 3}, .width = 10, .layers = 2};
        options.block.gtu.mixer = {.mlp = small_mlp(), .decay = {.lambda = 0.98}};
        options.outputs = 4;
        options.head = head;
        expect_the_batch(Net(options), 200, 1e-3);
    }
}

TEST(ModelStreamTest, AMixerAloneIsAKernel) {
    const DoubleTno mixer({.channels = 3, .mlp = small_mlp()});
    const auto parameters = mixer.make_parameters(1);
    const auto plan = stream(mixer.prepare(parameters, 200));
    EXPECT_EQ(plan.lags(), 200);
    const Matrix<double> lags = mixer.kernel_lags(parameters, 200).bottomRows(200);
    const Matrix<double> x = random_matrix<double>(500, 3, 2);
    EXPECT_TRUE(same_bits(streamed(plan, x, 0), streamed(stream(lags), x, 0)));
}

/// Draws tokens one after another by the logits that next(token) gives for what comes after it.
template <class Next>
std::vector<Token> written(Token last, Index count, std::uint64_t seed, Next&& next) {
    const CounterRandom random(seed);
    std::vector<Token> text;
    for (Index i = 0; i < count; ++i) {
        const Vector<double> logits = next(last);
        const Eigen::ArrayXd weights = (logits.array() - logits.maxCoeff()).exp();
        double left = random.uniform(static_cast<std::uint64_t>(i)) * weights.sum();
        last = 0;
        while (last + 1 < weights.size() && left >= weights(last)) left -= weights(last++);
        text.push_back(last);
    }
    return text;
}

TEST(ModelStreamTest, AllExactWaysWriteTheSameText) {
    using Net = TokenModel<DoubleTno>;
    const Net net(token_options<Net>({.mlp = small_mlp(), .decay = {.lambda = 0.98}}));
    auto parameters = shaken_parameters(net, 3);
    parameters.out.weight *= 4;  // some tokens are likelier than others
    constexpr Index n = 220;
    constexpr Index prompt = 60;
    constexpr Index count = n - prompt;
    const auto prepared = net.prepare(parameters, n);
    const std::vector<Token> start = random_tokens(prompt, 11, 5);

    // The window evaluated again for every token.
    std::vector<Token> window = start;
    window.pop_back();
    Workspace ws;
    const std::vector<Token> text = written(start.back(), count, 1, [&](Token last) {
        window.push_back(last);
        std::vector<Token> padded = window;
        padded.resize(static_cast<std::size_t>(n), 0);
        const auto length = static_cast<Index>(window.size());
        Matrix<double> logits(n, 11);
        prepared.evaluate(padded, logits, ws, std::vector<Index>{length});
        return Vector<double>(logits.row(length - 1).transpose());
    });
    EXPECT_GT(std::set<Token>(text.begin(), text.end()).size(), 4U);

    // A stream that has read the prompt at once, or token by token; and the third of four streams.
    const std::span<const Token> read = std::span(start).first(prompt - 1);
    const auto plan = stream(prepared);
    Matrix<double> logits(1, 11);
    for (const Index block : {prompt, Index{1}}) {
        auto state = plan.make_state();
        for (std::size_t t = 0; t < read.size(); t += static_cast<std::size_t>(block)) {
            plan.prefill(read.subspan(t, (std::min)(static_cast<std::size_t>(block), read.size() - t)),
                         state);
        }
        EXPECT_EQ(written(start.back(), count, 1,
                          [&](Token last) {
                              plan.step({&last, 1}, logits, state);
                              return Vector<double>(logits.row(0).transpose());
                          }),
                  text);
    }
    const auto four = stream(prepared, {.streams = 4});
    auto state = four.make_state();
    std::vector<Token> tokens = random_tokens(4 * (prompt - 1), 11, 6);
    for (std::size_t t = 0; t < read.size(); ++t) tokens[4 * t + 2] = read[t];
    four.prefill(tokens, state);
    Matrix<double> rows(4, 11);
    EXPECT_EQ(written(start.back(), count, 1,
                      [&](Token last) {
                          const std::vector<Token> next = {1, 2, last, 3};
                          four.step(next, rows, state);
                          return Vector<double>(rows.row(2).transpose());
                      }),
              text);
}

TEST(ModelStreamTest, CallsOfWholeBlocksAreThoseOfAnySteps) {
    using Net = TokenModel<DoubleTno>;
    const Net net(token_options<Net>({.mlp = small_mlp()}));
    const auto prepared = net.prepare(shaken_parameters(net, 3), 500);
    const auto plan = stream(prepared, {.streams = 2, .max_block = 256, .block = 128});
    const auto single = stream(prepared, {.streams = 2});
    const std::vector<Token> tokens = random_tokens(2 * 1024, 11, 1);
    auto state = plan.make_state();
    auto single_state = single.make_state();
    plan.prefill(std::span(tokens).first(2 * 384), state);
    single.prefill(std::span(tokens).first(2 * 384), single_state);
    for (std::size_t t = 384; t < 1024; t += 128) {
        const auto part = std::span(tokens).subspan(2 * t, 2 * 128);
        Matrix<double> logits(2 * 128, 11);
        Matrix<double> expected = logits;
        plan.process(part, logits, state);
        single.process(part, expected, single_state);
        EXPECT_TRUE(near_all(logits, expected, 1e-10)) << t;
    }
    Matrix<double> logits(2 * 100, 11);
    expect_error<shape_error>(1003,
                              "[toeplitz.shape.1003] ModelStream::process: expected inputs of 256 rows for 2 "
                              "streams and calls of at most 256 steps, in multiples of 128, got 200",
                              [&] { plan.process(std::span(tokens).first(200), logits, state); });
    expect_error<config_error>(
        1008, "[toeplitz.config.1008] ModelStream: expected max_block a multiple of block 100, got 512",
        [&] { stream(prepared, {.block = 100}); });
}

TEST(ModelStreamErrors, MistakesLeaveTheStateAsItIs) {
    using Net = TokenModel<DoubleTno>;
    const Net net(token_options<Net>({.mlp = small_mlp()}));
    const auto parameters = net.make_parameters(1);
    const auto plan = stream(net.prepare(parameters, 30), {.streams = 2, .max_block = 3});
    auto state = plan.make_state();
    plan.prefill(random_tokens(14, 11, 1), state);
    const auto before = state;
    Matrix<double> logits(6, 11);
    const std::vector<Token> bad = {3, 1, 4, 1, 11, 9, 1, 1};
    expect_error<value_error>(711,
                              "[toeplitz.value.711] Embedding::evaluate: expected tokens in 0..10, got 11 at "
                              "position 4",
                              [&] { plan.process(std::span(bad).first(6), logits, state); });
    expect_error<value_error>(
        711,
        "[toeplitz.value.711] ModelStream::prefill: expected tokens in 0..10, got 11 at "
        "position 4",
        [&] { plan.prefill(bad, state); });
    expect_error<shape_error>(1003,
                              "[toeplitz.shape.1003] ModelStream::process: expected inputs of 6 rows for 2 "
                              "streams and calls of at most 3 steps, got 8",
                              [&] { plan.process(bad, logits, state); });
    expect_error<shape_error>(1003,
                              "[toeplitz.shape.1003] ModelStream::step: expected inputs of 2 rows for 2 "
                              "streams and calls of at most 3 steps, got 4",
                              [&] { plan.step(std::span(bad).first(4), logits, state); });
    expect_error<shape_error>(1003,
                              "[toeplitz.shape.1003] ModelStream::process: expected outputs of 4 rows for 2 "
                              "streams and calls of at most 3 steps, got 6",
                              [&] { plan.process(std::span(bad).first(4), logits, state); });
    std::vector<std::byte> bytes(plan.saved_bytes(state));
    plan.save(state, bytes);
    expect_error<shape_error>(1005, "[toeplitz.shape.1005] ModelStream::restore: expected 8 bytes, got 7",
                              [&] { plan.restore(std::span(bytes).first(7), state); });
    std::vector<std::byte> other = bytes;
    other[0] = std::byte{6};
    expect_error<shape_error>(1005,
                              "[toeplitz.shape.1005] KernelStream::restore: expected 3384 bytes, got 2904",
                              [&] { plan.restore(other, state); });
    other = bytes;
    other[7] = std::byte{0x80};
    expect_error<value_error>(
        1006, "[toeplitz.value.1006] ModelStream::restore: expected a saved state, got other bytes",
        [&] { plan.restore(other, state); });
    const auto wide = stream(net.prepare(parameters, 30), {.streams = 3});
    auto other_state = wide.make_state();
    expect_error<value_error>(1007,
                              "[toeplitz.value.1007] KernelStream::restore: expected a state of the same "
                              "kernel, streams and options, got one of another plan",
                              [&] { wide.restore(bytes, other_state); });
    const auto twin = stream(net.prepare(net.make_parameters(2), 30), {.streams = 2, .max_block = 3});
    expect_error<shape_error>(
        1002,
        "[toeplitz.shape.1002] ModelStream::process: expected a state of this plan, got "
        "one of another plan",
        [&] { twin.process(std::span(bad).first(2), logits, state); });
    EXPECT_TRUE(state == before);
}

TEST(ModelStreamErrors, MixersThatAreKnownLaterMustBeCausal) {
    using Mixer = AnyOf<DoubleTno, Tno<double, Causality::bidirectional>>;
    using Net = TokenModel<Mixer>;
    const Net net(
        token_options<Net>(Mixer::options<Tno<double, Causality::bidirectional>>({.mlp = small_mlp()})));
    expect_error<config_error>(
        761, "[toeplitz.config.761] AnyOf: expected a causal mixer whose operator has kernel_lags, got tno",
        [&] { stream(net.prepare(net.make_parameters(1), 30)); });
}

}  // namespace
}  // namespace toeplitz::test
