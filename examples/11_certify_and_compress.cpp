// SPDX-License-Identifier: MIT
// Makes products cheaper within a tolerance that is proven: of a kernel, and of whole models.
#include <cmath>
#include <cstdio>
#include <vector>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/nn/compress.hpp>
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/output_error.hpp>
#include <toeplitz/toeplitz.hpp>

using namespace toeplitz;

/// A smooth kernel with a peak.
void certify_a_kernel() {
    const Index n = 4096;
    Matrix<float> lags(2 * n - 1, 1);
    for (Index t = 1 - n; t < n; ++t) {
        const double x = static_cast<double>(t);
        lags(t + n - 1, 0) = static_cast<float>(1 / (1 + x * x / 1e5) + 20 * std::exp(-std::abs(x)));
    }
    const Approximation<float> choice = choose(lags, {.tolerance = 0.01, .kind = ToleranceKind::relative});
    const AnyOperator<float> op = choice.make_operator(n);
    const Fft<float> exact({.length = n, .channels = 1}, lags);
    const double error = norm_estimate(Difference(exact, op))(0);
    std::printf("%s, %td taps, %td points, %td modes: the error is within %s\n", name(choice.method()),
                choice.tap_count(), choice.rank(), choice.modes(),
                error <= choice.bound() ? "the bound" : "NOT the bound");
}

/// How much the outputs of a model change, on a sequence of n tokens.
template <class Before, class After>
void compare_outputs(const Before& before, const After& after, Index n) {
    std::vector<Token> tokens;
    for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(i * i % 50));
    const OutputError error = output_error<float>(before, after, tokens, n, /*columns=*/50);
    std::printf("outputs change by less than a hundredth: %s\n", error.relative < 0.01 ? "yes" : "no");
}

/// A model that looks both ways: the cheapest of such operators in place of each kernel.
void compress_a_model() {
    using Net = Model<Tno<float, Causality::bidirectional>>;
    const Index n = 1024;
    const Net net({.input = {.vocabulary = 50}, .width = 16, .layers = 2});
    const auto parameters = net.make_parameters(/*seed=*/1);  // of a trained model, elsewhere
    const auto made = compress(net, parameters, n, {.tolerance = 0.01, .kind = ToleranceKind::relative});
    for (const auto& layer : made.parameters.layers) {
        const double cost = layer.gtu.toep.cost_ratio();
        std::printf("layer: %s\n", cost < 1 ? "cheaper" : "as it was");
    }
    compare_outputs(net.prepare(parameters, n), made.module.prepare(made.parameters, n), n);
}

/// A causal model: a few oscillations in place of each kernel.
void distil_a_model() {
    using Net = Model<Tno<float, Causality::causal>>;
    const Index n = 256;
    const Net net({.input = {.vocabulary = 50}, .width = 16, .layers = 2});
    const auto parameters = net.make_parameters(/*seed=*/1);
    const auto made = distill(net, parameters, n, {.tolerance = 1e-3, .keep = KeepExact::where_needed});
    for (const DistilledLayer& layer : made.layers) std::printf("layer: %s\n", name(layer.outcome));
    compare_outputs(net.prepare(parameters, n), made.module.prepare(made.parameters, n), n);
}

int main() {
    certify_a_kernel();
    compress_a_model();
    distil_a_model();
}
