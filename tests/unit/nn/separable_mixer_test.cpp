// SPDX-License-Identifier: MIT
// The mixer of images, against the Kronecker product of its axes' matrices.

#include <cmath>
#include <functional>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/gradient_check.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test::separable_mixer_test {
namespace {

constexpr Causality both = Causality::bidirectional;
using RowTno = Tno<double, both>;
using RowSki = SkiTno<double, both>;
using Axis = AnyOf<RowTno, RowSki>;
using Images = SeparableMixer<Axis, Axis>;

static_assert(NamedMixer<Images>);
static_assert(std::string_view(Images::architecture) == "separable");
static_assert(std::string_view(SeparableMixer<RowTno, RowSki>::architecture) == "tno_by_ski_tno");

constexpr Index channels = 3;

/// Rows by the exact product, columns by band and inducing points.
Images::Options options_of(Index height, Index width, double scale = 1) {
    TnoOptions rows{.mlp = {.width = 4, .layers = 1, .activation = Activation::silu},
                    .decay = {.lambda = 0.9}};
    RowSki::Options columns{.length = height, .rank = 4, .taps = 3};
    columns.kernel.knots = 5;
    columns.kernel.decay.lambda = 0.8;
    return {.channels = channels,
            .image_width = width,
            .scale = scale,
            .rows = Axis::options<RowTno>(rows),
            .columns = Axis::options<RowSki>(columns)};
}

Images::Parameters parameters_of(const Images& mixer, std::uint64_t seed) {
    auto parameters = mixer.make_parameters(seed);
    const CounterRandom random(seed + 1);
    std::uint64_t drawn = 0;
    for_each_parameter(
        [&](const ParameterName&, auto& tensor) {
            for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] += 0.3 * random.normal(drawn++);
        },
        parameters);
    return parameters;
}

/// The matrix of a mixer along one axis, for one channel: column j is the response to an impulse at j.
Matrix<double> axis_matrix(const Axis& axis, const Axis::Parameters& parameters, Index length,
                           Index channel) {
    Matrix<double> x = Matrix<double>::Zero(length * length, channels);
    for (Index j = 0; j < length; ++j) x(j * length + j, channel) = 1;
    Matrix<double> y(x.rows(), channels);
    Workspace ws;
    axis.prepare(parameters, length).evaluate(x, y, ws);
    Matrix<double> t(length, length);
    for (Index j = 0; j < length; ++j) t.col(j) = y.col(channel).segment(j * length, length);
    return t;
}

/// Whether pixel (i, j) of image b counts.
bool is_valid(const Sequences& images, Index width, Index b, Index i, Index j) {
    bool valid = false;
    images.for_valid_runs(b, [&](Index first, Index count) {
        const Index step = i * width + j;
        valid = valid || (step >= first && step < first + count);
    });
    return valid;
}

/// scale · (C ⊗ R) x over the valid pixels, in long double.
Matrix<long double> kronecker(const Images& mixer, const Images::Parameters& parameters,
                              const Matrix<double>& x, const Sequences& images) {
    const Index width = mixer.image_width();
    const Index height = images.length() / width;
    Matrix<long double> y = Matrix<long double>::Zero(x.rows(), x.cols());
    for (Index c = 0; c < channels; ++c) {
        const Matrix<double> rows = axis_matrix(mixer.rows(), parameters.rows, width, c);
        const Matrix<double> columns = axis_matrix(mixer.columns(), parameters.columns, height, c);
        for (Index b = 0; b < images.batch(); ++b) {
            for (Index to = 0; to < images.length(); ++to) {
                if (!is_valid(images, width, b, to / width, to % width)) continue;
                for (Index from = 0; from < images.length(); ++from) {
                    const Index i = from / width;
                    const Index j = from % width;
                    if (!is_valid(images, width, b, i, j)) continue;
                    y(b * images.length() + to, c) +=
                        static_cast<long double>(mixer.options().scale) *
                        static_cast<long double>(columns(to / width, i)) *
                        static_cast<long double>(rows(to % width, j)) *
                        static_cast<long double>(x(b * images.length() + from, c));
                }
            }
        }
    }
    return y;
}

struct Stepped {
    Matrix<double> y, dx;
    Images::Parameters gradients;
};

