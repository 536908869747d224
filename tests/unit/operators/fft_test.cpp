// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/kinds.hpp>
#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/fft.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class FftTest : public testing::Test {
protected:
    using Op = Fft<S>;

    static LongMatrix product(const Matrix<S>& kernel, Index lag0, const Matrix<S>& x, Direction direction) {
        const Index n = x.rows();
        LongMatrix y = LongMatrix::Zero(n, x.cols());
        for (Index i = 0; i < n; ++i) {
            for (Index j = 0; j < n; ++j) {
                const Index row = lag0 + (direction == Direction::forward ? i - j : j - i);
                if (row < 0) continue;
                for (Index c = 0; c < x.cols(); ++c) {
                    y(i, c) += static_cast<long double>(kernel(row, c)) * static_cast<long double>(x(j, c));
                }
            }
        }
        return y;
    }
};

TYPED_TEST_SUITE(FftTest, Scalars);

TYPED_TEST(FftTest, ProductsAndGradientsAreWithinTheToleranceOfTheTransform) {
    using S = TypeParam;
    for (const Index n : {2, 12, 13, 16, 17, 24, 25, 31, 33, 47, 64, 65, 127, 128, 129, 251, 512, 1021}) {
        for_each_kind([&](auto causality) {
            SCOPED_TRACE(n);
            const Index lag0 = first_lag_row(n, causality);
            const Matrix<S> kernel = random_matrix<S>(lag_count(n, causality), 2, 1);
            const Matrix<S> x = random_matrix<S>(n, 2, 2);
            const Fft<S, causality> op({.length = n, .channels = 2}, kernel);
            EXPECT_EQ(op.causality(), causality);
            const long double tolerance = transform_error(detail::tree_size(n)) * unit<S>;
            EXPECT_LE(relative_error(op * x, this->product(kernel, lag0, x, Direction::forward)), tolerance);
            EXPECT_LE(relative_error(op.transpose() * x, this->product(kernel, lag0, x, Direction::adjoint)),
                      tolerance);

            const Matrix<S> g = random_matrix<S>(n, 2, 3);
            LongMatrix expected = LongMatrix::Zero(kernel.rows(), 2);
            for (Index i = 0; i < n; ++i) {
                for (Index j = 0; j < (std::min)(n, i + lag0 + 1); ++j) {
                    for (Index c = 0; c < 2; ++c) {
                        expected(i - j + lag0, c) +=
                            static_cast<long double>(g(i, c)) * static_cast<long double>(x(j, c));
                    }
                }
            }
            Matrix<S> gradient = Matrix<S>::Zero(kernel.rows(), 2);
            Workspace ws;
            op.accumulate_kernel_gradient(x, g, gradient, ws);
            EXPECT_LE(relative_error(gradient, expected), 2 * tolerance);
        });
    }
}

TYPED_TEST(FftTest, IsZeroUntilItsKernelIsSet) {
    using S = TypeParam;
    for (const Index n : {5, 100}) {
        typename TestFixture::Op op({.length = n, .channels = 2});
        const Matrix<S> x = random_matrix<S>(n, 2, 3);
        EXPECT_TRUE(near_all(op * x, Matrix<S>::Zero(n, 2), 0));
        const Matrix<S> kernel = random_matrix<S>(2 * n - 1, 2, 4);
        op.set_kernel(kernel);
        EXPECT_TRUE(same_bits(op * x, typename TestFixture::Op({.length = n, .channels = 2}, kernel) * x));
    }
}

TYPED_TEST(FftTest, DoesNotOverflowWhereTheSumOfMagnitudesIsAQuarterOfTheRange) {
    using S = TypeParam;
    for (const Index n : {100, 1000, 4099}) {
        Matrix<S> impulse = Matrix<S>::Zero(2 * n - 1, 2);
        impulse.row(n - 1).setOnes();
        const Matrix<S> mean = Matrix<S>::Constant(2 * n - 1, 2, S(1) / static_cast<S>(2 * n - 1));
        const S most = std::numeric_limits<S>::max() / 4 / static_cast<S>(n);
        const Matrix<S> x = Matrix<S>::Constant(n, 2, most);
        Matrix<S> y(n, 2);
        Workspace ws;
        for (const auto& [kernel, gain] :
             {std::pair(impulse, 1.0), std::pair(mean, double(n) / double(2 * n - 1))}) {
            Fft<S>({.length = n, .channels = 2}, kernel).apply(x, y, ws);
            EXPECT_NEAR(static_cast<double>((y / most).minCoeff()), gain, 1e-4);
            EXPECT_NEAR(static_cast<double>((y / most).maxCoeff()), gain, 1e-4);
        }
    }
}

TYPED_TEST(FftTest, GradientDoesNotOverflowWhereItsSumOfMagnitudesIsAQuarterOfTheRange) {
    using S = TypeParam;
    for (const Index n : {100, 1000, 4099}) {
        const Fft<S> op({.length = n, .channels = 2});
        // Σ|x| Σ|g| = range/4N, of two factors that are alike.
        const S points = static_cast<S>(detail::tree_size(n));
        const S sum = std::sqrt((std::numeric_limits<S>::max)() / 4 / points);
        const Matrix<S> x = Matrix<S>::Constant(n, 2, sum / static_cast<S>(n));
        Workspace ws;
        Matrix<S> gradient = Matrix<S>::Zero(2 * n - 1, 2);
        op.accumulate_kernel_gradient(x, x, gradient, ws);
        for (Index t = 1 - n; t < n; ++t) {
            const auto expected = static_cast<long double>(n - std::abs(t)) *
                                  static_cast<long double>(x(0, 0)) * static_cast<long double>(x(0, 0));
            EXPECT_TRUE(near(gradient(t + n - 1, 1), expected,
                             transform_error(detail::tree_size(n)) * unit<S> * sum * x(0, 0)))
                << n << ' ' << t;
        }
    }
}

