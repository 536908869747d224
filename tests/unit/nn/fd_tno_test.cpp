// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

#include <toeplitz/core/options_text.hpp>

namespace toeplitz::test::fd_tno_test {
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
    const FrequencyKernel<double, kind> kernel({.mlp = mlp,
                                                .input = options.input,
                                                .heads = options.heads,
                                                .scale = options.scale,
                                                .pole = options.pole});
    const Index grid = mixer.grid(length);
    Oracle oracle(length);
    oracle.add(kind == causal ? causal_spectrum_part(length, grid)
                              : bidirectional_spectrum_part(length, grid));
    expect_product(mixer, parameters, length, oracle, response_of(kernel, parameters, grid));
}

TEST(FdTnoTest, IsTheDenseProduct) {
    for (const Index length : {1, 2, 9, 40}) {
        for (const FrequencyInput input : {FrequencyInput::cosine_and_log, FrequencyInput::angle}) {
            for (const FrequencyGrid grid : {FrequencyGrid::smooth, FrequencyGrid::power_of_two}) {
                FdTnoOptions options = small();
                options.input = input;
                options.grid = grid;
                if (input == FrequencyInput::angle) options.pole.reset();
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
    const DoubleFdTno<both> two(options);  // the pole has no heads
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
    options.pole.reset();                   // which would not be folded
    const DoubleFdTno<causal> mixer(options);
    const auto parameters = start(mixer, 1);
    const Matrix<double> coarse = matrix_of(mixer, parameters, 8, 0);
    const Matrix<double> fine = matrix_of(mixer, parameters, 16, 0);
    for (Index t = 1; t < 8; ++t) {
        EXPECT_TRUE(near(coarse(t, 0), fine(t, 0) + fine(16 - t, 0), entry_error(fine))) << t;
    }
    EXPECT_GT(std::abs(fine(9, 0)), 1e3 * static_cast<double>(entry_error(fine)));
}

TEST(FdTnoTest, ThePoleIsTheSameAtEveryLength) {
    const DoubleFdTno<causal> mixer(small());
    auto parameters = start(mixer, 1);
    parameters.rpe.out.linear.weight.setZero();
    parameters.rpe.out.linear.bias.setZero();
    for (const Index length : {1, 2, 3, 7, 16, 33}) expect_nested(mixer, parameters, length, 40);
}

TEST(FdTnoTest, LengthsUpToTheLongestSeeOneKernel) {
    FdTnoOptions options = small();
    options.input = FrequencyInput::angle;  // without it, length changes this kernel by 1e-3 and more
    options.longest = 40;
    const DoubleFdTno<both> mixer(options);
    for (const Index length : {1, 2, 3, 7, 16, 33}) {
        EXPECT_EQ(mixer.grid(length), mixer.grid(40));
        expect_nested(mixer, start(mixer, 1), length, 40);
    }
    EXPECT_GT(mixer.grid(80), mixer.grid(40));
    options.longest = {};
    const DoubleFdTno<both> other(options);
    const Matrix<double> leading = matrix_of(other, start(other, 1), 40, 0).topLeftCorner(7, 7);
    EXPECT_GT((matrix_of(other, start(other, 1), 7, 0) - leading).norm(), 1e-3 * leading.norm());
}

// Files from before there were a scale, a pole and a longest length name none of them.
TEST(FdTnoTest, OptionsThatAreMissingAreThoseOfBefore) {
    const auto options = parse_options<FdTnoOptions>(
        "channels=4 mlp.channels=0 mlp.width=64 mlp.layers=3 mlp.activation=relu mlp.norm=simple_rms "
        "mlp.residual=none mlp.bias=add input=cosine grid=smooth heads=1");
    EXPECT_FALSE(options.scale || options.pole || options.longest);
    std::string names;
    for_each_parameter([&](const ParameterName& name, const auto&) { names += name.text() + " "; },
                       DoubleFdTno<causal>(options).make_parameters());
    EXPECT_EQ(names.find("pole"), std::string::npos);
    const FdTnoOptions now;
    EXPECT_EQ(options_text(parse_options<FdTnoOptions>(options_text(now))), options_text(now));
}

TEST(FdTnoErrorTest, RefusesGridsThatNoIndexHolds) {
    FdTnoOptions options = small();
    options.grid = FrequencyGrid::power_of_two;
    EXPECT_EQ(DoubleFdTno<both>(options).grid(1), 2);
    EXPECT_EQ(DoubleFdTno<both>(options).grid(9), 32);
    EXPECT_EQ(DoubleFdTno<both>(options).grid(Index{1} << 60), Index{1} << 61);
    options.longest = (Index{1} << 61) + 1;  // a file may say so
    expect_error<config_error>(202,
                               "[toeplitz.config.202] FdTno: expected a size below 2^63, got "
                               "4 * 2305843009213693953",
                               [&] { DoubleFdTno<both>(options).grid(8); });
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
    expect_error<config_error>(201, "[toeplitz.config.201] FdTno: expected longest >= 1, got 0", [] {
        FdTnoOptions options = small();
        options.longest = 0;
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
}  // namespace toeplitz::test::fd_tno_test
