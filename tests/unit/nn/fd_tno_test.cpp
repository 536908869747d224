// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

constexpr auto causal = Causality::causal;
constexpr auto both = Causality::bidirectional;

FdTnoOptions small() {
    return {.channels = 4, .mlp = {.width = 5, .layers = 1, .activation = Activation::silu}};
}

template <Causality kind>
void expect_dense_product(const FdTnoOptions& options, Index length) {
    SCOPED_TRACE(testing::Message() << "n " << length << (kind == causal ? " causal" : ""));
    const DoubleFdTno<kind> mixer(options);
    const auto parameters = start(mixer, 3);
    PositionMlpOptions mlp = options.mlp;
    mlp.channels = options.channels;
    const FrequencyKernel<double, kind> kernel({.mlp = mlp, .input = options.input, .heads = options.heads});
    const Index grid = mixer.grid(length);
    Oracle oracle(length);
    oracle.add(kind == causal ? causal_spectrum_part(length, grid)
                              : bidirectional_spectrum_part(length, grid));
    expect_product(mixer, parameters, length, oracle, response_of(kernel, parameters, grid));
}

TEST(FdTnoTest, IsTheDenseProduct) {
    for (const Index length : {1, 2, 9, 40}) {
        for (const FrequencyInput input : {FrequencyInput::cosine, FrequencyInput::angle}) {
            for (const FrequencyGrid grid : {FrequencyGrid::smooth, FrequencyGrid::power_of_two}) {
                FdTnoOptions options = small();
                options.input = input;
                options.grid = grid;
                expect_dense_product<causal>(options, length);
                options.heads = grid == FrequencyGrid::smooth ? 1 : 2;
                expect_dense_product<both>(options, length);
            }
        }
    }
}

TEST(FdTnoTest, HeadsOrderTheOutputsOfThePerceptron) {
    // One head: A0 A1 A2 A3 B0 B1 B2 B3. Two: A0 A1 B0 B1 A2 A3 B2 B3.
    const DoubleFdTno<both> one(small());
    FdTnoOptions options = small();
    options.heads = 2;
    const DoubleFdTno<both> two(options);
    const auto parameters = start(one, 3);
    auto reordered = parameters;
    auto& to = reordered.rpe.out.linear;
    const auto& from = parameters.rpe.out.linear;
    const Index order[] = {0, 1, 4, 5, 2, 3, 6, 7};
    for (Index i = 0; i < 8; ++i) {
        to.weight.row(i) = from.weight.row(order[i]);
        to.bias(i) = from.bias(order[i]);
    }
    const Matrix<double> x = random_matrix<double>(9, 4, 1);
    EXPECT_LE(relative_error(forward(two, reordered, x, {9}), forward(one, parameters, x, {9})),
              layer_error(1, 8));
}

TEST(FdTnoTest, GridsHaveAtLeastTwoPointsPerStep) {
    FdTnoOptions options = small();
    options.grid = FrequencyGrid::power_of_two;
    const DoubleFdTno<causal> mixer(options);
    const std::pair<Index, Index> grids[] = {{1, 2}, {2, 4}, {3, 8}, {4, 8}, {5, 16}, {512, 1024}};
    for (const auto& [length, grid] : grids) EXPECT_EQ(mixer.grid(length), grid) << length;
    const DoubleFdTno<causal> smooth(small());
    EXPECT_EQ(smooth.grid(5), 10);
    EXPECT_EQ(smooth.grid(512), 1024);
    EXPECT_EQ(smooth.grid(500), 1024);
    EXPECT_EQ(smooth.grid(600), 1280);
}

TEST(FdTnoTest, IsCausalOrNot) {
    const DoubleFdTno<causal> mixer(small());
    expect_causal(mixer, start(mixer, 1), 17);
    const DoubleFdTno<both> other(small());
    EXPECT_GT(std::abs(matrix_of(other, start(other, 1), 5, 0)(0, 4)), 1e-6);
}

TEST(FdTnoTest, AFinerGridUnfoldsTheSameResponse) {
    // Taps at N points are those at 2N points folded, h_N(t) = h_2N(t) + h_2N(N − t).
    FdTnoOptions options = small();
    options.grid = FrequencyGrid::power_of_two;
    options.input = FrequencyInput::angle;  // slow decay: what is folded is not small
    const DoubleFdTno<causal> mixer(options);
    const auto parameters = start(mixer, 1);
    const Matrix<double> coarse = matrix_of(mixer, parameters, 8, 0);
    const Matrix<double> fine = matrix_of(mixer, parameters, 16, 0);
    for (Index t = 1; t < 8; ++t) {
        EXPECT_TRUE(near(coarse(t, 0), fine(t, 0) + fine(16 - t, 0), entry_error(fine))) << t;
    }
    EXPECT_GT(std::abs(fine(9, 0)), 1e3 * static_cast<double>(entry_error(fine)));
}

TEST(FdTnoErrorTest, NamesWhatDoesNotFit) {
    using M = DoubleFdTno<both>;
    expect_error<config_error>(201, "[toeplitz.config.201] FrequencyKernel: expected channels >= 1, got 0",
                               [] { M({.channels = 0}); });
    expect_error<config_error>(
        430, "[toeplitz.config.430] FrequencyKernel: expected heads that divide 4, got 3", [] {
            FdTnoOptions options = small();
            options.heads = 3;
            M{options};
        });
    const M mixer(small());
    const auto parameters = start(mixer);
    const Matrix<double> x = Matrix<double>::Ones(6, 4);
    expect_error<shape_error>(210, "[toeplitz.shape.210] FdTno: expected B*4 rows, got 6",
                              [&] { forward(mixer, parameters, x, {4}); });
    const auto causal_set = start(DoubleFdTno<causal>(small()));
    expect_error<shape_error>(
        405,
        "[toeplitz.shape.405] PositionMlp: expected parameters with out.2.weight of shape "
        "8×5, got 4×5",
        [&] { forward(mixer, causal_set, x, {3}); });
}

}  // namespace
}  // namespace toeplitz::test
