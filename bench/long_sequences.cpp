// SPDX-License-Identifier: MIT
// Peak memory and time of a training step on one long sequence; a process each, as memory is what it once
// was.
//
//   for n in 4096 8192 16384 32768 65536 131072; do toeplitz_long_sequences $n; done
//   toeplitz_long_sequences <n> [layers, 1] [keep or recompute] [exact or bf16]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>

namespace {

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;

/// MB that this process has had at most.
double peak_memory() {
    std::ifstream status("/proc/self/status");
    std::string word;
    double kilobytes = 0;
    while (status >> word) {
        if (word == "VmHWM:") status >> kilobytes;
    }
    return kilobytes / 1024;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: toeplitz_long_sequences <n> [layers] [keep|recompute] [exact|bf16]\n");
        return 2;
    }
    const Index n = std::atol(argv[1]);
    const Index layers = argc > 2 ? std::atol(argv[2]) : 1;
    const bool recompute = argc > 3 && std::string(argv[3]) == "recompute";
    const bool bf16 = argc > 4 && std::string(argv[4]) == "bf16";
    const Net net({.input = {.inputs = 1},
                   .width = 64,
                   .layers = layers,
                   .outputs = 1,
                   .activations = recompute ? Activations::recompute : Activations::keep,
                   .precision = bf16 ? Precision::bf16 : Precision::exact});
    const Net::Parameters parameters = net.make_parameters(1);
    Net::Parameters gradients = zeros_like(parameters);
    Matrix<float> x = Matrix<float>::Random(n, 1), y(n, 1);
    Net::Cache cache;
    Workspace ws;
    double seconds = 1e30;
    for (int i = 0; i < 3; ++i) {
        const auto start = std::chrono::steady_clock::now();
        net.forward(parameters, x, n, y, cache, ws);
        squared_error(y, x, y, ws);
        net.backward(parameters, x, cache, y, gradients, ws);
        seconds = std::min(seconds,
                           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    double sum = 0;
    detail::for_each_tensor(
        [&](const ParameterName&, const detail::TensorRef* g) {
            for (Index i = 0; i < g->rows(); ++i) sum += g->at(i, 0);
        },
        gradients);
    std::printf("n %td layers %td %s %s: %.0f MB, %.3f s, gradients %.17g\n", n, layers,
                recompute ? "recomputed" : "kept", bf16 ? "bf16" : "exact", peak_memory(), seconds, sum);
}
