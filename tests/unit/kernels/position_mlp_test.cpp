// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/position_mlp.hpp>

namespace toeplitz::test {
namespace {

/// Columns are positions.
LongMatrix affine(const auto& linear, const LongMatrix& x) {
    LongMatrix y = long_product(linear.weight.template cast<long double>(), x);
    if (linear.bias.size() != 0) y.colwise() += linear.bias.template cast<long double>();
    return y;
}

/// Rows are positions: the definition, in long double, for relu and simple_rms.
template <class Scalar>
LongMatrix reference(const PositionMlpOptions& options, const PositionMlpParameters<Scalar>& p,
                     const LongMatrix& positions) {
    const auto features = [](LongMatrix h) {
        for (Index j = 0; j < h.cols(); ++j) {
            const long double rms = std::sqrt(h.col(j).squaredNorm() / static_cast<long double>(h.rows()));
            h.col(j) = (h.col(j) / (rms + 1e-8L)).cwiseMax(0);
        }
        return h;
    };
    LongMatrix h = affine(p.pos_proj, positions.transpose());
    for (const auto& layer : p.layers) {
        LongMatrix next = affine(layer.linear, features(h));
        if (options.residual == Residual::add) next += h;
        h = next;
    }
    return affine(p.out.linear, features(h)).transpose();
}

template <class Scalar>
Matrix<Scalar> integer_positions(Index rows) {
    Matrix<Scalar> positions(rows, 1);
    for (Index i = 0; i < rows; ++i) positions(i, 0) = static_cast<Scalar>(i - rows / 2);
    return positions;
}

template <class Scalar>
class PositionMlpTest : public testing::Test {};
TYPED_TEST_SUITE(PositionMlpTest, Scalars, );

TYPED_TEST(PositionMlpTest, AgreesWithTheDefinitionForAllShapes) {
    using Scalar = TypeParam;
    Workspace ws;
    for (const Index width : {1, 5, 16, 64, 67}) {
        for (const Index channels : {1, 3, 33, 150}) {
            for (const Index layers : {0, 1, 3}) {
                for (const Residual residual : {Residual::none, Residual::add}) {
                    SCOPED_TRACE(testing::Message()
                                 << "width " << width << " channels " << channels << " layers " << layers);
                    const PositionMlp<Scalar> mlp(
                        {.channels = channels, .width = width, .layers = layers, .residual = residual});
                    const auto parameters = mlp.make_parameters(5);
                    const Index most = 211;
                    const LongMatrix all =
                        reference(mlp.options(), parameters, integer_positions<long double>(most));
                    for (const Index rows : {Index{1}, Index{6}, Index{127}, Index{128}, Index{129}, most}) {
                        Matrix<Scalar> values(rows, channels);
                        mlp.evaluate(parameters, integer_positions<Scalar>(rows), values, ws);
                        const LongMatrix expected = all.middleRows(most / 2 - rows / 2, rows);
                        // Each layer is a sum of `width` terms of a normed row.
                        const long double tolerance = unit<Scalar> * static_cast<long double>(layers + 2) *
                                                      8 * std::sqrt(static_cast<long double>(width + 8));
                        ASSERT_LE(norm((values.template cast<long double>() - expected).eval()),
                                  tolerance * (norm(expected) + 1));
                    }
                }
            }
        }
    }
}

TYPED_TEST(PositionMlpTest, TakesAnyStrides) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 11, .width = 8, .layers = 1});
    const auto parameters = mlp.make_parameters();
    const Index rows = 100;
    const Matrix<Scalar> positions = integer_positions<Scalar>(rows);
    Matrix<Scalar> spread = Matrix<Scalar>::Zero(rows, 3);
    spread.col(1) = positions;
    const Matrix<Scalar> g = random_matrix<Scalar>(rows, 11, 2);
    const ColumnMatrix<Scalar> g_columns = g;
    Matrix<Scalar> values(rows, 11);
    ColumnMatrix<Scalar> columns(rows, 11);
    Matrix<Scalar> dpositions(rows, 1);
    Matrix<Scalar> dspread(rows, 3);
    auto gradients = zeros_like(parameters);
    auto from_columns = zeros_like(parameters);
    PositionMlpCache<Scalar> cache;
    Workspace ws;
    mlp.evaluate(parameters, positions, values, ws, &cache);
    mlp.backward(parameters, cache, g, dpositions, gradients, ws);
    mlp.evaluate(parameters, spread.col(1), columns, ws, &cache);
    mlp.backward(parameters, cache, g_columns, dspread.col(2), from_columns, ws);
    EXPECT_TRUE(same_bits(values, columns));
    EXPECT_TRUE(same_bits(dpositions, dspread.col(2)));
    for_each_parameter([](const ParameterName& name, const auto& a,
                          const auto& b) { EXPECT_TRUE(same_bits(a, b)) << name.text(); },
                       gradients, from_columns);
}

