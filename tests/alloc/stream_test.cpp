// SPDX-License-Identifier: MIT
// Steps of a stream allocate nothing, whatever their cut, and neither do forks into states that are there.

#include <support/allocations.hpp>
#include <support/stream.hpp>

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::test {
namespace {

class StreamAllocations : public Allocations {
protected:
    /// state = from, where one allocation after another fails.
    template <class State>
    static void expect_all_or_nothing(State state, const State& from) {
        const State before = state;
        bool is_assigned = false;
        const auto assign = [&] {
            state = from;
            is_assigned = true;
        };
        EXPECT_GT(fail_each(assign, [&] { EXPECT_TRUE(state == (is_assigned ? from : before)); }), 0);
    }
};

using Exact = Tno<float, Causality::causal>;
using Net = Model<AnyOf<Exact, StateSpaceTno<float>>>;

/// Of a layer of each kind of state.
Net two_mixers(Head head) {
    Net::Options options{.input = {.vocabulary = 11}, .width = 60, .layers = 2};
    options.block.gtu.norm = Norm::rms;
    options.blocks.assign(2, options.block);
    options.blocks[0].gtu.mixer = Net::Mixer::options<Exact>({.mlp = {.width = 8, .layers = 1}});
    options.blocks[1].gtu.mixer = Net::Mixer::options<StateSpaceTno<float>>({.modes = 3, .taps = 4});
    options.head = head;
    return Net(options);
}

TEST_F(StreamAllocations, NoneInStepsOfKernels) {
    for (const Index n : {30, 300, 2000}) {
        for (const auto& [d, streams] : {std::pair<Index, Index>{20, 2}, {1, 1}, {3, 1}}) {
            const KernelStream<float> plan(random_matrix<float>(n, d, 1), {.streams = streams});
            const Matrix<float> x = random_matrix<float>(streams * 5000, d, 2);
            const ColumnMatrix<float> planar = x;
            Matrix<float> y = x;
            ColumnMatrix<float> planar_y = planar;
            auto state = plan.make_state();
            auto other = plan.make_state();
            std::vector<std::byte> saved(plan.saved_bytes(Index{5000}));
            const MatrixView<const float> inputs = x;
            const MatrixView<float> outputs = y;
            const Index rows = streams;
            EXPECT_EQ(count([&] {
                          for (Index t = 0; t < 300; ++t) {
                              plan.step(inputs.middle_rows(rows * t, rows),
                                        outputs.middle_rows(rows * t, rows), state);
                          }
                          plan.process(x, y, state);
                          plan.process(planar, planar_y, state);
                          plan.prefill(x, state);
                          other = state;
                          plan.save(state, saved);
                          plan.reset(state);
                          plan.restore(std::span(saved).first(plan.saved_bytes(other)), state);
                      }),
                      0);
            EXPECT_TRUE(other == state);
        }
    }
}

TEST_F(StreamAllocations, NoneInWholeBlocks) {
    for (const Index d : {1, 20}) {
        const KernelStream<float> plan(random_matrix<float>(1600, d, 1), {.block = 128});
        const Matrix<float> x = random_matrix<float>(12 * 128, d, 2);
        Matrix<float> y = x;
        auto state = plan.make_state();
        EXPECT_EQ(count([&] {
                      plan.process(x, y, state);
                      plan.prefill(x, state);
                      plan.reset(state);
                  }),
                  0);
    }
}

TEST_F(StreamAllocations, NoneInStepsOfModels) {
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        const Net net = two_mixers(head);
        const auto plan = stream(net.prepare(net.make_parameters(1), 200), {.streams = 3, .max_block = 50});
        const std::vector<Token> tokens(3 * 500, 7);
        const std::span<const Token> inputs = tokens;
        Matrix<float> logits(150, 11);
        const MatrixView<float> rows = logits;
        auto state = plan.make_state();
        auto fork = plan.make_state();
        EXPECT_EQ(count([&] {
                      for (int t = 0; t < 40; ++t) {
                          plan.step(inputs.first(3), rows.middle_rows(0, 3), state);
                      }
                      plan.process(inputs.first(150), head == Head::per_token ? rows : rows.middle_rows(0, 3),
                                   state);
                      plan.prefill(inputs, state);
                      fork = state;
                      plan.reset(state);
                  }),
                  0);
        EXPECT_EQ(fork.time(), 590);
    }
}

TEST_F(StreamAllocations, OneThatFailsLeavesTheStateOfAnotherPlanAsItWas) {
    const Net net = two_mixers(Head::mean_pool);
    const auto parameters = net.make_parameters(1);
    const std::vector<Token> tokens(30, 7);
    const auto heard = [&](const auto& plan, std::size_t count) {
        auto state = plan.make_state();
        plan.prefill(std::span(tokens).first(count), state);
        return state;
    };
    const auto state = heard(stream(net.prepare(parameters, 200)), 20);
    expect_all_or_nothing(state, heard(stream(net.prepare(parameters, 900)), 10));
    expect_all_or_nothing(state, heard(stream(net.prepare(parameters, 200), {.streams = 3}), 30));
    expect_all_or_nothing(state, heard(stream(two_mixers(Head::per_token).prepare(parameters, 200)), 3));

    const auto kernel_state = [](Index lags) {
        return KernelStream<float>(random_matrix<float>(lags, 3, 1)).make_state();
    };
    expect_all_or_nothing(kernel_state(30), kernel_state(900));
    const auto modes_state = [&](Index streams) {
        const auto mixer = StateSpaceTno<float>({.channels = 3});
        return stream(mixer.prepare(mixer.make_parameters(1), 30), {.streams = streams}).make_state();
    };
    expect_all_or_nothing(modes_state(1), modes_state(5));

    // As in the states of AnyModel.
    std::variant<KernelStream<float>::State, decltype(stream(net.prepare(parameters, 1)).make_state())>
        either = kernel_state(30);
    const auto one = either;
    either = state;
    expect_all_or_nothing(one, either);
}

}  // namespace
}  // namespace toeplitz::test
