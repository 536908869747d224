// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <support/activation.hpp>

namespace toeplitz::test {
namespace {

constexpr Activation all[] = {Activation::identity,    Activation::relu, Activation::silu,
                              Activation::gelu,        Activation::sine, Activation::sigmoid,
                              Activation::leaky_relu,  Activation::elu,  Activation::elu_plus_one,
                              Activation::elu_plus_two};

struct Expected {
    long double value;
    long double slope;
};

Expected reference(Activation activation, long double x) {
    switch (activation) {
        case Activation::relu:
            return {x > 0 ? x : 0, x > 0 ? 1.0L : 0.0L};
        case Activation::silu: {
            const long double s = 1 / (1 + std::exp(-x));
            return {x * s, s * (1 + x * (1 - s))};
        }
        case Activation::gelu: {
            const long double phi = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi_v<long double>);
            const long double distribution = std::erfc(-x / std::sqrt(2.0L)) / 2;
            return {x * distribution, distribution + x * phi};
        }
        case Activation::sine:
            return {std::sin(x), std::cos(x)};
        case Activation::sigmoid: {
            const long double s = 1 / (1 + std::exp(-x));
            return {s, s * (1 - s)};
        }
        case Activation::leaky_relu:
            return {x > 0 ? x : x / 100, x > 0 ? 1.0L : 0.01L};
        case Activation::elu:
        case Activation::elu_plus_one:
        case Activation::elu_plus_two: {
            const int offset = static_cast<int>(activation) - static_cast<int>(Activation::elu);
            return {(x > 0 ? x : std::expm1(x)) + offset, x > 0 ? 1.0L : std::exp(x)};
        }
        case Activation::identity:
            break;
    }
    return {x, 1};
}

template <class Scalar>
class ActivationTest : public testing::Test {};
TYPED_TEST_SUITE(ActivationTest, Scalars, );

TYPED_TEST(ActivationTest, ValuesAndSlopesAreThoseOfTheDefinition) {
    using Scalar = TypeParam;
    // Some units: exponentials of the tails have a condition number of |x| ≤ 12, of Gaussians x².
    const long double tolerance = 12 * 12 * unit<Scalar>;
    for (const Activation activation : all) {
        for (const Index count : {1, 7, 64, 1001}) {
            SCOPED_TRACE(testing::Message() << static_cast<int>(activation) << " count " << count);
            Matrix<Scalar> x = 3 * random_matrix<Scalar>(1, count, 1);
            x(0, 0) = -12;
            const Matrix<Scalar> at = x;
            Matrix<Scalar> kept = x;
            Matrix<Scalar> slope = Matrix<Scalar>::Ones(1, count);
            activate<Scalar>(activation, x);
            activate_backward<Scalar>(activation, kept, slope);
            for (Index i = 0; i < count; ++i) {
                const Expected expected = reference(activation, at(0, i));
                ASSERT_TRUE(near(x(0, i), expected.value, tolerance)) << at(0, i);
                ASSERT_TRUE(near(kept(0, i), expected.value, tolerance)) << at(0, i);
                ASSERT_TRUE(near(slope(0, i), expected.slope, tolerance)) << at(0, i);
            }
        }
    }
}

/// Steps between neighbouring numbers at |x|, at least those of the smallest normal number.
template <class Scalar>
long double spacing(long double x) {
    const Scalar at = std::max(static_cast<Scalar>(std::abs(x)), std::numeric_limits<Scalar>::min());
    return std::nextafter(at, std::numeric_limits<Scalar>::infinity()) - at;
}

TYPED_TEST(ActivationTest, SmoothOnesKeepTheirDigitsInTheTails) {
    using Scalar = TypeParam;
    constexpr bool is_float = std::is_same_v<Scalar, float>;
    for (const Activation activation : {Activation::silu, Activation::gelu, Activation::sigmoid}) {
        // Down to results that are no normal numbers any more.
        const Scalar gauss = is_float ? Scalar(12.8) : Scalar(37.2);
        const Scalar exponential = is_float ? Scalar(86) : Scalar(707);
        const Scalar most = activation == Activation::gelu ? gauss : exponential;
        constexpr Index count = 20001;
        Matrix<Scalar> x(1, count + 80);
        for (Index i = 0; i < count; ++i) {
            x(0, i) = most * (static_cast<Scalar>(2 * i) / static_cast<Scalar>(count - 1) - 1);
        }
        for (int i = 0; i < 40; ++i) {
            x(0, count + i) = std::ldexp(Scalar(1.3), -i);
            x(0, count + 40 + i) = -x(0, count + i);
        }
        Matrix<Scalar> value = x;
        Matrix<Scalar> slope = Matrix<Scalar>::Ones(1, x.cols());
        activate_backward<Scalar>(activation, value, slope);
        for (Index i = 0; i < x.cols(); ++i) {
            const Expected expected = reference(activation, x(0, i));
            ASSERT_TRUE(near(value(0, i), expected.value, 6 * spacing<Scalar>(expected.value))) << x(0, i);
            // A difference of terms of about one.
            ASSERT_TRUE(near(slope(0, i), expected.slope, 4 * unit<Scalar>)) << x(0, i);
        }
    }
}

TYPED_TEST(ActivationTest, InfinitiesHaveTheirLimits) {
    using Scalar = TypeParam;
    const Scalar infinity = std::numeric_limits<Scalar>::infinity();
    for (const Activation activation : {Activation::relu, Activation::silu, Activation::gelu}) {
        SCOPED_TRACE(static_cast<int>(activation));
        Matrix<Scalar> x(1, 2);
        x << -infinity, infinity;
        Matrix<Scalar> slope = Matrix<Scalar>::Ones(1, 2);
        activate_backward<Scalar>(activation, x, slope);
        EXPECT_EQ(x(0, 0), 0);
        EXPECT_EQ(x(0, 1), infinity);
        EXPECT_EQ(slope(0, 0), 0);
        EXPECT_EQ(slope(0, 1), 1);
    }
}

TYPED_TEST(ActivationTest, AnElementHasTheSameBitsWhereverItStands) {
    using Scalar = TypeParam;
    const Matrix<Scalar> x = 3 * random_matrix<Scalar>(1, 37, 1);
    for (const Activation activation : all) {
        Matrix<Scalar> together = x;
        activate<Scalar>(activation, together);
        for (Index i = 0; i < x.cols(); ++i) {
            Matrix<Scalar> alone = x.col(i);
            activate<Scalar>(activation, alone);
            ASSERT_EQ(alone(0, 0), together(0, i)) << static_cast<int>(activation) << " " << i;
        }
    }
}

TYPED_TEST(ActivationTest, GatesAreProductsAndHaveTheirGradients) {
    using Scalar = TypeParam;
    const Index count = 1203;  // several blocks and a rest
    const Matrix<Scalar> x = random_matrix<Scalar>(1, count, 1), factor = random_matrix<Scalar>(1, count, 2);
    const Matrix<Scalar> g = random_matrix<Scalar>(1, count, 3);
    for (const Activation activation : all) {
        SCOPED_TRACE(static_cast<int>(activation));
        Matrix<Scalar> value = x;
        activate<Scalar>(activation, value);
        Matrix<Scalar> slope = Matrix<Scalar>::Ones(1, count);
        Matrix<Scalar> at = x;
        activate_backward<Scalar>(activation, at, slope);
        Matrix<Scalar> y(1, count), gated(1, count), dx(1, count);
        Matrix<Scalar> dfactor = g;  // over what it is made from
        detail::activate_times<Scalar>(activation, x.data(), factor.data(), y.data(), count);
        detail::activate_times_backward<Scalar>(activation, x.data(), factor.data(), dfactor.data(),
                                                gated.data(), dx.data(), dfactor.data(), count);
        EXPECT_TRUE(same_bits(y, Matrix<Scalar>(value.cwiseProduct(factor))));
        EXPECT_TRUE(same_bits(gated, y));
        EXPECT_TRUE(same_bits(dfactor, Matrix<Scalar>(g.cwiseProduct(value))));
        EXPECT_TRUE(same_bits(dx, Matrix<Scalar>(g.cwiseProduct(factor).cwiseProduct(slope))));
    }
}

TYPED_TEST(ActivationTest, ZeroStaysZeroAndNanStaysNan) {
    using Scalar = TypeParam;
    for (const Activation activation : all) {
        SCOPED_TRACE(static_cast<int>(activation));
        Matrix<Scalar> x = Matrix<Scalar>::Zero(2, 19);
        x.row(1).setConstant(std::numeric_limits<Scalar>::quiet_NaN());
        activate<Scalar>(activation, x);
        const bool has_offset = activation == Activation::sigmoid || activation > Activation::elu;
        EXPECT_EQ(x.row(0).isZero(0), !has_offset);
        EXPECT_TRUE(x.row(1).array().isNaN().all());
    }
}

TYPED_TEST(ActivationTest, LargeInputsDoNotOverflow) {
    using Scalar = TypeParam;
    for (const Activation activation : {Activation::relu, Activation::silu, Activation::gelu}) {
        SCOPED_TRACE(static_cast<int>(activation));
        Matrix<Scalar> x(1, 2);
        x << -30000, 30000;
        Matrix<Scalar> slope = Matrix<Scalar>::Ones(1, 2);
        activate_backward<Scalar>(activation, x, slope);
        EXPECT_TRUE(near(x(0, 0), 0, 1e-30L));
        EXPECT_EQ(x(0, 1), 30000);
        EXPECT_TRUE(near(slope(0, 0), 0, 1e-30L));
        EXPECT_EQ(slope(0, 1), 1);
    }
}

TYPED_TEST(ActivationTest, TakesAnyStrides) {
    using Scalar = TypeParam;
    ColumnMatrix<Scalar> x = random_matrix<Scalar>(3, 5, 2);
    Matrix<Scalar> expected = x;
    activate<Scalar>(Activation::relu, x);
    activate<Scalar>(Activation::relu, expected);
    EXPECT_TRUE(same_bits(x, expected));
}

TEST(ReluTest, HasSlopeZeroAtZero) {
    Matrix<double> x = Matrix<double>::Zero(1, 9);
    Matrix<double> g = Matrix<double>::Ones(1, 9);
    activate_backward<double>(Activation::relu, x, g);
    EXPECT_TRUE(g.isZero(0));
}

}  // namespace
}  // namespace toeplitz::test
