// SPDX-License-Identifier: MIT
// One training run on as many processes as mpirun starts. Its results have the same bits for any number.
#include <cstdio>
#include <vector>

#include <toeplitz/adapt/mpi.hpp>
#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/batches.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;

constexpr Index n = 64;

/// Noise, and what is wanted at each step: the mean of the last eight values.
void make_sample(Index number, MatrixView<float> x, MatrixView<float> wanted) {
    const CounterRandom random(static_cast<std::uint64_t>(number));
    float sum = 0;
    for (Index t = 0; t < n; ++t) {
        x(t, 0) = static_cast<float>(random.normal(static_cast<std::uint64_t>(t)));
        sum += x(t, 0) - (t < 8 ? 0 : x(t - 8, 0));
        wanted(t, 0) = sum / 8;
    }
}

/// What is a shard's own: shards are computed at the same time.
struct Shard {
    Matrix<float> x, wanted, y;
    Net::Cache cache;
    Workspace ws;
};

void run(Communicator& processes) {
    const Index shards = 4, tests = 50;
    const Net net({.input = {.inputs = 1}, .width = 16, .layers = 1, .outputs = 1});
    Net::Parameters parameters = net.make_parameters(/*seed=*/1);  // the same in all processes
    std::vector<Shard> data(shards);
    const Batches batches(/*samples=*/1000, /*batch=*/16, /*seed=*/1);
    Trainer<Net::Parameters> trainer(
        parameters,
        {.schedule = {.course = Course::cosine, .peak = 1e-2, .warmup = 10, .total = 200}, .shards = shards},
        processes);
    trainer.run(parameters, /*steps=*/200,
                [&](const Net::Parameters& p, const Part& part, Net::Parameters& gradients) {
                    Shard& s = data[static_cast<std::size_t>(part.shard)];
                    const Index count = batches.count(part);
                    for (Matrix<float>* matrix : {&s.x, &s.wanted, &s.y}) matrix->resize(count * n, 1);
                    for (Index j = 0; j < count; ++j) {
                        make_sample(batches.sample(part, j), s.x.middleRows(j * n, n),
                                    s.wanted.middleRows(j * n, n));
                    }
                    net.forward(p, s.x, n, s.y, s.cache, s.ws);
                    const auto loss = squared_error(s.y, s.wanted, s.y, s.ws);  // y: now the gradient
                    net.backward(p, s.x, s.cache, s.y, gradients, s.ws, part.finished);
                    return loss;
                });

    // Every process tests its share, and then all have all results.
    const auto prepared = net.prepare(parameters, n);
    std::vector<double> errors(tests);
    Shard s{Matrix<float>(n, 1), Matrix<float>(n, 1), Matrix<float>(n, 1), {}, {}};
    const IndexRange own = processes.share(tests);
    for (Index i = own.first; i < own.last; ++i) {
        make_sample(1000 + i, s.x, s.wanted);
        prepared.evaluate(s.x, s.y, s.ws);
        errors[static_cast<std::size_t>(i)] = static_cast<double>((s.y - s.wanted).squaredNorm()) / n;
    }
    processes.all_gather(std::span(errors));
    double sum = 0;
    for (const double error : errors) sum += error;
    if (processes.is_first()) std::printf("squared error %.3f; of always zero 0.125\n", sum / tests);
}

int main() {
    const MpiSession session;
    MpiCommunicator processes;
    try {
        run(processes);
        processes.finish();
    } catch (const std::exception& error) {
        processes.abort(error.what(), [](const char* text) { std::fprintf(stderr, "error: %s\n", text); });
    }
}
