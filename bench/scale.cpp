// SPDX-License-Identifier: MIT
// Time and memory of a product by every path at one size, as lines "path ns/element state workspace".
//
//   toeplitz_scale <n> <d>
//
// A process each, so that the largest sizes find all memory free; bench/scale.py runs them all.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <toeplitz/operators/dense.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/operators/sum.hpp>

#include "bench.hpp"

namespace {

using namespace toeplitz;
using namespace toeplitz::bench;

constexpr Index modes = 16;
constexpr Index longest_dense = 1 << 12;

template <Causality kind>
Array<float> lags(Index n, Index d) {
    return random_array(lag_count(n, kind), d, 3);
}
Band<float> band(Index n, Index d) {
    return Band<float>({.length = n, .channels = d, .taps = default_taps}, random_array(default_taps, d, 3));
}
Ski<float> ski(Index n, Index d) {
    return Ski<float>({.length = n, .channels = d, .rank = default_rank},
                      random_array(2 * (std::min)(default_rank, n) - 1, d, 4));
}

/// y = x.
Work copy(Index n, Index d) {
    const auto x = std::make_shared<Array<float>>(random_array(n, d, 1));
    const auto y = std::make_shared<Array<float>>(n, d);
    return {[x, y, bytes = static_cast<std::size_t>(n * d) * sizeof(float)] {
        std::memcpy(y->data(), x->data(), bytes);
    }};
}

/// A new response at each call: the kernel is evaluated, too.
Work hilbert(Index n, Index d) {
    struct Data {
        Data(Index length, Index channels) : op({.length = length, .channels = channels}) {}
        CausalSpectral<float> op;
        Array<float> response = random_array(op.frequencies(), op.channels(), 3);
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> y{op.length(), op.channels()};
        Workspace ws{(std::max)(op.required_workspace(), op.kernel_workspace())};
    };
    const auto data = std::make_shared<Data>(n, d);
    return {[data] {
                data->op.set_kernel(data->response, data->ws);
                data->op.apply(data->x, data->y, data->ws);
            },
            data->op.state_bytes(), data->ws.capacity()};
}

Work state_space(Index n, Index d) {
    const CounterRandom random(3);
    Matrix<std::complex<float>> poles(modes, d);
    for (Index i = 0; i < poles.size(); ++i) {
        const auto draw = static_cast<std::uint64_t>(2 * i);
        poles.data()[i] =
            std::complex<float>(std::polar(0.99 * random.uniform(draw), random.uniform(draw + 1)));
    }
    const Matrix<std::complex<float>> residues = Matrix<std::complex<float>>::Ones(modes, d);
    const Matrix<float> direct = Matrix<float>::Ones(1, d);
    return product_of(StateSpace<float>({.length = n, .channels = d, .modes = modes},
                                        StateSpaceKernel<const float>{poles, residues, direct}));
}

double seconds(const Work& work, int calls) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) work.run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / calls;
}

}  // namespace

int main(int argc, char** argv) {
    const Index n = argc > 1 ? std::atol(argv[1]) : 0;
    const Index d = argc > 2 ? std::atol(argv[2]) : 0;
    if (n < 2 || d < 1) {
        std::fprintf(stderr, "usage: toeplitz_scale <n> <d>\n");
        return 2;
    }
    constexpr Causality both = Causality::bidirectional;
    constexpr Causality causal = Causality::causal;
    const auto measure = [&](const char* path, const Work& work) {
        // Calls of a millisecond at least, and the least of some of them.
        const int calls = 1 + static_cast<int>(1e-3 / (std::max)(seconds(work, 1), 1e-8));
        const int repetitions = n * d > (1 << 22) ? 5 : 15;
        double best = seconds(work, calls);
        for (int i = 1; i < repetitions; ++i) best = (std::min)(best, seconds(work, calls));
        std::printf("%s %.4f %zu %zu\n", path, best * 1e9 / static_cast<double>(n * d), work.state_bytes,
                    work.workspace_bytes);
        std::fflush(stdout);
    };
    measure("FloorMemcpy", copy(n, d));
    if (n <= longest_dense)
        measure("Dense", product_of(Dense<float>({.length = n, .channels = d}, lags<both>(n, d))));
    measure("Fft", product_of(Fft<float>({.length = n, .channels = d}, lags<both>(n, d))));
    measure("FftCausal", product_of(Fft<float, causal>({.length = n, .channels = d}, lags<causal>(n, d))));
    measure("Hilbert", hilbert(n, d));
    measure("StateSpace", state_space(n, d));
    measure("Band", product_of(band(n, d)));
    measure("Ski", product_of(ski(n, d)));
    measure("BandSki", product_of(band(n, d) + ski(n, d)));
}
