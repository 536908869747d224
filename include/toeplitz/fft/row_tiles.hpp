// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between rows of channels and one array per channel, as FFTW wants them.

#include <algorithm>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Rows of a tile. A tile is gathered row by row and read column by column, because rows a power of two
/// apart evict each other from the first-level cache when they are read column by column in place.
inline constexpr Index tile_rows = 16;

/// Channels of a tile: one cache line of real numbers.
template <class Scalar>
inline constexpr Index tile_lanes = static_cast<Index>(buffer_alignment / sizeof(Scalar));

/// Calls take(t, c, element (t, c)) for all elements of rows of at most `lanes` neighbours, channels
/// outermost in a tile.
template <Index lanes, class T, class Take>
void read_columns(MatrixView<const T> rows, Take&& take) {
    alignas(buffer_alignment) T tile[tile_rows][std::size_t{lanes}];
    for (Index first = 0; first < rows.rows(); first += tile_rows) {
        const Index count = (std::min)(tile_rows, rows.rows() - first);
        for (Index i = 0; i < count; ++i) std::copy_n(rows.row(first + i), rows.cols(), tile[i]);
        for (Index c = 0; c < rows.cols(); ++c) {
            for (Index i = 0; i < count; ++i) take(first + i, c, tile[i][c]);
        }
    }
}

/// Element (t, c) = or += make(t, c), in the order of read_columns.
template <Index lanes, Update update, class T, class Make>
void write_columns(MatrixView<T> rows, Make&& make) {
    alignas(buffer_alignment) T tile[tile_rows][std::size_t{lanes}];
    for (Index first = 0; first < rows.rows(); first += tile_rows) {
        const Index count = (std::min)(tile_rows, rows.rows() - first);
        for (Index c = 0; c < rows.cols(); ++c) {
            for (Index i = 0; i < count; ++i) tile[i][c] = make(first + i, c);
        }
        for (Index i = 0; i < count; ++i) {
            T* row = rows.row(first + i);
            if constexpr (update == Update::add) {
                for (Index c = 0; c < rows.cols(); ++c) row[c] += tile[i][c];
            } else {
                std::copy_n(tile[i], rows.cols(), row);
            }
        }
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
