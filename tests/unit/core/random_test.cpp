// SPDX-License-Identifier: MIT
#include <vector>

#include <gtest/gtest.h>

#include <toeplitz/core/random.hpp>

namespace toeplitz::test {
namespace {

TEST(CounterRandomTest, ValuesNeverChange) {
    // From an independent implementation of the two SplitMix64 finalisers.
    EXPECT_EQ(CounterRandom(0ULL).bits(0ULL), 0x3b9d11eb55856bafULL);
    EXPECT_EQ(CounterRandom(0ULL).bits(1ULL), 0x871b275e2c983e04ULL);
    EXPECT_EQ(CounterRandom(1ULL).bits(0ULL), 0x46c7144ab038643fULL);
    EXPECT_EQ(CounterRandom(42ULL).bits(1000000ULL), 0x474c7bd8726c18a8ULL);
    EXPECT_EQ(CounterRandom(18446744073709551615ULL).bits(18446744073709551615ULL), 0x185d6663183a801bULL);
    EXPECT_EQ(CounterRandom(42).uniform(3), 0x1.c883ba61fce17p-1);
    EXPECT_DOUBLE_EQ(CounterRandom(42).normal(3), -1.0872981064670453);
}

TEST(CounterRandomTest, ElementsCanBeDrawnInAnyOrder) {
    const CounterRandom random(5);
    std::vector<std::uint64_t> forwards;
    for (std::uint64_t i = 0; i < 100; ++i) forwards.push_back(random.bits(i));
    const CounterRandom again(5);
    for (std::uint64_t i = 100; i-- > 0;) EXPECT_EQ(again.bits(i), forwards[i]);
    static_assert(CounterRandom(5).bits(7) == CounterRandom(5).bits(7));
}

TEST(CounterRandomTest, UniformNumbersFillTheUnitInterval) {
    constexpr std::uint64_t count = 100000;
    for (const std::uint64_t seed : {0U, 1U, 2U}) {
        const CounterRandom random(seed);
        double sum = 0;
        double squares = 0;
        double product = 0;
        std::vector<int> bins(16);
        for (std::uint64_t i = 0; i < count; ++i) {
            const double u = random.uniform(i);
            ASSERT_GE(u, 0.0);
            ASSERT_LT(u, 1.0);
            sum += u;
            squares += u * u;
            product += (u - 0.5) * (random.uniform(i + 1) - 0.5);
            ++bins[static_cast<std::size_t>(16 * u)];
        }
        // Five standard deviations of each mean.
        const double root = std::sqrt(static_cast<double>(count));
        EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1.0 / 12) / root);
        EXPECT_NEAR(squares / count, 1.0 / 3, 5 * std::sqrt(4.0 / 45) / root);
        EXPECT_NEAR(product / count, 0.0, 5 * (1.0 / 12) / root);
        for (const int bin : bins) EXPECT_NEAR(bin, count / 16.0, 5 * std::sqrt(count / 16.0));
    }
}

TEST(CounterRandomTest, StreamsDiffer) {
    int equal = 0;
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        for (std::uint64_t i = 0; i < 64; ++i) {
            equal += CounterRandom(seed).bits(i) == CounterRandom(seed + 1).bits(i);
            equal += CounterRandom(seed).bits(i) == CounterRandom(seed + 1).bits(i + 1);
        }
    }
    EXPECT_EQ(equal, 0);
}

TEST(CounterRandomTest, RangesAreHalfOpen) {
    const CounterRandom random(1);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const double u = random.uniform(i, -3.0, 5.0);
        EXPECT_GE(u, -3.0);
        EXPECT_LT(u, 5.0);
        EXPECT_EQ(u, -3.0 + 8.0 * random.uniform(i));
    }
}

TEST(CounterRandomTest, NormalNumbersHaveTheMomentsOfTheNormalLaw) {
    constexpr std::uint64_t count = 100000;
    const CounterRandom random(7);
    double moments[4] = {};
    for (std::uint64_t i = 0; i < count; ++i) {
        const double x = random.normal(i);
        ASSERT_TRUE(std::isfinite(x));
        double power = 1;
        for (double& moment : moments) moment += (power *= x) / count;
    }
    // Five standard deviations; the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
    const double root = std::sqrt(static_cast<double>(count));
    EXPECT_NEAR(moments[0], 0.0, 5 * 1 / root);
    EXPECT_NEAR(moments[1], 1.0, 5 * std::sqrt(2.0) / root);
    EXPECT_NEAR(moments[2], 0.0, 5 * std::sqrt(15.0) / root);
    EXPECT_NEAR(moments[3], 3.0, 5 * std::sqrt(96.0) / root);
}

}  // namespace
}  // namespace toeplitz::test
