// SPDX-License-Identifier: MIT
// Training in float is training in double, but for rounding, and in bf16 it goes the same way.

#include <gtest/gtest.h>

#include <support/nn.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/train/adamw.hpp>

namespace toeplitz::test {
namespace {

constexpr Index length = 8;
constexpr Index batch = 6;

/// Tokens of a small language in which the last two tokens say a lot about the next one.
std::vector<Token> some_text(int step) {
    const CounterRandom random(77);
    std::vector<Token> text;
    for (Index b = 0; b < batch; ++b) {
        Token last = static_cast<Token>(random.bits(static_cast<std::uint64_t>(step * batch + b)) % 9);
        Token before = 4;
        for (Index i = 0; i <= length; ++i) {
            text.push_back(last);
            const Token next = static_cast<Token>((2 * last + before + (i % 3 == 0)) % 9);
            before = last;
            last = next;
        }
    }
    return text;
}

template <class S>
std::vector<double> losses_of_training(int steps, Precision precision = Precision::exact,
                                       double rate = 0.003) {
    using Net = PlainModel<S>;
    typename Net::Options options{.input = {.vocabulary = 9}, .width = 12, .layers = 2};
    options.block.gtu.inner_width = 16;
    options.output_weights = OutputWeights::tied;
    options.precision = precision;
    const Net net(options);
    // The same start: float's numbers in either type.
    auto parameters = ModelCalls<Net>::make_parameters(net, 1);
    for_each_parameter(
        [](const ParameterName&, auto& tensor) {
            for (Index i = 0; i < tensor.size(); ++i) {
                tensor.data()[i] = static_cast<S>(static_cast<float>(tensor.data()[i]));
            }
        },
        parameters);
    auto state = make_adamw_state(parameters);
    std::vector<double> losses;
    typename Net::Cache cache;
    Workspace ws;
    Matrix<S> logits(batch * length, 9);
    Matrix<S> dlogits(batch * length, 9);
    for (int step = 0; step < steps; ++step) {
        std::vector<Token> inputs;
        std::vector<Token> targets;
        const std::vector<Token> text = some_text(step);
        for (std::size_t i = 0; i + 1 < text.size(); ++i) {
            if (i % (length + 1) == length) continue;
            inputs.push_back(text[i]);
            targets.push_back(text[i + 1]);
        }
        ModelCalls<Net>::forward(net, parameters, inputs, {length}, logits, cache, ws);
        const CrossEntropyLoss loss = cross_entropy(logits, targets, dlogits, ws);
        losses.push_back(loss.mean());
        auto gradients = zeros_like(parameters);
        ModelCalls<Net>::backward(net, parameters, inputs, cache, dlogits, gradients, ws);
        adamw_update(parameters, gradients, state, rate, {}, 1.0 / static_cast<double>(loss.count));
    }
    return losses;
}

TEST(TrainingTest, InFloatIsWithinRoundingOfDouble) {
    constexpr int steps = 50;
    const std::vector<double> expected = losses_of_training<double>(steps);
    const std::vector<double> actual = losses_of_training<float>(steps);
    EXPECT_LT(expected.back(), 0.7 * expected.front());  // it learns
    // A product errs by transform_error(N) u. Ten products per step, whose errors add up over steps
    // through the parameters.
    for (int step = 0; step < steps; ++step) {
        const auto at = static_cast<std::size_t>(step);
        const long double tolerance = 10 * transform_error(16) * unit<float> * (1 + step) * expected[at];
        EXPECT_TRUE(near(actual[at], expected[at], tolerance)) << "step " << step;
    }
}

TEST(TrainingTest, InBf16Learns) {
    constexpr int steps = 300;
    const std::vector<double> exact = losses_of_training<float>(steps, Precision::exact, 0.01);
    const std::vector<double> rounded = losses_of_training<float>(steps, Precision::bf16, 0.01);
    EXPECT_NE(rounded.front(), exact.front());
    EXPECT_NEAR(rounded.front(), exact.front(), 0.01 * exact.front());
    const auto last = [](const std::vector<double>& losses) {
        double sum = 0;
        for (std::size_t i = losses.size() - 20; i < losses.size(); ++i) sum += losses[i] / 20;
        return sum;
    };
    EXPECT_LT(last(exact), 0.3 * exact.front());
    EXPECT_LT(last(rounded), last(exact) + 0.05 * exact.front());
}

}  // namespace
}  // namespace toeplitz::test
