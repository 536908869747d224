// SPDX-License-Identifier: MIT
/// \file
/// Exact mixers become compressed ones: the bound holds for what they compute, forward, backward and from
/// files.

#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/nn.hpp>
#include <support/options.hpp>
#include <support/threads.hpp>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/core/options_text.hpp>
#include <toeplitz/nn/compress.hpp>

namespace toeplitz::test::compress_test {
namespace {

constexpr Causality both = Causality::bidirectional;
using Mixer = CompressedTno<double>;

/// The same Gaussian in channels 0..31, an oscillation that is no slower than the lags in the others.
Matrix<double> mixed_lags(Index n, Index d) {
    Matrix<double> lags(2 * n - 1, d);
    for (Index i = 0; i < lags.rows(); ++i) {
        const double t = static_cast<double>(i - n + 1);
        for (Index c = 0; c < d; ++c) {
            const double width = static_cast<double>(n);
            lags(i, c) =
                c < 32 ? std::exp(-20 * t * t / (width * width)) : std::sin(t * t + static_cast<double>(c));
        }
    }
    return lags;
}

/// An impulse at each time, n sequences one after another.
Matrix<double> impulses(Index n, Index d) {
    Matrix<double> x = Matrix<double>::Zero(n * n, d);
    for (Index j = 0; j < n; ++j) x.row(j * n + j).setOnes();
    return x;
}
Matrix<double> evaluated(const Mixer& mixer, const Mixer::Parameters& parameters, const Matrix<double>& x,
                         Index n) {
    Matrix<double> y(x.rows(), x.cols());
    const auto prepared = mixer.prepare(parameters, n);
    std::size_t held = 0;
    for (const auto& op : prepared.ops()) held += op.state_bytes();
    EXPECT_EQ(prepared.state_bytes(), held);
    Workspace ws(prepared.required_workspace(x.rows() / n));
    const std::size_t bytes = ws.capacity();
    prepared.evaluate(x, y, ws);
    EXPECT_EQ(ws.capacity(), bytes);
    return y;
}
/// Tᵀ of a channel.
Matrix<double> matrix_of(const Matrix<double>& responses, Index n, Index c) {
    Matrix<double> t(n, n);
    for (Index i = 0; i < t.size(); ++i) t.data()[i] = responses(i, c);
    return t;
}

TEST(CompressTest, ATnoBecomesAMixerWithinItsBounds) {
    constexpr Index n = 150;
    constexpr Index d = 20;
    using Tno = DoubleTno<both>;
    const Tno tno({.channels = d, .mlp = {.width = 8}, .decay = {.lambda = 0.98}});
    const auto parameters = start(tno, 3);
    // What compress(tno, …) does, but for what is compiled elsewhere.
    const auto made = compress_lags<double>(lags_of(tno, parameters, n),
                                            {.tolerance = 0.03, .kind = ToleranceKind::relative});
    EXPECT_LT(made.parameters.cost_ratio(), 1);

    const Matrix<double> exact = evaluate(tno, parameters, impulses(n, d), {n});
    const Matrix<double> compressed = evaluated(made.module, made.parameters, impulses(n, d), n);
    Index c = 0;
    for (const Approximation<double>& group : made.parameters.groups) {
        ASSERT_NE(group.method(), Method::fft);
        for (Index i = 0; i < group.channels(); ++i, ++c) {
            const Matrix<double> t = matrix_of(exact, n, c);
            const double error = spectral_norm(t - matrix_of(compressed, n, c));
            // What the products round is 1e-12 of what is asked for.
            EXPECT_LE(error, group.bounds(i) + 1e-12 * spectral_norm(t)) << c;
            EXPECT_GE(error, group.bounds(i) / 10) << c;
            EXPECT_LE(group.bounds(i), group.tolerances(i)) << c;
            // Both norms are from below.
            EXPECT_LE(group.tolerances(i), 0.03 * spectral_norm(t) * 1.001) << c;
        }
    }
    EXPECT_EQ(c, d);
}

/// That y = T x for the lags of T.
template <class FdTno>
void expect_lags(const FdTno& fd, Index n) {
    const auto parameters = start(fd, 5);
    const Matrix<double> lags = lags_of(fd, parameters, n);
    const Matrix<double> x = impulses(n, fd.channels());
    const Mixer exact({.channels = fd.channels(), .length = n});
    auto same = exact.make_parameters();
    same.groups[0].lags = lags;
    const Matrix<double> y = evaluate(fd, parameters, x, {n});
    EXPECT_LT((y - evaluated(exact, same, x, n)).norm(), 1e-13 * y.norm());
    EXPECT_GT(y.norm(), 0.1);
}

TEST(CompressTest, AnFdTnoKnowsTheLagsOfItsOperator) {
    expect_lags(DoubleFdTno<both>({.channels = 3, .mlp = {.width = 8}}), 37);
    expect_lags(DoubleFdTno<Causality::causal>({.channels = 3, .mlp = {.width = 8}}), 37);
}

TEST(CompressTest, CausalLagsMayBecomeStateSpaces) {
    constexpr Index n = 400;
    constexpr Index d = 36;
    // One mode in each of the first 32 channels, noise in the others.
    Matrix<double> lags = Matrix<double>::Zero(2 * n - 1, d);
    for (Index c = 0; c < d; ++c) {
        for (Index t = 0; t < n; ++t) {
            const double time = static_cast<double>(t);
            lags(n - 1 + t, c) = c < 32 ? std::pow(0.9, time) * double(c + 1) : std::sin(time * time);
        }
    }
    const auto made =
        compress_lags<double>(lags, {.tolerance = 1e-4, .kind = ToleranceKind::relative, .most_modes = 16});
    const auto& groups = made.parameters.groups;
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].method(), Method::state_space);
    EXPECT_EQ(groups[0].channels(), 32);
    EXPECT_EQ(groups[0].modes(), 1);
    EXPECT_EQ(groups[0].bounds.size(), 32);
    EXPECT_EQ(groups[1].method(), Method::fft);
    EXPECT_EQ(groups[1].channels(), 4);
    for (Index c = 0; c < 32; ++c) EXPECT_NEAR(groups[0].residues(0, 2 * c), 0.9 * double(c + 1), 1e-6);
}