TYPED_TEST(PositionMlpTest, ForwardGivesTheBitsOfEvaluate) {
    using Scalar = TypeParam;
    for (const Residual residual : {Residual::none, Residual::add}) {
        const PositionMlp<Scalar> mlp({.channels = 21, .layers = 2, .residual = residual});
        const auto parameters = mlp.make_parameters();
        const Matrix<Scalar> positions = integer_positions<Scalar>(301);
        Matrix<Scalar> values(301, 21);
        Matrix<Scalar> kept(301, 21);
        PositionMlpCache<Scalar> cache;
        Workspace ws;
        mlp.evaluate(parameters, positions, values, ws);
        mlp.evaluate(parameters, positions, kept, ws, &cache);
        EXPECT_TRUE(same_bits(values, kept));
    }
}

TYPED_TEST(PositionMlpTest, GivesTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 40, .norm = Norm::layer});
    const auto parameters = mlp.make_parameters();
    // One tile, whose products Eigen would split itself; and several.
    for (const Index rows : {90, 128, 1500}) {
        SCOPED_TRACE(rows);
        const Matrix<Scalar> positions = integer_positions<Scalar>(rows);
        const Matrix<Scalar> g = random_matrix<Scalar>(rows, 40, 1);
        Matrix<Scalar> expected;
        auto expected_gradients = zeros_like(parameters);
        for (const int threads : {1, 2, 3, 5}) {
            with_threads(threads, [&] {
                Workspace ws;
                Matrix<Scalar> values(rows, 40);
                PositionMlpCache<Scalar> cache;
                auto gradients = zeros_like(parameters);
                mlp.evaluate(parameters, positions, values, ws, &cache);
                mlp.backward(parameters, cache, g, gradients, ws);
                if (threads == 1) {
                    expected = values;
                    expected_gradients = gradients;
                }
                EXPECT_TRUE(same_bits(values, expected));
                for_each_parameter(
                    [](const ParameterName&, const auto& a, const auto& b) { EXPECT_TRUE(same_bits(a, b)); },
                    gradients, expected_gradients);
            });
        }
    }
}

TYPED_TEST(PositionMlpTest, ValuesDependOnTheirPositionAlone) {
    using Scalar = TypeParam;
    for (const Index width : {1, 5, 64}) {
        for (const Index channels : {1, 3, 150}) {
            SCOPED_TRACE(testing::Message() << "width " << width << " channels " << channels);
            const PositionMlp<Scalar> mlp({.channels = channels, .width = width, .layers = 1});
            const auto parameters = mlp.make_parameters();
            const Matrix<Scalar> positions = integer_positions<Scalar>(140);
            Matrix<Scalar> values(140, channels);
            Workspace ws;
            mlp.evaluate(parameters, positions, values, ws);
            for (const Index count : {1, 7, 50}) {
                Matrix<Scalar> some(count, channels);
                mlp.evaluate(parameters, positions.bottomRows(count), some, ws);
                EXPECT_TRUE(same_bits(some, values.bottomRows(count)));
            }
        }
    }
}

