// SPDX-License-Identifier: MIT

/// \file
/// Streams in functions that must not block. Under the real-time sanitizer of clang++, a call there that
/// allocates, locks or waits ends the program. With an argument one allocates.

#include <cstdio>
#include <vector>

#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace {

using namespace toeplitz;

template <class F>
void in_real_time(F&& f) noexcept [[clang::nonblocking]] {
    f();
}

/// All calls of a stream of S × d inputs a step, of `block` steps and more.
template <class Plan>
void run(const Plan& plan, Index block) {
    const Index steps = 6 * plan.streams() * block;
    const Matrix<float> x = Matrix<float>::Random(steps, plan.channels());
    const Eigen::MatrixXf planar = x;
    Matrix<float> y = x;
    auto state = plan.make_state();
    auto fork = plan.make_state();
    in_real_time([&] {
        for (Index t = 0; t < steps; t += plan.streams() * block) {
            plan.process(MatrixView<const float>(x).middle_rows(t, plan.streams() * block),
                         MatrixView<float>(y).middle_rows(t, plan.streams() * block), state);
        }
        plan.process(planar, y, state);
        plan.prefill(x, state);
        fork = state;
        plan.reset(state);
    });
}

template <class Mixer>
void run_model(const typename Mixer::Options& mixer) {
    typename Model<Mixer>::Options options{.input = {.vocabulary = 11}, .width = 20, .layers = 2};
    options.block.gtu.mixer = mixer;
    const Model<Mixer> net(options);
    const auto plan = stream(net.prepare(net.make_parameters(1), 300), {.streams = 2, .max_block = 64});
    const std::vector<Token> tokens(128, 7);
    Matrix<float> logits(128, 11);
    auto state = plan.make_state();
    in_real_time([&] {
        plan.process(tokens, logits, state);
        for (int t = 0; t < 300; ++t) {
            plan.step(std::span(tokens).first(2), MatrixView<float>(logits).middle_rows(0, 2), state);
        }
        plan.prefill(tokens, state);
    });
}

}  // namespace

int main(int argc, char**) {
    for (const Index channels : {1, 3, 20}) {
        for (const Index lags : {40, 1600}) {
            const Matrix<float> kernel = Matrix<float>::Random(lags, channels);
            run(KernelStream<float>(kernel), 1);
            run(KernelStream<float>(kernel, {.streams = 2}), 100);
            run(KernelStream<float>(kernel, {.block = 128}), 128);
        }
        const StateSpaceTno<float> mixer({.channels = channels, .modes = 5, .taps = 3});
        const auto plan = stream(mixer.prepare(mixer.make_parameters(1), 100), {.streams = 2});
        run(plan, 1);
        run(plan, 100);
    }
    run_model<Tno<float, Causality::causal>>({.mlp = {.width = 8, .layers = 1}});
    run_model<StateSpaceTno<float>>({.modes = 3, .taps = 4});
    if (argc > 1) {
        in_real_time([] { std::printf("%zu numbers\n", std::vector<float>(1000).size()); });
    }
    std::puts("No call blocked.");
}
