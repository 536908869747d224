// SPDX-License-Identifier: MIT

/// \file
/// Small products to count the instructions of: bench/instructions.py runs this under callgrind, which counts
/// inside of `counted_call` alone. One thread, float; products of n = 1024, d = 16, and a few rows through an
/// affine map 512 → 1536 and through a layer of 512 channels.

#include <cstdio>
#include <string_view>

#include <toeplitz/core/random.hpp>
#include <toeplitz/nn/block.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/sum.hpp>
#include <toeplitz/stream/kernel_stream.hpp>

namespace {

using namespace toeplitz;

constexpr Index n = 1024;
constexpr Index d = 16;

Matrix<float> random_matrix(Index rows, std::uint64_t seed, Index cols = d) {
    const CounterRandom random(seed);
    Matrix<float> result(rows, cols);
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

/// A call with the weights as they are given, and one with packed ones.
void count_linear(Index rows, bool packed) {
    const Linear<float> linear({.inputs = 512, .outputs = 1536});
    const auto parameters = linear.make_parameters(1);
    const auto prepared = linear.prepare(parameters);
    const Matrix<float> x = random_matrix(rows, 1, 512);
    Matrix<float> y(rows, 1536);
    Workspace ws;
    if (packed) return count([&] { prepared.evaluate(x, y, ws); }, y);
    count([&] { linear.evaluate(parameters, x, y, ws); }, y);
}

void count_layer(Index rows) {
    const Block<Tno<float, Causality::causal>> block({.width = 512});
    const auto prepared = block.prepare(block.make_parameters(1), rows);
    const Matrix<float> x = random_matrix(rows, 1, 512);
    Matrix<float> y(rows, 512);
    Workspace ws;
    count([&] { prepared.evaluate(x, y, ws); }, y);
}

/// n steps of a stream in calls of `block`.
void count_stream(Index block) {
    const KernelStream<float> plan(random_matrix(n, 2));
    auto state = plan.make_state();
    const Matrix<float> x = random_matrix(n, 1);
    Matrix<float> y(n, d);
    const auto run = [&] {
        for (Index t = 0; t < n; t += block) {
            plan.process(MatrixView<const float>(x).middle_rows(t, block),
                         MatrixView<float>(y).middle_rows(t, block), state);
        }
    };
    count(run, y);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc == 2 ? argv[1] : "";
    if (name == "linear_unpacked_1_row") return count_linear(1, false), 0;
    if (name == "linear_packed_1_row") return count_linear(1, true), 0;
    if (name == "linear_unpacked_16_rows") return count_linear(16, false), 0;
    if (name == "linear_packed_16_rows") return count_linear(16, true), 0;
    if (name == "layer_1_row") return count_layer(1), 0;
    if (name == "layer_16_rows") return count_layer(16), 0;
    if (name == "stream_of_steps") return count_stream(1), 0;
    if (name == "stream_of_512_steps") return count_stream(512), 0;
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
        std::fputs("usage: toeplitz_instructions CASE, one of those in bench/instructions.py\n", stderr);
        return 2;
    }
    return 0;
}
