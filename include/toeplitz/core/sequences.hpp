// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the rows of a matrix are the time steps of sequences.

#include <vector>

#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// B sequences of n time steps in the rows of a matrix: step i of sequence b is row b·sequence_stride +
/// i·step_stride, which is row b·n + i unless strides are given.
///
/// With lengths, sequence b has lengths[b] ≤ n valid time steps; the rows after them are padding, which
/// influences nothing, whatever it holds, and receives zeros. Does not own the lengths.
///
/// What is left open (n = 0: that of the module; B: as many as there are rows; every step valid) is filled in
/// by the function that the sequences are given to, which checks them and hands them down checked. Modules
/// inside modules look at the number of rows alone, and leave padding as it comes: the outermost one takes
/// what it is given without its padding, and clears that of its result.
class Sequences {
public:
    Sequences() = default;

    /// Sequences of n time steps, one after another.
    Sequences(Index length, Lengths lengths = {})  // NOLINT(google-explicit-constructor)
        : length_(length), lengths_(lengths) {}

    /// Sequences of which so many time steps are valid.
    template <std::convertible_to<Lengths> L>
    Sequences(const L& lengths)  // NOLINT(google-explicit-constructor)
        : lengths_(lengths) {}

    /// Sequences anywhere among the rows: those of an image's columns, for example, are
    /// `Sequences::strided(width, height, width, 1)`.
    static Sequences strided(Index batch, Index length, Index step_stride, Index sequence_stride,
                             Lengths lengths = {}) {
        Sequences sequences(length, lengths);
        sequences.batch_ = batch;
        sequences.step_stride_ = step_stride;
        sequences.sequence_stride_ = sequence_stride;
        return sequences;
    }

    /// Sequences B; −1 while it is open.
    Index batch() const noexcept { return batch_; }
    /// Time steps n of each, padding included; 0 while it is open.
    Index length() const noexcept { return length_; }
    Lengths lengths() const noexcept { return lengths_; }
    bool has_padding() const noexcept { return !lengths_.empty(); }
    /// Whether some of the rows between the first and the last belong to no sequence.
    bool has_gaps() const noexcept { return extent() != batch_ * length_; }

    /// Valid time steps of sequence b.
    Index valid(Index b) const noexcept {
        return has_padding() ? lengths_[static_cast<std::size_t>(b)] : length_;
    }

    /// Row of step i of sequence b.
    Index row(Index b, Index i) const noexcept { return b * sequence_stride_ + i * step_stride_; }

    /// The n time steps of sequence b among the rows of all.
    template <class T>
    MatrixView<T> of(MatrixView<T> rows, Index b) const noexcept {
        return {rows.row(row(b, 0)), length_, rows.cols(), rows.row_stride() * step_stride_,
                rows.col_stride()};
    }
    /// Those before its length.
    template <class T>
    MatrixView<T> valid_of(MatrixView<T> rows, Index b) const noexcept {
        return of(rows, b).middle_rows(0, valid(b));
    }

    /// Whether they were checked by the function that hands them down.
    bool is_checked() const noexcept { return checked_; }

    /// These sequences in a matrix of `rows` rows, checked and with nothing left open.
    /// \param length that of the module; 0 for any
    /// \throws shape_error 210 (rows), 211 (lengths), 212 (another length than the module's);
    /// config_error 201 (no length)
    Sequences within(Index rows, Index length, const char* where) const {
        Sequences result = *this;
        if (result.length_ == 0) result.length_ = length;
        if (result.sequence_stride_ == 0) result.sequence_stride_ = result.length_;
        if (!checked_ || length != length_) result.check_length(length, where);
        if (result.batch_ < 0 && rows % result.length_ == 0) result.batch_ = rows / result.length_;
        if (result.batch_ < 0 || rows != result.extent()) result.refuse_rows(rows, where);
        if (!checked_) result.check_lengths(where);
        result.checked_ = true;
        return result;
    }

private:
    friend class KeptSequences;

    /// Rows from the first to the last.
    Index extent() const noexcept { return batch_ == 0 ? 0 : row(batch_ - 1, length_ - 1) + 1; }

    void check_length(Index wanted, const char* where) const {
        detail::require_positive(length_, where, "length");
        if (wanted != 0 && wanted != length_) {
            detail::raise<shape_error>(212, where, detail::text("sequences of ", wanted, " time steps"),
                                       std::to_string(length_));
        }
        if (step_stride_ < 1 || sequence_stride_ < 1) {
            detail::raise<shape_error>(
                210, where, "strides of at least one row",
                detail::text(step_stride_, " between steps, ", sequence_stride_, " between sequences"));
        }
    }

    [[noreturn]] void refuse_rows(Index rows, const char* where) const {
        detail::raise<shape_error>(
            210, where, batch_ < 0 ? detail::text("B*", length_, " rows") : detail::text(extent(), " rows"),
            std::to_string(rows));
    }

    void check_lengths(const char* where) const {
        if (has_padding() && static_cast<Index>(lengths_.size()) != batch_) {
            detail::raise<shape_error>(211, where, detail::text(batch_, " lengths"),
                                       std::to_string(lengths_.size()));
        }
        for (const Index valid : lengths_) {
            if (valid < 0 || valid > length_) {
                detail::raise<shape_error>(211, where, detail::text("lengths of 0..", length_),
                                           std::to_string(valid));
            }
        }
    }

    Index batch_ = -1;
    Index length_ = 0;
    Index step_stride_ = 1;
    Index sequence_stride_ = 0;  // 0: n
    Lengths lengths_{};
    bool checked_ = false;
};

namespace detail {

/// Sets the padding to zero.
template <class T>
void clear_padding(MatrixView<T> rows, const Sequences& sequences) {
    for (Index b = 0; sequences.has_padding() && b < sequences.batch(); ++b) {
        const Index valid = sequences.valid(b);
        sequences.of(rows, b).middle_rows(valid, sequences.length() - valid).eigen().setZero();
    }
}

/// The rows themselves, or a copy whose padding is zero.
template <class T>
MatrixView<const T> without_padding(MatrixView<const T> rows, const Sequences& sequences,
                                    Workspace::Scope& scope) {
    if (!sequences.has_padding()) return rows;
    const MatrixView<T> copy = scope.matrix<T>(rows.rows(), rows.cols());
    copy.eigen() = rows.eigen();
    clear_padding(copy, sequences);
    return copy;
}

}  // namespace detail

/// The sequences of a forward call, kept in a cache with lengths of its own.
class KeptSequences {
public:
    /// \param given what the forward call was given, and `checked` what it made of it
    void keep(const Sequences& given, const Sequences& checked) {
        lengths_.assign(checked.lengths().begin(), checked.lengths().end());
        sequences_ = checked;
        outermost_ = !given.is_checked();
    }
    /// Empty until the next keep(); the memory stays.
    void forget() noexcept { sequences_ = Sequences(); }
    /// Whether any were kept.
    bool empty() const noexcept { return sequences_.length() == 0; }
    /// Whether nobody handed them down: padding is then this module's to clear.
    bool is_outermost() const noexcept { return outermost_; }
    /// They refer to the lengths that are kept here.
    Sequences get() const noexcept {
        Sequences sequences = sequences_;
        sequences.lengths_ = lengths_;
        return sequences;
    }

private:
    std::vector<Index> lengths_;
    Sequences sequences_;
    bool outermost_ = true;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
