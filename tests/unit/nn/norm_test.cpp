// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/buffers.hpp>

namespace toeplitz::test::norm_test {
namespace {

RowNormOptions options_of(Norm norm, Index channels, Bias bias = Bias::none, Index measured = 0) {
    return {.channels = channels, .norm = norm, .bias = bias, .measured = measured};
}

void expect_definition(const RowNormOptions& options, Index rows) {
    SCOPED_TRACE(testing::Message() << "norm " << static_cast<int>(options.norm) << ", " << options.channels
                                    << " channels, " << options.measured << " measured");
    const RowNorm<double> norm(options);
    auto parameters = norm.make_parameters();
    shake(parameters, 1);
    const Matrix<double> x = random_matrix<double>(rows, options.channels, 2);
    const LongMatrix expected = oracle_norm(options.norm, parameters, x.cast<long double>(),
                                            options.measured == 0 ? options.channels : options.measured);
    const Matrix<double> y = forward(norm, parameters, x, {rows});
    EXPECT_LE(relative_error(y, expected), layer_error(1, options.channels));
    EXPECT_TRUE(same_bits(evaluate(norm, parameters, x, {rows}), y));
}

TEST(RowNormTest, AgreesWithTheDefinition) {
    for (const Index d : {1, 2, 5, 16, 37}) {
        for (const Norm norm : {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer}) {
            expect_definition(options_of(norm, d), 3);
        }
        expect_definition(options_of(Norm::rms, d, Bias::add), 3);
    }
    expect_definition(options_of(Norm::layer, 9), 300);
}

TEST(RowNormTest, MeasuresTheFirstChannels) {
    for (const Index measured : {1, 3, 11, 36, 37}) {
        for (const Bias bias : {Bias::none, Bias::add}) {
            expect_definition(options_of(Norm::rms, 37, bias, measured), 4);
        }
        expect_definition(options_of(Norm::simple_rms, 37, Bias::none, measured), 4);
    }
}

TEST(RowNormTest, HasTheOfficialTensors) {
    const auto names = [](Norm norm, Bias bias) {
        std::string text;
        for_each_parameter(
            [&](const ParameterName& name, const auto& tensor) {
                text += name.text() + " " + std::to_string(tensor.size()) + " ";
            },
            RowNorm<double>(options_of(norm, 3, bias)).make_parameters());
        return text;
    };
    EXPECT_EQ(names(Norm::simple_rms, Bias::add), "");
    EXPECT_EQ(names(Norm::rms, Bias::none), "scale 3 ");
    EXPECT_EQ(names(Norm::rms, Bias::add), "scale 3 offset 3 ");
    EXPECT_EQ(names(Norm::scale, Bias::add), "scala 1 ");
    EXPECT_EQ(names(Norm::layer, Bias::none), "weight 3 bias 3 ");
}

TEST(RowNormTest, BackwardAddsToGradientsOverManyRows) {
    for (const Norm kind : {Norm::rms, Norm::scale, Norm::layer}) {
        const RowNorm<double> norm(options_of(kind, 10, Bias::add));
        auto parameters = norm.make_parameters();
        shake(parameters, 1);
        const Index rows = 1100;
        const Matrix<double> x = random_matrix<double>(rows, 10, 2);
        const Matrix<double> g = random_matrix<double>(rows, 10, 3);
        const auto whole = step(norm, parameters, x, {rows}, g);
        // One row after another, into gradients that already hold something.
        auto gradients = parameters;
        Matrix<double> dx(rows, 10);
        Workspace ws;
        RowNorm<double>::Cache cache;
        for (Index i = 0; i < rows; ++i) {
            Matrix<double> row = g.row(i);  // dx may be g
            Calls<RowNorm<double>>::backward(norm, parameters, x.row(i), cache, row, row, gradients, ws);
            dx.row(i) = row;
        }
        EXPECT_TRUE(same_bits(whole.dx, dx));
        for_each_parameter(
            [&](const ParameterName& name, const auto& a, const auto& b, const auto& before) {
                EXPECT_LE(relative_error(a, (b - before).eval()), layer_error(1, rows)) << name.text();
            },
            whole.gradients, gradients, parameters);
    }
}

TEST(RowNormErrorTest, NamesWhatDoesNotFit) {
    using N = RowNorm<double>;
    expect_error<config_error>(201, "[toeplitz.config.201] RowNorm: expected channels >= 1, got 0",
                               [] { N(options_of(Norm::layer, 0)); });
    expect_error<config_error>(
        407, "[toeplitz.config.407] RowNorm: expected 0 or, for rms norms, 1..4 measured channels, got 5",
        [] { N(options_of(Norm::rms, 4, Bias::none, 5)); });
    expect_error<config_error>(
        407, "[toeplitz.config.407] RowNorm: expected 0 or, for rms norms, 1..4 measured channels, got 2",
        [] { N(options_of(Norm::layer, 4, Bias::none, 2)); });
    const N norm(options_of(Norm::simple_rms, 4));
    const auto none = norm.make_parameters();
    const N layer(options_of(Norm::layer, 4));
    const Matrix<double> x = Matrix<double>::Ones(600, 4);
    const Matrix<double> narrow = Matrix<double>::Ones(600, 3);
    // Two threads: an error must not start in one of them.
    with_threads(2, [&] {
        expect_error<shape_error>(406, "[toeplitz.shape.406] RowNorm: expected x of shape 600×4, got 600×3",
                                  [&] { forward(norm, none, narrow, {600}); });
        expect_error<shape_error>(406, "[toeplitz.shape.406] RowNorm: expected y of shape 600×4, got 599×4",
                                  [&] {
                                      Matrix<double> y(599, 4);
                                      N::Cache cache;
                                      Workspace ws;
                                      Calls<N>::forward(norm, none, x, {600}, y, cache, ws);
                                  });
        expect_error<shape_error>(406,
                                  "[toeplitz.shape.406] RowNorm: expected y stored row by row, channels side "
                                  "by side, as toeplitz::Matrix is, got channels 600 "
                                  "numbers apart",
                                  [&] {
                                      ColumnMatrix<double> y(600, 4);
                                      N::Cache cache;
                                      Workspace ws;
                                      norm.forward(none, x, {600}, y, cache, ws);
                                  });
        const Matrix<double> large = Matrix<double>::Ones(60000, 4);
        expect_error<shape_error>(
            405, "[toeplitz.shape.405] RowNorm: expected parameters with weight of size 4, got 0",
            [&] { forward(layer, none, large, {60000}); });
    });
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] RowNorm::backward: expected gradients with weight of size 4, got 0", [&] {
            auto gradients = none;
            Matrix<double> g = x;
            N::Cache cache;
            Workspace ws;
            Calls<N>::backward(layer, layer.make_parameters(), x, cache, g, g, gradients, ws);
        });
}

