// SPDX-License-Identifier: MIT
// A mixer made of a kernel and an operator that a user wrote, in a layer and in training.

#include <gtest/gtest.h>

#include <support/gradient_check.hpp>
#include <support/own_mixer.hpp>
#include <support/random.hpp>

#include <toeplitz/nn/block.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test::own_mixer_test {
namespace {

static_assert(TokenMixer<EchoMixer>);

constexpr Index n = 9;
constexpr Index width = 3;

TEST(OwnMixerTest, GradientsAreThoseOfTheLoss) {
    const EchoMixer mixer({.channels = width});
    auto parameters = mixer.make_parameters(1);
    Matrix<double> x = random_matrix<double>(2 * n, width, 2);
    const Matrix<double> g = random_matrix<double>(2 * n, width, 3);
    Workspace ws;
    for (const std::vector<Index>& lengths : {std::vector<Index>{}, std::vector<Index>{n, 4}}) {
        const Sequences sequences(n, lengths);
        EchoMixer::Cache cache;
        Matrix<double> y(2 * n, width);
        mixer.forward(parameters, x, sequences, y, cache, ws);
        Matrix<double> dx(2 * n, width);
        auto gradients = zeros_like(parameters);
        mixer.backward(parameters, x, cache, g, dx, gradients, ws);
        const auto loss = [&] {
            Matrix<double> out(2 * n, width);
            mixer.prepare(parameters, n).evaluate(x, out, ws, sequences);
            return out.cwiseProduct(g).sum();
        };
        // The loss is linear in each number: a difference quotient has rounding errors alone.
        const auto expect_slope = [&](double& number, double slope) {
            const double before = number;
            number = before + 1;
            const double high = loss();
            number = before - 1;
            const double low = loss();
            number = before;
            EXPECT_NEAR((high - low) / 2, slope, 1e-12);
        };
        for (Index i = 0; i < x.size(); ++i) expect_slope(x.data()[i], dx.data()[i]);
        for_each_parameter(
            [&](const ParameterName&, auto& tensor, auto& gradient) {
                for (Index i = 0; i < tensor.size(); ++i) expect_slope(tensor.data()[i], gradient.data()[i]);
            },
            parameters, gradients);
    }
}

TEST(OwnMixerTest, ALayerTrainsWithIt) {
    const Block<EchoMixer> block({.width = width});
    auto parameters = block.make_parameters(4);
    const Matrix<double> x = random_matrix<double>(4 * n, width, 5);
    const Matrix<double> target = random_matrix<double>(4 * n, width, 6);
    Trainer<Block<EchoMixer>::Parameters> trainer(parameters, {.schedule = {.peak = 0.01}});
    Block<EchoMixer>::Cache cache;
    Workspace ws;
    Matrix<double> y(4 * n, width);
    Matrix<double> dx(4 * n, width);
    const auto objective = [&](const auto& now, const Part&, auto& gradients) {
        block.forward(now, x, n, y, cache, ws);
        const Matrix<double> error = y - target;
        block.backward(now, x, cache, Matrix<double>(2 * error), dx, gradients, ws);
        return LossSum{error.squaredNorm(), static_cast<double>(error.size())};
    };
    const auto before = parameters.gtu.toep.echo;
    const double first = trainer.step(parameters, objective).loss;
    const double last = trainer.run(parameters, 100, objective).loss;
    EXPECT_LT(last, first / 2);
    EXPECT_GT((parameters.gtu.toep.echo - before).norm(), 0.01);
}

}  // namespace
}  // namespace toeplitz::test::own_mixer_test
