// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A loop whose iterations are shared out among threads, and one whose results are those of all processes.

#include <algorithm>
#include <type_traits>
#include <vector>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/train/communicator.hpp>

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

/// f(i, thread) for i = 0..count−1: every process computes its share, and all have all results.
template <class F>
auto parallel_map(toeplitz::Index count, toeplitz::Communicator& processes, F&& f) {
    using toeplitz::Index;
    std::vector<std::invoke_result_t<F&, Index, int>> results(static_cast<std::size_t>(count));
    const toeplitz::IndexRange own = processes.share(count);
    parallel_for(own.size(), [&](Index i, int thread) {
        results[static_cast<std::size_t>(own.first + i)] = f(own.first + i, thread);
    });
    processes.all_gather(std::span(results));
    return results;
}

}  // namespace examples