// --- BatchNorm ---------------------------------------------------------------------------------------------

const std::vector<Index> some_lengths = {5, 0, 3};

TEST(BatchNormTest, AgreesWithTheDefinition) {
    const BatchNorm<double> norm({.channels = 4});
    auto parameters = norm.make_parameters();
    shake(parameters, 1);
    Matrix<double> x = random_matrix<double>(15, 4, 2);
    x.col(1).array() += 100;  // far from zero
    EXPECT_LE(relative_error(forward(norm, parameters, x, {5}),
                             oracle_batch_norm(parameters, x.cast<long double>(), {5})),
              100 * layer_error(1, 15));  // x − μ cancels two digits
}

TEST(BatchNormTest, PaddingHasNoInfluenceAndBecomesZero) {
    const BatchNorm<double> norm({.channels = 4});
    auto parameters = norm.make_parameters();
    shake(parameters, 1);
    const Sequences sequences{5, some_lengths};
    Matrix<double> x = random_matrix<double>(15, 4, 2);
    const LongMatrix expected = oracle_batch_norm(parameters, x.cast<long double>(), sequences);
    Matrix<double> g = random_matrix<double>(15, 4, 3);
    const auto clean = step(norm, parameters, x, sequences, g);
    EXPECT_LE(relative_error(clean.y, expected), layer_error(1, 15));
    fill_padding(x, sequences, std::nan(""));
    fill_padding(g, sequences, std::nan(""));
    const auto dirty = step(norm, parameters, x, sequences, g);
    EXPECT_TRUE(same_bits(dirty.y, clean.y));
    EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
    EXPECT_TRUE(equal(dirty.gradients, clean.gradients));
    Matrix<double> padding = dirty.y + dirty.dx;
    padding.topRows(5).setZero();
    padding.middleRows(10, 3).setZero();
    EXPECT_TRUE(padding.isZero(0));
}

