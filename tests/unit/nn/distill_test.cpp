// SPDX-License-Identifier: MIT
/// \file
/// Causal models become state spaces: the bounds hold for what their mixers compute, and layers that stay
/// exact are what they were.

#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>

#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/normalized.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test::distill_test {
namespace {

using Exact = Tno<double, Causality::causal>;
using Mixer = AnyOf<Exact, Normalized<Exact>>;
using Net = Model<Mixer, RowNorm<double>, Linear<double>>;
using Made = DistilledModel<Mixer, RowNorm<double>, Linear<double>>;
static_assert(std::is_same_v<Made::Mixer, AnyOf<Exact, Normalized<Exact>, StateSpaceTno<double>>>);
static_assert(std::is_same_v<DistilledModel<Exact, RowNorm<double>, Linear<double>>::Mixer,
                             AnyOf<Exact, StateSpaceTno<double>>>);
// Again, to a smaller order.
static_assert(std::is_same_v<DistilledModel<Made::Mixer, RowNorm<double>, Linear<double>>, Made>);
static_assert(std::is_same_v<DistilledModel<StateSpaceTno<double>, RowNorm<double>, Linear<double>>::Mixer,
                             AnyOf<StateSpaceTno<double>>>);

constexpr Index n = 150;

TnoOptions kernel(double lambda) {
    return {.mlp = {.width = 8, .layers = 1, .activation = Activation::silu},
            .decay = {.mode = DecayMode::fixed, .lambda = lambda}};
}

Net three_layers() {
    Net::Options options{.input = {.inputs = 3}, .width = 8, .layers = 3, .outputs = 4};
    options.block.gtu.inner_width = 10;
    options.block.gtu.norm = Norm::rms;
    options.blocks.assign(3, options.block);
    options.blocks[0].gtu.mixer = Mixer::options<Exact>(kernel(0.9));
    auto positive = kernel(0.9);
    positive.activation = Activation::sigmoid;
    options.blocks[1].gtu.mixer = Mixer::options<Normalized<Exact>>(positive);
    options.blocks[2].gtu.mixer = Mixer::options<Exact>(kernel(0.99));
    return Net(options);
}

/// T of one channel of a causal kernel.
Matrix<double> matrix_of(const Matrix<double>& lags, Index c) {
    Matrix<double> t = Matrix<double>::Zero(n, n);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j <= i; ++j) t(i, j) = lags(i - j, c);
    }
    return t;
}

