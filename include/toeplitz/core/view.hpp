// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Non-owning view of a matrix with any strides: how sequences reach an operator.

#include <span>
#include <type_traits>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

template <class T>
class MatrixView;

namespace detail {

/// A dense Eigen object: a matrix, or an expression.
template <class M>
concept EigenDense = std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<M>>, std::remove_cvref_t<M>>;

/// One whose coefficients lie in memory.
template <class M>
concept EigenStored = EigenDense<M> &&(std::remove_cvref_t<M>::Flags& Eigen::DirectAccessBit) != 0;

/// One that has to be evaluated.
template <class M>
concept EigenExpression = EigenDense<M> && !EigenStored<M>;

}  // namespace detail

/// A rows × cols matrix somewhere in memory; element (i, j) lies at data + i·row_stride + j·col_stride.
///
/// Implicitly made from any Eigen matrix, map or block of the same scalar, in either storage order, and from
/// neighbouring numbers (std::vector, std::span, arrays), which are one column.
/// `MatrixView<const T>` only reads. Nothing is owned and nothing is copied.
template <class T>
class MatrixView {
public:
    using Scalar = std::remove_const_t<T>;

    constexpr MatrixView() = default;

    /// Contiguous rows, one after another.
    constexpr MatrixView(T* data, Index rows, Index cols) noexcept : MatrixView(data, rows, cols, cols, 1) {}

    constexpr MatrixView(T* data, Index rows, Index cols, Index row_stride, Index col_stride = 1) noexcept
        : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride), col_stride_(col_stride) {}

    /// Views an Eigen object. A mutable view needs an object it may write to.
    template <detail::EigenDense M>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): views are not Eigen types
    MatrixView(M&& matrix) noexcept : MatrixView(from_eigen(matrix)) {}

    /// Views numbers as one channel: size × 1.
    template <class Numbers>
    requires(!detail::EigenDense<Numbers> && std::is_constructible_v<std::span<T>, Numbers>)
        // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): views are not spans
        MatrixView(Numbers&& numbers)
    noexcept : MatrixView(from_span(std::span<T>(numbers))) {}

    /// A view that writes also reads.
    constexpr operator MatrixView<const T>() const noexcept requires(!std::is_const_v<T>) {
        return {data_, rows_, cols_, row_stride_, col_stride_};
    }

    constexpr T* data() const noexcept { return data_; }
    constexpr Index rows() const noexcept { return rows_; }
    constexpr Index cols() const noexcept { return cols_; }
    constexpr Index size() const noexcept { return rows_ * cols_; }
    constexpr Index row_stride() const noexcept { return row_stride_; }
    constexpr Index col_stride() const noexcept { return col_stride_; }

    /// Start of row i. Its elements are neighbours where has_contiguous_rows().
    constexpr T* row(Index i) const noexcept { return data_ + i * row_stride_; }
    constexpr T& operator()(Index i, Index j) const noexcept {
        return data_[i * row_stride_ + j * col_stride_];
    }

    constexpr bool has_contiguous_rows() const noexcept {
        return col_stride_ == 1 || cols_ <= 1 || rows_ == 0;
    }

    /// `count` rows from `first`.
    constexpr MatrixView middle_rows(Index first, Index count) const noexcept {
        return {row(first), count, cols_, row_stride_, col_stride_};
    }
    /// `count` columns from `first`.
    constexpr MatrixView middle_cols(Index first, Index count) const noexcept {
        return {data_ + first * col_stride_, rows_, count, row_stride_, col_stride_};
    }
    /// `rows` rows from `row` of `cols` columns from `col`.
    constexpr MatrixView block(Index row, Index col, Index rows, Index cols) const noexcept {
        return middle_rows(row, rows).middle_cols(col, cols);
    }

    /// The same memory as an Eigen map.
    auto eigen() const noexcept {
        using Plain = std::conditional_t<std::is_const_v<T>, const Matrix<Scalar>, Matrix<Scalar>>;
        using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
        return Eigen::Map<Plain, Eigen::Unaligned, Stride>(data_, rows_, cols_,
                                                           Stride(row_stride_, col_stride_));
    }

private:
    template <class M>
    static MatrixView from_eigen(M& matrix) noexcept {
        using Plain = std::remove_cvref_t<M>;
        constexpr bool is_same = std::is_same_v<typename Plain::Scalar, Scalar>;
        static_assert(is_same,
                      "toeplitz: the matrix and the operator have different scalars; "
                      "convert one of them, for example with x.cast<float>().eval().");
        // One mistake, one message.
        if constexpr (is_same) {
            static_assert(detail::EigenStored<M>,
                          "toeplitz: an expression has no memory to look at; evaluate it, "
                          "for example with (a + b).eval() or Matrix<float>::Random(n, d).eval().");
        }
        if constexpr (is_same && detail::EigenStored<M>) {
            constexpr bool is_writable = std::is_convertible_v<decltype(matrix.data()), T*>;
            static_assert(is_writable,
                          "toeplitz: the output is read-only; pass a matrix that may be written.");
            constexpr bool row_major = (Plain::Flags & Eigen::RowMajorBit) != 0;
            // An empty matrix has no address to step from.
            const Index inner = matrix.size() == 0 ? 0 : matrix.innerStride();
            const Index outer = matrix.size() == 0 ? 0 : matrix.outerStride();
            if constexpr (is_writable) {
                return {matrix.data(), matrix.rows(), matrix.cols(), row_major ? outer : inner,
                        row_major ? inner : outer};
            }
        }
        return {};
    }
    static MatrixView from_span(std::span<T> numbers) noexcept {
        return {numbers.data(), static_cast<Index>(numbers.size()), 1};
    }

    T* data_ = nullptr;
    Index rows_ = 0;
    Index cols_ = 0;
    Index row_stride_ = 0;
    Index col_stride_ = 1;
};

/// What a view can be made of: another view, or an Eigen object whose coefficients lie in memory. What
/// functions take that deduce the scalar.
template <class M>
concept Viewable = requires {
    typename std::remove_cvref_t<M>::Scalar;
}
&&std::is_constructible_v<MatrixView<const typename std::remove_cvref_t<M>::Scalar>, M&>;

/// How many time steps of each sequence of a batch are valid; empty means all of them.
using Lengths = std::span<const Index>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
