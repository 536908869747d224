// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>

#include <toeplitz/fft/half_spectrum.hpp>
#include <toeplitz/fft/size.hpp>

namespace toeplitz::test {
namespace {

bool is_smooth_and_even(Index n) {
    if (n % 2 != 0) return false;
    for (const Index prime : {2, 3, 5, 7}) {
        while (n % prime == 0) n /= prime;
    }
    return n == 1;
}

TEST(SmoothEvenSizeTest, IsTheNextSmoothEvenInteger) {
    for (Index at_least = 0; at_least <= 20000; ++at_least) {
        Index next = std::max<Index>(at_least, 2);
        while (!is_smooth_and_even(next)) ++next;
        ASSERT_EQ(smooth_even_size(at_least), next) << at_least;
    }
}

TEST(SmoothEvenSizeTest, ReachesTheEndOfTheRange) {
    constexpr Index last = 2143750000;  // 2⁴ 5⁸ 7³
    EXPECT_EQ(smooth_even_size(last), last);
    EXPECT_THROW(smooth_even_size(last + 1), config_error);
    expect_error<config_error>(
        202, "[toeplitz.config.202] smooth_even_size: expected a transform size below 2^31, got 2147483648",
        [] { smooth_even_size(Index{1} << 31); });
    expect_error<config_error>(
        202,
        "[toeplitz.config.202] smooth_even_size: expected a transform size below 2^31, "
        "got 9223372036854775807",
        [] { smooth_even_size(std::numeric_limits<Index>::max()); });
}

TEST(DefaultFrequencyGridTest, HoldsAllLags) {
    for (const Index n : {1, 2, 3, 16, 17, 100, 1000}) {
        EXPECT_GE(default_frequency_grid(n), 2 * n);
        EXPECT_LE(default_frequency_grid(n), 5 * n / 2);
        EXPECT_EQ(detail::HalfComplexTree<float>::serves(default_frequency_grid(n)), n >= 16);
    }
    EXPECT_EQ(frequency_count(8), 5);
    EXPECT_EQ(frequency_count(9), 5);
    EXPECT_EQ(frequency_count(1), 1);
}

}  // namespace
}  // namespace toeplitz::test
