// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A matrix that a forward pass keeps for the backward one, as it is or in half the memory.

#include <toeplitz/core/workspace.hpp>
#include <toeplitz/dense/row_tiles.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Values that are written to where resize() says, and then kept: exact ones are there already, others are
/// rounded and stored. Rows lie one after another. Members that read may run at the same time; so may keep()
/// of parts that are apart.
template <Real ScalarType>
class KeptMatrix {
public:
    using Scalar = ScalarType;

    Index rows() const noexcept { return (std::max)(exact_.rows(), rounded_.rows()); }
    Index cols() const noexcept { return (std::max)(exact_.cols(), rounded_.cols()); }
    Index size() const noexcept { return exact_.size() + rounded_.size(); }
    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(exact_.size()) * sizeof(Scalar) +
               static_cast<std::size_t>(rounded_.size()) * sizeof(Number);
    }

    /// Gives it another size, and no values. Returns where those are to be written: itself, or memory of the
    /// scope.
    /// heap: where the size changes
    MatrixView<Scalar> resize(Index rows, Index cols, Precision precision, Workspace::Scope& scope) {
        const bool is_exact = precision == Precision::exact;
        detail::resize_kept(exact_, is_exact ? rows : 0, is_exact ? cols : 0);
        detail::resize_kept(rounded_, is_exact ? 0 : rows, is_exact ? 0 : cols);
        return is_exact ? MatrixView<Scalar>(exact_) : scope.matrix<Scalar>(rows, cols);
    }

    /// Keeps a part of the values, at a row and a column, and rounds it to what is kept.
    void keep(Index row, Index col, MatrixView<Scalar> part) {
        if (rounded_.size() == 0) return;
        for (Index i = 0; i < part.rows(); ++i) {
            store(row + i, col, part.row(i), part.cols());
            detail::Bf16::decode(&rounded_(row + i, col), part.cols(), part.row(i));
        }
    }
    /// Keeps all values, which stay as they are. Threads split the rows.
    void keep(MatrixView<const Scalar> values) {
        if (rounded_.size() == 0) return;
        detail::for_row_tiles(values.rows(), values.cols() / 4, [&](Index first, Index count) {
            for (Index i = first; i < first + count; ++i) store(i, 0, values.row(i), values.cols());
        });
    }

    /// `count` neighbours in memory, beginning at a row and a column: where they are kept, or scratch memory
    /// for as many.
    const Scalar* read(Index row, Index col, Index count, Scalar* scratch) const {
        if (rounded_.size() == 0) return exact_.data() + row * exact_.cols() + col;
        detail::Bf16::decode(rounded_.data() + row * rounded_.cols() + col, count, scratch);
        return scratch;
    }
    /// All values: where they are kept, or in scratch memory of this size, which exact ones need not. Threads
    /// split the rows.
    MatrixView<const Scalar> read(MatrixView<Scalar> scratch) const {
        if (rounded_.size() == 0) return exact_;
        detail::for_row_tiles(rows(), cols() / 4, [&](Index first, Index count) {
            for (Index i = first; i < first + count; ++i) read(i, 0, cols(), scratch.row(i));
        });
        return scratch;
    }

private:
    using Number = detail::Bf16::Number;

    void store(Index row, Index col, const Scalar* from, Index count) {
        detail::Bf16::encode(from, count, &rounded_(row, col));
    }

    Matrix<Scalar> exact_;
    Matrix<Number> rounded_;
};

namespace detail {

/// Calls f(i, size, values) for blocks of `count` neighbours in memory from a row and a column on: values[m]
/// are `size` of them, from the i-th on, of the m-th matrix.
template <std::size_t matrices, Real Scalar, class F>
void read_blocks(const KeptMatrix<Scalar>* const (&kept)[matrices], Index row, Index col, Index count,
                 F&& f) {
    constexpr Index block = 512;
    Scalar scratch[matrices][std::size_t{block}];
    const Scalar* values[matrices];
    for (Index i = 0; i < count; i += block) {
        const Index size = (std::min)(block, count - i);
        for (std::size_t m = 0; m < matrices; ++m) values[m] = kept[m]->read(row, col + i, size, scratch[m]);
        f(i, size, static_cast<const Scalar* const*>(values));
    }
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
