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
/// thread each. Throws what f throws.
template <class F>
void parallel_for(toeplitz::Index count, F&& f) {
    using toeplitz::Index;
    const int threads = static_cast<int>(std::min<Index>(count, parallel_threads()));
    toeplitz::detail::parallel_chunks(count, threads, [&](Index begin, Index end, int thread) {
        for (Index i = begin; i < end; ++i) f(i, thread);
    });
}

}  // namespace examples
