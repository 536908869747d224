// SPDX-License-Identifier: MIT
// One step of an operator's life in counted_call, whose instructions count.cmake compares.
#include <cstdlib>
#include <string_view>

#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/spectral.hpp>

namespace {

using namespace toeplitz;

template <class F>
[[gnu::noinline]] void counted_call(F&& f) {
    f();
    asm volatile("" ::: "memory");
}

template <class Op>
int run(std::string_view step, const typename Op::Options& options) {
    if (step == "construct") {
        counted_call([&] {
            const Op op(options);
            asm volatile("" ::"r"(&op) : "memory");
        });
        return 0;
    }
    Op op(options);
    Workspace scratch;
    Workspace::Scope scope(scratch);
    const auto kernel = op.take_kernel(scope);
    kernel.eigen().setOnes();
    const Matrix<float> x = Matrix<float>::Ones(op.length(), op.channels());
    Matrix<float> y = x;
    Workspace ws;
    ws.reserve(std::max(op.kernel_workspace(), op.required_workspace(1)));
    if (step == "set_kernel") {
        counted_call([&] { op.set_kernel(kernel, ws); });
    } else {
        counted_call([&] { op.apply(x, y, ws); });
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const std::string_view name = argv[1];
    const Index n = std::atol(argv[3]);
    const Index d = std::atol(argv[4]);
    if (name == "fft") return run<Fft<float>>(argv[2], {n, d});
    if (name == "ski") return run<Ski<float>>(argv[2], {n, d, n / 2});
    if (name == "causal_spectral") return run<CausalSpectral<float>>(argv[2], {n, d});
    if (name == "bidirectional_spectral") return run<BidirectionalSpectral<float>>(argv[2], {n, d});
    return 2;
}
