// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/oracle.hpp>
#include <support/planning.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/fftw_convolution.hpp>

namespace toeplitz::test {
namespace {

/// The engine on whole matrices, beside the definition of what it computes.
template <class S>
class FftwConvolutionTest : public testing::Test {
protected:
    using Engine = FftwConvolution<S>;

    static constexpr S untouched = S(-77);

    /// Row t + negative of `lags` is lag t.
    static Buffer<S> spectrum_of(const Engine& engine, const Matrix<S>& lags, Index negative) {
        Buffer<S> spectrum(engine.spectrum_size());
        Buffer<S> scratch(engine.scratch_size());
        engine.transform_kernel(lags, negative, spectrum.data(), scratch.data());
        return spectrum;
    }

    static LongMatrix product(const Matrix<S>& lags, Index negative, const Matrix<S>& x, Index rows,
                              Direction direction) {
        return toeplitz_product(direction, lags.template cast<long double>(), negative,
                                x.template cast<long double>(), rows);
    }

    template <Direction direction>
    static void expect_products(Index n, Index width) {
        SCOPED_TRACE("n = " + std::to_string(n) + ", width = " + std::to_string(width));
        const Engine engine(n);
        const Matrix<S> lags = random_matrix<S>(2 * n - 1, width, 1);
        const Matrix<S> x = random_matrix<S>(n, width, 2);
        const Matrix<S> start = random_matrix<S>(n, width, 3);
        const Buffer<S> kernel = spectrum_of(engine, lags, n - 1);
        const LongMatrix expected = product(lags, n - 1, x, n, direction);
        const long double tolerance = transform_error(engine.size()) * unit<S> * norm(lags) * norm(x);

        Buffer<S> scratch(engine.scratch_size());
        // Rows wider than the group: what lies beside it is neither read nor written.
        Matrix<S> wide_x = Matrix<S>::Constant(n, width + 3, std::numeric_limits<S>::quiet_NaN());
        wide_x.leftCols(width) = x;
        Matrix<S> y = Matrix<S>::Constant(n, width + 2, untouched);
        engine.template convolve<direction, Update::assign>(wide_x.leftCols(width), kernel.data(),
                                                            y.leftCols(width), scratch.data());
        EXPECT_TRUE(near_all(y.leftCols(width), expected, tolerance));
        EXPECT_TRUE((y.rightCols(2).array() == untouched).all());

        Matrix<S> sum = start;
        engine.template convolve<direction, Update::add>(x, kernel.data(), sum, scratch.data());
        EXPECT_TRUE(same_bits(sum, start + y.leftCols(width)));

        Buffer<S> x_spectrum(engine.spectrum_size());
        engine.transform(x, x_spectrum.data(), scratch.data());
        Matrix<S> again(n, width);
        engine.template convolve_spectrum<direction, Update::assign>(x_spectrum.data(), kernel.data(), again,
                                                                     scratch.data());
        EXPECT_TRUE(near_all(again, expected, tolerance));
    }