TYPED_TEST(FftTest, DenormalNumbersAreZeros) {
    using S = TypeParam;
    using Limits = std::numeric_limits<S>;
    for (const Index n : {20, 100}) {
        const Matrix<S> ones = Matrix<S>::Ones(2 * n - 1, 2);
        const Matrix<S> denormal = Matrix<S>::Constant(n, 2, 100 * Limits::denorm_min());
        const Fft<S> op({.length = n, .channels = 2}, ones);
        EXPECT_TRUE(same_bits(op * denormal, Matrix<S>::Zero(n, 2)));
        // Normal numbers are not.
        const S smallest = (Limits::min)();
        const Matrix<S> normal = Matrix<S>::Constant(n, 2, 4 * smallest);
        const LongMatrix expected = LongMatrix::Constant(n, 2, static_cast<long double>(normal.col(0).sum()));
        EXPECT_TRUE(near_all(op * normal, expected, static_cast<long double>(n) * smallest));
    }
}

TYPED_TEST(FftTest, KernelsMayHaveAnyStrides) {
    using S = TypeParam;
    for (const Index n : {20, 90}) {
        const Matrix<S> kernel = random_matrix<S>(2 * n - 1, 3, 5);
        const Matrix<S> x = random_matrix<S>(n, 3, 6);
        const Matrix<S> g = random_matrix<S>(n, 3, 7);
        const ColumnMatrix<S> column = kernel;
        Matrix<S> wide = Matrix<S>::Constant(2 * n + 1, 5, std::numeric_limits<S>::quiet_NaN());
        wide.block(1, 2, 2 * n - 1, 3) = kernel;
        const typename TestFixture::Op op({.length = n, .channels = 3}, kernel);
        EXPECT_TRUE(same_bits(typename TestFixture::Op({.length = n, .channels = 3}, column) * x, op * x));
        EXPECT_TRUE(same_bits(
            typename TestFixture::Op({.length = n, .channels = 3}, wide.block(1, 2, 2 * n - 1, 3)) * x,
            op * x));

        Workspace ws;
        Matrix<S> gradient = Matrix<S>::Zero(2 * n - 1, 3);
        op.accumulate_kernel_gradient(x, g, gradient, ws);
        ColumnMatrix<S> column_gradient = ColumnMatrix<S>::Zero(2 * n - 1, 3);
        op.accumulate_kernel_gradient(x, g, column_gradient, ws);
        EXPECT_TRUE(same_bits(column_gradient, gradient));
    }
}

TYPED_TEST(FftTest, SetKernelTakesItsScratchFromAWorkspace) {
    using S = TypeParam;
    for (const Index n : {20, 90}) {
        const Matrix<S> kernel = random_matrix<S>(n, 3, 8);
        using Op = Fft<S, Causality::causal>;
        const FftOptions options{.length = n, .channels = 3};
        Op op(options);
        Workspace ws(op.kernel_workspace());
        const std::size_t capacity = ws.capacity();
        op.set_kernel(kernel, ws);
        EXPECT_EQ(ws.capacity(), capacity);
        const Matrix<S> x = random_matrix<S>(n, 3, 9);
        EXPECT_TRUE(same_bits(op * x, Op(options, kernel) * x));
    }
}

TYPED_TEST(FftTest, ShortCausalProductsKeepThePastBitForBit) {
    using S = TypeParam;
    const Index n = most_direct_lags;
    const Matrix<S> kernel = random_matrix<S>(n, 3, 10);
    const Fft<S, Causality::causal> op({.length = n, .channels = 3}, kernel);
    const Matrix<S> x = random_matrix<S>(n, 3, 11);
    for (const Index t : {Index{1}, n / 2, n - 1}) {
        Matrix<S> changed = x;
        changed.bottomRows(n - t).setConstant(std::numeric_limits<S>::max());
        EXPECT_TRUE(same_bits((op * changed).topRows(t), (op * x).topRows(t)));
    }
}

TYPED_TEST(FftTest, StateIsOneSpectrumOfEachChannel) {
    using S = TypeParam;
    constexpr Index n = 1000;
    constexpr Index lanes = TreeConvolution<S>::lanes;
    const auto state = [](Index channels) {
        return Fft<S>({.length = n, .channels = channels}).state_bytes();
    };
    const auto one = static_cast<std::size_t>(2 * n) * sizeof(S);
    EXPECT_GE(state(1), one);
    EXPECT_LE(state(1), one + one / 4);
    EXPECT_EQ(state(2), 2 * state(1));
    EXPECT_EQ(state(lanes), static_cast<std::size_t>(lanes) * state(1));
    EXPECT_EQ(state(2 * lanes), 2 * state(lanes));
}

}  // namespace
}  // namespace toeplitz::test
