// SPDX-License-Identifier: MIT
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/errors.hpp>
#include <support/kinds.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/dense.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class BandTest : public testing::Test {
protected:
    static constexpr Index line = static_cast<Index>(buffer_alignment / sizeof(S));

    static void expect_definition(const Spec& spec) {
        SCOPED_TRACE(text(spec));
        const auto model = make_operator<S>(spec);
        const Matrix<S> x = random_matrix<S>(2 * spec.length, spec.channels, 2);
        const Matrix<S> g = random_matrix<S>(2 * spec.length, spec.channels, 3);
        const LongMatrix long_x = x.template cast<long double>();
        const LongMatrix long_g = g.template cast<long double>();
        const LongMatrix kernel = model->kernel().template cast<long double>();
        const Reference y = model->oracle().product(Direction::forward, kernel, long_x, {}, unit<S>);
        EXPECT_TRUE(near_each(model->apply(x), y.value, y.tolerance));
        const Reference dx = model->oracle().product(Direction::adjoint, kernel, long_g, {}, unit<S>);
        EXPECT_TRUE(near_each(model->adjoint(g), dx.value, dx.tolerance));
        const Reference dk = model->oracle().gradient(long_x, long_g, {}, unit<S>);
        EXPECT_TRUE(near_each(model->gradient(x, g), dk.value, dk.tolerance));
    }
};

TYPED_TEST_SUITE(BandTest, Scalars);

TYPED_TEST(BandTest, IsZeroUntilItsKernelIsSet) {
    using S = TypeParam;
    Band<S> op({.length = 9, .channels = 2, .taps = 3});
    const Matrix<S> x = random_matrix<S>(9, 2, 1);
    EXPECT_TRUE(near_all(op * x, Matrix<S>::Zero(9, 2), 0));
    const Matrix<S> taps = random_matrix<S>(3, 2, 2);
    op.set_kernel(taps);
    EXPECT_TRUE(same_bits(op * x, Band<S>({.length = 9, .channels = 2, .taps = 3}, taps) * x));
}

/// Numbers that lie in memory are looked at; an expression is evaluated where the result is a new matrix.
TYPED_TEST(BandTest, TakesVectorsSpansAndExpressions) {
    using S = TypeParam;
    const std::vector<S> taps{1, 2, 3};
    const Band<S> op({.length = 9, .channels = 1, .taps = 3}, taps);
    const std::vector<S> x{1, -1, 2, 5, 0, 0, 4, 3, 1};
    std::vector<S> y(9);
    Workspace ws;
    op.apply(x, y, ws);
    const Matrix<S> expected = op * MatrixView<const S>(x.data(), 9, 1);
    EXPECT_TRUE(same_bits(expected, Eigen::Map<const Matrix<S>>(y.data(), 9, 1)));
    EXPECT_TRUE(same_bits(op * std::span<const S>(x), expected));
    const Matrix<double> wide = MatrixView<const S>(x).eigen().template cast<double>();
    EXPECT_TRUE(same_bits(op * wide.template cast<S>().eval(), expected));
    EXPECT_TRUE(same_bits(op * (wide + 0 * wide).template cast<S>(), expected));
}

TYPED_TEST(BandTest, RowOfTheKernelIsLagPlusHalfTheWidth) {
    using S = TypeParam;
    const Vector<S> kernel{{1, 10, 100}};  // lags −1, 0, 1
    const Band<S> band({.length = 4, .channels = 1, .taps = 3}, kernel);
    const Vector<S> x{{1, 2, 3, 4}};
    EXPECT_TRUE(same_bits(band * x, Vector<S>{{12, 123, 234, 340}}));
    EXPECT_TRUE(same_bits(band.transpose() * x, Vector<S>{{210, 321, 432, 43}}));
    EXPECT_EQ(band.taps(), 3);
    EXPECT_EQ(band.causality(), Causality::bidirectional);
}

TYPED_TEST(BandTest, RowOfACausalKernelIsTheLag) {
    using S = TypeParam;
    const Vector<S> kernel{{1, 10}};
    const Band<S, Causality::causal> band({.length = 4, .channels = 1, .taps = 2}, kernel);
    const Vector<S> x{{1, 2, 3, 4}};
    EXPECT_TRUE(same_bits(band * x, Vector<S>{{1, 12, 23, 34}}));
    EXPECT_TRUE(same_bits(band.transpose() * x, Vector<S>{{21, 32, 43, 4}}));
    EXPECT_EQ(band.causality(), Causality::causal);
}

