// SPDX-License-Identifier: MIT
// Makes products cheaper within a tolerance that is proven: of a kernel, and of a whole causal model.
#include <cmath>
#include <cstdio>
#include <vector>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/output_error.hpp>
#include <toeplitz/toeplitz.hpp>

using namespace toeplitz;

/// A smooth kernel with a peak: band and low rank.
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
    std::printf("%s, %td taps, %td points: the error is within %s\n", name(choice.method()),
                choice.tap_count(), choice.rank(), error <= choice.bound() ? "the bound" : "NOT the bound");
}

/// A causal model: a few oscillations in place of each kernel.
void distil_a_model() {
    using Net = Model<Tno<float, Causality::causal>>;
    const Index n = 256;
    const Net net({.input = {.vocabulary = 50}, .width = 16, .layers = 2});
    const auto parameters = net.make_parameters(/*seed=*/1);  // of a trained model, elsewhere
    const auto made = distill(net, parameters, n, {.tolerance = 1e-3, .keep = KeepExact::where_needed});
    for (const DistilledLayer& layer : made.layers) std::printf("layer: %s\n", name(layer.outcome));

    std::vector<Token> tokens;
    for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(i * i % 50));
    const auto before = net.prepare(parameters, n);
    const auto after = made.module.prepare(made.parameters, n);
    const OutputError error = output_error<float>(before, after, std::span<const Token>(tokens), n, 50);
    std::printf("outputs change by less than a hundredth: %s\n", error.relative < 0.01 ? "yes" : "no");
}

int main() {
    certify_a_kernel();
    distil_a_model();
}
