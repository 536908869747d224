// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/choose.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

constexpr Index n = 90;

Matrix<double> typical_lags() {
    Matrix<double> lags(2 * n - 1, 10);
    const std::vector<NamedKernel> kernels = typical_kernels(n);
    for (Index c = 0; c < 10; ++c) lags.col(c) = lags_of(kernels[static_cast<std::size_t>(c)].value, n);
    return lags;
}

TEST(CertifiedOperatorTest, OperatorIsTheApproximation) {
    const Matrix<double> lags = typical_lags();
    const Matrix<double> x = random_matrix<double>(n, 10, 3);
    for (const auto& [b, rank] : {std::pair<Index, Index>{3, 0}, {-1, 20}, {3, 20}}) {
        const auto made = approximate(lags, {.half_width = b, .rank = rank});
        const CertifiedOperator<double> op(lags, made);
        EXPECT_EQ(op.method(), b < 0 ? Method::ski : rank == 0 ? Method::band : Method::band_ski);
        const Matrix<double> y = op * x;
        const Matrix<double> dx = op.transpose() * x;
        for (Index c = 0; c < 10; ++c) {
            const Matrix<double> t =
                error_matrix(lags, {}, {}, c) - error_matrix(lags, made.taps, made.inducing, c);
            EXPECT_TRUE(near_all(y.col(c), t * x.col(c), 1e-11)) << c;
            EXPECT_TRUE(near_all(dx.col(c), t.transpose() * x.col(c), 1e-11)) << c;
        }
    }
}

// Of the whole kernel, the choice knows its own channels.
TEST(CertifiedOperatorTest, OfAChoiceHasItsChannelsAndItsError) {
    const Matrix<double> lags = typical_lags();
    Choice<double> choice;
    choice.first = 6;
    choice.channels = 2;
    const Matrix<double> columns = lags.middleCols(6, 2);
    for (const Index rank : {0, 20}) {
        if (rank > 0) choice.approximation = approximate(columns, {.half_width = 2, .rank = rank});
        const CertifiedOperator<double> op = choice.make_operator(lags);
        EXPECT_EQ(op.method(), rank == 0 ? Method::fft : Method::band_ski);
        ASSERT_EQ(op.channels(), 2);
        const CertifiedOperator<double> exact(columns, {});
        const Vector<double> estimates = norm_estimate(Difference(exact, op));
        for (Index c = 0; c < 2; ++c) {
            const double expected = rank == 0 ? 0.0
                                              : spectral_norm(error_matrix(columns, choice.approximation.taps,
                                                                           choice.approximation.inducing, c));
            EXPECT_TRUE(near(estimates(c), expected, 1e-3L * expected));
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