TYPED_TEST(BandTest, AnyNumberOfTaps) {
    for (Index taps = 1; taps <= 29; ++taps) {
        if (taps % 2 == 1)
            this->expect_definition({.kind = Kind::band, .length = 23, .channels = 3, .taps = taps});
        this->expect_definition({.kind = Kind::band_causal, .length = 23, .channels = 3, .taps = taps});
    }
}

TYPED_TEST(BandTest, BandsWiderThanTheSequence) {
    for (const Index n : {1, 2, 5}) {
        for (const Index taps : {3, 9, 13, 101}) {
            this->expect_definition({.kind = Kind::band, .length = n, .channels = 2, .taps = taps});
            this->expect_definition({.kind = Kind::band_causal, .length = n, .channels = 2, .taps = taps});
        }
    }
}

TYPED_TEST(BandTest, LagsOfItsKernelMakeTheSameMatrix) {
    using S = TypeParam;
    for_each_kind([]<Causality kind>(std::integral_constant<Causality, kind>) {
        for (const Index n : {1, 2, 5, 20}) {
            for (const Index taps : {1, 3, 9, 101}) {
                SCOPED_TRACE(testing::Message() << "n = " << n << ", taps = " << taps);
                // Whole numbers: sums are exact.
                const Matrix<S> kernel = (8 * random_matrix<S>(taps, 2, 1)).array().round();
                const Matrix<S> x = (8 * random_matrix<S>(n, 2, 2)).array().round();
                const Band<S, kind> band({.length = n, .channels = 2, .taps = taps}, kernel);
                Matrix<S> lags = random_matrix<S>(2 * n - 1, 2, 3);
                Workspace ws;
                band.kernel_lags(kernel, lags, ws);
                EXPECT_TRUE(near_all(Dense<S>({.length = n, .channels = 2}, lags) * x, band * x, 0));
            }
        }
    });
}

TYPED_TEST(BandTest, LagsOfAnotherShapeAreRefused) {
    using S = TypeParam;
    const Band<S> band({.length = 3, .channels = 2, .taps = 3});
    const Matrix<S> kernel = Matrix<S>::Zero(3, 2);
    Matrix<S> lags(6, 2);
    Workspace ws;
    expect_error<shape_error>(501,
                              "[toeplitz.shape.501] Band::kernel_lags: expected a kernel of 5×2, got 6×2",
                              [&] { band.kernel_lags(kernel, lags, ws); });
}

TYPED_TEST(BandTest, SequencesOfManyRuns) {
    for (const Index n : {127, 128, 129, 300}) {
        this->expect_definition({.kind = Kind::band, .length = n, .channels = 2 * this->line + 3, .taps = 7});
        this->expect_definition({.kind = Kind::band_causal, .length = n, .channels = 2, .taps = 200});
    }
}

TYPED_TEST(BandTest, CausalBandsKeepThePastBitForBit) {
    using S = TypeParam;
    const Index n = 150;
    const Index d = this->line + 1;
    const auto band = make_operator<S>({.kind = Kind::band_causal, .length = n, .channels = d, .taps = 33});
    const Matrix<S> x = random_matrix<S>(n, d, 4);
    const Matrix<S> y = band->apply(x);
    for (const Index t : {1, 77, 128, 149}) {
        Matrix<S> changed = x;
        changed.bottomRows(n - t).setConstant(std::numeric_limits<S>::max());
        changed.row(t).setConstant(std::numeric_limits<S>::quiet_NaN());
        EXPECT_TRUE(same_bits(band->apply(changed).topRows(t), y.topRows(t))) << "t = " << t;
    }
}

TYPED_TEST(BandTest, StateIsTheTapsOfBothDirections) {
    using S = TypeParam;
    constexpr Index lanes = Simd<S>::lanes;
    const Band<S> band({.length = 9, .channels = lanes + 1, .taps = 3}, Matrix<S>::Zero(3, lanes + 1).eval());
    EXPECT_EQ(band.state_bytes(), static_cast<std::size_t>(2 * 3 * 2 * lanes) * sizeof(S));
}

}  // namespace
}  // namespace toeplitz::test