TEST(BatchNormTest, RunningStatisticsMoveTowardsTheBatch) {
    const BatchNorm<double> norm({.channels = 2, .momentum = 0.25});
    auto parameters = norm.make_parameters();
    const Sequences sequences{5, some_lengths};
    const Matrix<double> x = random_matrix<double>(15, 2, 2);
    Matrix<double> valid(8, 2);
    valid << x.topRows(5), x.middleRows(10, 3);
    Matrix<double> y(15, 2);
    BatchNorm<double>::Cache cache;
    Workspace ws;
    for (int count = 1; count <= 3; ++count) {
        const auto before = parameters;
        Calls<BatchNorm<double>>::forward(norm, parameters, x, sequences, y, cache, ws);
        EXPECT_TRUE(equal(parameters, before));  // forward alone changes nothing
        auto gradients = zeros_like(parameters);
        Calls<BatchNorm<double>>::backward(norm, parameters, x, cache, x, y, gradients, ws);
        EXPECT_TRUE(equal(parameters, before));
        update_buffers(parameters, gradients);
        for (Index c = 0; c < 2; ++c) {
            const double mean = valid.col(c).mean();
            const double variance = (valid.col(c).array() - mean).square().sum() / 7;
            const double tolerance = static_cast<double>(layer_error(1, 8));
            EXPECT_NEAR(parameters.running_mean(c), 0.75 * before.running_mean(c) + 0.25 * mean, tolerance);
            EXPECT_NEAR(parameters.running_var(c), 0.75 * before.running_var(c) + 0.25 * variance, tolerance);
        }
        EXPECT_EQ(parameters.num_batches_tracked(0), count);
    }
}

TEST(BatchNormTest, StatisticsOfThePartsOfABatchAreAveraged) {
    const BatchNorm<double> norm({.channels = 2, .momentum = 0.25});
    const auto start = norm.make_parameters();
    auto gradients = zeros_like(start);
    Workspace ws;
    Matrix<double> y(5, 2);
    BatchNorm<double>::Cache caches[2];
    for (int part = 0; part < 2; ++part) {
        const Matrix<double> x = random_matrix<double>(5, 2, static_cast<unsigned>(part));
        Calls<BatchNorm<double>>::forward(norm, start, x, {5}, y, caches[part], ws);
        Calls<BatchNorm<double>>::backward(norm, start, x, caches[part], x, y, gradients, ws);
    }
    auto moved = start;
    update_buffers(moved, gradients, 0.5);
    for (Index c = 0; c < 2; ++c) {
        const double mean = (caches[0].mean(c) + caches[1].mean(c)) / 2;
        const double variance = (caches[0].variance(c) + caches[1].variance(c)) / 2;
        const double tolerance = 8 * static_cast<double>(unit<double>);
        EXPECT_NEAR(moved.running_mean(c), 0.25 * mean, tolerance);
        EXPECT_NEAR(moved.running_var(c), 0.75 + 0.25 * variance, tolerance);
    }
    EXPECT_EQ(moved.num_batches_tracked(0), 1);
}

TEST(BatchNormTest, InferenceUsesTheRunningStatistics) {
    const BatchNorm<double> norm({.channels = 3});
    auto parameters = norm.make_parameters();
    shake(parameters, 1);
    parameters.running_mean = random_matrix<double>(3, 1, 5);
    parameters.running_var = random_matrix<double>(3, 1, 6).cwiseAbs2();
    const Matrix<double> x = random_matrix<double>(6, 3, 7);
    EXPECT_LE(relative_error(evaluate(norm, parameters, x, {6}),
                             oracle_fixed_norm(parameters, x.cast<long double>())),
              layer_error(1, 3));
}

