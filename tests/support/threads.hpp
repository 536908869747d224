// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Runs something with a given number of OpenMP threads.

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

}  // namespace toeplitz::test
