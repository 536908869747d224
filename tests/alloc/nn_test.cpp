// SPDX-License-Identifier: MIT
// Kernels allocate nothing once their cache and workspace have seen the shapes; layers and models nothing
// once their cache has, in a workspace that was reserved what they say, which is at most twice what they use.

#include <cstdlib>

#include <support/allocations.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>

#include <toeplitz/nn/separable_mixer.hpp>

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
        const FrequencyKernel<double, Causality::causal> real({.mlp = small_mlp(40),
                                                               .input = FrequencyInput::cosine_and_log,
                                                               .scale = 3,
                                                               .pole = FrequencyPoleOptions{}});
        expect_none<CausalFrequencyCalls>(real, grid, grid / 2 + 1);
        using Kernel = FrequencyKernel<double, Causality::bidirectional>;
        const Kernel complex({.mlp = small_mlp(40), .heads = 2});
        expect_none<FrequencyCalls, Kernel, std::complex<double>>(complex, grid, grid / 2 + 1);
    }
}

class ModuleAllocations : public Allocations {
protected:
    static constexpr Index batches[] = {1, 3};

    /// `use(ws, lengths)`, with lengths and without, in a workspace of so many bytes.
    template <class F>
    static void expect_enough(std::size_t bytes, Index batch, Index length, const char* what, F&& use) {
        SCOPED_TRACE(testing::Message() << what << ", batch " << batch << ", length " << length);
        const std::vector<Index> lengths(static_cast<std::size_t>(batch), length / 2 + 1);
        Workspace ws(bytes);
        const std::size_t capacity = ws.capacity();
        for (const Lengths valid : {Lengths(), Lengths(lengths)}) {
            use(ws, valid);  // the first parallel region makes threads
            EXPECT_EQ(count([&] { use(ws, valid); }), 0);
        }
        EXPECT_EQ(ws.capacity(), capacity) << ws.most_used() << " bytes are used";
        EXPECT_LE(bytes, 2 * ws.most_used());
    }

    /// forward, backward and inference, with one thread and two.
    template <class Module>
    static void expect_none(const Module& module, Index length, Index channels,
                            WeightFormat weights = WeightFormat::exact) {
        using Scalar = typename Module::Scalar;
        const auto parameters = start(module, 1);
        auto gradients = zeros_like(parameters);
        const auto prepared = Calls<Module>::prepare(module, parameters, length, weights);
        for (const Index batch : batches) {
            const Matrix<Scalar> x = random_matrix<Scalar>(batch * length, channels, 1);
            Matrix<Scalar> y = x;
            Matrix<Scalar> dx = x;
            typename Module::Cache cache;
            for (const int threads : {1, 2}) {
                with_threads(threads, [&] {
                    expect_enough(
                        module.required_workspace(batch, length), batch, length, "training",
                        [&](Workspace& ws, Lengths lengths) {
                            Calls<Module>::forward(module, parameters, x, {length, lengths}, y, cache, ws, 3);
                            Calls<Module>::backward(module, parameters, x, cache, x, dx, gradients, ws);
                        });
                    expect_enough(prepared.required_workspace(batch), batch, length, "inference",
                                  [&](Workspace& ws, Lengths lengths) {
                                      Calls<Module>::evaluate(prepared, x, y, ws, lengths);
                                  });
                });
            }
        }
    }
};

TEST_F(ModuleAllocations, NoneInBlocks) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const Index width : {3, 20}) {
            PlainBlock<double>::Options options{.width = width};
            options.gtu.inner_width = 40;
            options.gtu.norm = Norm::rms;
            options.gtu.mixer.length = 50;
            options.norm.norm = Norm::layer;
            options.placement = placement;
            options.dropout = 0.1;
            options.glu.final_activation = Activation::silu;
            for (const WeightFormat weights : {WeightFormat::exact, WeightFormat::bf16, WeightFormat::int8}) {
                expect_none(PlainBlock<double>(options), width == 3 ? 8 : 50, width, weights);
            }
        }
    }
    expect_none(PlainBatchBlock({.width = 5}), 8, 5);
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        PlainBlock<float>::Options options{.width = 20};
        options.gtu.norm = Norm::rms;
        options.gtu.mixer.length = 50;
        options.placement = placement;
        options.dropout = 0.1;
        options.glu.final_activation = Activation::silu;
        options.precision = Precision::bf16;
        expect_none(PlainBlock<float>(options), 50, 20);
    }
}

TEST_F(ModuleAllocations, KeptActivationsOfBf16TakeAThirdLess) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        constexpr Index length = 8;
        constexpr Index width = 32;
        const Matrix<float> x = random_matrix<float>(64 * length, width, 1);
        Matrix<float> y = x;
        long bytes[2];
        for (const Precision precision : {Precision::exact, Precision::bf16}) {
            PlainBlock<float>::Options options{.width = width, .placement = placement};
            options.precision = precision;
            const PlainBlock<float> block(options);
            const auto parameters = start(block, 1);
            Workspace ws(block.required_workspace(64, length));
            PlainBlock<float>::Cache cache;
            const long before = live_bytes();
            Calls<PlainBlock<float>>::forward(block, parameters, x, {length}, y, cache, ws);
            bytes[static_cast<int>(precision)] = live_bytes() - before;
        }
        // Per time step: u, v and what is mixed have 3 d numbers each, gate and value d; what the units see,
        // d each (after a norm the first sees the layer's input); and a sum, d, or two, in float.
        const long rounded = placement == NormPlacement::pre ? 13 : 12;
        const long sums = placement == NormPlacement::pre ? 1 : 2;
        const long numbers = 64 * length * width;  // as many bytes are for threads and the like
        EXPECT_LT(std::abs(bytes[0] - numbers * 4 * (rounded + sums)), numbers);
        EXPECT_LT(std::abs(bytes[1] - numbers * (2 * rounded + 4 * sums)), numbers);
        EXPECT_LT(3 * bytes[1], 2 * bytes[0]);
    }
}

