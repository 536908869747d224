// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A table whose rows are looked up, in any format of weights.

#include <toeplitz/core/view.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// The rows of a matrix, one after another. A value: it owns what it needs.
template <Real Scalar>
class EncodedTable {
public:
    EncodedTable() = default;
    /// \param matrix of neighbouring columns
    EncodedTable(MatrixView<const Scalar> matrix, WeightFormat format)
        : cols_(matrix.cols()), format_(format) {
        with_numbers<Scalar>(format, [&]<class Numbers>(Numbers) {
            using Number = typename Numbers::Number;
            numbers_ = Buffer<std::byte>(matrix.size() * Index{sizeof(Number)});
            scales_ = Buffer<float>(Numbers::has_scales ? matrix.rows() : 0);
            for (Index i = 0; i < matrix.rows(); ++i) {
                const float scale = Numbers::encode(matrix.row(i), cols_, row<Number>(i));
                if (Numbers::has_scales) scales_[i] = scale;
            }
        });
    }

    /// to = a row.
    void copy_row(Index row_index, Scalar* to) const noexcept {
        with_numbers<Scalar>(format_, [&]<class Numbers>(Numbers) {
            const auto* from = row<typename Numbers::Number>(row_index);
            const float scale = Numbers::has_scales ? scales_[row_index] : 1;
            for (Index i = 0; i < cols_; ++i) to[i] = static_cast<Scalar>(Numbers::decode(from[i], scale));
        });
    }
    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(numbers_.size()) +
               static_cast<std::size_t>(scales_.size()) * sizeof(float);
    }

private:
    template <class Number>
    Number* row(Index i) noexcept {
        return reinterpret_cast<Number*>(numbers_.data()) + i * cols_;
    }
    template <class Number>
    const Number* row(Index i) const noexcept {
        return reinterpret_cast<const Number*>(numbers_.data()) + i * cols_;
    }

    Index cols_ = 0;
    WeightFormat format_ = WeightFormat::exact;
    Buffer<std::byte> numbers_;
    Buffer<float> scales_;  ///< of rows, or none
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
