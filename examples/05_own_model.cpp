// SPDX-License-Identifier: MIT
// Learns to tell slow waves from fast ones, in noisy recordings of different lengths, and saves the model.
#include <cmath>
#include <cstdio>
#include <vector>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/batches.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;

// A model of features: one number per time step comes in. Its outputs are one row per sequence.
using Net = Model<Tno<float, Causality::bidirectional>, RowNorm<float>, Linear<float>>;

constexpr Index n = 64;  // time steps of the longest sequence

/// Sequences one below the other, each filled up to n rows: sequence i has the rows i·n to i·n + n − 1.
struct Recordings {
    Matrix<float> values;
    std::vector<Index> lengths;  // rows that count, of each sequence
    std::vector<Token> answers;  // 0: slow, 1: fast

    explicit Recordings(Index count) : values(Matrix<float>::Zero(count * n, 1)) {}

    void add(Index place, const Recordings& from, Index i) {
        values.middleRows(place * n, n) = from.values.middleRows(i * n, n);
        lengths.push_back(from.lengths[static_cast<std::size_t>(i)]);
        answers.push_back(from.answers[static_cast<std::size_t>(i)]);
    }
};

Recordings record(Index count, std::uint64_t seed) {
    Recordings made(count);
    const CounterRandom random(seed);
    std::uint64_t drawn = 0;
    for (Index i = 0; i < count; ++i) {
        const Token answer = static_cast<Token>(i % 2);
        const double pitch =
            answer == 0 ? random.uniform(drawn++, 0.1, 0.3) : random.uniform(drawn++, 0.4, 0.8);
        const Index length = static_cast<Index>(random.uniform(drawn++, 32, n));
        for (Index t = 0; t < length; ++t) {
            const double noise = 0.5 * random.normal(drawn++);
            made.values(i * n + t, 0) = static_cast<float>(std::sin(pitch * static_cast<double>(t)) + noise);
        }
        made.lengths.push_back(length);
        made.answers.push_back(answer);
    }
    return made;
}

/// The share of right answers.
double accuracy(const Net& net, const Net::Parameters& parameters, const Recordings& data) {
    Matrix<float> scores(static_cast<Index>(data.answers.size()), 2);
    Workspace ws;
    net.prepare(parameters, n).evaluate(data.values, scores, ws, data.lengths);
    return cross_entropy(scores, data.answers, ws).accuracy();
}

int main() {
    const Recordings training = record(256, /*seed=*/1), validation = record(100, /*seed=*/2);
    const Net net({.input = {.inputs = 1}, .width = 16, .layers = 1, .head = Head::mean_pool, .outputs = 2});
    Net::Parameters parameters = net.make_parameters(/*seed=*/3);

    const Index batch = 16;
    const Batches batches(256, batch, /*seed=*/4);
    Matrix<float> scores(batch, 2);
    Net::Cache cache;
    Workspace ws;
    Trainer<Net::Parameters> trainer(parameters, {.schedule = {.peak = 1e-2, .warmup = 10}, .clip_norm = 1});
    trainer.run(
        parameters, /*steps=*/120,
        [&](const Net::Parameters& p, const Part& part, Net::Parameters& gradients) {
            Recordings chosen(batch);
            for (Index j = 0; j < batch; ++j) chosen.add(j, training, batches.sample(part, j));
            net.forward(p, chosen.values, {n, chosen.lengths}, scores, cache, ws);
            const CrossEntropyLoss loss = cross_entropy(scores, chosen.answers, scores, ws);
            net.backward(p, chosen.values, cache, scores, gradients, ws);
            return loss;
        },
        every(40, [&](const StepReport& report, const Net::Parameters& p) {
            std::printf("step %3td: loss %.2f, right on others: %.0f %%\n", report.step, report.loss,
                        100 * accuracy(net, p, validation));
        }));

    const Matrix<float> probe = training.values.topRows(n);  // goes into the file, with the outputs for it
    save_model("waves.safetensors", net, parameters, probe, n, {{"about", "slow and fast waves"}});
}
