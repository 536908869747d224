// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A loop whose iterations are shared out among threads.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>

namespace examples {

/// Threads that parallel_for uses.
inline int parallel_threads() { return toeplitz::available_threads(); }

/// Calls f(i, thread) for i = 0..count−1, in chunks of neighbours. Operators called from there run on one
/// thread each. f must not throw.
template <class F>
void parallel_for(toeplitz::Index count, F&& f) {
#if defined(_OPENMP)
#pragma omp parallel for schedule(static)
    for (toeplitz::Index i = 0; i < count; ++i) f(i, omp_get_thread_num());
#else
    for (toeplitz::Index i = 0; i < count; ++i) f(i, 0);
#endif
}

}  // namespace examples
