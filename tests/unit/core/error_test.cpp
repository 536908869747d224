// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>

#include <toeplitz/core/types.hpp>

namespace toeplitz::test {
namespace {

TEST(ErrorTest, MessagesNameKindNumberPlaceAndBothValues) {
    expect_error<shape_error>(1, "[toeplitz.shape.1] Here::there: expected this, got that",
                              [] { detail::raise<shape_error>(1, "Here::there", "this", "that"); });
    expect_error<config_error>(22, "[toeplitz.config.22] H: expected a, got b",
                               [] { detail::raise<config_error>(22, "H", "a", "b"); });
    expect_error<value_error>(3, "[toeplitz.value.3] H: expected a, got b",
                              [] { detail::raise<value_error>(3, "H", "a", "b"); });
    expect_error<plan_error>(4, "[toeplitz.plan.4] anything",
                             [] { detail::raise<plan_error>(4, "anything"); });
}

TEST(ErrorTest, OneBaseCatchesAll) {
    EXPECT_THROW(detail::raise<shape_error>(1, ""), error);
    EXPECT_THROW(detail::raise<config_error>(1, ""), error);
    EXPECT_THROW(detail::raise<value_error>(1, ""), error);
    EXPECT_THROW(detail::raise<plan_error>(1, ""), error);
    static_assert(std::is_base_of_v<std::runtime_error, error>);
}

TEST(ErrorTest, ShapesReadRowsTimesColumns) { EXPECT_EQ(detail::shape_text(3, 40), "3×40"); }

TEST(CheckedProductTest, RefusesWhatDoesNotFit) {
    constexpr Index max = std::numeric_limits<Index>::max();
    EXPECT_EQ(detail::checked_product(3, 4, "X"), 12);
    EXPECT_EQ(detail::checked_product(max, 1, "X"), max);
    EXPECT_EQ(detail::checked_product(max / 2, 2, "X"), max - 1);
    expect_error<config_error>(
        202, "[toeplitz.config.202] X: expected a size below 2^63, got 4611686018427387904 * 2",
        [] { detail::checked_product(max / 2 + 1, 2, "X"); });
}

TEST(RequirePositiveTest, NamesTheOption) {
    EXPECT_NO_THROW(detail::require_positive(1, "X", "length"));
    expect_error<config_error>(201, "[toeplitz.config.201] X: expected length >= 1, got 0",
                               [] { detail::require_positive(0, "X", "length"); });
    expect_error<config_error>(201, "[toeplitz.config.201] X: expected length >= 1, got -7",
                               [] { detail::require_positive(-7, "X", "length"); });
}

TEST(LagRowsTest, LagZeroIsInTheMiddleOrFirst) {
    static_assert(first_lag_row(5, Causality::bidirectional) == 4);
    static_assert(first_lag_row(5, Causality::causal) == 0);
    static_assert(lag_count(5, Causality::bidirectional) == 9);
    static_assert(lag_count(5, Causality::causal) == 5);
    static_assert(lag_count(1, Causality::bidirectional) == 1);
}

}  // namespace
}  // namespace toeplitz::test
