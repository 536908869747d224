// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A matrix in any format of weights, row by row: a table of tokens, and what files hold in fewer bits.

#include <span>

#include <toeplitz/core/view.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The rows of a matrix, one after another. A value: it owns what it needs.
template <Real ScalarType>
class EncodedMatrix {
public:
    using Scalar = ScalarType;

    EncodedMatrix() = default;
    /// Of zeros, for numbers() and scales() to be filled.
    EncodedMatrix(Index rows, Index cols, WeightFormat format) : rows_(rows), cols_(cols), format_(format) {
        detail::with_numbers<Scalar>(format, [&]<class Numbers>(Numbers) {
            numbers_ = Buffer<std::byte>(detail::checked_product(
                detail::checked_product(rows, cols, "EncodedMatrix"),
                static_cast<Index>(sizeof(typename Numbers::Number)), "EncodedMatrix"));
            scales_ = Buffer<float>(Numbers::has_scales ? rows : 0);
        });
    }
    /// \param matrix of neighbouring columns
    EncodedMatrix(MatrixView<const Scalar> matrix, WeightFormat format)
        : EncodedMatrix(matrix.rows(), matrix.cols(), format) {
        detail::with_numbers<Scalar>(format, [&]<class Numbers>(Numbers) {
            for (Index i = 0; i < rows_; ++i) {
                const float scale =
                    Numbers::encode(matrix.row(i), cols_, row<typename Numbers::Number>(*this, i));
                if (Numbers::has_scales) scales_[i] = scale;
            }
        });
    }

    Index rows() const noexcept { return rows_; }
    Index cols() const noexcept { return cols_; }
    /// What its numbers are.
    WeightFormat format() const noexcept { return format_; }
    /// Whether it has no numbers.
    bool empty() const noexcept { return numbers_.size() == 0; }

    /// The numbers as they are stored, row by row.
    std::span<std::byte> numbers() noexcept { return {numbers_.data(), bytes(numbers_)}; }
    std::span<const std::byte> numbers() const noexcept { return {numbers_.data(), bytes(numbers_)}; }
    /// What the numbers of a row are multiplied by, or none.
    std::span<float> scales() noexcept { return {scales_.data(), detail::to_size(scales_.size())}; }
    std::span<const float> scales() const noexcept {
        return {scales_.data(), detail::to_size(scales_.size())};
    }
    /// The first number of a row, as it is stored.
    template <class Number>
    const Number* row(Index i) const noexcept {
        return row<Number>(*this, i);
    }

    /// to = a row.
    void copy_row(Index row_index, Scalar* to) const noexcept {
        detail::with_numbers<Scalar>(format_, [&]<class Numbers>(Numbers) {
            const auto* from = row<typename Numbers::Number>(row_index);
            const float scale = Numbers::has_scales ? scales_[row_index] : 1;
            for (Index i = 0; i < cols_; ++i) to[i] = static_cast<Scalar>(Numbers::decode(from[i], scale));
        });
    }
    /// All rows.
    Matrix<Scalar> decoded() const {
        Matrix<Scalar> matrix(rows_, cols_);
        for (Index i = 0; i < rows_; ++i) copy_row(i, matrix.data() + i * cols_);
        return matrix;
    }
    /// The matrix in a format; exact: as it is.
    EncodedMatrix in(WeightFormat format) const {
        if (format == WeightFormat::exact || format == format_) return *this;
        return EncodedMatrix(decoded(), format);
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return bytes(numbers_) + bytes(scales_); }

private:
    template <class T>
    static std::size_t bytes(const Buffer<T>& buffer) noexcept {
        return detail::to_size(buffer.size()) * sizeof(T);
    }
    template <class Number, class Self>
    static auto* row(Self& self, Index i) noexcept {
        using Result = std::conditional_t<std::is_const_v<Self>, const Number, Number>;
        return reinterpret_cast<Result*>(self.numbers_.data()) + i * self.cols_;
    }

    Index rows_ = 0;
    Index cols_ = 0;
    WeightFormat format_ = WeightFormat::exact;
    Buffer<std::byte> numbers_;
    Buffer<float> scales_;  ///< of rows, or none
};

namespace detail {

/// A weight of a parameter set, which has it as numbers or in fewer bits, in a format; exact: as it has it.
template <class Set, Real Scalar = typename decltype(Set::encoded)::Scalar>
EncodedMatrix<Scalar> encoded_weight(const Set& set, WeightFormat format) {
    if (set.encoded.empty()) return EncodedMatrix<Scalar>(set.weight, format);
    return set.encoded.in(format);
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