    static void expect_lag_gradient(Index n, Index width, Index positive, Index negative) {
        SCOPED_TRACE("n = " + std::to_string(n) + ", width = " + std::to_string(width));
        const Engine engine(n);
        Buffer<S> scratch(engine.scratch_size());
        Buffer<S> x_spectrum(engine.spectrum_size());
        Buffer<S> g_spectrum(engine.spectrum_size());
        Buffer<S> sum(engine.spectrum_size());
        const Index rows = positive + negative + 1;
        const Matrix<S> start = random_matrix<S>(rows, width, 4);
        LongMatrix expected = start.template cast<long double>();
        long double norms = norm(start);
        for (const std::uint64_t sequence : {5U, 6U}) {
            const Matrix<S> x = random_matrix<S>(n, width, sequence);
            const Matrix<S> g = random_matrix<S>(n, width, sequence + 10);
            engine.transform(x, x_spectrum.data(), scratch.data());
            engine.transform(g, g_spectrum.data(), scratch.data());
            engine.accumulate_correlation(x_spectrum.data(), g_spectrum.data(), width, sum.data());
            norms += norm(x) * norm(g);
            for (Index i = 0; i < n; ++i) {
                for (Index j = 0; j < n; ++j) {
                    if (i - j > positive || j - i > negative) continue;
                    for (Index c = 0; c < width; ++c) {
                        expected(i - j + negative, c) +=
                            static_cast<long double>(g(i, c)) * static_cast<long double>(x(j, c));
                    }
                }
            }
        }
        Matrix<S> lags = start;
        engine.accumulate_lags(sum.data(), lags, negative, scratch.data());
        EXPECT_TRUE(near_all(lags, expected, transform_error(engine.size()) * unit<S> * norms));
    }
};

TYPED_TEST_SUITE(FftwConvolutionTest, Scalars);

TYPED_TEST(FftwConvolutionTest, IsAnEngineOfTheNextSmoothSize) {
    using S = TypeParam;
    static_assert(ConvolutionEngine<FftwConvolution<S>, S>);
    for (const Index n : {1, 2, 11, 64, 1021}) {
        const FftwConvolution<S> engine(n);
        EXPECT_EQ(engine.size(), smooth_even_size(n));
        EXPECT_GE(engine.spectrum_size(), 2 * engine.size() * FftwConvolution<S>::lanes);
        EXPECT_EQ(engine.spectrum_size() % static_cast<Index>(buffer_alignment / sizeof(S)), 0);
    }
    expect_error<config_error>(201, "[toeplitz.config.201] FftwConvolution: expected length >= 1, got 0",
                               [] { FftwConvolution<S>(0); });
}

TYPED_TEST(FftwConvolutionTest, ShortLengthsEqualTheDefinition) {
    for (Index n = 1; n <= 40; ++n) {
        this->template expect_products<Direction::forward>(n, 2);
        this->template expect_products<Direction::adjoint>(n, 2);
    }
}

TYPED_TEST(FftwConvolutionTest, PrimesAndNeighboursOfPowersOfTwoEqualTheDefinition) {
    for (const Index n : {63, 64, 65, 97, 127, 128, 129, 211, 255, 256, 257, 509}) {
        this->template expect_products<Direction::forward>(n, 1);
        this->template expect_products<Direction::adjoint>(n, 1);
    }
}

TYPED_TEST(FftwConvolutionTest, EveryWidthOfAGroup) {
    for (Index width = 1; width <= FftwConvolution<TypeParam>::lanes; ++width) {
        this->template expect_products<Direction::forward>(33, width);
        this->template expect_products<Direction::adjoint>(33, width);
    }
}

TYPED_TEST(FftwConvolutionTest, KernelsMayStopAtAnyLag) {
    using S = TypeParam;
    const Index n = 21;
    const FftwConvolution<S> engine(n);
    const Matrix<S> x = random_matrix<S>(n, 2, 2);
    Buffer<S> scratch(engine.scratch_size());
    for (const auto& [positive, negative] :
         std::vector<std::pair<Index, Index>>{{0, 0}, {20, 0}, {0, 20}, {3, 7}, {20, 5}}) {
        const Matrix<S> lags = random_matrix<S>(positive + negative + 1, 2, 1);
        const Buffer<S> kernel = this->spectrum_of(engine, lags, negative);
        Matrix<S> y(n, 2);
        engine.template convolve<Direction::forward, Update::assign>(x, kernel.data(), y, scratch.data());
        EXPECT_TRUE(near_all(y, this->product(lags, negative, x, n, Direction::forward),
                             transform_error(engine.size()) * unit<S> * norm(lags) * norm(x)));
    }
}

TYPED_TEST(FftwConvolutionTest, ReadsAndWritesOnlyTheRowsItIsGiven) {
    using S = TypeParam;
    const Index n = 50;
    const FftwConvolution<S> engine(n);
    const Matrix<S> lags = random_matrix<S>(2 * n - 1, 2, 1);
    const Buffer<S> kernel = this->spectrum_of(engine, lags, n - 1);
    Buffer<S> scratch(engine.scratch_size());
    for (const Index rows_in : {0, 1, 30, 50}) {
        for (const Index rows_out : {0, 1, 20, 50}) {
            Matrix<S> x = random_matrix<S>(n, 2, 2);
            x.bottomRows(n - rows_in).setConstant(std::numeric_limits<S>::quiet_NaN());
            Matrix<S> y = Matrix<S>::Constant(n, 2, this->untouched);
            engine.template convolve<Direction::forward, Update::assign>(x.topRows(rows_in), kernel.data(),
                                                                         y.topRows(rows_out), scratch.data());
            const Matrix<S> valid = x.topRows(rows_in);
            EXPECT_TRUE(near_all(y.topRows(rows_out),
                                 this->product(lags, n - 1, valid, rows_out, Direction::forward),
                                 transform_error(engine.size()) * unit<S> * norm(lags) * norm(valid)));
            EXPECT_TRUE((y.bottomRows(n - rows_out).array() == this->untouched).all());
        }
    }
}

TYPED_TEST(FftwConvolutionTest, LagGradientIsTheCorrelation) {
    for (const Index n : {1, 2, 3, 16, 37, 64, 101}) {
        this->expect_lag_gradient(n, 3, n - 1, n - 1);
        this->expect_lag_gradient(n, FftwConvolution<TypeParam>::lanes, n - 1, 0);
        this->expect_lag_gradient(n, 1, n / 2, n / 3);
    }
}

}  // namespace
}  // namespace toeplitz::test
