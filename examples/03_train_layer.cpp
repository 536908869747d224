// SPDX-License-Identifier: MIT
// Trains a small TNN to say which token it read seven steps ago.
#include <cstdio>

#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/trainer.hpp>

int main() {
    using namespace toeplitz;
    using Net = Model<Tno<float, Causality::causal>>;
    const Index n = 64, batch = 8, shift = 7, vocabulary = 10, steps = 150;
    const Net net({.input = {.vocabulary = vocabulary}, .width = 32, .layers = 1});
    Net::Parameters parameters = net.make_parameters(/*seed=*/1);

    // Random tokens, and what to answer; there is no answer to the first seven of a sequence.
    std::vector<Token> tokens(batch * n), answers(batch * n);
    const auto draw = [&](std::uint64_t seed) {
        const CounterRandom random(seed);
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            tokens[i] = static_cast<Token>(random.bits(i) % vocabulary);
            answers[i] = static_cast<Index>(i) % n < shift ? -100 : tokens[i - shift];
        }
    };

    // A step's loss, and the gradients of it; dlogits may overwrite the logits.
    Matrix<float> logits(batch * n, vocabulary);
    Net::Cache cache;
    Workspace ws;
    const auto objective = [&](const Net::Parameters& p, const Part& part, Net::Parameters& gradients) {
        draw(part.seed);
        net.forward(p, tokens, {n}, logits, cache, ws);
        const CrossEntropyLoss loss = cross_entropy(logits, answers, logits, ws);
        net.backward(p, tokens, cache, logits, gradients, ws);
        return loss;
    };
    Trainer<Net::Parameters> trainer(parameters, {.schedule = {.peak = 5e-3, .warmup = 10}, .clip_norm = 1});
    trainer.run(parameters, steps, objective, every(25, [](const StepReport& report) {
                    std::printf("step %3td  loss %.2f\n", report.step, report.loss);
                }));

    draw(/*seed=*/2024);  // never seen in training
    net.prepare(parameters, n).evaluate(tokens, logits, ws);
    std::printf("right on new sequences: %.0f %%\n", 100 * cross_entropy(logits, answers, ws).accuracy());
}