TYPED_TEST(PositionMlpTest, StartsAsPyTorchDoesAndFromItsSeedAlone) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 50, .width = 100, .layers = 2, .norm = Norm::layer});
    const auto parameters = mlp.make_parameters(1);
    const auto bounded = [](const auto& tensor, double bound) {
        const double largest = static_cast<double>(tensor.cwiseAbs().maxCoeff());
        EXPECT_LE(largest, bound);
        EXPECT_GE(largest, 0.8 * bound);
        EXPECT_LE(std::abs(static_cast<double>(tensor.mean())), 0.3 * bound);
    };
    bounded(parameters.pos_proj.weight, 1);
    bounded(parameters.pos_proj.bias, 1);
    bounded(parameters.layers[1].linear.weight, 0.1);
    bounded(parameters.layers[1].linear.bias, 0.1);
    bounded(parameters.out.linear.weight, 0.1);
    EXPECT_TRUE(parameters.out.norm.weight.isOnes(0));
    EXPECT_TRUE(parameters.out.norm.bias.isZero(0));
    EXPECT_TRUE(same_bits(parameters.out.linear.weight, mlp.make_parameters(1).out.linear.weight));
    EXPECT_FALSE(same_bits(parameters.out.linear.weight, mlp.make_parameters(2).out.linear.weight));
}

TEST(PositionMlpNamesTest, AreTheOfficialOnes) {
    const auto names = [](const PositionMlpOptions& options) {
        std::vector<std::string> result;
        for_each_parameter(
            [&](const ParameterName& name, const auto& tensor) {
                result.push_back(name.text() + " " + detail::shape_text(tensor.rows(), tensor.cols()));
            },
            PositionMlp<double>(options).make_parameters());
        return result;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names({.channels = 3, .width = 4, .layers = 1}),
              (Names{"pos_proj.weight 4×1", "pos_proj.bias 4×1", "layers.0.2.weight 4×4",
                     "layers.0.2.bias 4×1", "out.2.weight 3×4", "out.2.bias 3×1"}));
    EXPECT_EQ(names({.channels = 3, .width = 4, .layers = 0, .norm = Norm::layer}),
              (Names{"pos_proj.weight 4×1", "pos_proj.bias 4×1", "out.0.weight 4×1", "out.0.bias 4×1",
                     "out.2.weight 3×4", "out.2.bias 3×1"}));
    EXPECT_EQ(names({.channels = 3, .width = 4, .layers = 0, .norm = Norm::scale, .bias = Bias::none}),
              (Names{"pos_proj.weight 4×1", "out.0.scala 1×1", "out.2.weight 3×4"}));
    EXPECT_EQ(names({.channels = 3, .width = 4, .layers = 0, .norm = Norm::rms, .bias = Bias::none}),
              (Names{"pos_proj.weight 4×1", "out.0.scale 4×1", "out.2.weight 3×4"}));
}

TYPED_TEST(PositionMlpTest, NanParametersReachTheValues) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 9, .width = 8, .layers = 1});
    const Matrix<Scalar> positions = integer_positions<Scalar>(4);
    Workspace ws;
    for (const int which : {0, 1, 2}) {
        auto parameters = mlp.make_parameters();
        const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
        if (which == 0) parameters.pos_proj.weight(3) = nan;
        if (which == 1) parameters.layers[0].linear.weight(2, 2) = nan;
        if (which == 2) parameters.out.linear.bias.setConstant(nan);
        Matrix<Scalar> values(4, 9);
        mlp.evaluate(parameters, positions, values, ws);
        EXPECT_TRUE(values.array().isNaN().all()) << which;
    }
}

