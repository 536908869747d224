// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/kinds.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/narrow_convolution.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::test {
namespace {

// Runs have 512 rows.
constexpr Index lengths[] = {1, 2, 100, 511, 512, 513, 1100};

template <class S>
class NarrowConvolutionTest : public testing::Test {
protected:
    static constexpr Index lanes = Simd<S>::lanes;

    /// y_i = Σ_q s_q x_{i−q} with lags −negative.., or the transpose.
    static Matrix<long double> by_definition(const Matrix<S>& kernel, Index negative, const Matrix<S>& x,
                                             bool transpose) {
        Matrix<long double> y = Matrix<long double>::Zero(x.rows(), x.cols());
        for (Index i = 0; i < x.rows(); ++i) {
            for (Index q = 0; q < kernel.rows(); ++q) {
                const Index j = transpose ? i + (q - negative) : i - (q - negative);
                if (j < 0 || j >= x.rows()) continue;
                for (Index c = 0; c < x.cols(); ++c)
                    y(i, c) += static_cast<long double>(kernel(q, c)) * static_cast<long double>(x(j, c));
            }
        }
        return y;
    }
    static testing::AssertionResult near(const Matrix<S>& got, const Matrix<long double>& expected,
                                         long double units) {
        return near_all(got, expected, units * unit<S>);
    }
};

TYPED_TEST_SUITE(NarrowConvolutionTest, Scalars);

TYPED_TEST(NarrowConvolutionTest, AllNumbersOfChannelsThatDoNotFillAVector) {
    using S = TypeParam;
    EXPECT_FALSE(detail::NarrowConvolution<S>::serves(this->lanes));
    for_each_kind([this]<Causality kind>(std::integral_constant<Causality, kind>) {
        for (Index d = 1; d < this->lanes; ++d) {
            ASSERT_TRUE(detail::NarrowConvolution<S>::serves(d));
            for (const Index n : lengths) {
                for (const Index taps : {1, 7, 33}) {
                    SCOPED_TRACE(testing::Message() << "d = " << d << ", n = " << n << ", m = " << taps);
                    const Index negative = kind == Causality::causal ? 0 : (taps - 1) / 2;
                    const Matrix<S> kernel = random_matrix<S>(taps, d, 1);
                    const Matrix<S> x = random_matrix<S>(n, d, 2);
                    const Band<S, kind> band({.length = n, .channels = d, .taps = taps}, kernel);
                    Workspace ws(band.required_workspace());
                    Matrix<S> y = Matrix<S>::Constant(n, d, 7);
                    band.apply(x, y, ws);
                    const Matrix<long double> expected = this->by_definition(kernel, negative, x, false);
                    EXPECT_TRUE(this->near(y, expected, 500));
                    band.accumulate(x, y, ws);
                    EXPECT_TRUE(this->near(y, 2 * expected, 1000));
                    band.apply_adjoint(x, y, ws);
                    EXPECT_TRUE(this->near(y, this->by_definition(kernel, negative, x, true), 500));
                }
            }
        }
    });
}

TYPED_TEST(NarrowConvolutionTest, RowsMayBeApart) {
    using S = TypeParam;
    for (const Index d : {1, 3}) {
        const Matrix<S> kernel = random_matrix<S>(9, d, 1);
        const Matrix<S> wide = random_matrix<S>(700, d + 5, 2);
        const Matrix<S> x = wide.middleCols(2, d);
        const Band<S> band({.length = 700, .channels = d, .taps = 9}, kernel);
        Workspace ws;
        Matrix<S> to = Matrix<S>::Constant(700, d + 5, 7);
        band.apply(MatrixView<const S>(wide).middle_cols(2, d), MatrixView<S>(to).middle_cols(2, d), ws);
        const Matrix<S> expected = band * x;
        EXPECT_TRUE(same_bits(Matrix<S>(to.middleCols(2, d)), expected));
        EXPECT_TRUE((to.leftCols(2).array() == S(7)).all() && (to.rightCols(3).array() == S(7)).all());
    }
}

TYPED_TEST(NarrowConvolutionTest, StartsFromALowRank) {
    using S = TypeParam;
    for (const Index d : {1, 3}) {
        for (const Index n : {5, 600, 1100}) {
            const Ski<S> ski({.length = n, .channels = d, .rank = 7},
                             random_matrix<S>(2 * std::min<Index>(7, n) - 1, d, 1));
            const Band<S> band({.length = n, .channels = d, .taps = 9}, random_matrix<S>(9, d, 2));
            const Matrix<S> x = random_matrix<S>(n, d, 3);
            const Matrix<S> expected = ski * x + band * x;
            EXPECT_TRUE(near_all((band + ski) * x, expected, 4 * unit<S> * expected.cwiseAbs().maxCoeff()));
        }
    }
}

TYPED_TEST(NarrowConvolutionTest, GradientOfManyRunsAndSequences) {
    using S = TypeParam;
    for (Index d = 1; d < this->lanes; ++d) {
        for (const Index taps : {1, 8, 21}) {
            SCOPED_TRACE(testing::Message() << "d = " << d << ", m = " << taps);
            const Index n = 1100;
            const std::vector<Index> valid = {1100, 513, 3};
            const Sequences sequences(n, valid);
            const Matrix<S> x = random_matrix<S>(3 * n, d, 3);
            const Matrix<S> g = random_matrix<S>(3 * n, d, 4);
            const Band<S, Causality::causal> band({.length = n, .channels = d, .taps = taps});
            Matrix<S> dkernel = Matrix<S>::Ones(taps, d);
            Workspace ws;
            band.accumulate_kernel_gradient(x, g, dkernel, ws, sequences);
            Matrix<long double> expected = Matrix<long double>::Ones(taps, d);
            for (Index b = 0; b < 3; ++b) {
                for (Index i = 0; i < valid[static_cast<std::size_t>(b)]; ++i) {
                    for (Index q = 0; q <= (std::min)(i, taps - 1); ++q) {
                        for (Index c = 0; c < d; ++c) {
                            expected(q, c) += static_cast<long double>(g(b * n + i, c)) *
                                              static_cast<long double>(x(b * n + i - q, c));
                        }
                    }
                }
            }
            EXPECT_TRUE(this->near(dkernel, expected, 4000));
        }
    }
}

TYPED_TEST(NarrowConvolutionTest, ANaNStaysInItsChannelAndBand) {
    using S = TypeParam;
    const Index d = 3;
    Matrix<S> x = random_matrix<S>(600, d, 5);
    x(510, 1) = std::numeric_limits<S>::quiet_NaN();
    const Band<S> band({.length = 600, .channels = d, .taps = 5}, random_matrix<S>(5, d, 6));
    const Matrix<S> y = band * x;
    for (Index i = 0; i < 600; ++i) {
        for (Index c = 0; c < d; ++c) {
            EXPECT_EQ(std::isnan(y(i, c)), c == 1 && std::abs(i - 510) <= 2) << i << ", " << c;
        }
    }
}

TYPED_TEST(NarrowConvolutionTest, SameBitsForAnyNumberOfThreads) {
    using S = TypeParam;
    for (const Index d : {1, 3}) {
        const Index n = 40000;
        const Band<S> band({.length = n, .channels = d, .taps = 33}, random_matrix<S>(33, d, 1));
        const Matrix<S> x = random_matrix<S>(n, d, 2);
        const auto run = [&](int threads) {
            Matrix<S> all = Matrix<S>::Zero(n + 33, d);
            with_threads(threads, [&] {
                const Matrix<S> y = band * x;
                all.topRows(n) = y;
                Workspace ws;
                band.accumulate_kernel_gradient(x, y, MatrixView<S>(all).middle_rows(n, 33), ws);
            });
            return all;
        };
        const Matrix<S> one = run(1);
        for (const int threads : {2, 7}) EXPECT_TRUE(same_bits(run(threads), one));
    }
}

TYPED_TEST(NarrowConvolutionTest, TapsBeyondAllMemoryAreRefused) {
    using S = TypeParam;
    for (const Index d : {Index{1}, Index{3}, 2 * this->lanes}) {
        EXPECT_THROW(Band<S>({.length = 10, .channels = d, .taps = (Index{1} << 61) + 1}), config_error) << d;
    }
}

}  // namespace
}  // namespace toeplitz::test
