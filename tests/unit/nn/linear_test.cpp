// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/layer_oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/linear.hpp>

namespace toeplitz::test::linear_test {
namespace {

TEST(LinearTest, AgreesWithTheDefinition) {
    for (const Bias bias : {Bias::none, Bias::add}) {
        for (const Index rows : {1, 5, 300}) {
            for (const Index inputs : {1, 7, 150}) {
                const Index outputs = 9;
                SCOPED_TRACE(testing::Message() << rows << " rows, " << inputs << " inputs");
                const Linear<double> linear({.inputs = inputs, .outputs = outputs, .bias = bias});
                const auto parameters = linear.make_parameters(3);
                // Rows that do not follow one another in memory.
                const Matrix<double> wide = random_matrix<double>(rows, inputs + 2, 1);
                Matrix<double> out = Matrix<double>::Constant(rows, outputs + 3, 7);
                evaluate(linear, parameters, wide.middleCols(1, inputs), out.middleCols(2, outputs));
                const LongMatrix expected =
                    oracle_linear(parameters, wide.middleCols(1, inputs).cast<long double>());
                EXPECT_LE(relative_error(out.middleCols(2, outputs), expected), layer_error(1, inputs));
                EXPECT_TRUE((out.leftCols(2).array() == 7).all() && (out.rightCols(1).array() == 7).all());
            }
        }
    }
}

TEST(LinearTest, BackwardAddsToGradientsAndAssignsDx) {
    const Linear<double> linear({.inputs = 6, .outputs = 4});
    const auto parameters = linear.make_parameters(1);
    const Matrix<double> x = random_matrix<double>(140, 6, 1);
    const Matrix<double> g = random_matrix<double>(140, 4, 2);
    auto gradients = parameters;  // what was there before
    Matrix<double> dx = Matrix<double>::Constant(140, 6, 9);
    backward(linear, parameters, x, g, gradients, dx);
    EXPECT_LE(
        relative_error((gradients.weight - parameters.weight).eval(), (g.transpose().lazyProduct(x)).eval()),
        layer_error(1, 140));
    EXPECT_LE(relative_error((gradients.bias - parameters.bias).eval(), g.colwise().sum().transpose().eval()),
              layer_error(1, 140));
    EXPECT_LE(relative_error(dx, g.lazyProduct(parameters.weight).eval()), layer_error(1, 4));
    auto without = parameters;
    backward(linear, parameters, x, g, without);
    EXPECT_TRUE(equal(without, gradients));
}

TEST(LinearTest, StartsAsInPyTorch) {
    const Linear<double> linear({.inputs = 100, .outputs = 50});
    const auto parameters = linear.make_parameters(1);
    EXPECT_LE(parameters.weight.cwiseAbs().maxCoeff(), 0.1);
    EXPECT_GT(parameters.weight.cwiseAbs().maxCoeff(), 0.099);
    EXPECT_LE(parameters.bias.cwiseAbs().maxCoeff(), 0.1);
    EXPECT_FALSE(equal(parameters, linear.make_parameters(2)));
    EXPECT_TRUE(equal(parameters, linear.make_parameters(1)));
}

TEST(LinearErrorTest, NamesWhatDoesNotFit) {
    using L = Linear<double>;
    expect_error<config_error>(201, "[toeplitz.config.201] Linear: expected inputs >= 1, got 0",
                               [] { L({.inputs = 0, .outputs = 1}); });
    expect_error<config_error>(201, "[toeplitz.config.201] Linear: expected outputs >= 1, got -1",
                               [] { L({.inputs = 1, .outputs = -1}); });
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Linear: expected a size below 2^63, got "
                               "4611686018427387904 * 4",
                               [] { L({.inputs = Index{1} << 62, .outputs = 4}); });
    const L linear({.inputs = 3, .outputs = 2});
    const auto parameters = linear.make_parameters();
    const Matrix<double> x(5, 3);
    Matrix<double> y(5, 2);
    Matrix<double> bad(5, 4);
    expect_error<shape_error>(703, "[toeplitz.shape.703] Linear::evaluate: expected x of shape 5×3, got 5×4",
                              [&] { evaluate(linear, parameters, bad, y); });
    expect_error<shape_error>(704,
                              "[toeplitz.shape.704] Linear::evaluate: expected y or g of shape 5×2, got 5×4",
                              [&] { evaluate(linear, parameters, x, bad); });
    const auto other = L({.inputs = 4, .outputs = 2}).make_parameters();
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Linear::evaluate: expected parameters with weight of shape 2×3, got 2×4",
        [&] { evaluate(linear, other, x, y); });
    auto gradients = L({.inputs = 3, .outputs = 2, .bias = Bias::none}).make_parameters();
    expect_error<shape_error>(
        405, "[toeplitz.shape.405] Linear::backward: expected gradients with bias of size 2, got 0",
        [&] { backward(linear, parameters, x, y, gradients); });
    gradients = parameters;
    expect_error<shape_error>(703, "[toeplitz.shape.703] Linear::backward: expected dx of shape 5×3, got 5×4",
                              [&] { backward(linear, parameters, x, y, gradients, bad); });
}

}  // namespace
}  // namespace toeplitz::test::linear_test