Stepped step(const Images& mixer, const Images::Parameters& parameters, const Matrix<double>& x,
             const Sequences& images, const Matrix<double>& g) {
    Stepped result{Matrix<double>(x.rows(), channels), Matrix<double>(x.rows(), channels),
                   zeros_like(parameters)};
    Images::Cache cache;
    Workspace ws;
    const Index batch = x.rows() / images.length();
    ws.reserve(mixer.required_workspace(batch, images.length()));
    mixer.forward(parameters, x, images, result.y, cache, ws);
    mixer.backward(parameters, x, cache, g, result.dx, result.gradients, ws);
    EXPECT_LE(ws.most_used(), mixer.required_workspace(batch, images.length()));
    return result;
}

const std::vector<Index> heights = {5, 0, 3};
const std::vector<Index> widths = {4, 7, 1};
const std::vector<Index> whole_rows = {35, 14, 0};  // steps

std::vector<Sequences> all_frames(Index height, Index width) {
    return {Sequences::images(height, width),
            Sequences(height * width),
            Sequences::images(height, width, heights),
            Sequences::images(height, width, {}, widths),
            Sequences::images(height, width, heights, widths),
            Sequences(height * width, whole_rows)};
}

TEST(SeparableMixerTest, IsTheKroneckerProductOfItsAxes) {
    constexpr Index height = 5;
    constexpr Index width = 7;
    for (const double scale : {1.0, -0.5}) {
        const Images mixer(options_of(height, width, scale));
        const auto parameters = parameters_of(mixer, 1);
        const auto prepared = mixer.prepare(parameters, height * width);
        for (const Sequences& frames : all_frames(height, width)) {
            const Matrix<double> x = random_matrix<double>(3 * height * width, channels, 2);
            const Sequences images = frames.within(x.rows(), 0, "test");
            const Matrix<long double> expected = kronecker(mixer, parameters, x, images);
            const long double tolerance = 4 * (height + width) * unit<double>;
            EXPECT_LE(relative_error(step(mixer, parameters, x, frames, x).y, expected), tolerance);
            Matrix<double> y(x.rows(), channels);
            Workspace ws;
            ws.reserve(prepared.required_workspace(3));
            prepared.evaluate(x, y, ws, frames);
            EXPECT_LE(ws.most_used(), prepared.required_workspace(3));
            EXPECT_LE(relative_error(y, expected), tolerance);
        }
    }
}

TEST(SeparableMixerTest, IsTheKroneckerProductWhereAxesAreTransformed) {
    const Index width = most_direct_lags + 6;
    const Images mixer(options_of(3, width));
    const auto parameters = parameters_of(mixer, 3);
    const Matrix<double> x = random_matrix<double>(2 * 3 * width, channels, 4);
    const Sequences images = Sequences::images(3, width).within(x.rows(), 0, "test");
    EXPECT_LE(
        relative_error(step(mixer, parameters, x, images, x).y, kronecker(mixer, parameters, x, images)),
        transform_error(4 * width) * 3 * unit<double>);
}

TEST(SeparableMixerTest, TheOfficialSumOfBothOrdersIsTwiceOneOfThem) {
    constexpr Index height = 6;
    constexpr Index width = 4;
    const Images mixer(options_of(height, width, 2));
    const auto parameters = parameters_of(mixer, 5);
    const auto rows = mixer.rows().prepare(parameters.rows, width);
    const auto columns = mixer.columns().prepare(parameters.columns, height);
    const Matrix<double> x = random_matrix<double>(height * width, channels, 6);
    Matrix<double> between(x.rows(), channels);
    Matrix<double> one(x.rows(), channels);
    Matrix<double> other(x.rows(), channels);
    Workspace ws;
    const Sequences down = Sequences::image_columns(1, height, width);
    rows.evaluate(x, between, ws);
    columns.evaluate(between, one, ws, down);
    columns.evaluate(x, between, ws, down);
    rows.evaluate(between, other, ws);
    Matrix<double> y(x.rows(), channels);
    mixer.prepare(parameters, height * width).evaluate(x, y, ws);
    EXPECT_LE(relative_error(y, (one + other).eval()), 4 * (height + width) * unit<double>);
}

