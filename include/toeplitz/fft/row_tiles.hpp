// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between rows of channels and one array per channel, as FFTW wants them.

#include <algorithm>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Rows of a tile. A tile is gathered row by row and read column by column, because rows a power of two
/// apart evict each other from the first-level cache when they are read column by column in place.
inline constexpr Index tile_rows = 16;

/// Channels of a tile: one cache line of real numbers.
template <class Scalar>
inline constexpr Index tile_lanes = static_cast<Index>(buffer_alignment / sizeof(Scalar));

/// Calls take(t, c, element (t, c)) for t = begin..end−1 and c < width ≤ lanes, channels outermost in a tile.
/// Row t is at rows + t·stride.
template <Index lanes, class T, class Take>
void read_columns(const T* rows, Index stride, Index begin, Index end, Index width, Take&& take) {
    alignas(buffer_alignment) T tile[tile_rows][std::size_t{lanes}];
    for (Index first = begin; first < end; first += tile_rows) {
        const Index count = std::min(tile_rows, end - first);
        for (Index i = 0; i < count; ++i) std::copy_n(rows + (first + i) * stride, width, tile[i]);
        for (Index c = 0; c < width; ++c) {
            for (Index i = 0; i < count; ++i) take(first + i, c, tile[i][c]);
        }
    }
}

/// Element (t, c) = or += make(t, c), in the order of read_columns.
template <Index lanes, Update update, class T, class Make>
void write_columns(T* rows, Index stride, Index begin, Index end, Index width, Make&& make) {
    alignas(buffer_alignment) T tile[tile_rows][std::size_t{lanes}];
    for (Index first = begin; first < end; first += tile_rows) {
        const Index count = std::min(tile_rows, end - first);
        for (Index c = 0; c < width; ++c) {
            for (Index i = 0; i < count; ++i) tile[i][c] = make(first + i, c);
        }
        for (Index i = 0; i < count; ++i) {
            T* row = rows + (first + i) * stride;
            if constexpr (update == Update::add) {
                for (Index c = 0; c < width; ++c) row[c] += tile[i][c];
            } else {
                std::copy_n(tile[i], width, row);
            }
        }
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
