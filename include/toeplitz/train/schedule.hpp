// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the learning rate changes from step to step.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>

#include <toeplitz/core/finite.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The course of the rate after the warm-up, from its peak on.
enum class Course { constant, cosine, inverse_sqrt, polynomial };

/// A learning rate for every step.
///
/// For s < warmup steps it grows linearly, initial + s (peak − initial)/warmup. From then on, with w =
/// warmup, T = total and the fraction f = min(1, (s − w)/max(1, T − w)):
///     constant      peak
///     cosine        end + (peak − end) (1 + cos πf)/2
///     inverse_sqrt  peak √(max(1, w)/s)
///     polynomial    end + (peak − end) (1 − f)^power
/// With the defaults these are the schedules of the transformers library and of fairseq, except that the
/// cosine stays at its end instead of rising again.
struct Schedule {
    Course course = Course::constant;
    double peak = 1e-3;
    Index warmup = 0;    ///< steps
    Index total = 0;     ///< steps altogether, of cosine and polynomial
    double initial = 0;  ///< rate of step 0, if there is a warm-up
    double end = 0;      ///< last rate of cosine and polynomial
    double power = 1;    ///< of polynomial

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("course", sets.course...);
        f("peak", sets.peak...);
        f("warmup", sets.warmup...);
        f("total", sets.total...);
        f("initial", sets.initial...);
        f("end", sets.end...);
        f("power", sets.power...);
    }

    /// The rate of the step after `step` others. Cost O(1) | heap: none | thread-safe: yes
    double rate(Index step) const noexcept {
        if (step < warmup) {
            return initial + static_cast<double>(step) * (peak - initial) / static_cast<double>(warmup);
        }
        const double fraction = (std::min)(1.0, static_cast<double>(step - warmup) /
                                                    static_cast<double>(std::max<Index>(1, total - warmup)));
        switch (course) {
            case Course::constant:
                break;
            case Course::cosine:
                return end + (peak - end) * (1 + std::cos(std::numbers::pi * fraction)) / 2;
            case Course::inverse_sqrt:
                return peak * std::sqrt(static_cast<double>(std::max<Index>(1, warmup)) /
                                        static_cast<double>(std::max<Index>(1, step)));
            case Course::polynomial:
                return end + (peak - end) * std::pow(1 - fraction, power);
        }
        return peak;
    }
};

namespace detail {

/// Throws config_error 802 unless every rate of the schedule is in 0..most.
inline void check_schedule(const Schedule& schedule, double most = (std::numeric_limits<double>::max)()) {
    const auto require = [](bool ok, std::string_view expected, std::string_view got) {
        if (!ok) raise<config_error>(802, "Schedule", expected, got);
    };
    const auto rate = [&](double value, const char* name) {
        require(!is_nan(value) && value >= 0, text(name, " >= 0"), text(value));
        require(is_finite(value) && value <= most,
                text(name, " <= ", most, ", the largest of the parameters' numbers"), text(value));
    };
    rate(schedule.peak, "peak");
    rate(schedule.initial, "initial");
    rate(schedule.end, "end");
    require(is_finite(schedule.power) && schedule.power >= 0, "power >= 0", text(schedule.power));
    require(schedule.warmup >= 0, "warmup >= 0", std::to_string(schedule.warmup));
    require(schedule.total >= 0, "total >= 0", std::to_string(schedule.total));
    const bool ends = schedule.course == Course::cosine || schedule.course == Course::polynomial;
    require(!ends || schedule.total > schedule.warmup, "total > warmup",
            text(schedule.total, " and ", schedule.warmup));
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
