// SPDX-License-Identifier: MIT

/// \file
/// Three small products to count the instructions of: bench/instructions.py runs this under callgrind, which
/// counts inside of `counted_call` alone. One thread, n = 1024, d = 16, float.

#include <cstdio>
#include <string_view>

#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/sum.hpp>

namespace {

using namespace toeplitz;

constexpr Index n = 1024;
constexpr Index d = 16;

Matrix<float> random_matrix(Index rows, std::uint64_t seed) {
    const CounterRandom random(seed);
    Matrix<float> result(rows, d);
    for (Index i = 0; i < result.size(); ++i) {
        result.data()[i] = static_cast<float>(random.uniform(static_cast<std::uint64_t>(i), -1.0, 1.0));
    }
    return result;
}

using Call = void (*)(void*);

}  // namespace

extern "C" [[gnu::noinline]] void counted_call(Call call, void* data) {
    call(data);
    asm volatile("" ::: "memory");  // no tail call: the end of this function ends the count
}

namespace {

/// Once for what happens the first time only, then for the count; returns a sum, so that nothing is left out.
template <class F>
void count(F f, const Matrix<float>& y) {
    f();
    counted_call([](void* data) { (*static_cast<F*>(data))(); }, &f);
    double sum = 0;
    for (Index i = 0; i < y.size(); ++i) sum += static_cast<double>(y.data()[i]);
    std::printf("%.9g\n", sum);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc == 2 ? argv[1] : "";
    const Matrix<float> x = random_matrix(n, 1);
    Matrix<float> y = Matrix<float>::Zero(n, d);
    Workspace ws;
    if (name == "exact_product") {
        const Fft<float> op({.length = n, .channels = d}, random_matrix(2 * n - 1, 2));
        count([&] { op.apply(x, y, ws); }, y);
    } else if (name == "band_ski_product") {
        const auto op = Band<float>({.length = n, .channels = d, .taps = 33}, random_matrix(33, 2)) +
                        Ski<float>({.length = n, .channels = d, .rank = 64}, random_matrix(127, 3));
        count([&] { op.apply(x, y, ws); }, y);
    } else if (name == "hilbert_kernel_and_product") {
        CausalSpectral<float> op({.length = n, .channels = d});
        const Matrix<float> response = random_matrix(op.frequencies(), 2);
        count(
            [&] {
                op.set_kernel(response, ws);
                op.apply(x, y, ws);
            },
            y);
    } else {
        std::fputs("usage: toeplitz_instructions exact_product|band_ski_product|hilbert_kernel_and_product\n",
                   stderr);
        return 2;
    }
    return 0;
}
