// SPDX-License-Identifier: MIT
// All that computes. It is compiled once for each instruction set, with WIDTH as the function that leads
// there.

#include <toeplitz/nn/block.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/fft.hpp>

#include "work.hpp"

namespace widths {
namespace {

using namespace toeplitz;
using Layer = Block<Tno<float, Causality::causal>>;

class Product final : public Work {
public:
    Product(Index n, Index d) : op_({.length = n, .channels = d}), n_(n), d_(d) {
        const CounterRandom random(1);
        Matrix<float> kernel(2 * n - 1, d);
        for (Index i = 0; i < kernel.size(); ++i) {
            kernel.data()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
        }
        op_.set_kernel(kernel);
    }
    void run(const float* x, float* y) override {
        op_.apply(MatrixView<const float>(x, n_, d_), MatrixView<float>(y, n_, d_), ws_);
    }

private:
    Fft<float> op_;
    Index n_;
    Index d_;
    Workspace ws_;
};

class LayerWork final : public Work {
public:
    LayerWork(Index n, Index d) : layer_(prepared(n, d)), n_(n), d_(d) {}
    void run(const float* x, float* y) override {
        layer_.evaluate(MatrixView<const float>(x, n_, d_), MatrixView<float>(y, n_, d_), ws_);
    }

private:
    static Layer::Prepared prepared(Index n, Index d) {
        const Layer layer({.width = d});
        return layer.prepare(layer.make_parameters(1), n);
    }
    Layer::Prepared layer_;
    Index n_;
    Index d_;
    Workspace ws_;
};

}  // namespace

Width WIDTH() {
    return {TOEPLITZ_SIMD_BYTES,
            [](std::ptrdiff_t n, std::ptrdiff_t d) -> std::unique_ptr<Work> {
                return std::make_unique<Product>(n, d);
            },
            [](std::ptrdiff_t n, std::ptrdiff_t d) -> std::unique_ptr<Work> {
                return std::make_unique<LayerWork>(n, d);
            }};
}

}  // namespace widths
