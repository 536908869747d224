// SPDX-License-Identifier: MIT
// One allocation fails, whichever, while an object is made or its caches and workspace grow: an exception
// says so, and then the same object works.

#include <memory>

#include <support/allocations.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

class FailingGrowth : public Allocations {
public:
    using Allocations::fail_each;
    using Allocations::fail_each_change;
};

/// forward with a cache and a workspace that have seen one sequence of another length, then backward.
template <class Module>
void expect_module_grows(const Module& module, Index channels) {
    struct Used {
        typename Module::Cache cache;
        Workspace ws;
        Matrix<double> y;
        Matrix<double> dx;
        typename Module::Parameters gradients;
    };
    constexpr Index n = 8;
    const auto parameters = start(module, 1);
    const Matrix<double> x = random_matrix<double>(3 * n, channels, 1);
    const std::vector<Index> lengths{n, 5, 7};
    const auto step = [&](Used& used, Index rows, const Sequences& sequences) {
        const MatrixView<const double> input = MatrixView<const double>(x).middle_rows(0, rows);
        const MatrixView<double> y = MatrixView<double>(used.y).middle_rows(0, rows);
        Calls<Module>::forward(module, parameters, input, sequences, y, used.cache, used.ws, 3);
        set_zero(used.gradients);
        Calls<Module>::backward(module, parameters, input, used.cache, input,
                                MatrixView<double>(used.dx).middle_rows(0, rows), used.gradients, used.ws);
    };
    const auto make = [&] {
        std::unique_ptr<Used> used(new Used{{}, {}, x, x, zeros_like(parameters)});
        step(*used, n / 2, {n / 2});
        return used;
    };
    const auto change = [&](Used& used) { step(used, 3 * n, {n, lengths}); };
    const auto right = make();
    change(*right);
    FailingGrowth::fail_each_change(make, change, [&](Used& used) {
        return used.y == right->y && used.dx == right->dx && equal(used.gradients, right->gradients);
    });
    FailingGrowth::fail_each([&] { start(module, 1); }, [] {});

    // What is half done is no cache.
    auto used = make();
    bool is_done = false;
    const auto forward = [&] {
        is_done = false;
        Calls<Module>::forward(module, parameters, x, {n, lengths}, used->y, used->cache, used->ws, 3);
        is_done = true;
    };
    FailingGrowth::fail_each(forward, [&] {
        if (!is_done) {
            EXPECT_THROW(Calls<Module>::backward(module, parameters, x, used->cache, x, used->dx,
                                                 used->gradients, used->ws),
                         shape_error);
        }
        used = make();
    });

    Matrix<double> y = x;
    const auto infer = [&] {
        Workspace ws;
        Calls<Module>::evaluate(Calls<Module>::prepare(module, parameters, n), x, y, ws, lengths);
    };
    infer();
    const Matrix<double> inferred = y;
    const auto again = [&] {
        infer();
        EXPECT_EQ(y, inferred);
    };
    EXPECT_GT(FailingGrowth::fail_each(infer, again), 0);
}

TEST_F(FailingGrowth, OfMixers) {
    constexpr auto causal = Causality::causal;
    constexpr auto both = Causality::bidirectional;
    const PositionMlpOptions mlp{.width = 20, .layers = 2};
    const TnoOptions tno{
        .channels = 3, .mlp = mlp, .decay = {.mode = DecayMode::learned}, .activation = Activation::silu};
    expect_module_grows(DoubleTno<causal>(tno), 3);
    expect_module_grows(DoubleTno<both>(tno), 3);
    expect_module_grows(NormalizedTno({.channels = 3, .mlp = mlp}), 3);
    expect_module_grows(DoubleFdTno<causal>({.channels = 3, .mlp = mlp}), 3);
    expect_module_grows(DoubleFdTno<both>({.channels = 3, .mlp = mlp}), 3);
    expect_module_grows(DoubleSkiTno<causal>({.channels = 3, .length = 8, .rank = 4, .taps = 3}), 3);
    expect_module_grows(DoubleSkiTno<both>({.channels = 3, .length = 8, .rank = 4, .taps = 3}), 3);
}

TEST_F(FailingGrowth, OfLayers) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        PlainBlock<double>::Options options{.width = 5};
        options.gtu.norm = Norm::rms;
        options.norm.norm = Norm::layer;
        options.placement = placement;
        options.dropout = 0.1;
        options.glu.final_activation = Activation::silu;
        expect_module_grows(PlainBlock<double>(options), 5);
    }
    expect_module_grows(PlainBatchBlock({.width = 5}), 5);
}

TEST_F(FailingGrowth, OfModels) {
    using Net = PlainModel<double>;
    struct Used {
        Net::Cache cache;
        Workspace ws;
        Net::Parameters gradients;
    };
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        Net::Options options{.input = {.vocabulary = 11}, .width = 6, .layers = 2};
        options.head = head;
        const Net net(options);
        const auto parameters = ModelCalls<Net>::make_parameters(net, 1);
        const auto step = [&](Used& used, std::size_t batch) {
            const std::vector<Token> tokens(8 * batch, 7);
            const Index rows = net.output_rows(static_cast<Index>(tokens.size()), 8);
            Matrix<double> y(rows, 11);
            ModelCalls<Net>::forward(net, parameters, tokens, {8}, y, used.cache, used.ws);
            set_zero(used.gradients);
            ModelCalls<Net>::backward(net, parameters, tokens, used.cache, y, used.gradients, used.ws);
        };
        const auto make = [&] {
            std::unique_ptr<Used> used(new Used{{}, {}, zeros_like(parameters)});
            step(*used, 1);
            return used;
        };
        const auto change = [&](Used& used) { step(used, 3); };
        const auto right = make();
        change(*right);
        fail_each_change(make, change, [&](Used& used) { return equal(used.gradients, right->gradients); });

        // What is half done is no cache.
        const std::vector<Token> tokens(24, 7);
        Matrix<double> y(net.output_rows(24, 8), 11);
        for (long k = 1; k < 20; ++k) {
            auto used = make();
            fail_allocation(k);
            EXPECT_THROW(ModelCalls<Net>::forward(net, parameters, tokens, {8}, y, used->cache, used->ws),
                         std::bad_alloc);
            fail_allocation(0);
            EXPECT_THROW(
                ModelCalls<Net>::backward(net, parameters, tokens, used->cache, y, used->gradients, used->ws),
                shape_error);
        }

        // Neither is a layer that is half made again.
        options.activations = Activations::recompute;
        const Net thrifty(options);
        auto kept = make();
        ModelCalls<Net>::forward(thrifty, parameters, tokens, {8}, y, kept->cache, kept->ws);
        const auto back = [&] {
            Workspace ws;
            set_zero(kept->gradients);
            ModelCalls<Net>::backward(thrifty, parameters, tokens, kept->cache, y, kept->gradients, ws);
        };
        back();
        const auto gradients = kept->gradients;
        fail_each(back, [&] {
            back();
            EXPECT_TRUE(equal(kept->gradients, gradients));
        });
    }
}

}  // namespace
}  // namespace toeplitz::test
