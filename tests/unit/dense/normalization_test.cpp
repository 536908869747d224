// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/normalize.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class NormalizeTest : public testing::Test {};
TYPED_TEST_SUITE(NormalizeTest, Scalars, );

template <class Scalar>
long double reference(Norm norm, const NormParameters<Scalar>& p, const Matrix<Scalar>& x, Index i, Index j) {
    const Matrix<long double> row = x.row(i).template cast<long double>();
    const long double mean = row.mean();
    const long double square = row.squaredNorm() / static_cast<long double>(row.size());
    const long double variance = (row.array() - mean).square().mean();
    switch (norm) {
        case Norm::simple_rms:
            return row(j) / (std::sqrt(square) + 1e-8L);
        case Norm::rms:
            return p.scale(j) * row(j) / (std::sqrt(square) + 1e-8L);
        case Norm::scale:
            return p.scala(0) * row(j) / std::sqrt(square + 1e-5L);
        case Norm::layer:
            break;
    }
    return p.weight(j) * (row(j) - mean) / std::sqrt(variance + 1e-5L) + p.bias(j);
}

TYPED_TEST(NormalizeTest, AgreesWithTheDefinition) {
    using Scalar = TypeParam;
    for (const Norm norm : {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer}) {
        for (const Index d : {1, 2, 7, 16, 67}) {
            for (const double size : {1e-4, 1.0, 1e4}) {
                SCOPED_TRACE(testing::Message() << static_cast<int>(norm) << " d " << d << " size " << size);
                const Matrix<Scalar> x = static_cast<Scalar>(size) * random_matrix<Scalar>(5, d, 1);
                NormParameters<Scalar> p = make_norm<Scalar>(norm, d);
                for_each_parameter(
                    [](const ParameterName&, auto& tensor) {
                        tensor += random_matrix<Scalar>(tensor.rows(), tensor.cols(), 2);
                    },
                    p);
                Matrix<Scalar> y = x;
                normalize<Scalar>(norm, p, y, y);
                // Sums of d terms, a root, and the cancellation x − mean.
                const long double tolerance = static_cast<long double>(8 + d) * 8 * unit<Scalar>;
                for (Index i = 0; i < x.rows(); ++i) {
                    for (Index j = 0; j < d; ++j) {
                        ASSERT_TRUE(near(y(i, j), reference(norm, p, x, i, j), tolerance));
                    }
                }
            }
        }
    }
}

TYPED_TEST(NormalizeTest, AZeroRowOfSimpleRmsHasTheGradientOfItsEps) {
    using Scalar = TypeParam;
    const Matrix<Scalar> x = Matrix<Scalar>::Zero(1, 19);
    const Matrix<Scalar> g = random_matrix<Scalar>(1, 19, 3);
    Matrix<Scalar> y(1, 19);
    Matrix<Scalar> dx(1, 19);
    NormParameters<Scalar> none;
    normalize<Scalar>(Norm::simple_rms, none, x, y);
    normalize_backward<Scalar>(Norm::simple_rms, none, x, g, dx, none);
    EXPECT_TRUE(y.isZero(0));
    EXPECT_LE(relative_error(dx, (g.template cast<double>() * 1e8).eval()), 4 * unit<Scalar>);
}

TYPED_TEST(NormalizeTest, BackwardMayWriteOverItsInputAndAddsToGradients) {
    using Scalar = TypeParam;
    const Matrix<Scalar> x = random_matrix<Scalar>(4, 9, 1);
    Matrix<Scalar> g = random_matrix<Scalar>(4, 9, 2);
    const NormParameters<Scalar> p = make_norm<Scalar>(Norm::layer, 9);
    NormParameters<Scalar> gradients = zeros_like(p);
    Matrix<Scalar> dx(4, 9);
    normalize_backward<Scalar>(Norm::layer, p, x, g, dx, gradients);
    const NormParameters<Scalar> once = gradients;
    normalize_backward<Scalar>(Norm::layer, p, x, g, g, gradients);
    EXPECT_TRUE(same_bits(g, dx));
    EXPECT_LE(relative_error(gradients.weight, (2 * once.weight).eval()), 8 * unit<Scalar>);
    EXPECT_LE(relative_error(gradients.bias, (2 * once.bias).eval()), 8 * unit<Scalar>);
}

}  // namespace
}  // namespace toeplitz::test
