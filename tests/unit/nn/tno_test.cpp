// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test::tno_test {
namespace {

constexpr auto causal = Causality::causal;
constexpr auto both = Causality::bidirectional;

TnoOptions small() {
    return {.channels = 3, .mlp = {.width = 5, .layers = 1, .activation = Activation::silu}};
}

/// The kernel that a mixer of these options should have, evaluated without it.
template <Causality kind>
Matrix<double> kernel_of(const TnoOptions& options, const PositionKernelParameters<double>& parameters,
                         Index length) {
    PositionMlpOptions mlp = options.mlp;
    mlp.channels = options.channels;
    const PositionKernel<double, kind> kernel(
        {.mlp = mlp, .decay = options.decay, .positions = options.positions});
    return oracle_activation(options.activation,
                             values_of(kernel, parameters, length).template cast<long double>())
        .template cast<double>();
}

template <Causality kind>
void expect_dense_product(const TnoOptions& options, Index length) {
    SCOPED_TRACE(testing::Message() << "n " << length << (kind == causal ? " causal" : ""));
    const DoubleTno<kind> mixer(options);
    const auto parameters = start(mixer, 3);
    Oracle oracle(length);
    oracle.add(lag_part(length, kind == causal ? 0 : 1 - length, lag_count(length, kind)));
    expect_product(mixer, parameters, length, oracle, kernel_of<kind>(options, parameters, length));
}

TEST(TnoTest, IsTheDenseProduct) {
    for (const Index length : {1, 2, 9, 40}) {
        for (const DecayMode mode : {DecayMode::none, DecayMode::fixed, DecayMode::learned}) {
            TnoOptions options = small();
            options.decay = {.mode = mode, .lambda = 0.8};
            expect_dense_product<causal>(options, length);
            expect_dense_product<both>(options, length);
        }
        TnoOptions options = small();
        options.positions = Positions::normalized;
        options.activation = Activation::relu;
        expect_dense_product<causal>(options, length);
        expect_dense_product<both>(options, length);
    }
}

TEST(TnoTest, IsCausalOrNot) {
    const DoubleTno<causal> mixer(small());
    expect_causal(mixer, start(mixer, 1), 17);
    EXPECT_EQ(mixer.causality(), causal);
    const DoubleTno<both> other(small());
    EXPECT_GT(std::abs(matrix_of(other, start(other, 1), 5, 0)(0, 4)), 1e-3);
}

TEST(TnoTest, LongerSequencesSeeTheSameKernel) {
    const DoubleTno<causal> mixer(small());
    expect_nested(mixer, start(mixer, 1), 7, 20);
    const DoubleTno<both> other(small());
    expect_nested(other, start(other, 1), 7, 20);
}

TEST(TnoTest, ASequenceWithPaddingIsAShorterOne) {
    const DoubleTno<both> mixer(small());
    const auto parameters = start(mixer, 1);
    const Matrix<double> x = random_matrix<double>(12, 3, 1);
    const std::vector<Index> lengths = {5};
    const Matrix<double> y = forward(mixer, parameters, x, {12, lengths});
    const Matrix<double> alone = forward(mixer, parameters, x.topRows(5), {5});
    EXPECT_TRUE(near_all(y.topRows(5), alone, entry_error(matrix_of(mixer, parameters, 12, 0)) * norm(x)));
}

TEST(TnoTest, ACacheServesAnotherLength) {
    const DoubleTno<both> mixer(small());
    const auto parameters = start(mixer, 1);
    DoubleTno<both>::Cache cache;
    Workspace ws;
    for (const Index length : {9, 4, 9}) {
        const Matrix<double> x = random_matrix<double>(length, 3, 1);
        Matrix<double> y(length, 3);
        Calls<DoubleTno<both>>::forward(mixer, parameters, x, {length}, y, cache, ws);
        EXPECT_TRUE(same_bits(y, forward(mixer, parameters, x, {length})));
    }
}

TEST(TnoTest, HasTheOfficialNames) {
    TnoOptions options = small();
    options.decay.mode = DecayMode::learned;
    std::string text;
    for_each_parameter([&](const ParameterName& name, const auto&) { text += name.text() + " "; },
                       start(DoubleTno<both>(options)));
    EXPECT_EQ(text,
              "gamma rpe.pos_proj.weight rpe.pos_proj.bias rpe.layers.0.2.weight rpe.layers.0.2.bias "
              "rpe.out.2.weight rpe.out.2.bias ");
}

TEST(TnoErrorTest, NamesWhatDoesNotFit) {
    using M = DoubleTno<both>;
    expect_error<config_error>(201, "[toeplitz.config.201] PositionMlp: expected channels >= 1, got 0",
                               [] { M({.channels = 0}); });
    const M mixer(small());
    const auto parameters = start(mixer);
    const Matrix<double> x = Matrix<double>::Ones(6, 3);
    Matrix<double> y(6, 3);
    Workspace ws;
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(
        705, "[toeplitz.shape.705] Tno: expected the cache of a forward pass, got an empty one",
        [&] { Calls<M>::backward(mixer, parameters, x, {}, x, y, gradients, ws); });
    expect_error<shape_error>(210, "[toeplitz.shape.210] Tno: expected B*4 rows, got 6",
                              [&] { forward(mixer, parameters, x, {4}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Tno: expected length >= 1, got 0",
                               [&] { Calls<M>::prepare(mixer, parameters, 0); });
    expect_error<shape_error>(502, "[toeplitz.shape.502] Fft::forward: expected x of (B*6)×3, got 6×2",
                              [&] { forward(mixer, parameters, Matrix<double>(6, 2), {6}); });
    auto other = parameters;
    other.rpe.out.linear.weight(0, 0) = std::nan("");
    try {
        forward(mixer, other, x, {6});
        FAIL() << "a NaN reached the product";
    } catch (const value_error& caught) {
        EXPECT_EQ(caught.id(), 530);
    }
}

}  // namespace
}  // namespace toeplitz::test::tno_test
