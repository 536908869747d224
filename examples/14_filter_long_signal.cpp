// SPDX-License-Identifier: MIT
// A filter of ten thousand coefficients over a signal of any length, in memory that depends on the filter
// alone.
#include <cmath>
#include <cstdio>

#include <toeplitz/stream/kernel_stream.hpp>

using namespace toeplitz;

double coefficient(Index t) {
    return std::sin(0.01 * static_cast<double>(t)) * std::exp(-0.001 * static_cast<double>(t));
}
double sample(Index t) { return std::cos(0.003 * static_cast<double>(t % 50021)); }

int main() {
    const Index taps = 10000, samples = 200000, block = 4096;
    Matrix<double> h(taps, 1);
    for (Index t = 0; t < taps; ++t) h(t, 0) = coefficient(t);
    const KernelStream<double> filter(h);
    auto state = filter.make_state();

    Matrix<double> x(block, 1), y(block, 1);
    double largest = 0;
    for (Index start = 0; start < samples; start += block) {
        const Index count = std::min(block, samples - start);
        for (Index i = 0; i < count; ++i) x(i, 0) = sample(start + i);  // from a file, say
        filter.process(x.topRows(count), y.topRows(count), state);

        // One output of the block by definition.
        const Index t = start + count - 1;
        double expected = 0;
        for (Index s = 0; s < taps && s <= t; ++s) expected += coefficient(s) * sample(t - s);
        largest = std::max(largest, std::abs(y(count - 1, 0) - expected));
    }
    std::printf("%td samples, %td coefficients: errors below 1e-10: %s\n", samples, taps,
                largest < 1e-10 ? "yes" : "no");
}
