// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How long something takes.

#include <algorithm>
#include <chrono>
#include <vector>

namespace examples {

/// Seconds that one call of f takes.
template <class F>
double seconds(F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Median of the calls that fit into a tenth of a second, of 5 at least and 1000 at most, after one that
/// warms the caches.
template <class F>
double median_seconds(F&& f) {
    f();
    std::vector<double> times;
    for (double total = 0; times.size() < 5 || (total < 0.1 && times.size() < 1000);) {
        times.push_back(seconds(f));
        total += times.back();
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

/// The time below which a fraction of the calls stay, of sorted times.
inline double percentile(const std::vector<double>& times, double fraction) {
    const auto last = static_cast<double>(times.size() - 1);
    return times[static_cast<std::size_t>(fraction * last)];
}

}  // namespace examples
