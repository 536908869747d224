// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How the rows of a matrix are the time steps of sequences.

#include <limits>
#include <numeric>
#include <vector>

#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// B sequences of n time steps in the rows of a matrix: step i of sequence b is row b·sequence_stride +
/// i·step_stride, which is row b·n + i unless strides are given.
///
/// A sequence may be an image of H × W pixels, row by row: n = H·W, and pixel (i, j) is step i·W + j.
///
/// With lengths, sequence b has lengths[b] ≤ n valid time steps; the rows after them are padding, which
/// influences nothing, whatever it holds, and receives zeros. Of an image these are the pixels above its
/// height and left of its width, and the others are padding. Does not own the lengths.
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

    /// Sequences anywhere among the rows, of which none may belong to two: those of an image's columns, for
    /// example, are `Sequences::strided(width, height, width, 1)`.
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
    /// Valid steps of each sequence; of images, valid rows of pixels. Empty: all.
    Lengths lengths() const noexcept { return lengths_; }
    /// Pixels W in a row of an image; 0 where they are no images.
    Index image_width() const noexcept { return width_; }
    /// Valid pixels in a row of each image. Empty: all.
    Lengths widths() const noexcept { return widths_; }
    bool has_padding() const noexcept { return !lengths_.empty() || has_padded_widths(); }
    /// Whether there is padding between valid steps, which mixers along one axis cannot leave out.
    bool has_padded_widths() const noexcept { return !widths_.empty(); }
    /// Images of H × W pixels, one after another, of which heights[b] × widths[b] are valid, from the first
    /// on.
    static Sequences images(Index height, Index width, Lengths heights = {}, Lengths widths = {}) {
        Sequences sequences(saturated_product(height, width), heights);
        sequences.width_ = width;
        sequences.widths_ = widths;
        return sequences;
    }

    /// The columns of such images, those of the first image first, of so many valid pixels.
    static Sequences image_columns(Index images, Index height, Index width, Lengths lengths = {}) {
        Sequences sequences = strided(saturated_product(images, width), height, width, 1, lengths);
        sequences.per_group_ = width;
        sequences.group_stride_ = saturated_product(height, width);
        return sequences;
    }

    /// Whether they lie one after another.
    bool is_stacked() const noexcept {
        return step_stride_ == 1 && sequence_stride_ == length_ && per_group_ == 0;
    }
    /// Whether some of the rows between the first and the last belong to no sequence.
    bool has_gaps() const noexcept { return extent() != batch_ * length_; }

    /// Valid time steps of sequence b; of an image, the steps up to its last valid pixel.
    Index valid(Index b) const noexcept {
        if (width_ == 0) return lengths_.empty() ? length_ : lengths_[static_cast<std::size_t>(b)];
        const Index width = valid_width(b);
        return width == 0 || valid_height(b) == 0 ? 0 : (valid_height(b) - 1) * width_ + width;
    }
    /// Valid rows of pixels of image b.
    Index valid_height(Index b) const noexcept {
        return lengths_.empty() ? length_ / width_ : lengths_[static_cast<std::size_t>(b)];
    }
    /// Valid pixels in each of them.
    Index valid_width(Index b) const noexcept {
        return widths_.empty() ? width_ : widths_[static_cast<std::size_t>(b)];
    }

    /// f(first step, steps) for the runs of valid steps of sequence b, in order: one, or a row of pixels
    /// each.
    template <class F>
    void for_valid_runs(Index b, F&& f) const {
        if (!has_padded_widths()) return f(Index{0}, valid(b));
        for (Index i = 0; i < valid_height(b); ++i) f(i * width_, valid_width(b));
    }
    /// Steps in these runs.
    Index valid_count(Index b) const noexcept {
        return has_padded_widths() ? valid_height(b) * valid_width(b) : valid(b);
    }

    /// Row of step i of sequence b.
    Index row(Index b, Index i) const noexcept {
        if (per_group_ == 0) return b * sequence_stride_ + i * step_stride_;
        return b / per_group_ * group_stride_ + b % per_group_ * sequence_stride_ + i * step_stride_;
    }

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

    /// \throws shape_error 213 where only a part of each row of pixels is valid
    void require_one_axis(const char* where) const {
        if (!has_padded_widths()) return;
        detail::raise<shape_error>(213, where, "sequences, or images whose rows are valid as a whole",
                                   "images of different widths");
    }

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
        if (!checked_) {
            result.check_apart(where);
            result.check_lengths(where);
        }
        result.checked_ = true;
        return result;
    }

