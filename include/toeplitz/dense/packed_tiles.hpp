// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How products with packed weights are cut into tiles and shared by threads.

#include <toeplitz/dense/product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

inline constexpr Index packed_tile_rows = 120;  ///< most that are multiplied by a panel in the cache
inline constexpr Index packed_tile_cols = 256;  ///< finished at once

constexpr Index packed_tiles(Index count, Index size) noexcept { return (count + size - 1) / size; }

/// Threads for some rows and outputs of `depth` multiply-adds each.
inline int packed_tile_threads(Index rows, Index outputs, Index depth) noexcept {
    return thread_count(
        packed_tiles(rows, ProductTile<float>::rows) * packed_tiles(outputs, packed_tile_cols),
        rows * outputs * depth / 30);
}

/// Calls f(row, rows, thread, for_cols) for tiles of rows, where for_cols(g) calls g(col, cols) for the tiles
/// of outputs there that the thread has. Threads split the rows, and the outputs of few rows.
template <class F>
void for_packed_tiles(Index rows, Index outputs, int threads, F&& f) {
    const Index across = packed_tiles(outputs, packed_tile_cols);
    // Where outputs can be shared evenly, few rows are: each weight is read by one thread then.
    const int row_threads = across % threads == 0 ? 1 : threads;
    const Index tall = even_rows(rows, packed_tile_rows, ProductTile<float>::rows, row_threads);
    const Index tiles = packed_tiles(rows, tall) * across;
    parallel_chunks(tiles, threads, [&](Index begin, Index end, int thread) {
        for (Index next = 0; begin < end; begin = next) {
            next = (std::min)(end, (begin / across + 1) * across);
            const Index row = begin / across * tall;
            f(row, (std::min)(tall, rows - row), thread, [&](auto&& g) {
                for (Index tile = begin; tile < next; ++tile) {
                    const Index col = tile % across * packed_tile_cols;
                    g(col, (std::min)(packed_tile_cols, outputs - col));
                }
            });
        }
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