TEST(CompressTest, OtherLagsMayBecomeAStateSpaceForEachDirectionOfTime) {
    constexpr Index n = 250;
    constexpr Index d = 20;
    Matrix<double> lags(2 * n - 1, d);
    for (Index c = 0; c < d; ++c) {
        for (Index t = 1 - n; t < n; ++t) {
            lags(n - 1 + t, c) =
                std::pow(t < 0 ? 0.8 : 0.95, std::abs(double(t))) * (t == 0 ? 9.0 : double(c + 1));
        }
    }
    const auto made =
        compress_lags<double>(lags, {.tolerance = 1e-3, .kind = ToleranceKind::relative, .most_modes = 8});
    const auto& groups = made.parameters.groups;
    ASSERT_EQ(groups.size(), 1U);
    ASSERT_EQ(groups[0].method(), Method::two_sided);
    EXPECT_EQ(groups[0].modes(), 2);
    EXPECT_LT(made.parameters.cost_ratio(), 0.5);
    const Matrix<double> y = evaluated(made.module, made.parameters, impulses(n, d), n);
    for (Index c = 0; c < d; ++c) {
        Matrix<double> t = matrix_of(y, n, c).transpose();
        for (Index i = 0; i < n; ++i) {
            for (Index j = 0; j < n; ++j) t(i, j) -= lags(n - 1 + i - j, c);
        }
        EXPECT_LE(spectral_norm(t), groups[0].bounds(c) + 1e-12 * lags.col(c).norm());
        EXPECT_LE(groups[0].bounds(c), groups[0].tolerances(c));
    }

    // A step down the gradient of ‖y − g‖² gains what the gradient says.
    const Matrix<double> x =
        Matrix<double>::NullaryExpr(n, d, [](Index i, Index c) { return std::cos(double(i * 7 + c)); });
    auto parameters = made.parameters;
    auto gradients = zeros_like(parameters);
    Matrix<double> output(n, d);
    Matrix<double> dx(n, d);
    Mixer::Cache cache;
    Workspace ws;
    const auto loss = [&] {
        made.module.forward(parameters, x, {n}, output, cache, ws);
        return output.squaredNorm() / 2;
    };
    const double before = loss();
    made.module.backward(parameters, x, cache, output, dx, gradients, ws);
    double squares = 0;
    for_each_parameter([&](const ParameterName&, const auto& slope) { squares += slope.squaredNorm(); },
                       gradients);
    const double step = 1e-5 * before / squares;
    for_each_parameter(
        [&](const ParameterName& name, auto& values, const auto& slope) {
            if (!name.is_buffer()) values -= step * slope;
        },
        parameters, gradients);
    EXPECT_NEAR((before - loss()) / (step * squares), 1, 0.01);
}

