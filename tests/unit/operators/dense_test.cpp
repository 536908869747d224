// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/dense.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class DenseTest : public testing::Test {};

using DenseScalars = testing::Types<float, double, long double>;
TYPED_TEST_SUITE(DenseTest, DenseScalars);

TYPED_TEST(DenseTest, RowOfTheKernelIsLagPlusLengthMinusOne) {
    using S = TypeParam;
    Matrix<S> kernel(5, 1);
    kernel << 1, 10, 100, 1000, 10000;  // lags −2, −1, 0, 1, 2
    const Dense<S> dense({.length = 3, .channels = 1}, kernel);
    const Matrix<S> t = dense * Matrix<S>::Identity(3, 1).eval();
    EXPECT_TRUE(same_bits(t, Vector<S>{{100, 1000, 10000}}));
    const Vector<S> x{{1, 2, 3}};
    EXPECT_TRUE(same_bits(dense * x, Vector<S>{{100 + 20 + 3, 1000 + 200 + 30, 10000 + 2000 + 300}}));
    EXPECT_TRUE(
        same_bits(dense.transpose() * x, Vector<S>{{100 + 2000 + 30000, 10 + 200 + 3000, 1 + 20 + 300}}));
}

TYPED_TEST(DenseTest, RowOfACausalKernelIsTheLag) {
    using S = TypeParam;
    Matrix<S> kernel(3, 2);
    kernel << 1, -1, 10, -10, 100, -100;
    const Dense<S, Causality::causal> dense({.length = 3, .channels = 2}, kernel);
    EXPECT_EQ(dense.causality(), Causality::causal);
    Matrix<S> x(3, 2);
    x << 1, 1, 2, 2, 3, 3;
    Matrix<S> y(3, 2);
    y << 1, -1, 12, -12, 123, -123;
    EXPECT_TRUE(same_bits(dense * x, y));
}

TYPED_TEST(DenseTest, LendsKernelValuesOfItsShape) {
    using S = TypeParam;
    const Dense<S> dense({.length = 4, .channels = 3}, Matrix<S>::Zero(7, 3).eval());
    Workspace ws;
    Workspace::Scope scope(ws);
    const auto values = dense.take_kernel(scope);
    EXPECT_EQ(values.rows(), 7);
    EXPECT_EQ(values.cols(), 3);
}

TYPED_TEST(DenseTest, ChannelsHaveKernelsOfTheirOwn) {
    using S = TypeParam;
    const Index n = 9;
    const Index d = 4;
    const Matrix<S> kernel = random_matrix<S>(2 * n - 1, d, 1);
    const Matrix<S> x = random_matrix<S>(n, d, 2);
    const Dense<S> dense({.length = n, .channels = d}, kernel);
    const Matrix<S> y = dense * x;
    for (Index c = 0; c < d; ++c) {
        for (Index i = 0; i < n; ++i) {
            long double sum = 0;
            long double magnitude = 0;
            for (Index j = 0; j < n; ++j) {
                const long double term =
                    static_cast<long double>(kernel(i - j + n - 1, c)) * static_cast<long double>(x(j, c));
                sum += term;
                magnitude += std::abs(term);
            }
            // n products and n sums, at worst all rounded the same way; the reference rounds as well.
            EXPECT_LE(std::abs(static_cast<long double>(y(i, c)) - sum), 4 * n * unit<S> * magnitude);
        }
    }
}

TYPED_TEST(DenseTest, TransposeOfTheTransposeIsTheOperator) {
    using S = TypeParam;
    const Matrix<S> kernel = random_matrix<S>(7, 2, 3);
    const Dense<S> dense({.length = 4, .channels = 2}, kernel);
    EXPECT_EQ(&dense.transpose().transpose(), &dense);
    EXPECT_EQ(dense.transpose().length(), 4);
    EXPECT_EQ(dense.transpose().channels(), 2);
    const Matrix<S> x = random_matrix<S>(4, 2, 4);
    Matrix<S> dx(4, 2);
    Workspace ws(dense.transpose().required_workspace());
    dense.transpose().apply_adjoint(x, dx, ws);
    EXPECT_TRUE(same_bits(dx, dense * x));
}

TYPED_TEST(DenseTest, KnowsItsShapeAndItsMemory) {
    using S = TypeParam;
    const Dense<S> dense({.length = 4, .channels = 2}, Matrix<S>::Zero(7, 2).eval());
    EXPECT_EQ(dense.length(), 4);
    EXPECT_EQ(dense.channels(), 2);
    EXPECT_EQ(dense.state_bytes(), 14 * sizeof(S));
}

}  // namespace
}  // namespace toeplitz::test
