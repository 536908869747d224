// SPDX-License-Identifier: MIT
// Learns to say the next value of a series, then goes on with it by itself, one step at a time.
#include <cmath>
#include <cstdio>

#include <toeplitz/stream/model_stream.hpp>
#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;

float series(Index t) {
    const double x = static_cast<double>(t);
    return static_cast<float>(std::sin(0.3 * x) + 0.5 * std::sin(0.11 * x + 1));
}

int main() {
    const Index n = 64, batch = 8, past = 200, future = 30;
    const Net net({.input = {.inputs = 1}, .width = 16, .layers = 1, .outputs = 1});
    Net::Parameters parameters = net.make_parameters(/*seed=*/1);

    // Pieces of the past, and what came one step later.
    Matrix<float> x(batch * n, 1), next(batch * n, 1), y(batch * n, 1);
    Net::Cache cache;
    Workspace ws;
    Trainer<Net::Parameters> trainer(
        parameters, {.schedule = {.course = Course::cosine, .peak = 1e-2, .warmup = 10, .total = 400}});
    trainer.run(parameters, /*steps=*/400,
                [&](const Net::Parameters& p, const Part& part, Net::Parameters& gradients) {
                    const CounterRandom random(part.seed);
                    for (Index b = 0; b < batch; ++b) {
                        const Index start =
                            static_cast<Index>(random.bits(static_cast<std::uint64_t>(b)) % (past - n));
                        for (Index t = 0; t < n; ++t) {
                            x(b * n + t, 0) = series(start + t);
                            next(b * n + t, 0) = series(start + t + 1);
                        }
                    }
                    net.forward(p, x, n, y, cache, ws);
                    const auto loss = squared_error(y, next, y, ws);  // y: now the gradient
                    net.backward(p, x, cache, y, gradients, ws);
                    return loss;
                });

    // The stream reads the last values that are known, then its own answers.
    const auto plan = stream(net.prepare(parameters, n));
    auto state = plan.make_state();
    Matrix<float> value(1, 1), answer(1, 1);
    double error = 0;
    for (Index t = past - n; t < past + future; ++t) {
        value(0, 0) = t <= past ? series(t) : answer(0, 0);
        plan.step(value, answer, state);
        if (t < past) continue;
        error += std::abs(static_cast<double>(answer(0, 0) - series(t + 1))) / future;
        if (t % 5 == 0) std::printf("t = %td: %5.2f, in truth %5.2f\n", t + 1, answer(0, 0), series(t + 1));
    }
    std::printf("off by %.1f on average\n", error);
}
