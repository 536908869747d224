// SPDX-License-Identifier: MIT
#include <cfenv>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <toeplitz/core/parallel.hpp>

namespace toeplitz::test {
namespace {

// Half of a number, at run time.
template <class S>
[[gnu::noinline]] S half(const volatile S& number) {
    return number * S(0.5);
}

// Whether results, and operands, that are denormal stay.
template <class S>
bool keeps_denormals() {
    using Limits = std::numeric_limits<S>;
    const S smallest = (Limits::min)();
    const S denormal = 8 * Limits::denorm_min();
    // Read as numbers, a zero would equal another.
    return half(smallest) != 0 || half(denormal) * (1 / Limits::epsilon()) != 0;
}

#if defined(__SSE2__) || defined(__aarch64__)
constexpr bool flushes = true;
#else
constexpr bool flushes = false;
#endif

TEST(DenormalsTest, AreZerosInChunksOnEveryThreadAndKeptAfterwards) {
    if (!keeps_denormals<float>()) GTEST_SKIP() << "this program never keeps them";
    for (const int threads : {1, 3}) {
        std::vector<int> kept(static_cast<std::size_t>(threads), -1);
        detail::parallel_chunks(threads, threads, [&](Index begin, Index end, int) {
            for (Index i = begin; i < end; ++i) {
                kept[static_cast<std::size_t>(i)] = keeps_denormals<float>() || keeps_denormals<double>();
            }
        });
        for (const int k : kept) EXPECT_EQ(k, flushes ? 0 : 1);
        EXPECT_TRUE(keeps_denormals<float>() && keeps_denormals<double>());
        // And on the threads that have helped.
        detail::parallel_chunks<detail::Denormals::keep>(threads, threads, [&](Index begin, Index end, int) {
            for (Index i = begin; i < end; ++i) {
                kept[static_cast<std::size_t>(i)] = keeps_denormals<float>() && keeps_denormals<double>();
            }
        });
        for (const int k : kept) EXPECT_EQ(k, 1);
    }
}

TEST(DenormalsTest, AreKeptAfterAnError) {
    if (!keeps_denormals<float>()) GTEST_SKIP() << "this program never keeps them";
    for (const int threads : {1, 3}) {
        EXPECT_THROW(detail::parallel_chunks(9, threads, [](Index, Index, int) { throw 1; }), int);
        EXPECT_TRUE(keeps_denormals<float>());
    }
}

TEST(DenormalsTest, RoundingModeAndFlagsAreThoseOfTheCaller) {
    std::feclearexcept(FE_ALL_EXCEPT);
    std::fesetround(FE_UPWARD);
    int inside = -1;
    detail::parallel_chunks(1, 1, [&](Index, Index, int) {
        inside = std::fegetround();
        std::feraiseexcept(FE_DIVBYZERO);
    });
    const int after = std::fegetround();
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(inside, FE_UPWARD);
    EXPECT_EQ(after, FE_UPWARD);
    EXPECT_TRUE(std::fetestexcept(FE_DIVBYZERO));
    EXPECT_FALSE(std::fetestexcept(FE_INVALID));
    std::feclearexcept(FE_ALL_EXCEPT);
}

}  // namespace
}  // namespace toeplitz::test
