// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test::ski_tno_test {
namespace {

constexpr auto causal = Causality::causal;
constexpr auto both = Causality::bidirectional;

template <class Mixer>
typename Mixer::Options small(Index length, Index rank, Index taps) {
    typename Mixer::Options options{.channels = 3, .length = length, .rank = rank, .taps = taps};
    if constexpr (requires { options.kernel.knots; }) {
        options.kernel.knots = 4;
        options.kernel.decay.lambda = 0.9;
    } else {
        options.kernel.mlp = {.width = 5, .layers = 1, .activation = Activation::silu};
        options.kernel.decay.mode = DecayMode::none;
        options.decay = {.mode = DecayMode::fixed, .lambda = 0.9};
    }
    return options;
}

/// The source at the lags δh, δ = first..r−1, evaluated without the mixer and multiplied by its decay.
template <class Mixer>
Matrix<double> inducing_values(const Mixer& mixer, const typename Mixer::Options& options,
                               const typename Mixer::Parameters& parameters, Index length, Index rank,
                               Index first) {
    Vector<double> lags(rank - first);
    for (Index delta = first; delta < rank; ++delta) {
        lags(delta - first) = rank == 1 ? 0
                                        : static_cast<double>(delta) * static_cast<double>(length - 1) /
                                              static_cast<double>(rank - 1);
    }
    Matrix<double> values = values_at(mixer.kernel().source(), parameters.kernel, lags);
    if (options.decay.mode == DecayMode::fixed) {
        for (Index i = 0; i < lags.size(); ++i) {
            values.row(i) *= std::pow(options.decay.lambda, std::abs(lags(i)));
        }
    }
    return values;
}

template <class Mixer>
void expect_dense_product(Index length, Index rank, Index taps) {
    SCOPED_TRACE(testing::Message() << "n " << length << ", rank " << rank << ", taps " << taps);
    const auto options = small<Mixer>(length, rank, taps);
    const Mixer mixer(options);
    const auto parameters = start(mixer, 3);
    const Index r = std::min(rank, length);
    EXPECT_EQ(mixer.rank(length), r);
    Oracle oracle(length);
    if constexpr (Mixer::causality() == both) {
        const Matrix<double> values = inducing_values(mixer, options, parameters, length, r, 1 - r);
        Matrix<double> kernel(taps + 2 * r - 1, 3);
        for (Index q = 0; q < taps; ++q) {
            // conv_kernel holds the highest lag first.
            kernel.row(q) = parameters.conv_kernel.col(taps - 1 - q).transpose();
        }
        kernel.bottomRows(2 * r - 1) = values;
        if (taps > 0) oracle.add(lag_part(length, -(taps - 1) / 2, taps));
        oracle.add(interpolation_part(length, r));
        expect_product(mixer, parameters, length, oracle, kernel);
    } else {
        // λ^t is smooth on its own: it multiplies what is interpolated.
        auto undecayed = options;
        undecayed.decay.mode = DecayMode::none;
        const Matrix<double> values = inducing_values(mixer, undecayed, parameters, length, r, 0);
        Matrix<double> kernel(length, 3);
        for (Index t = 0; t < length; ++t) {
            const double place = length == 1 ? 0
                                             : static_cast<double>(t) * static_cast<double>(r - 1) /
                                                   static_cast<double>(length - 1);
            const Index below = std::min(static_cast<Index>(place), std::max<Index>(r - 2, 0));
            const Index above = std::min(below + 1, r - 1);
            const double fraction = place - static_cast<double>(below);
            kernel.row(t) = (1 - fraction) * values.row(below) + fraction * values.row(above);
            if (options.decay.mode == DecayMode::fixed) {
                kernel.row(t) *= std::pow(options.decay.lambda, static_cast<double>(t));
            }
            if (t < taps) kernel.row(t) += parameters.conv_kernel.col(t).transpose();
        }
        oracle.add(lag_part(length, 0, length));
        expect_product(mixer, parameters, length, oracle, kernel);
    }
}

TEST(SkiTnoTest, IsTheDenseProduct) {
    // One time step, more taps than steps, more inducing points than steps, one inducing point, no taps.
    const Index shapes[][3] = {{1, 1, 1}, {1, 4, 5}, {2, 2, 0},  {3, 5, 9},  {9, 1, 3},
                               {9, 2, 0}, {9, 9, 3}, {9, 20, 1}, {13, 5, 7}, {40, 7, 5}};
    for (const auto& [length, rank, taps] : shapes) {
        expect_dense_product<DoubleSkiTno<both>>(length, rank, taps);
        expect_dense_product<DoubleSkiTno<causal>>(length, rank, taps);
        expect_dense_product<DoubleMlpSkiTno<both>>(length, rank, taps);
        expect_dense_product<DoubleMlpSkiTno<causal>>(length, rank, taps);
    }
    expect_dense_product<DoubleSkiTno<causal>>(13, 5, 4);  // even taps
}

TEST(SkiTnoTest, IsCausalOrNot) {
    const DoubleSkiTno<causal> mixer(small<DoubleSkiTno<causal>>(17, 5, 3));
    expect_causal(mixer, start(mixer, 1), 17);
    const DoubleSkiTno<both> other(small<DoubleSkiTno<both>>(5, 3, 1));
    EXPECT_GT(std::abs(matrix_of(other, start(other, 1), 5, 0)(0, 4)), 1e-3);
}

TEST(SkiTnoTest, LongerSequencesSeeTheSameKernelWhereTheSpacingIsKept) {
    const DoubleSkiTno<both> mixer(small<DoubleSkiTno<both>>(17, 5, 3));  // h = 4
    EXPECT_EQ(mixer.rank(33), 9);
    EXPECT_EQ(mixer.rank(9), 3);
    expect_nested(mixer, start(mixer, 1), 17, 33);
    expect_nested(mixer, start(mixer, 1), 9, 17);
    const DoubleMlpSkiTno<causal> other(small<DoubleMlpSkiTno<causal>>(17, 5, 3));
    expect_nested(other, start(other, 1), 17, 33);
}

TEST(SkiTnoTest, ASequenceSeesWhatItSeesWithPaddingBehindItAtEveryLength) {
    for (const auto& [trained, rank] : {std::pair<Index, Index>{17, 5}, {10, 4}, {13, 6}, {2, 2}}) {
        SCOPED_TRACE(testing::Message() << "n " << trained << ", rank " << rank);
        const DoubleSkiTno<both> mixer(small<DoubleSkiTno<both>>(trained, rank, 3));
        const DoubleMlpSkiTno<causal> other(small<DoubleMlpSkiTno<causal>>(trained, rank, 3));
        for (Index length = 1; length < 28; length += length < 12 ? 1 : 5) {
            expect_nested(mixer, start(mixer, 1), length, 28);
            expect_nested(other, start(other, 1), length, 28);
        }
    }
}

TEST(SkiTnoTest, KeepsTheSpacingOrTheRank) {
    auto options = small<DoubleSkiTno<both>>(10, 4, 1);  // h = 3
    const DoubleSkiTno<both> spacing(options);
    options.extrapolation = Extrapolation::keep_rank;
    const DoubleSkiTno<both> rank(options);
    // Never further apart than h.
    const Index ranks[][2] = {{1, 1}, {2, 2}, {4, 2}, {5, 3}, {10, 4}, {11, 5}, {19, 7}, {20, 8}, {100, 34}};
    for (const auto& [length, expected] : ranks) {
        EXPECT_EQ(spacing.rank(length), expected) << length;
        EXPECT_EQ(rank.rank(length), std::min<Index>(length, 4)) << length;
    }
    const auto parameters = start(rank, 1);
    const Matrix<double> t = matrix_of(rank, parameters, 10, 0);
    const Matrix<double> more = matrix_of(rank, parameters, 19, 0);
    EXPECT_GT((more.topLeftCorner(10, 10) - t).norm(), 0.01 * t.norm());
    options.rank = 1;
    options.extrapolation = Extrapolation::keep_spacing;
    EXPECT_EQ(DoubleSkiTno<both>(options).rank(100), 1);
    options.rank = 20;  // more than the length: every step, at any length
    EXPECT_EQ(DoubleSkiTno<both>(options).rank(100), 100);
}

TEST(SkiTnoTest, TapsOfTheBandStartAsADepthwiseConvolution) {
    const DoubleSkiTno<both> mixer(small<DoubleSkiTno<both>>(9, 3, 25));
    const Matrix<double> taps = start(mixer, 1).conv_kernel;
    EXPECT_EQ(taps.rows(), 3);
    EXPECT_EQ(taps.cols(), 25);
    EXPECT_LE(taps.cwiseAbs().maxCoeff(), 0.2);
    EXPECT_GT(taps.cwiseAbs().maxCoeff(), 0.18);
}

TEST(SkiTnoTest, HasTheOfficialNames) {
    const auto names = [](const auto& parameters) {
        std::string text;
        for_each_parameter([&](const ParameterName& name, const auto&) { text += name.text() + " "; },
                           parameters);
        return text;
    };
    auto options = small<DoubleSkiTno<both>>(9, 3, 5);
    EXPECT_EQ(names(start(DoubleSkiTno<both>(options))), "conv_kernel alphas betas ");
    options.kernel.decay.mode = DecayMode::learned;
    options.taps = 0;
    EXPECT_EQ(names(start(DoubleSkiTno<both>(options))), "alphas betas gamma ");
    EXPECT_EQ(names(start(DoubleSkiTno<causal>(options))), "alphas gamma ");
    EXPECT_EQ(names(start(DoubleMlpSkiTno<causal>(small<DoubleMlpSkiTno<causal>>(9, 3, 4)))),
              "conv_kernel rpe.pos_proj.weight rpe.pos_proj.bias rpe.layers.0.2.weight "
              "rpe.layers.0.2.bias rpe.out.2.weight rpe.out.2.bias ");
}

TEST(SkiTnoErrorTest, NamesWhatDoesNotFit) {
    using M = DoubleSkiTno<both>;
    const auto refused = [](int id, const std::string& text, auto&& change) {
        auto options = small<M>(9, 3, 5);
        change(options);
        expect_error<config_error>(
            id, "[toeplitz.config." + std::to_string(id) + "] SkiTno: expected " + text, [&] { M{options}; });
    };
    refused(201, "channels >= 1, got 0", [](auto& o) { o.channels = 0; });
    refused(201, "length >= 1, got 0", [](auto& o) { o.length = 0; });
    refused(520, "rank >= 1, got 0", [](auto& o) { o.rank = 0; });
    refused(510, "taps >= 0, got -1", [](auto& o) { o.taps = -1; });
    refused(511, "an odd number of taps, got 4", [](auto& o) { o.taps = 4; });
    refused(730, "one fixed decay, or none, got a learned one or several",
            [](auto& o) { o.decay.mode = DecayMode::learned; });
    refused(730, "one fixed decay, or none, got a learned one or several",
            [](auto& o) { o.decay.per_channel = Vector<double>::Ones(3); });
    const M mixer(small<M>(9, 3, 5));
    auto other = start(mixer);
    other.conv_kernel.resize(3, 4);
    const Matrix<double> x = Matrix<double>::Ones(9, 3);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] SkiTno: expected parameters with conv_kernel of shape 3×5, got 3×4",
        [&] { forward(mixer, other, x, {9}); });
    M::Cache cache;
    Workspace ws;
    Matrix<double> y(9, 3);
    Calls<M>::forward(mixer, start(mixer), x, {9}, y, cache, ws);
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] SkiTno: expected gradients with conv_kernel of shape 3×5, got 3×4",
        [&] { Calls<M>::backward(mixer, start(mixer), x, cache, x, y, other, ws); });
}

}  // namespace
}  // namespace toeplitz::test::ski_tno_test