TEST(BatchNormTest, HasTheOfficialTensorsAndBuffers) {
    std::string text;
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            text += name.text() + (name.is_buffer() ? "* " : " ") + std::to_string(tensor.size()) + " " +
                    std::to_string(static_cast<int>(tensor(0))) + ", ";
        },
        BatchNorm<double>({.channels = 3}).make_parameters());
    EXPECT_EQ(text, "weight 3 1, bias 3 0, running_mean* 3 0, running_var* 3 1, num_batches_tracked* 1 0, ");
}

TEST(BatchNormErrorTest, NamesWhatDoesNotFit) {
    using N = BatchNorm<double>;
    expect_error<config_error>(201, "[toeplitz.config.201] BatchNorm: expected channels >= 1, got 0",
                               [] { N({.channels = 0}); });
    const double nan = std::nan("");
    for (const auto& [momentum, text] :
         {std::pair(nan, "nan"), {HUGE_VAL, "inf"}, {-0.1, "-0.1"}, {1.5, "1.5"}}) {
        expect_error<config_error>(
            713, detail::text("[toeplitz.config.713] BatchNorm: expected momentum in [0, 1], got ", text),
            [momentum = momentum] { N({.channels = 2, .momentum = momentum}); });
    }
    for (const auto& [epsilon, text] : {std::pair(nan, "nan"), {HUGE_VAL, "inf"}, {-1e-5, "-1e-05"}}) {
        expect_error<config_error>(
            713, detail::text("[toeplitz.config.713] BatchNorm: expected a finite epsilon >= 0, got ", text),
            [epsilon = epsilon] { N({.channels = 2, .epsilon = epsilon}); });
    }
    EXPECT_THROW(BatchNorm<float>({.channels = 2, .epsilon = 1e39}), config_error) << "an infinity in float";
    N({.channels = 2, .momentum = 0, .epsilon = 0});
    N({.channels = 2, .momentum = 1});
    const N norm({.channels = 2});
    const auto parameters = norm.make_parameters();
    const Matrix<double> x = Matrix<double>::Ones(6, 2);
    const std::vector<Index> none = {0, 0};
    expect_error<value_error>(
        710, "[toeplitz.value.710] BatchNorm::forward: expected at least one valid time step, got none", [&] {
            forward(norm, parameters, x, {3, none});
        });
    // One has a mean and no variance, as in PyTorch.
    const std::vector<Index> one = {0, 1};
    const auto expect_one = [&](const Matrix<double>& rows, const Sequences& sequences) {
        expect_error<value_error>(712,
                                  "[toeplitz.value.712] BatchNorm::forward: expected more than one valid "
                                  "time step, for a variance, "
                                  "got 1",
                                  [&] { forward(norm, parameters, rows, sequences); });
    };
    expect_one(x, {3, one});
    expect_one(Matrix<double>::Ones(1, 2), {1});
    forward(norm, parameters, Matrix<double>::Ones(2, 2), {1});
    expect_error<shape_error>(406,
                              "[toeplitz.shape.406] BatchNorm::forward: expected x of shape 6×2, got 6×3",
                              [&] { forward(norm, parameters, Matrix<double>(6, 3), {3}); });
    auto other = N({.channels = 3}).make_parameters();
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] BatchNorm::forward: expected parameters with weight of size 2, got 3",
        [&] { forward(norm, other, x, {3}); });
    other = parameters;
    other.num_batches_tracked.resize(0);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] BatchNorm::prepare: expected parameters with "
                              "num_batches_tracked of size 1, got 0",
                              [&] { Calls<N>::prepare(norm, other, 3); });
    const auto prepared = Calls<N>::prepare(norm, parameters, 3);
    Matrix<double> y(5, 2);
    Workspace ws;
    expect_error<shape_error>(
        406, "[toeplitz.shape.406] BatchNorm::Prepared::evaluate: expected y of shape 6×2, got 5×2",
        [&] { Calls<N>::evaluate(prepared, x, y, ws); });
    auto gradients = zeros_like(parameters);
    Matrix<double> g = x;
    expect_error<shape_error>(705,
                              "[toeplitz.shape.705] BatchNorm::backward: expected the cache of a forward "
                              "pass of x, got one of 0 channels",
                              [&] { Calls<N>::backward(norm, parameters, x, {}, g, g, gradients, ws); });
}

}  // namespace
}  // namespace toeplitz::test::norm_test
