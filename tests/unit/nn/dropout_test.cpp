// SPDX-License-Identifier: MIT
#include <cmath>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/dropout.hpp>

namespace toeplitz::test::dropout_test {
namespace {

Matrix<double> dropped(double rate, std::uint64_t seed, Matrix<double> x) {
    dropout<double>(rate, seed, x);
    return x;
}

TEST(DropoutTest, DropsAtTheRateAndKeepsTheMean) {
    const Matrix<double> ones = Matrix<double>::Ones(1000, 20);
    for (const double rate : {0.1, 0.5, 0.9}) {
        const Matrix<double> y = dropped(rate, 3, ones);
        const double zeros = static_cast<double>((y.array() == 0).count());
        // Five standard deviations of the number of zeros.
        EXPECT_NEAR(zeros, rate * 20000, 5 * std::sqrt(20000 * rate * (1 - rate)));
        EXPECT_TRUE((y.array() == 0 || (y.array() - 1 / (1 - rate)).abs() < 1e-15 / (1 - rate)).all());
        // No column is favoured.
        EXPECT_NEAR((y.array() == 0).cast<double>().colwise().mean().maxCoeff(), rate,
                    6 * std::sqrt(rate * (1 - rate) / 1000));
    }
}

TEST(DropoutTest, TheSameSeedIsTheSameMask) {
    const Matrix<double> x = random_matrix<double>(40, 7, 1);
    const Matrix<double> g = random_matrix<double>(40, 7, 2);
    const Matrix<double> y = dropped(0.3, 11, x);
    const Matrix<double> dx = dropped(0.3, 11, g);
    EXPECT_TRUE(((y.array() == 0) == (dx.array() == 0)).all());
    EXPECT_TRUE(near_all((y.array() * g.array()).matrix(), (dx.array() * x.array()).matrix(), 1e-14));
    EXPECT_FALSE(((y.array() == 0) == (dropped(0.3, 12, x).array() == 0)).all());
}

TEST(DropoutTest, ARateOfZeroLeavesEverything) {
    Matrix<double> x = random_matrix<double>(4, 3, 1);
    x(1, 1) = std::numeric_limits<double>::quiet_NaN();
    const Matrix<double> y = dropped(0, 1, x);
    for (Index i = 0; i < x.size(); ++i) {
        EXPECT_TRUE(y.data()[i] == x.data()[i] || (std::isnan(y.data()[i]) && i == 4));
    }
}

TEST(DropoutTest, DoesNotDependOnThreadsOrStrides) {
    const Matrix<double> x = random_matrix<double>(1000, 60, 1);
    Matrix<double> serial;
    with_threads(1, [&] { serial = dropped(0.4, 5, x); });
    for (const int threads : {2, 3}) {
        with_threads(threads, [&] { EXPECT_TRUE(same_bits(dropped(0.4, 5, x), serial)); });
    }
    Matrix<double> wide(1000, 64);
    wide.middleCols(2, 60) = x;
    dropout<double>(0.4, 5, wide.middleCols(2, 60));
    EXPECT_TRUE(same_bits(wide.middleCols(2, 60), serial));
}

TEST(DropoutErrorTest, RefusesRatesOutsideTheRange) {
    Matrix<double> x = Matrix<double>::Ones(2, 2);
    const auto refused = [&](double rate, const std::string& text) {
        expect_error<config_error>(
            720, "[toeplitz.config.720] dropout: expected a dropout rate in [0, 1), got " + text,
            [&] { dropout<double>(rate, 1, x); });
    };
    refused(1, "1.000000");
    refused(-0.5, "-0.500000");
    refused(std::nan(""), "nan");
    EXPECT_TRUE((x.array() == 1).all());
}

}  // namespace
}  // namespace toeplitz::test::dropout_test