TEST(SeparableMixerTest, BackwardIsTheAdjointAndPaddingHasNoInfluence) {
    constexpr Index height = 5;
    constexpr Index width = 7;
    const Images mixer(options_of(height, width));
    const auto parameters = parameters_of(mixer, 7);
    for (const Sequences& frames : all_frames(height, width)) {
        Matrix<double> x = random_matrix<double>(3 * height * width, channels, 8);
        Matrix<double> g = random_matrix<double>(x.rows(), channels, 9);
        const Sequences images = frames.within(x.rows(), 0, "test");
        const Stepped clean = step(mixer, parameters, x, frames, g);
        long double left = 0;
        long double right = 0;
        long double size = 0;
        for (Index b = 0; b < 3; ++b) {
            for (Index i = 0; i < height * width; ++i) {
                const Index row = b * height * width + i;
                if (is_valid(images, width, b, i / width, i % width)) {
                    for (Index c = 0; c < channels; ++c) {
                        left += static_cast<long double>(g(row, c)) * clean.y(row, c);
                        right += static_cast<long double>(clean.dx(row, c)) * x(row, c);
                        size += std::abs(g(row, c) * clean.y(row, c));
                    }
                } else {
                    EXPECT_TRUE(clean.y.row(row).isZero(0) && clean.dx.row(row).isZero(0));
                    x.row(row).setConstant(std::nan(""));
                    g.row(row).setConstant(std::nan(""));
                }
            }
        }
        EXPECT_TRUE(near(left, right, 4 * (height + width) * unit<double> * size));
        const Stepped dirty = step(mixer, parameters, x, frames, g);
        EXPECT_TRUE(same_bits(dirty.y, clean.y));
        EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
        for_each_parameter([](const ParameterName&, const auto& a, const auto& b) { EXPECT_EQ(a, b); },
                           dirty.gradients, clean.gradients);
    }
}

TEST(SeparableMixerTest, GradientsAgreeWithDifferences) {
    constexpr Index height = 5;
    constexpr Index width = 4;
    const std::vector<Index> low = {4, 5};
    const std::vector<Index> narrow = {3, 2};
    for (const Sequences& frames :
         {Sequences::images(height, width), Sequences::images(height, width, low, narrow)}) {
        const Images mixer(options_of(height, width, 1.5));
        auto parameters = parameters_of(mixer, 10);
        Matrix<double> x = random_matrix<double>(2 * height * width, channels, 11);
        const Matrix<double> g = random_matrix<double>(x.rows(), channels, 12);
        const Stepped result = step(mixer, parameters, x, frames, g);
        Matrix<double> y(x.rows(), channels);
        Images::Cache cache;
        Workspace ws;
        const std::function<double()> loss = [&] {
            mixer.forward(parameters, x, frames, y, cache, ws);
            return y.cwiseProduct(g).sum();
        };
        expect_gradient(x, result.dx, "x", loss);
        expect_parameter_gradients(parameters, result.gradients, loss);
    }
}

TEST(SeparableMixerTest, AModelSeesSmallImagesInTheirFramesAsThoughTheyWereAlone) {
    using Net = Model<Images, BatchNorm<double>>;
    constexpr Index height = 5;
    constexpr Index width = 6;
    constexpr Index low = 3;
    constexpr Index narrow = 4;
    const auto model_of = [](Index columns) {
        Net::Options options{.input = {.vocabulary = 9}, .width = channels, .layers = 2};
        options.block.gtu.inner_width = channels;
        // Kernels of lags alone, so that they are the same at every size.
        const TnoOptions axis{.mlp = {.width = 4}};
        options.block.gtu.mixer = {.channels = channels,
                                   .image_width = columns,
                                   .rows = Axis::options<RowTno>(axis),
                                   .columns = Axis::options<RowTno>(axis)};
        options.head = Head::mean_pool;
        options.outputs = 2;
        return Net(options);
    };
    const Net framed = model_of(width);
    const Net alone = model_of(narrow);
    const auto parameters = framed.make_parameters(13);
    std::vector<Token> frame(2 * height * width, 8);
    std::vector<Token> pixels;
    for (Index b = 0; b < 2; ++b) {
        for (Index i = 0; i < low; ++i) {
            for (Index j = 0; j < narrow; ++j) {
                pixels.push_back(static_cast<Token>((b + 1) * (3 * i + j) % 7));
                frame[static_cast<std::size_t>((b * height + i) * width + j)] = pixels.back();
            }
        }
    }
    const std::vector<Index> lows = {low, low};
    const std::vector<Index> narrows = {narrow, narrow};
    const Sequences images = Sequences::images(height, width, lows, narrows);
    const auto run = [&](const Net& model, const std::vector<Token>& tokens, const Sequences& sequences) {
        Matrix<double> y(2, 2);
        Net::Cache cache;
        Workspace ws;
        model.forward(parameters, tokens, sequences, y, cache, ws);
        auto gradients = zeros_like(parameters);
        const Matrix<double> g = random_matrix<double>(2, 2, 14);
        model.backward(parameters, tokens, cache, g, gradients, ws);
        return std::pair(y, gradients);
    };
    const auto [in_frame, frame_gradients] = run(framed, frame, images);
    const auto [small, gradients] = run(alone, pixels, Sequences::images(low, narrow));
    // Two layers of sums over pixels and channels, and batch norms that divide by a deviation near 1.
    constexpr double tolerance = 1e-12;
    EXPECT_TRUE(near_all(in_frame, small, tolerance));
    for_each_parameter(
        [](const ParameterName& name, const auto& a, const auto& b) {
            const double largest = 1 + (b.size() == 0 ? 0.0 : static_cast<double>(b.cwiseAbs().maxCoeff()));
            EXPECT_TRUE(near_all(a, b, tolerance * largest)) << name.text();
        },
        frame_gradients, gradients);

    Matrix<double> y(2, 2);
    Workspace ws;
    const auto prepared = framed.prepare(parameters, height * width);
    prepared.evaluate(frame, y, ws, images);
    Matrix<double> expected(2, 2);
    alone.prepare(parameters, low * narrow).evaluate(pixels, expected, ws);
    EXPECT_TRUE(near_all(y, expected, tolerance));
}

