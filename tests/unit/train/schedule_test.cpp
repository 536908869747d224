// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/schedule.hpp>

namespace toeplitz::test {
namespace {

constexpr long double tolerance = 16 * unit<double>;

TEST(ScheduleTest, ConstantIsItsPeak) {
    const Schedule schedule{.peak = 0.25};
    for (const Index step : {Index{0}, Index{1}, Index{1} << 40}) EXPECT_EQ(schedule.rate(step), 0.25);
}

TEST(ScheduleTest, WarmUpIsLinearFromTheInitialRate) {
    for (const Course course : {Course::constant, Course::cosine, Course::inverse_sqrt, Course::polynomial}) {
        const Schedule schedule{.course = course, .peak = 1, .warmup = 8, .total = 20, .initial = 0.5};
        EXPECT_EQ(schedule.rate(0), 0.5);
        EXPECT_EQ(schedule.rate(4), 0.75);
        EXPECT_EQ(schedule.rate(7), 0.9375);
        EXPECT_EQ(schedule.rate(8), 1);
    }
}

TEST(ScheduleTest, CosineGoesFromPeakToEndAndStays) {
    const Schedule schedule{.course = Course::cosine, .peak = 2, .warmup = 4, .total = 16};
    EXPECT_EQ(schedule.rate(0), 0);
    EXPECT_EQ(schedule.rate(4), 2);
    EXPECT_TRUE(near(schedule.rate(8), 1 + std::cos(std::numbers::pi_v<long double> / 3), tolerance));
    EXPECT_TRUE(near(schedule.rate(10), 1, tolerance));
    for (const Index step : {16, 17, 28}) EXPECT_EQ(schedule.rate(step), 0);
    const Schedule floored{.course = Course::cosine, .peak = 2, .total = 10, .end = 1};
    EXPECT_EQ(floored.rate(0), 2);
    EXPECT_TRUE(near(floored.rate(5), 1.5, tolerance));
    EXPECT_EQ(floored.rate(10), 1);
}

TEST(ScheduleTest, InverseSquareRootFallsFromTheEndOfTheWarmUp) {
    const Schedule schedule{.course = Course::inverse_sqrt, .peak = 3, .warmup = 100};
    EXPECT_EQ(schedule.rate(0), 0);
    EXPECT_EQ(schedule.rate(100), 3);
    EXPECT_EQ(schedule.rate(400), 1.5);
    EXPECT_EQ(schedule.rate(10000), 3 * std::sqrt(100 / 10000.0));
    const Schedule cold{.course = Course::inverse_sqrt, .peak = 3};
    EXPECT_EQ(cold.rate(0), 3);
    EXPECT_EQ(cold.rate(1), 3);
    EXPECT_EQ(cold.rate(9), 1);
}

TEST(ScheduleTest, PolynomialEndsAtItsEnd) {
    const Schedule linear{.course = Course::polynomial, .peak = 1, .warmup = 2, .total = 10, .end = 0.5};
    EXPECT_EQ(linear.rate(1), 0.5);
    EXPECT_EQ(linear.rate(2), 1);
    EXPECT_EQ(linear.rate(6), 0.75);
    EXPECT_EQ(linear.rate(10), 0.5);
    EXPECT_EQ(linear.rate(1000), 0.5);
    const Schedule square{.course = Course::polynomial, .peak = 1, .total = 4, .power = 2};
    EXPECT_EQ(square.rate(0), 1);
    EXPECT_EQ(square.rate(1), 0.5625);
    EXPECT_EQ(square.rate(4), 0);
}

TEST(ScheduleErrorTest, NamesTheOption) {
    const auto expect = [](const Schedule& schedule, const char* text) {
        expect_error<config_error>(802, detail::text("[toeplitz.config.802] Schedule: expected ", text),
                                   [&] { detail::check_schedule(schedule); });
    };
    expect({.peak = -1}, "peak >= 0, got -1");
    expect({.peak = std::nan("")}, "peak >= 0, got nan");
    expect({.warmup = -1}, "warmup >= 0, got -1");
    expect({.initial = -1}, "initial >= 0, got -1");
    expect({.end = HUGE_VAL}, "end <= 1.79769e+308, the largest of the parameters' numbers, got inf");
    expect({.power = -2}, "power >= 0, got -2");
    expect({.total = -1}, "total >= 0, got -1");
    expect({.course = Course::cosine, .warmup = 5, .total = 5}, "total > warmup, got 5 and 5");
    expect({.course = Course::polynomial}, "total > warmup, got 0 and 0");
    detail::check_schedule({});
    detail::check_schedule({.peak = 1e39});
    detail::check_schedule({.course = Course::inverse_sqrt, .warmup = 5});
}

}  // namespace
}  // namespace toeplitz::test