TYPED_TEST(PositionMlpTest, WorkspacesOfTheStatedSizeDoNotGrow) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 33, .width = 20});
    const auto parameters = mlp.make_parameters();
    for (const Index rows : {1, 128, 1000}) {
        const Matrix<Scalar> positions = integer_positions<Scalar>(rows);
        Matrix<Scalar> values(rows, 33);
        PositionMlpCache<Scalar> cache;
        auto gradients = zeros_like(parameters);
        Workspace forward(mlp.required_workspace(rows));
        const std::size_t forward_bytes = forward.capacity();
        mlp.evaluate(parameters, positions, values, forward, &cache);
        EXPECT_EQ(forward.capacity(), forward_bytes);
        Workspace backward(mlp.backward_workspace(rows));
        const std::size_t backward_bytes = backward.capacity();
        mlp.backward(parameters, cache, values, gradients, backward);
        EXPECT_EQ(backward.capacity(), backward_bytes);
    }
}

TYPED_TEST(PositionMlpTest, NoPositionsAreNoWork) {
    using Scalar = TypeParam;
    const PositionMlp<Scalar> mlp({.channels = 3});
    const auto parameters = mlp.make_parameters();
    const Matrix<Scalar> positions(0, 1);
    Matrix<Scalar> values(0, 3);
    PositionMlpCache<Scalar> cache;
    auto gradients = zeros_like(parameters);
    Workspace ws;
    mlp.evaluate(parameters, positions, values, ws, &cache);
    mlp.backward(parameters, cache, values, gradients, ws);
    EXPECT_TRUE(gradients.out.linear.weight.isZero(0));
}

TEST(PositionMlpErrorTest, NamesWhatIsWrong) {
    expect_error<config_error>(201, "[toeplitz.config.201] PositionMlp: expected channels >= 1, got 0",
                               [] { PositionMlp<float>({}); });
    expect_error<config_error>(201, "[toeplitz.config.201] PositionMlp: expected width >= 1, got 0",
                               [] { PositionMlp<float>({.channels = 1, .width = 0}); });
    expect_error<config_error>(401, "[toeplitz.config.401] PositionMlp: expected layers >= 0, got -1",
                               [] { PositionMlp<float>({.channels = 1, .layers = -1}); });
    const PositionMlp<double> mlp({.channels = 3, .width = 4, .layers = 1});
    auto parameters = mlp.make_parameters();
    const Matrix<double> positions = integer_positions<double>(5);
    const Matrix<double> wide(5, 2);
    Matrix<double> values(5, 3);
    Matrix<double> narrow(5, 2);
    Workspace ws;
    PositionMlpCache<double> cache;
    expect_error<shape_error>(
        402, "[toeplitz.shape.402] PositionMlp::evaluate: expected positions of shape 5×1, got 5×2",
        [&] { mlp.evaluate(parameters, wide, values, ws); });
    expect_error<shape_error>(
        403, "[toeplitz.shape.403] PositionMlp::evaluate: expected values of shape 5×3, got 5×2",
        [&] { mlp.evaluate(parameters, positions, narrow, ws, &cache); });
    mlp.evaluate(parameters, positions, values, ws, &cache);
    auto gradients = zeros_like(parameters);
    expect_error<shape_error>(404,
                              "[toeplitz.shape.404] PositionMlp::backward: expected g of shape 5×3, got 5×2",
                              [&] { mlp.backward(parameters, cache, narrow, gradients, ws); });
    gradients.layers[0].linear.weight.resize(4, 5);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] PositionMlp::backward: expected gradients with "
                              "layers.0.2.weight of shape 4×4, got 4×5",
                              [&] { mlp.backward(parameters, cache, values, gradients, ws); });
    gradients.layers.clear();
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] PositionMlp::backward: expected gradients of 1 layers, got 0",
        [&] { mlp.backward(parameters, cache, values, gradients, ws); });
    parameters.out.linear.bias.resize(2);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] PositionMlp: expected parameters with "
                              "out.2.bias of shape 3×1, got 2×1",
                              [&] { mlp.evaluate(parameters, positions, values, ws); });
}

}  // namespace
}  // namespace toeplitz::test
