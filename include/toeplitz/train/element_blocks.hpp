// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Loops over the elements of a tensor, split among threads.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Elements that one thread takes at a time. Fixed, so that no result depends on the number of threads.
inline constexpr Index element_block = 1024;

/// Calls f(first, count) on fixed blocks of a tensor's elements, split among threads.
template <class F>
void for_each_block(Index size, Index nanoseconds_per_element, F&& f) {
    const Index blocks = (size + element_block - 1) / element_block;
    parallel_chunks(blocks, thread_count(blocks, size * nanoseconds_per_element),
                    [&](Index begin, Index end, int) {
                        for (Index block = begin; block < end; ++block) {
                            const Index first = block * element_block;
                            f(first, (std::min)(element_block, size - first));
                        }
                    });
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