TEST(SeparableMixerTest, ResultsDoNotDependOnTheNumberOfThreads) {
    constexpr Index height = 40;
    const Index width = most_direct_lags + 6;
    const Images mixer(options_of(height, width, 2));
    const auto parameters = parameters_of(mixer, 15);
    const Matrix<double> x = random_matrix<double>(2 * height * width, channels, 16);
    const auto run = [&](int threads) {
        Stepped result;
        with_threads(threads,
                     [&] { result = step(mixer, parameters, x, Sequences::images(height, width), x); });
        return result;
    };
    const Stepped one = run(1);
    const Stepped three = run(3);
    EXPECT_TRUE(same_bits(three.y, one.y));
    EXPECT_TRUE(same_bits(three.dx, one.dx));
    for_each_parameter([](const ParameterName&, const auto& a, const auto& b) { EXPECT_EQ(a, b); },
                       three.gradients, one.gradients);
}

TEST(SeparableMixerErrors, SayWhatDoesNotFit) {
    expect_error<config_error>(201, "[toeplitz.config.201] SeparableMixer: expected image_width >= 1, got 0",
                               [] { Images(options_of(3, 0)); });
    expect_error<config_error>(762, "[toeplitz.config.762] SeparableMixer: expected a finite scale, got inf",
                               [] { Images(options_of(3, 4, HUGE_VAL)); });
    const Images mixer(options_of(3, 4));
    const auto parameters = mixer.make_parameters();
    expect_error<shape_error>(
        706, "[toeplitz.shape.706] SeparableMixer::prepare: expected images 4 pixels wide, got 13 pixels",
        [&] { static_cast<void>(mixer.prepare(parameters, 13)); });
    Matrix<double> x = Matrix<double>::Zero(12, channels);
    Matrix<double> y(12, channels);
    Images::Cache cache;
    Workspace ws;
    expect_error<shape_error>(
        706, "[toeplitz.shape.706] SeparableMixer::forward: expected images 4 pixels wide, got 3",
        [&] { mixer.forward(parameters, x, Sequences::images(4, 3), y, cache, ws); });
    expect_error<shape_error>(
        706,
        "[toeplitz.shape.706] SeparableMixer::forward: expected images one after another, got strides "
        "between "
        "them",
        [&] { mixer.forward(parameters, x, Sequences::strided(1, 12, 1, 13), y, cache, ws); });
    const std::vector<Index> ragged = {7};
    expect_error<shape_error>(
        706,
        "[toeplitz.shape.706] SeparableMixer::forward: expected lengths of whole rows of 4 pixels, got 7",
        [&] { mixer.forward(parameters, x, Sequences(12, ragged), y, cache, ws); });
    const std::vector<Index> narrow = {2};
    expect_error<shape_error>(
        213,
        "[toeplitz.shape.213] Fft: expected sequences, or images whose rows are valid as "
        "a whole, got images of different widths",
        [&] {
            const RowTno tno({.channels = channels, .mlp = {.width = 4}});
            tno.prepare(tno.make_parameters(), 12).evaluate(x, y, ws, Sequences::images(3, 4, {}, narrow));
        });
}

}  // namespace
}  // namespace toeplitz::test::separable_mixer_test