TEST_F(ModuleAllocations, NoneInMixers) {
    constexpr auto causal = Causality::causal;
    constexpr auto both = Causality::bidirectional;
    for (const Index length : {20, 400}) {
        const TnoOptions tno{.channels = 9, .mlp = small_mlp(0), .activation = Activation::silu};
        expect_none(DoubleTno<causal>(tno), length, 9);
        expect_none(DoubleTno<both>(tno), length, 9);
        expect_none(NormalizedTno({.channels = 9, .mlp = small_mlp(0)}), length, 9);
        const FdTnoOptions fd{.channels = 9, .mlp = small_mlp(0)};
        expect_none(DoubleFdTno<causal>(fd), length, 9);
        expect_none(DoubleFdTno<both>(fd), length, 9);
        expect_none(DoubleSkiTno<causal>({.channels = 9, .length = length, .rank = 8, .taps = 5}), length, 9);
        expect_none(DoubleSkiTno<both>({.channels = 9, .length = length, .rank = 8, .taps = 5}), length, 9);
    }
}

TEST_F(ModuleAllocations, NoneInModels) {
    using Net = PlainModel<double>;
    constexpr Index length = 20;
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            Net::Options options{.input = {.vocabulary = 11}, .width = 30, .layers = 2};
            options.block.gtu.mixer.length = length;
            options.head = head;
            options.output_weights = weights;
            options.dropout = 0.1;
            const Net net(options);
            const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
            auto gradients = zeros_like(parameters);
            const WeightFormat format = head == Head::mean_pool ? WeightFormat::bf16 : WeightFormat::int8;
            const auto prepared = ModelCalls<Net>::prepare(net, parameters, length);
            const auto small = ModelCalls<Net>::prepare(net, parameters, length, format);
            for (const Index batch : batches) {
                const std::vector<Token> tokens(static_cast<std::size_t>(batch * length), 7);
                const Index rows = net.output_rows(batch * length, length);
                Matrix<double> y(rows, 11);
                const Matrix<double> g = random_matrix<double>(rows, 11, 1);
                Net::Cache cache;
                for (const int threads : {1, 2}) {
                    with_threads(threads, [&] {
                        expect_enough(net.required_workspace(batch, length), batch, length, "training",
                                      [&](Workspace& ws, Lengths lengths) {
                                          ModelCalls<Net>::forward(net, parameters, tokens, {length, lengths},
                                                                   y, cache, ws, 3);
                                          ModelCalls<Net>::backward(net, parameters, tokens, cache, g,
                                                                    gradients, ws);
                                      });
                        expect_enough(prepared.required_workspace(batch), batch, length, "inference",
                                      [&](Workspace& ws, Lengths lengths) {
                                          ModelCalls<Net>::evaluate(prepared, tokens, y, ws, lengths);
                                      });
                        expect_enough(small.required_workspace(batch), batch, length, "fewer bits",
                                      [&](Workspace& ws, Lengths lengths) {
                                          ModelCalls<Net>::evaluate(small, tokens, y, ws, lengths);
                                      });
                    });
                }
            }
        }
    }
}

TEST_F(ModuleAllocations, NoneInMixersOfImages) {
    using Axis = DoubleTno<Causality::bidirectional>;
    using Images = SeparableMixer<Axis, Axis>;
    const TnoOptions axis{.mlp = small_mlp(0)};
    const Images mixer({.channels = 9, .image_width = 12, .scale = 2, .rows = axis, .columns = axis});
    const Index height = most_direct_lags + 6;  // rows by their definition, columns by transforms
    const Index length = 12 * height;
    const auto parameters = mixer.make_parameters(1);
    auto gradients = zeros_like(parameters);
    const auto prepared = mixer.prepare(parameters, length);
    Images::Cache cache;
    for (const Index batch : batches) {
        const Matrix<double> x = random_matrix<double>(batch * length, 9, 1);
        Matrix<double> y = x;
        Matrix<double> dx = x;
        const std::vector<Index> widths(static_cast<std::size_t>(batch), 7);
        expect_enough(mixer.required_workspace(batch, length), batch, height, "training",
                      [&](Workspace& ws, Lengths heights) {
                          const auto images =
                              Sequences::images(height, 12, heights, heights.empty() ? heights : widths);
                          mixer.forward(parameters, x, images, y, cache, ws);
                          mixer.backward(parameters, x, cache, x, dx, gradients, ws);
                      });
        expect_enough(prepared.required_workspace(batch), batch, height, "inference",
                      [&](Workspace& ws, Lengths heights) {
                          prepared.evaluate(x, y, ws, Sequences::images(height, 12, heights));
                      });
    }
}

}  // namespace
}  // namespace toeplitz::test