TEST(DistillTest, LayersBecomeStateSpacesWithinTheirBounds) {
    const Net net = three_layers();
    const auto parameters = net.make_parameters(3);
    const auto made = distill(net, parameters, n, {.tolerance = 1e-3});
    ASSERT_EQ(made.layers.size(), 3U);
    for (const std::size_t l : {std::size_t{0}, std::size_t{2}}) {
        const DistilledLayer& layer = made.layers[l];
        EXPECT_EQ(layer.outcome, Distillation::state_space);
        EXPECT_LT(layer.cost, layer.exact_cost);
        const auto& own = std::get<2>(made.parameters.layers[l].gtu.toep.of);
        EXPECT_EQ(own.bounds, layer.bounds);
        EXPECT_EQ(own.poles.rows(), layer.modes);
        const Matrix<double> lags = net.block(static_cast<Index>(l))
                                        .gtu()
                                        .mixer()
                                        .prepare(parameters.layers[l].gtu.toep, n)
                                        .causal_lags();
        const Matrix<double> others = made.module.block(static_cast<Index>(l))
                                          .gtu()
                                          .mixer()
                                          .prepare(made.parameters.layers[l].gtu.toep, n)
                                          .causal_lags();
        Index largest = 0;
        for (Index c = 0; c < 10; ++c) {
            const double norm = spectral_norm(matrix_of(lags, c));
            const double error = spectral_norm(matrix_of(lags, c) - matrix_of(others, c));
            // What lags are rounded by is 1e-13 of what is asked for.
            EXPECT_LE(error, layer.bounds(c) + 1e-13 * norm);
            EXPECT_GE(error, layer.bounds(c) / 10);
            EXPECT_LE(layer.bounds(c), layer.tolerances(c));
            EXPECT_LE(layer.tolerances(c), 1e-3 * norm * 1.001);
            Index order = 0;
            for (Index i = 0; i < layer.modes; ++i) {
                const bool counts = own.residues(i, 2 * c) != 0 || own.residues(i, 2 * c + 1) != 0;
                order += counts ? (own.poles(i, 2 * c + 1) != 0 ? 2 : 1) : 0;
            }
            EXPECT_EQ(layer.orders[static_cast<std::size_t>(c)], order);
            largest = std::max(largest, order);
        }
        EXPECT_EQ(layer.order_quantile(1), largest);
        EXPECT_LE(layer.order_quantile(0), layer.order_quantile(0.5));
        EXPECT_LE(layer.mean_order(), static_cast<double>(largest));
        EXPECT_GT(layer.mean_order(), 1);
    }

    // The layer that is no convolution is what it was, and so is everything else.
    EXPECT_EQ(made.layers[1].outcome, Distillation::not_a_convolution);
    EXPECT_STREQ(made.module.block(1).gtu().mixer().architecture(), "normalized_causal_tno");
    Index same = 0;
    const auto compare = [&](const auto& a, const auto& b) {
        std::remove_cvref_t<decltype(a)>::for_each(
            [&](const ParameterName& name, const auto& x, const auto& y) {
                EXPECT_EQ(x, y) << name.text();
                ++same;
            },
            a, b);
    };
    compare(made.parameters.embed, parameters.embed);
    compare(made.parameters.norm, parameters.norm);
    compare(made.parameters.out, parameters.out);
    for (std::size_t l = 0; l < 3; ++l) {
        compare(made.parameters.layers[l].glu, parameters.layers[l].glu);
        compare(made.parameters.layers[l].gtu.u_proj, parameters.layers[l].gtu.u_proj);
        compare(made.parameters.layers[l].gtu.v_proj, parameters.layers[l].gtu.v_proj);
        compare(made.parameters.layers[l].gtu.o, parameters.layers[l].gtu.o);
    }
    compare(std::get<1>(made.parameters.layers[1].gtu.toep.of),
            std::get<1>(parameters.layers[1].gtu.toep.of));
    EXPECT_GT(same, 40);

    // Outputs change, by about as little as the kernels.
    const auto prepared = made.module.prepare(made.parameters, n);
    const Matrix<double> x = random_matrix<double>(2 * n, 3, 4);
    const OutputError error = output_error<double>(net.prepare(parameters, n), prepared, x, 2 * n, 4);
    EXPECT_LT(error.relative, 1e-3);
    EXPECT_GT(error.relative, 1e-7);
    EXPECT_GT(error.largest, 0);

    // And once more, a smaller one of the same type.
    const Distilled<Made> smaller = distill(made.module, made.parameters, n, {.tolerance = 0.1});
    for (const std::size_t l : {std::size_t{0}, std::size_t{2}}) {
        EXPECT_LT(smaller.layers[l].mean_order(), made.layers[l].mean_order());
    }
}

