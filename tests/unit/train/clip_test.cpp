// SPDX-License-Identifier: MIT
#include <limits>

#include <gtest/gtest.h>

#include <support/linear_model.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/clip.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class ClipTest : public testing::Test {};
TYPED_TEST_SUITE(ClipTest, Scalars, );

template <class Scalar>
ModelParameters<Scalar> small() {
    ModelParameters<Scalar> g{{Matrix<Scalar>(1, 2), Vector<Scalar>(1)}, Vector<Scalar>::Constant(3, 99)};
    g.linear.weight << 3, -4;
    g.linear.bias << 12;
    return g;
}

TYPED_TEST(ClipTest, AgreesWithPyTorchAndLeavesBuffersOut) {
    using Scalar = TypeParam;
    const ModelParameters<Scalar> g = small<Scalar>();
    EXPECT_EQ(gradient_norm(g), 13);
    const double factor = clip_factor(gradient_norm(g), 2.0);
    EXPECT_TRUE(near(factor * 3, 0.46153842603550577, 2 * unit<double>));
    EXPECT_TRUE(near(factor * -4, -0.615384568047341, 2 * unit<double>));
    EXPECT_TRUE(near(factor * 12, 1.846153704142023, 4 * unit<double>));
}

TEST(ClipFactorTest, ANormBelowTheLimitStays) {
    EXPECT_EQ(clip_factor(13, 14), 1);
    EXPECT_EQ(clip_factor(0, 1), 1);
    EXPECT_EQ(clip_factor(1, 1), 1 / (1 + 1e-6));
}

TYPED_TEST(ClipTest, TheNormIsSummedInDoubleWithTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    for (const Index rows : {1, 3, 200}) {
        ModelParameters<Scalar> g{{random_matrix<Scalar>(rows, 501, 1), random_matrix<Scalar>(rows, 1, 2)},
                                  Vector<Scalar>(0)};
        const long double weight = norm(g.linear.weight);
        const long double bias = norm(g.linear.bias);
        const long double expected = std::sqrt(weight * weight + bias * bias);
        double one = 0;
        double two = 0;
        with_threads(1, [&] { one = gradient_norm(g); });
        with_threads(2, [&] { two = gradient_norm(g); });
        EXPECT_EQ(one, two);
        EXPECT_TRUE(near(one, expected, expected * (rows + 70) * unit<double>));
    }
}

TYPED_TEST(ClipTest, FindsTheFirstElementThatIsNotFinite) {
    using Scalar = TypeParam;
    ModelParameters<Scalar> g{{random_matrix<Scalar>(3, 4, 1), random_matrix<Scalar>(3, 1, 2)},
                              Vector<Scalar>::Constant(1, std::numeric_limits<Scalar>::quiet_NaN())};
    EXPECT_FALSE(find_non_finite(g));
    EXPECT_TRUE(std::isfinite(gradient_norm(g)));
    g.linear.bias(2) = -std::numeric_limits<Scalar>::infinity();
    EXPECT_EQ(find_non_finite(g).value().text(), "-inf in linear.bias(2, 0)");
    EXPECT_TRUE(std::isinf(gradient_norm(g)));
    g.linear.weight(1, 3) = std::numeric_limits<Scalar>::quiet_NaN();
    g.linear.weight(2, 0) = std::numeric_limits<Scalar>::infinity();
    EXPECT_EQ(find_non_finite(g).value().text(), "nan in linear.weight(1, 3)");
    EXPECT_TRUE(std::isnan(gradient_norm(g)));
}

}  // namespace
}  // namespace toeplitz::test
