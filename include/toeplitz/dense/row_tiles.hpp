// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Parallel loops over the rows of a matrix, cut in ways that do not depend on the number of threads.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Rows that are worked off together.
inline constexpr Index row_tile = 128;

/// Calls f(first, rows) for every tile of rows, at `work` nanoseconds per row.
template <class F>
void for_row_tiles(Index rows, Index work, F&& f) {
    const Index tiles = (rows + row_tile - 1) / row_tile;
    parallel_chunks(tiles, thread_count(tiles, rows * work), [&](Index begin, Index end, int) {
        for (Index tile = begin; tile < end; ++tile) {
            const Index first = tile * row_tile;
            f(first, (std::min)(row_tile, rows - first));
        }
    });
}

/// Σ over rows in a fixed order: f(first, rows, chunk) for each of up to row_chunks parts of the rows.
inline constexpr Index row_chunks = 8;
template <class F>
void for_row_chunks(Index rows, Index work, F&& f) {
    const Index chunks = (std::min)(row_chunks, (rows + row_tile - 1) / row_tile);
    parallel_chunks(chunks, thread_count(chunks, rows * work), [&](Index begin, Index end, int) {
        for (Index chunk = begin; chunk < end; ++chunk) {
            const Index first = chunk * rows / chunks;
            f(first, (chunk + 1) * rows / chunks - first, chunk);
        }
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