TEST(CompressTest, ChannelsThatNothingCheaperIsKnownForKeepTheirLags) {
    constexpr Index n = 300;
    const Matrix<double> lags = mixed_lags(n, 56);
    const auto made =
        compress_lags<double>(lags, {.tolerance = 0.01, .kind = ToleranceKind::relative, .most_modes = 0});
    const auto& groups = made.parameters.groups;
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].channels(), 32);
    EXPECT_EQ(groups[0].method(), Method::ski);
    // Blocks of one shape have become one group.
    EXPECT_EQ(groups[1].channels(), 24);
    EXPECT_EQ(groups[1].method(), Method::fft);
    EXPECT_EQ(groups[1].lags, lags.rightCols(24));
    EXPECT_TRUE(groups[1].bounds.isZero(0));
    EXPECT_EQ(groups[1].bounds.size(), 24);
    EXPECT_EQ(groups[0].lags.size(), 0);
    EXPECT_LT(made.parameters.cost_ratio(), 0.9);

    // The gradients of ⟨g, T x⟩ are the products with T and Tᵀ: ⟨g, T x⟩ = ⟨Tᵀ g, x⟩ = ⟨gradient,
    // parameters⟩.
    const Mixer& mixer = made.module;
    const Matrix<double> x =
        Matrix<double>::NullaryExpr(2 * n, 56, [](Index i, Index c) { return std::cos(double(i * 7 + c)); });
    const Matrix<double> g = x.reverse();
    Matrix<double> y(2 * n, 56);
    Matrix<double> dx(2 * n, 56);
    Mixer::Cache cache;
    Workspace ws;
    const Index lengths[] = {n, n - 9};
    auto gradients = zeros_like(made.parameters);
    mixer.forward(made.parameters, x, {n, lengths}, y, cache, ws);
    mixer.backward(made.parameters, x, cache, g, dx, gradients, ws);
    EXPECT_TRUE(y.bottomRows(9).isZero(0));
    const double product = y.cwiseProduct(g).sum();
    double of_parameters = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& gradient, const auto& values) {
            if (!name.is_buffer()) of_parameters += gradient.cwiseProduct(values).sum();
        },
        gradients, made.parameters);
    const double size = 1e-13 * y.norm() * g.norm();
    EXPECT_NEAR(dx.topRows(2 * n - 9).cwiseProduct(x.topRows(2 * n - 9)).sum(), product, size);
    EXPECT_NEAR(of_parameters, product, size);
}

TEST(CompressTest, AModelKeepsAllOptionsButThoseOfItsMixer) {
    using Exact = Model<DoubleTno<both>, RowNorm<double>>;
    Exact::Options options;
    for_each_option(ChangeOption{}, options);
    options.dropout = options.block.dropout = 0.5;  // some must be in their ranges
    options.precision = Precision::exact;
    options.block.gtu.mixer = {};
    options.norm->measured = options.block.norm.measured = 0;
    options.output_weights = OutputWeights::separate;
    options.layers = 2;
    options.blocks.assign(2, options.block);
    options.blocks[1].gtu.inner_width = 5;
    const Exact model(options);
    const auto compressed = compressed_options(model, 40);
    for (const OptionDifference& difference : option_differences(model.options(), compressed)) {
        EXPECT_NE(difference.name.find(".gtu.mixer."), std::string::npos) << difference.text();
    }
    EXPECT_EQ(compressed.block.gtu.mixer.length, 40);
    EXPECT_EQ(compressed.blocks[1].gtu.mixer.length, 40);
}

TEST(CompressTest, RefusesOtherLengthsAndParametersThatDoNotFit) {
    const Mixer mixer({.channels = 3, .length = 8});
    auto parameters = mixer.make_parameters();
    expect_error<config_error>(
        760,
        "[toeplitz.config.760] CompressedTno: expected sequences of 8, for which it was compressed, got 9",
        [&] { mixer.prepare(parameters, 9); });
    const auto refuses = [&](const std::string& what) {
        expect_error<shape_error>(
            405, "[toeplitz.shape.405] CompressedTno: expected parameters with " + what + ", got others",
            [&] { mixer.prepare(parameters, 8); });
    };
    parameters.groups.push_back(parameters.groups[0]);
    refuses("groups of 3 channels");
    parameters.groups.clear();
    refuses("groups of 3 channels");
    parameters = mixer.make_parameters();
    parameters.groups[0].lags.resize(14, 3);
    refuses("taps, inducing values or 2n-1 lags in every group");
    EXPECT_THROW(Mixer({.channels = 3}), config_error);
}

TEST(CompressTest, RefusesAKernelOrAToleranceForAnyNumberOfThreads) {
    Matrix<double> lags = mixed_lags(200, 64);
    for (const int threads : {1, 2, 7}) {
        with_threads(threads, [&] {
            const auto compress_all = [&](double tolerance) {
                return [&, tolerance] { compress_lags<double>(lags, {.tolerance = tolerance}); };
            };
            lags(0, 37) = 0;
            expect_error<config_error>(553,
                                       "[toeplitz.config.553] choose: expected a tolerance above 0 that is "
                                       "finite, got one that is not",
                                       compress_all(0));
            lags(0, 37) = std::numeric_limits<double>::quiet_NaN();
            expect_error<value_error>(530,
                                      "[toeplitz.value.530] choose: expected a finite kernel, got a NaN or "
                                      "an infinity at lag -199, "
                                      "channel 37",
                                      compress_all(1));
        });
    }
}

}  // namespace
}  // namespace toeplitz::test::compress_test
