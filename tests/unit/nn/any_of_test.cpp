// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/own_mixer.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/any_of.hpp>

namespace toeplitz::test::any_of_test {
namespace {

using CausalTno = DoubleTno<Causality::causal>;
using Mixer = AnyOf<EchoMixer, PlainMixer<double>, CausalTno>;

constexpr Index n = 8;
constexpr Index width = 3;

/// The bits of a mixer of the list are those of the mixer.
template <class Own>
void expect_same(const typename Own::Options& options) {
    Mixer::Options any_options = Mixer::options<Own>(options);
    any_options.channels = width;
    const Mixer any(any_options);
    auto own_options = options;
    own_options.channels = width;
    const Own own(own_options);
    EXPECT_STREQ(any.architecture(), Own::architecture);
    EXPECT_EQ(any.causality(), own.causality());
    EXPECT_EQ(any.channels(), width);
    ASSERT_NE(any.get_if<Own>(), nullptr);

    const auto parameters = any.make_parameters(7);
    const auto own_parameters = own.make_parameters(7);
    std::vector<std::string> names;
    for_each_parameter([&](const ParameterName& name, const auto&) { names.push_back(name.text()); },
                       own_parameters);
    std::size_t next = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto&) { EXPECT_EQ(name.text(), names.at(next++)); },
        parameters);
    EXPECT_EQ(next, names.size());

    const std::vector<Index> lengths = {n, 5};
    const Sequences sequences(n, lengths);
    const Matrix<double> x = random_matrix<double>(2 * n, width, 1);
    const Matrix<double> g = random_matrix<double>(2 * n, width, 2);
    Matrix<double> y(2 * n, width), own_y(2 * n, width), dx(2 * n, width), own_dx(2 * n, width);
    Mixer::Cache cache;
    typename Own::Cache own_cache;
    Workspace ws;
    any.forward(parameters, x, sequences, y, cache, ws);
    own.forward(own_parameters, x, sequences, own_y, own_cache, ws);
    EXPECT_TRUE(same_bits(y, own_y));

    auto gradients = zeros_like(parameters);
    auto own_gradients = zeros_like(own_parameters);
    any.backward(parameters, x, cache, g, dx, gradients, ws);
    own.backward(own_parameters, x, own_cache, g, own_dx, own_gradients, ws);
    EXPECT_TRUE(same_bits(dx, own_dx));
    std::vector<double> numbers;
    const auto add = [&](const ParameterName&, const auto& tensor) {
        numbers.insert(numbers.end(), tensor.data(), tensor.data() + tensor.size());
    };
    for_each_parameter(add, gradients);
    const std::vector<double> any_numbers = std::exchange(numbers, {});
    for_each_parameter(add, own_gradients);
    EXPECT_EQ(any_numbers, numbers);

    any.prepare(parameters, n).evaluate(x, y, ws, sequences);
    own.prepare(own_parameters, n)
        .evaluate(x, own_y, ws, sequences);
    EXPECT_TRUE(same_bits(y, own_y));
}

TEST(AnyOfTest, DoesWhatTheMixerOfItsOptionsDoes) {
    expect_same<EchoMixer>({});
    expect_same<PlainMixer<double>>({.length = n});
    expect_same<CausalTno>({.mlp = {.width = 4, .layers = 1}});
}

TEST(AnyOfTest, KnowsItsWorkspaceWhereAllMixersDo) {
    static_assert(!HasRequiredWorkspace<Mixer>);
    EXPECT_EQ(AnyOf<CausalTno>({.channels = 2}).required_workspace(3, n),
              CausalTno({.channels = 2}).required_workspace(3, n));
}

TEST(AnyOfTest, IsTheFirstMixerByDefault) {
    const Mixer mixer({.channels = 2});
    EXPECT_STREQ(mixer.architecture(), "echo");
    EXPECT_EQ(mixer.get_if<CausalTno>(), nullptr);
}

TEST(AnyOfTest, RefusesWhatBelongsToAnotherMixer) {
    const Mixer echo({.channels = width});
    Mixer::Options options = Mixer::options<CausalTno>();
    options.channels = width;
    const Mixer tno(options);
    auto of_echo = echo.make_parameters();
    auto of_tno = tno.make_parameters();
    const Matrix<double> x = random_matrix<double>(n, width, 1);
    Matrix<double> y(n, width);
    Mixer::Cache cache;
    Workspace ws;
    const std::string complaint =
        "[toeplitz.shape.405] AnyOf: expected parameters of causal_tno, got those of echo";
    expect_error<shape_error>(405, complaint, [&] { tno.forward(of_echo, x, n, y, cache, ws); });
    expect_error<shape_error>(405, complaint,
                              [&] { tno.prepare(of_echo, n); });
    echo.forward(of_echo, x, n, y, cache, ws);
    Matrix<double> dx(n, width);
    expect_error<shape_error>(705,
                              "[toeplitz.shape.705] AnyOf::backward: expected the cache of a forward pass, "
                              "got that of another mixer",
                              [&] { tno.backward(of_tno, x, cache, y, dx, of_tno, ws); });
    tno.forward(of_tno, x, n, y, cache, ws);
    expect_error<shape_error>(405, complaint, [&] { tno.backward(of_tno, x, cache, y, dx, of_echo, ws); });
}

}  // namespace
}  // namespace toeplitz::test::any_of_test