TEST(DistillTest, LayersStayExactAndSayWhy) {
    const Net net = three_layers();
    const auto parameters = net.make_parameters(3);
    DistillOptions options{.tolerance = 1e-3};
    options.cost.transform_point = options.cost.transform_level = 0;  // exact products for nothing
    const auto outcomes = [&] {
        const auto made = distill(net, parameters, n, options);
        std::string names;
        for (std::size_t l = 0; l < 3; ++l) {
            names += std::string(name(made.layers[l].outcome)) + " ";
            const bool is_kept = made.parameters.layers[l].gtu.toep.of.index() < 2;
            EXPECT_EQ(is_kept, !made.layers[l].is_state_space());
            EXPECT_EQ(made.module.options().blocks[l].gtu.mixer.kind.index(),
                      made.parameters.layers[l].gtu.toep.of.index());
        }
        if (names.find("state_space") == std::string::npos) {
            const Matrix<double> x = random_matrix<double>(n, 3, 4);
            EXPECT_EQ(output_error<double>(net.prepare(parameters, n),
                                           made.module.prepare(made.parameters, n), x, n, 4)
                          .largest,
                      0);
        }
        return names;
    };
    EXPECT_EQ(outcomes(), "exact_is_cheaper not_a_convolution exact_is_cheaper ");
    options.keep = KeepExact::where_needed;
    EXPECT_EQ(outcomes(), "state_space not_a_convolution state_space ");
    options.most_modes = 1;  // behind any number of taps
    options.tolerance = 1e-9;
    EXPECT_EQ(outcomes(), "over_tolerance not_a_convolution over_tolerance ");
    options.tolerance = 10;  // a state space of no mode
    EXPECT_EQ(outcomes(), "state_space not_a_convolution state_space ");
}

TEST(DistillTest, DistilledModelsCanBeTrainedOn) {
    const Net net = three_layers();
    const auto parameters = net.make_parameters(3);
    auto made = distill(net, parameters, n, {.tolerance = 0.2, .most_modes = 4});
    const Matrix<double> x = random_matrix<double>(n, 3, 4);
    Matrix<double> y(n, 4);
    Matrix<double> exact(n, 4);
    Workspace ws;
    net.prepare(parameters, n).evaluate(x, exact, ws);
    Made::Cache cache;
    auto gradients = zeros_like(made.parameters);
    const auto loss = [&] {
        made.module.forward(made.parameters, x, n, y, cache, ws);
        return (y - exact).squaredNorm();
    };
    const double before = loss();
    ASSERT_GT(before, 1e-8);
    const Matrix<double> g = 2 * (y - exact);
    made.module.backward(made.parameters, x, cache, g, gradients, ws);
    // A short step down the gradient of one state space alone gains what the gradient says.
    auto& own = std::get<2>(made.parameters.layers[2].gtu.toep.of);
    const auto& slope = std::get<2>(gradients.layers[2].gtu.toep.of);
    const double squares =
        slope.poles.squaredNorm() + slope.residues.squaredNorm() + slope.direct.squaredNorm();
    const double step = 1e-3 * before / squares;
    own.poles -= step * slope.poles;
    own.residues -= step * slope.residues;
    own.direct -= step * slope.direct;
    EXPECT_NEAR((before - loss()) / (step * squares), 1, 0.02);
    EXPECT_TRUE(slope.bounds.isZero(0));
    EXPECT_EQ(own.bounds, made.layers[2].bounds);
}

TEST(DistillErrors, AreThoseOfTheArguments) {
    const Net net = three_layers();
    auto parameters = net.make_parameters(3);
    const auto refuses = [&]<class Error>(const Error*, int id, const std::string& message, Index length,
                                          const DistillOptions& options) {
        expect_error<Error>(id, message, [&] { distill(net, parameters, length, options); });
    };
    constexpr const config_error* config = nullptr;
    refuses(config, 201, "[toeplitz.config.201] distill: expected length >= 1, got 0", 0, {.tolerance = 1});
    refuses(config, 201, "[toeplitz.config.201] distill: expected most_modes >= 1, got 0", 9,
            {.tolerance = 1, .most_modes = 0});
    refuses(config, 553,
            "[toeplitz.config.553] distill: expected a tolerance above 0 that is finite, got one that is not",
            9, {});
    refuses(config, 558, "[toeplitz.config.558] distill: expected a finite cost.real_mode >= 0, got nan", 9,
            {.tolerance = 1, .cost = {.real_mode = std::nan("")}});
    parameters.layers.pop_back();
    refuses(static_cast<const shape_error*>(nullptr), 405,
            "[toeplitz.shape.405] distill: expected parameters of 3 layers, got 2", 9, {.tolerance = 1});
}

}  // namespace
}  // namespace toeplitz::test::distill_test
