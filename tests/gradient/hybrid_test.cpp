// SPDX-License-Identifier: MIT
/// \file
/// A model whose layers have different mixers.

#include <support/gradient_check.hpp>
#include <support/random.hpp>

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/ski_tno.hpp>

namespace toeplitz::test {
namespace {

using CausalFdTno = FdTno<double, Causality::causal>;
using CausalSkiTno = SkiTno<double, Causality::causal>;
using Mixer = AnyOf<CausalFdTno, CausalSkiTno>;
using Net = Model<Mixer>;

constexpr Index n = 7;

TEST(HybridGradientTest, AgreesWithDifferences) {
    Net::Options options{.input = {.vocabulary = 5}, .width = 3, .layers = 3};
    options.block.gtu.inner_width = 4;
    options.block.norm.norm = Norm::rms;
    options.blocks.assign(3, options.block);
    options.blocks[0].gtu.mixer =
        Mixer::options<CausalFdTno>({.mlp = {.width = 4, .layers = 1, .activation = Activation::silu}});
    for (const Index l : {1, 2}) {  // bands of 2 and 4 taps
        options.blocks[static_cast<std::size_t>(l)].gtu.mixer = Mixer::options<CausalSkiTno>(
            {.length = n, .rank = 3, .taps = 2 * l, .kernel = {.knots = 3, .decay = {.lambda = 0.6}}});
    }
    const Net net(options);
    EXPECT_STREQ(net.block(0).gtu().mixer().architecture(), "causal_fd_tno");
    EXPECT_EQ(net.block(2).gtu().mixer().get_if<CausalSkiTno>()->taps(), 4);
    auto parameters = net.make_parameters(1);
    // Rows of one small number are where norms vary faster than differences can follow.
    parameters.embed.weight = parameters.embed.weight.array() + parameters.embed.weight.array().sign();

    const std::vector<Token> tokens = {0, 3, 1, 4, 2, 2, 0, 1, 1, 4, 0, 3, 2, 4};
    const std::vector<Index> lengths = {n, 4};
    const Matrix<double> g = random_matrix<double>(2 * n, 5, 3);
    Matrix<double> y(2 * n, 5);
    Net::Cache cache;
    Workspace ws;
    const auto loss = [&] {
        net.forward(parameters, tokens, {n, lengths}, y, cache, ws);
        return y.cwiseProduct(g).sum();
    };
    loss();
    auto gradients = zeros_like(parameters);
    net.backward(parameters, tokens, cache, g, gradients, ws);
    expect_parameter_gradients(parameters, gradients, loss);
}

}  // namespace
}  // namespace toeplitz::test
