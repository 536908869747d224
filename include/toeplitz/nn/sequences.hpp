// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the rows of a matrix are time steps of sequences, and what modules do with padding.

#include <algorithm>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A matrix of (B·n) rows holds B sequences of n time steps, one after another.
///
/// With `lengths`, sequence b has lengths[b] ≤ n valid time steps; the rows after them are padding, which
/// influences nothing, whatever it holds, and receives zeros.
struct Sequences {
    Index length = 0;  ///< n ≥ 1
    Lengths lengths{};
};

namespace detail {

/// The number of sequences B.
/// \throws config_error 201 (n < 1), shape_error 701 (rows that are not B·n, B ≥ 1), 702 (lengths)
inline Index require_sequences(Index rows, const Sequences& sequences, const char* where) {
    require_positive(sequences.length, where, "length");
    if (rows < sequences.length || rows % sequences.length != 0) {
        raise<shape_error>(701, where, text("B*", sequences.length, " rows, B >= 1"), std::to_string(rows));
    }
    const Index batch = rows / sequences.length;
    const Lengths lengths = sequences.lengths;
    if (!lengths.empty() && static_cast<Index>(lengths.size()) != batch) {
        raise<shape_error>(702, where, text(batch, " lengths"), std::to_string(lengths.size()));
    }
    for (const Index valid : lengths) {
        if (valid < 0 || valid > sequences.length) {
            raise<shape_error>(702, where, text("lengths of 0..", sequences.length), std::to_string(valid));
        }
    }
    return batch;
}

/// Sets the padding to zero.
template <class T>
void clear_padding(MatrixView<T> rows, const Sequences& sequences) {
    const Lengths lengths = sequences.lengths;
    Index first = 0;
    for (std::size_t b = 0; b < lengths.size() && first < rows.rows(); ++b, first += sequences.length) {
        rows.middle_rows(first + lengths[b], sequences.length - lengths[b]).eigen().setZero();
    }
}

/// The rows themselves, or a copy whose padding is zero.
template <class T>
MatrixView<const T> without_padding(MatrixView<const T> rows, const Sequences& sequences,
                                    Workspace::Scope& scope) {
    if (sequences.lengths.empty()) return rows;
    const MatrixView<T> copy = scope.matrix<T>(rows.rows(), rows.cols());
    copy.eigen() = rows.eigen();
    clear_padding(copy, sequences);
    return copy;
}

/// Rows that are worked off together: a multiple of the rows that Eigen multiplies at once, so that a row's
/// bits depend on its position alone.
inline constexpr Index row_tile = 128;

/// Calls f(first, rows) for every tile of rows, at `work` nanoseconds per row.
template <class F>
void for_row_tiles(Index rows, Index work, F&& f) {
    const Index tiles = (rows + row_tile - 1) / row_tile;
    parallel_chunks(tiles, thread_count(tiles, rows * work), [&](Index begin, Index end, int) {
        for (Index tile = begin; tile < end; ++tile) {
            const Index first = tile * row_tile;
            f(first, std::min(row_tile, rows - first));
        }
    });
}

/// Σ over rows in a fixed order: f(first, rows, chunk) for each of up to row_chunks parts of the rows.
inline constexpr Index row_chunks = 8;
template <class F>
void for_row_chunks(Index rows, Index work, F&& f) {
    const Index chunks = std::min(row_chunks, (rows + row_tile - 1) / row_tile);
    parallel_chunks(chunks, thread_count(chunks, rows * work), [&](Index begin, Index end, int) {
        for (Index chunk = begin; chunk < end; ++chunk) {
            const Index first = chunk * rows / chunks;
            f(first, (chunk + 1) * rows / chunks - first, chunk);
        }
    });
}

/// A row-major matrix whose rows follow one another without gaps.
template <class T>
auto flat(MatrixView<T> m) noexcept {
    using Array = Eigen::Array<std::remove_const_t<T>, Eigen::Dynamic, 1>;
    return Eigen::Map<std::conditional_t<std::is_const_v<T>, const Array, Array>>(m.data(), m.size());
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
