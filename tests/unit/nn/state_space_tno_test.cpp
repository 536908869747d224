// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test::state_space_tno_test {
namespace {

using Mixer = StateSpaceTno<double>;

/// Parameters with these poles in all channels, and any residues.
Mixer::Parameters with_poles(const std::vector<std::complex<double>>& poles, Index channels, Index taps = 1) {
    const auto modes = static_cast<Index>(poles.size());
    Mixer::Parameters parameters{Matrix<double>(modes, 2 * channels),
                                 random_matrix<double>(modes, 2 * channels, 5),
                                 random_matrix<double>(taps, channels, 6)};
    for (Index i = 0; i < modes; ++i) {
        for (Index c = 0; c < channels; ++c) {
            parameters.poles(i, 2 * c) = poles[static_cast<std::size_t>(i)].real();
            parameters.poles(i, 2 * c + 1) = poles[static_cast<std::size_t>(i)].imag();
        }
    }
    return parameters;
}

/// y is that of the poles that should count, by definition.
void expect_dense_product(const std::vector<std::complex<double>>& poles,
                          const std::vector<std::complex<long double>>& counting, Index length, Index taps) {
    constexpr Index channels = 3;
    const auto modes = static_cast<Index>(poles.size());
    const auto parameters = with_poles(poles, channels, taps);
    Matrix<double> kernel(taps + 2 * modes, channels);
    kernel.topRows(taps) = parameters.direct;
    for (Index i = 0; i < modes; ++i) {
        for (Index c = 0; c < channels; ++c) {
            kernel(taps + i, c) = parameters.residues(i, 2 * c);
            kernel(taps + modes + i, c) = parameters.residues(i, 2 * c + 1);
        }
    }
    Oracle oracle(length);
    oracle.add(state_space_part(length, counting, taps));
    expect_product(Mixer({.channels = channels, .modes = modes, .taps = taps}), parameters, length, oracle,
                   kernel);
}

TEST(StateSpaceTnoTest, IsTheDenseProduct) {
    for (const Index length : {1, 2, 9, 80}) {
        expect_dense_product({0.9}, {0.9}, length, 1);
        for (const Index taps : {1, 4}) {
            expect_dense_product({{0.5, 0.75}, -0.25, {-0.625, 0.125}}, {{0.5, 0.75}, -0.25, {-0.625, 0.125}},
                                 length, taps);
        }
    }
}

TEST(StateSpaceTnoTest, PolesOutsideTheUnitCircleCountAsTheirNeighboursOnIt) {
    // 3 + 4i has the modulus 5. The oracle's tolerance knows no pole on the circle.
    const Mixer mixer({.channels = 1, .modes = 3});
    auto parameters = with_poles({{3, 4}, {-0.75, 0}, {0.6, 0.8}}, 1);
    const auto modes = mixer.prepare(parameters, 4).causal_modes();
    EXPECT_NEAR(std::abs(modes.poles(0, 0) - std::complex<double>(0.6, 0.8)), 0, 1e-15);
    EXPECT_LE(std::norm(modes.poles(0, 0)), 1);
    EXPECT_EQ(modes.poles(1, 0), std::complex<double>(-0.75, 0));
    // The sum of their squares is 1 + 4e-17, which is 1 in double.
    EXPECT_EQ(modes.poles(2, 0), std::complex<double>(0.6, 0.8));
    EXPECT_EQ(modes.residues(2, 0),
              std::complex<double>(parameters.residues(2, 0), parameters.residues(2, 1)));
    EXPECT_EQ(modes.direct(0, 0), parameters.direct(0, 0));
    // None of 10^5 directions ends outside.
    const CounterRandom random(1);
    const StateSpaceTno<float> narrow({.channels = 1000, .modes = 100});
    auto many = narrow.make_parameters();
    for (Index i = 0; i < many.poles.size(); i += 2) {
        const std::complex<double> pole =
            std::polar(1 + random.uniform(static_cast<std::uint64_t>(i)), 0.1 * static_cast<double>(i));
        many.poles.data()[i] = static_cast<float>(pole.real());
        many.poles.data()[i + 1] = static_cast<float>(pole.imag());
    }
    const auto counting = narrow.prepare(many, 1).causal_modes();
    for (Index i = 0; i < counting.poles.size(); ++i) {
        EXPECT_LE(std::norm(std::complex<double>(counting.poles.data()[i])), 1);
        EXPECT_GE(std::norm(std::complex<double>(counting.poles.data()[i])), 1 - 1e-6);
    }
}

TEST(StateSpaceTnoTest, IsCausalAndNested) {
    const Mixer mixer({.channels = 2, .modes = 4});
    const auto parameters = start(mixer, 3);
    expect_causal(mixer, parameters, 17);
    expect_nested(mixer, parameters, 9, 30);
    EXPECT_EQ(mixer.causality(), Causality::causal);
    EXPECT_EQ(mixer.modes(), 4);
}

TEST(StateSpaceTnoTest, StartsWithModesThatDecayAndPassOnWhatTheyGet) {
    constexpr Index channels = 50;
    const Mixer mixer({.channels = channels, .modes = 8});
    const auto parameters = start(mixer, 3);
    double energy = 0;
    Index slow = 0;
    for (Index i = 0; i < 8; ++i) {
        for (Index c = 0; c < channels; ++c) {
            const std::complex<double> pole(parameters.poles(i, 2 * c), parameters.poles(i, 2 * c + 1));
            EXPECT_LT(std::abs(pole), std::exp(-0.000999));
            EXPECT_GT(std::abs(pole), std::exp(-1.001));
            slow += std::abs(pole) > std::exp(-0.01);
            const Eigen::Vector2d residue(parameters.residues(i, 2 * c), parameters.residues(i, 2 * c + 1));
            energy += residue.squaredNorm() / (1 - std::norm(pole)) / 2;
        }
    }
    // A third of them forgets after more than 100 steps; Σ h_t² is 1 in the mean of the channels.
    EXPECT_NEAR(static_cast<double>(slow) / 400, 1.0 / 3, 0.1);
    EXPECT_NEAR(energy / channels, 1, 0.2);
    EXPECT_TRUE(parameters.direct.isZero(0));
    EXPECT_EQ(parameters.bounds.size(), 0);
    EXPECT_NE(parameters.poles, start(mixer, 4).poles);
}

TEST(StateSpaceTnoErrors, OptionsAndParametersThatDoNotFit) {
    EXPECT_THROW(Mixer({.channels = 0}), config_error);
    EXPECT_THROW(Mixer({.channels = 1, .modes = 0}), config_error);
    expect_error<config_error>(513, "[toeplitz.config.513] StateSpaceTno: expected taps of 1..64, got 0",
                               [] { Mixer({.channels = 1, .taps = 0}); });
    const Mixer mixer({.channels = 3, .modes = 2});
    auto parameters = start(mixer);
    const auto refuses = [&](const std::string& what, const std::string& got) {
        expect_error<shape_error>(
            405, "[toeplitz.shape.405] StateSpaceTno: expected parameters with " + what + ", got " + got,
            [&] { Calls<Mixer>::prepare(mixer, parameters, 4); });
    };
    parameters.direct.resize(1, 2);
    refuses("direct of shape 1×3", "1×2");
    parameters.residues.resize(2, 3);
    refuses("residues of shape 2×6", "2×3");
    parameters.poles.resize(1, 6);
    refuses("poles of shape 2×6", "1×6");
}

}  // namespace
}  // namespace toeplitz::test::state_space_tno_test
