// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>
#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>>;  // causal: an output sees no later input

int main() {
    const std::string text = "A rose is a rose is a rose is a rose.";
    const std::vector<Token> letters(text.begin(), text.end() - 1), next(text.begin() + 1, text.end());
    const Index n = static_cast<Index>(letters.size());
    const Net net({.input = {.vocabulary = 128}, .width = 32, .layers = 1});
    Net::Parameters parameters = net.make_parameters(/*seed=*/1);

    Matrix<float> scores(n, 128);  // a row per step, a column per letter that may come next
    Net::Cache cache;
    Workspace ws;
    Trainer<Net::Parameters> trainer(parameters, {.schedule = {.peak = 1e-2, .warmup = 10}});
    trainer.run(parameters, /*steps=*/150, [&](const auto& p, const Part&, auto& gradients) {
        net.forward(p, letters, n, scores, cache, ws);
        const CrossEntropyLoss loss = cross_entropy(scores, next, scores, ws);  // scores: now its gradient
        net.backward(p, letters, cache, scores, gradients, ws);
        return loss;
    });

    net.prepare(parameters, n).evaluate(letters, scores, ws);
    for (Index i = 0, best = 0; i < n; ++i) {
        scores.row(i).maxCoeff(&best);
        std::putchar(static_cast<int>(best));
    }
    std::putchar('\n');
}