private:
    friend class KeptSequences;

    /// Where a number of rows ends that no Index holds.
    static constexpr Index too_many = (std::numeric_limits<Index>::max)();

    static Index saturated_product(Index a, Index b) noexcept {
        Index product = 0;
        return __builtin_mul_overflow(a, b, &product) ? too_many : product;
    }

    /// Rows from the first to the last.
    Index extent() const noexcept {
        if (batch_ == 0) return 0;
        const Index last = batch_ - 1;
        Index rows = saturated_product(length_ - 1, step_stride_);
        for (const Index more :
             {saturated_product(per_group_ == 0 ? last : last % per_group_, sequence_stride_),
              saturated_product(per_group_ == 0 ? 0 : last / per_group_, group_stride_), Index{1}}) {
            if (__builtin_add_overflow(rows, more, &rows)) rows = too_many;
        }
        return rows;
    }

    void check_length(Index wanted, const char* where) const {
        detail::require_positive(length_, where, "length");
        if (width_ < 0) detail::require_positive(width_, where, "width of images");
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

    /// Step i of a sequence is step i + s/g of that which is p/g before it, of strides p between steps and s
    /// between sequences and g = gcd(p, s).
    void check_apart(const char* where) const {
        const Index common = std::gcd(step_stride_, sequence_stride_);
        const Index neighbours = per_group_ == 0 ? batch_ : per_group_;
        if (step_stride_ / common >= neighbours || sequence_stride_ / common >= length_) return;
        detail::raise<shape_error>(
            210, where, "sequences without a row in common",
            detail::text(step_stride_, " between steps, ", sequence_stride_, " between sequences"));
    }

    [[noreturn]] void refuse_rows(Index rows, const char* where) const {
        detail::raise<shape_error>(
            210, where, batch_ < 0 ? detail::text("B*", length_, " rows") : detail::text(extent(), " rows"),
            std::to_string(rows));
    }

    void check_lengths(const char* where) const {
        check_lengths(lengths_, width_ == 0 ? length_ : length_ / width_, where);
        check_lengths(widths_, width_, where);
    }
    void check_lengths(Lengths lengths, Index most, const char* where) const {
        if (!lengths.empty() && static_cast<Index>(lengths.size()) != batch_) {
            detail::raise<shape_error>(211, where, detail::text(batch_, " lengths"),
                                       std::to_string(lengths.size()));
        }
        for (const Index valid : lengths) {
            if (valid < 0 || valid > most) {
                detail::raise<shape_error>(211, where, detail::text("lengths of 0..", most),
                                           std::to_string(valid));
            }
        }
    }

    Index batch_ = -1;
    Index length_ = 0;
    Index step_stride_ = 1;
    Index sequence_stride_ = 0;  // 0: n
    Index per_group_ = 0;  // sequences after which the next is a group's stride away; 0: there are no groups
    Index group_stride_ = 0;
    Index width_ = 0;
    Lengths lengths_{};
    Lengths widths_{};
    bool checked_ = false;
};

namespace detail {

/// Sets the padding to zero.
template <class T>
void clear_padding(MatrixView<T> rows, const Sequences& sequences) {
    for (Index b = 0; sequences.has_padding() && b < sequences.batch(); ++b) {
        Index next = 0;
        const auto clear_until = [&](Index end) {
            sequences.of(rows, b).middle_rows(next, end - next).eigen().setZero();
        };
        sequences.for_valid_runs(b, [&](Index first, Index count) {
            clear_until(first);
            next = first + count;
        });
        clear_until(sequences.length());
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
    /// At the end of a forward call: backward refuses a cache without them, as half a cache is.
    /// \param given what the forward call was given, and `checked` what it made of it
    void keep(const Sequences& given, const Sequences& checked) {
        forget();
        lengths_.assign(checked.lengths().begin(), checked.lengths().end());
        widths_.assign(checked.widths().begin(), checked.widths().end());
        sequences_ = checked;
        outermost_ = !given.is_checked();
    }
    /// At the beginning of one: empty until the next keep(); the memory stays.
    void forget() noexcept { sequences_ = Sequences(); }
    /// Whether any were kept.
    bool empty() const noexcept { return sequences_.length() == 0; }
    /// Whether nobody handed them down: padding is then this module's to clear.
    bool is_outermost() const noexcept { return outermost_; }
    /// They refer to the lengths that are kept here.
    Sequences get() const noexcept {
        Sequences sequences = sequences_;
        sequences.lengths_ = lengths_;
        sequences.widths_ = widths_;
        return sequences;
    }

private:
    std::vector<Index> lengths_;
    std::vector<Index> widths_;
    Sequences sequences_;
    bool outermost_ = true;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
