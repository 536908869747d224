// SPDX-License-Identifier: MIT
// Layers and models give the same bits for any number of threads, and threads share them.

#include <thread>

#include <gtest/gtest.h>

#include <support/nn.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/core/parallel.hpp>

namespace toeplitz::test {
namespace {

template <class Module>
void expect_same_bits(const Module& module, Index length, Index batch, Index channels) {
    using Scalar = typename Module::Scalar;
    const auto parameters = start(module, 1);
    const Matrix<Scalar> x = random_matrix<Scalar>(batch * length, channels, 1);
    const Matrix<Scalar> g = random_matrix<Scalar>(batch * length, channels, 2);
    std::vector<Index> lengths(static_cast<std::size_t>(batch), length);
    lengths.back() = length / 2;
    const Sequences sequences{length, lengths};
    const auto train = [&] { return step(module, parameters, x, sequences, g, 3); };
    Step<Module> serial;
    Matrix<Scalar> inference;
    with_threads(1, [&] {
        serial = train();
        inference = evaluate(module, parameters, x, sequences);
    });
    for (const int threads : {2, 7}) {
        with_threads(threads, [&] {
            const auto parallel = train();
            EXPECT_TRUE(same_bits(parallel.y, serial.y)) << threads << " threads";
            EXPECT_TRUE(same_bits(parallel.dx, serial.dx)) << threads << " threads";
            EXPECT_TRUE(equal(parallel.gradients, serial.gradients)) << threads << " threads";
            EXPECT_TRUE(same_bits(evaluate(module, parameters, x, sequences), inference));
        });
    }
}

TEST(ModuleConcurrency, ResultsDoNotDependOnTheNumberOfThreads) {
    // Rows and channels enough for every loop to be split, and for blocks of a product to be.
    for (const Norm norm : {Norm::rms, Norm::layer}) {
        PlainBlock<double>::Options options{.width = 70};
        options.gtu.norm = norm;
        options.gtu.mixer.length = 4;
        options.norm.norm = norm;
        options.placement = norm == Norm::rms ? NormPlacement::pre : NormPlacement::post;
        options.dropout = 0.2;
        options.glu.final_activation = Activation::silu;
        options.glu.inner_width = 140;
        expect_same_bits(PlainBlock<double>(options), 4, 150, 70);
    }
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        PlainBlock<float>::Options options{.width = 70};
        options.gtu.norm = Norm::rms;
        options.gtu.mixer.length = 4;
        options.placement = placement;
        options.dropout = 0.2;
        options.glu.final_activation = Activation::silu;
        options.glu.inner_width = 140;
        options.precision = Precision::bf16;
        expect_same_bits(PlainBlock<float>(options), 4, 150, 70);
    }
    PlainBatchBlock::Options options{.width = 30};
    options.gtu.mixer.length = 4;
    expect_same_bits(PlainBatchBlock(options), 4, 150, 30);
    expect_same_bits(RowNorm<double>({.channels = 90, .norm = Norm::layer}), 700, 2, 90);
}

TEST(ModuleConcurrency, ResultsOfMixersDoNotDependOnTheNumberOfThreads) {
    constexpr auto causal = Causality::causal;
    constexpr auto both = Causality::bidirectional;
    const PositionMlpOptions mlp{.width = 20, .layers = 1};
    const TnoOptions tno{
        .channels = 50, .mlp = mlp, .decay = {.mode = DecayMode::learned}, .activation = Activation::silu};
    expect_same_bits(DoubleTno<causal>(tno), 300, 2, 50);
    expect_same_bits(DoubleTno<both>(tno), 300, 2, 50);
    expect_same_bits(DoubleFdTno<causal>({.channels = 50, .mlp = mlp}), 300, 2, 50);
    expect_same_bits(DoubleFdTno<both>({.channels = 50, .mlp = mlp, .heads = 2}), 300, 2, 50);
    expect_same_bits(DoubleSkiTno<causal>({.channels = 50, .length = 300, .rank = 60, .taps = 9}), 300, 2,
                     50);
    expect_same_bits(DoubleSkiTno<both>({.channels = 50, .length = 300, .rank = 60, .taps = 9}), 300, 2, 50);
}

template <class S>
struct Trained {
    Matrix<S> logits;
    typename PlainModel<S>::Parameters gradients;
};

class ModelConcurrency : public testing::Test {
protected:
    using Net = PlainModel<double>;

    template <class S = double>
    static typename PlainModel<S>::Options options_of(Head head, OutputWeights weights) {
        typename PlainModel<S>::Options options{.input = {.vocabulary = 300}, .width = 20, .layers = 2};
        options.block.gtu.mixer.length = 4;
        options.block.norm.norm = Norm::rms;
        options.head = head;
        options.output_weights = weights;
        options.dropout = 0.2;
        return options;
    }

    template <class S>
    Trained<S> train(const PlainModel<S>& net, const typename PlainModel<S>::Parameters& parameters) const {
        const Index rows = net.output_rows(count, length);
        const Matrix<S> g = random_matrix<S>(rows, net.outputs(), 2);
        Trained<S> result{g, zeros_like(parameters)};
        typename PlainModel<S>::Cache cache;
        Workspace ws;
        using Run = ModelCalls<PlainModel<S>>;
        Run::forward(net, parameters, tokens(), {length}, result.logits, cache, ws, 5);
        Run::backward(net, parameters, tokens(), cache, g, result.gradients, ws);
        return result;
    }
    template <class S>
    void expect_same_bits(const typename PlainModel<S>::Options& options) const {
        const PlainModel<S> net(options);
        const auto parameters = ModelCalls<PlainModel<S>>::make_parameters(net, 1);
        Trained<S> serial;
        with_threads(1, [&] { serial = train<S>(net, parameters); });
        for (const int threads : {2, 7}) {
            with_threads(threads, [&] {
                const Trained<S> parallel = train<S>(net, parameters);
                EXPECT_TRUE(same_bits(parallel.logits, serial.logits)) << threads << " threads";
                EXPECT_TRUE(equal(parallel.gradients, serial.gradients)) << threads << " threads";
            });
        }
    }
    std::vector<Token> tokens() const {
        std::vector<Token> values;
        for (Index i = 0; i < count; ++i) values.push_back(static_cast<Token>(i * i % 300));
        return values;
    }

    static constexpr Index length = 4;
    static constexpr Index count = 800;
};

TEST_F(ModelConcurrency, ResultsDoNotDependOnTheNumberOfThreads) {
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            expect_same_bits<double>(options_of(head, weights));
            auto options = options_of<float>(head, weights);
            options.precision = Precision::bf16;
            options.activations = head == Head::per_token ? Activations::recompute : Activations::keep;
            expect_same_bits<float>(options);
        }
    }
}

TEST_F(ModelConcurrency, ThreadsTrainOneModelAtTheSameTime) {
    const Net net(options_of(Head::per_token, OutputWeights::tied));
    const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
    const Trained<double> serial = train<double>(net, parameters);
    bool same[2] = {false, false};
    const auto use = [&](int thread) {
        const Trained<double> own = train<double>(net, parameters);
        same[thread] = own.logits == serial.logits && equal(own.gradients, serial.gradients);
    };
    std::thread other(use, 1);
    use(0);
    other.join();
    EXPECT_TRUE(same[0] && same[1]);
}

}  // namespace
}  // namespace toeplitz::test
