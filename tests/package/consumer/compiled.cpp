// SPDX-License-Identifier: MIT
// Trains a layer of each mixer that toeplitz::compiled holds, in a file that compiles none of them.
#include <cstdio>

#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;

template <class Mixer>
bool learns_to_wait(const typename Mixer::Options& mixer = {}) {
    using Net = Model<Mixer>;
    const Net net({.input = {.vocabulary = 4}, .width = 16, .layers = 1, .block = {.gtu = {.mixer = mixer}}});
    auto parameters = net.make_parameters(/*seed=*/1);
    std::vector<Token> tokens(64);
    std::vector<Token> answers(64, -100);
    for (std::size_t i = 0; i < 64; ++i) tokens[i] = static_cast<Token>(i * i % 7 % 4);
    for (std::size_t i = 2; i < 64; ++i) answers[i] = tokens[i - 2];
    Matrix<float> logits(64, 4);
    typename Net::Cache cache;
    Workspace ws;
    Trainer<typename Net::Parameters> trainer(parameters, {.schedule = {.peak = 1e-2}});
    double first = 0;
    const StepReport last = trainer.run(
        parameters, 30,
        [&](const auto& p, const Part&, auto& gradients) {
            net.forward(p, tokens, {64}, logits, cache, ws);
            const CrossEntropyLoss loss = cross_entropy(logits, answers, logits, ws);
            net.backward(p, tokens, cache, logits, gradients, ws);
            return loss;
        },
        [&](const StepReport& report) {
            if (report.step == 1) first = report.loss;
        });
    std::printf("loss %.3f, then %.3f\n", first, last.loss);
    return last.loss < 0.5 * first;
}

int main() {
    const bool learned[] = {learns_to_wait<Tno<float, Causality::causal>>(),
                            learns_to_wait<SkiTno<float, Causality::causal>>({.length = 64}),
                            learns_to_wait<FdTno<float, Causality::causal>>()};
    return learned[0] && learned[1] && learned[2] ? 0 : 1;
}
