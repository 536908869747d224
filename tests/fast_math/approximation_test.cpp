// SPDX-License-Identifier: MIT
// In optimised builds, as that of the row `ofast` of check.sh.

#include <gtest/gtest.h>

#include <fast_math/numbers.hpp>
#include <toeplitz/approximation/choose.hpp>

namespace toeplitz::test {
namespace {

TEST(FastMathApproximationTest, RefusesAKernelOrATolerance) {
    Matrix<double> lags = Matrix<double>::Ones(17, 2);
    const auto refused = [&](double tolerance) {
        return error_id<config_error>([&] { choose(lags, {.tolerance = tolerance}); });
    };
    for (const double bad : non_finite<double>()) {
        EXPECT_EQ(refused(bad), 553);
        lags(3, 1) = bad;
        EXPECT_EQ(error_id<value_error>([&] { choose(lags, {.tolerance = 1}); }), 530);
        EXPECT_EQ(error_id<value_error>([&] { norm_bound(lags); }), 530);
        EXPECT_EQ(error_id<value_error>([&] { error_bound<double>(lags, {}); }), 530);
        lags(3, 1) = 1;
    }
}

}  // namespace
}  // namespace toeplitz::test
