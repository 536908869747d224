// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Runs something with a given number of OpenMP threads, or in threads that OpenMP does not know.

#include <thread>
#include <vector>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace toeplitz::test {

/// Calls f with at most `threads` threads available; with one where OpenMP is off.
template <class F>
void with_threads([[maybe_unused]] int threads, F&& f) {
#if defined(_OPENMP)
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    f();
    omp_set_num_threads(before);
#else
    f();
#endif
}

/// Calls f(thread) in as many threads side by side.
template <class F>
void in_threads(int count, F&& f) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < count; ++thread) threads.emplace_back(f, thread);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace toeplitz::test
