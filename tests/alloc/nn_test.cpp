// SPDX-License-Identifier: MIT
// Kernels, layers and models allocate nothing once their cache and workspace have seen the shapes.

#include <support/allocations.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

class KernelAllocations : public Allocations {
protected:
    template <class Calls, class Kernel, class Element = double>
    static void expect_none(const Kernel& kernel, Index size, Index rows) {
        const auto parameters = kernel.make_parameters(1);
        auto gradients = zeros_like(parameters);
        Matrix<Element> values = Matrix<Element>::Ones(rows, kernel.channels());
        typename Kernel::Cache cache;
        Workspace ws;
        const auto use = [&] {
            Calls::evaluate(kernel, parameters, size, values, ws);
            Calls::forward(kernel, parameters, size, values, cache, ws);
            Calls::backward(kernel, parameters, cache, values, gradients, ws);
        };
        use();
        use();
        EXPECT_EQ(count(use), 0) << "size " << size;
    }
};

PositionMlpOptions small_mlp(Index channels, Index width = 20) {
    return {.channels = channels, .width = width, .layers = 2};
}

TEST_F(KernelAllocations, NoneInPositionKernels) {
    for (const Index n : {20, 300}) {  // 300: enough for several threads
        for (const DecayMode mode : {DecayMode::none, DecayMode::fixed, DecayMode::learned}) {
            for (const Norm norm : {Norm::simple_rms, Norm::layer}) {
                auto mlp = small_mlp(40);
                mlp.norm = norm;
                const PositionKernel<double> kernel({.mlp = mlp, .decay = {.mode = mode, .lambda = 0.9}});
                expect_none<PositionKernelCalls>(kernel, n, 2 * n - 1);
            }
        }
        const PositionKernel<double> kernel({.mlp = small_mlp(9, 150), .positions = Positions::normalized});
        expect_none<PositionKernelCalls>(kernel, n, 2 * n - 1);
    }
}

TEST_F(KernelAllocations, NoneInTimeWarps) {
    for (const Index n : {20, 1500}) {
        for (const DecayMode mode : {DecayMode::fixed, DecayMode::learned}) {
            const TimeWarp<double> kernel(
                {.channels = 40, .knots = 30, .decay = {.mode = mode, .lambda = 0.9}});
            expect_none<TimeWarpCalls>(kernel, n, 2 * n - 1);
        }
    }
}

TEST_F(KernelAllocations, NoneInFrequencyKernels) {
    for (const Index grid : {20, 1001}) {
        const FrequencyKernel<double, Causality::causal> real({.mlp = small_mlp(40)});
        expect_none<CausalFrequencyCalls>(real, grid, grid / 2 + 1);
        using Kernel = FrequencyKernel<double, Causality::bidirectional>;
        const Kernel complex({.mlp = small_mlp(40), .heads = 2});
        expect_none<FrequencyCalls, Kernel, std::complex<double>>(complex, grid, grid / 2 + 1);
    }
}

class ModuleAllocations : public Allocations {
protected:
    /// forward, backward and inference, with lengths and without.
    template <class Module>
    static void expect_none(const Module& module, Index length, Index batch, Index channels) {
        const auto parameters = start(module, 1);
        auto gradients = zeros_like(parameters);
        const Matrix<double> x = random_matrix<double>(batch * length, channels, 1);
        Matrix<double> y = x;
        Matrix<double> dx = x;
        const std::vector<Index> lengths(static_cast<std::size_t>(batch), length / 2 + 1);
        const auto prepared = Calls<Module>::prepare(module, parameters, length);
        typename Module::Cache cache;
        Workspace ws;
        for (const Lengths valid : {Lengths(), Lengths(lengths)}) {
            const auto use = [&] {
                Calls<Module>::forward(module, parameters, x, {length, valid}, y, cache, ws, 3);
                Calls<Module>::backward(module, parameters, x, cache, x, dx, gradients, ws);
                Calls<Module>::evaluate(prepared, x, y, ws, valid);
            };
            use();
            use();  // where the workspace's blocks become one
            EXPECT_EQ(count(use), 0) << "length " << length;
        }
    }
};

TEST_F(ModuleAllocations, NoneInBlocks) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const Index width : {3, 60}) {
            PlainBlock<double>::Options options{.width = width};
            options.gtu.norm = Norm::rms;
            options.norm.norm = Norm::layer;
            options.placement = placement;
            options.dropout = 0.1;
            options.glu.final_activation = Activation::silu;
            expect_none(PlainBlock<double>(options), 8, width == 3 ? 2 : 20, width);
        }
    }
    expect_none(PlainBatchBlock({.width = 5}), 8, 3, 5);
}

TEST_F(ModuleAllocations, NoneInMixers) {
    constexpr auto causal = Causality::causal;
    constexpr auto both = Causality::bidirectional;
    for (const Index length : {20, 400}) {
        const TnoOptions tno{.channels = 9, .mlp = small_mlp(0), .activation = Activation::silu};
        expect_none(DoubleTno<causal>(tno), length, 2, 9);
        expect_none(DoubleTno<both>(tno), length, 2, 9);
        expect_none(NormalizedTno({.channels = 9, .mlp = small_mlp(0)}), length, 2, 9);
        const FdTnoOptions fd{.channels = 9, .mlp = small_mlp(0)};
        expect_none(DoubleFdTno<causal>(fd), length, 2, 9);
        expect_none(DoubleFdTno<both>(fd), length, 2, 9);
        expect_none(DoubleSkiTno<causal>({.channels = 9, .length = length, .rank = 8, .taps = 5}), length, 2,
                    9);
        expect_none(DoubleSkiTno<both>({.channels = 9, .length = length, .rank = 8, .taps = 5}), length, 2,
                    9);
    }
}

TEST_F(ModuleAllocations, NoneInModels) {
    using Net = PlainModel<double>;
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            Net::Options options{.input = {.vocabulary = 11}, .width = 30, .layers = 2};
            options.head = head;
            options.output_weights = weights;
            options.dropout = 0.1;
            const Net net(options);
            const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
            auto gradients = zeros_like(parameters);
            const std::vector<Token> tokens(160, 7);
            const std::vector<Index> lengths(20, 5);
            const Sequences sequences{8, lengths};
            const Index rows = net.output_rows(160, 8);
            Matrix<double> y(rows, 11);
            const Matrix<double> g = random_matrix<double>(rows, 11, 1);
            const auto prepared = ModelCalls<Net>::prepare(net, parameters, 8);
            Net::Cache cache;
            Workspace ws;
            const auto use = [&] {
                ModelCalls<Net>::forward(net, parameters, tokens, sequences, y, cache, ws, 3);
                ModelCalls<Net>::backward(net, parameters, tokens, cache, g, gradients, ws);
                ModelCalls<Net>::evaluate(prepared, tokens, y, ws, lengths);
            };
            use();
            use();
            EXPECT_EQ(count(use), 0);
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
