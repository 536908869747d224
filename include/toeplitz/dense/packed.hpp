// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b with W laid out for products once, for inference.

#include <toeplitz/core/memory.hpp>
#include <toeplitz/dense/linear.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// x ↦ W x + b of constant W and b, row by row. A value: it owns what it needs.
///
/// Its results are those of a product with W as it was given, bit for bit and for any number of threads. It
/// holds W once, outputs filled up to whole panels (at most 64 of them), and b. Where EIGEN_USE_BLAS is
/// defined it holds W as it was given, and the BLAS multiplies.
template <Real ScalarType>
class PackedLinear {
public:
    using Scalar = ScalarType;

    PackedLinear() = default;

    /// \param weight outputs × inputs \param bias outputs, or empty
    /// Cost O(weight) | heap: the copy
    explicit PackedLinear(MatrixView<const Scalar> weight, const Vector<Scalar>& bias = {})
        : inputs_(weight.cols()), outputs_(weight.rows()), bias_(bias) {
#if defined(EIGEN_USE_BLAS)
        weight_ = Buffer<Scalar>(weight.size());
        MatrixView<Scalar>(weight_.data(), outputs_, inputs_).eigen() = weight.eigen();
#else
        weight_ = Buffer<Scalar>(detail::packed_size<Scalar>(inputs_, outputs_));
        for (Index k = 0; k < inputs_; k += deep) {
            detail::pack_right(weight.block(0, k, outputs_, (std::min)(deep, inputs_ - k)), true, block(k));
        }
#endif
    }
    explicit PackedLinear(const LinearParameters<Scalar>& linear)
        : PackedLinear(linear.weight, linear.bias) {}

    Index inputs() const noexcept { return inputs_; }
    Index outputs() const noexcept { return outputs_; }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(weight_.size() + bias_.size()) * sizeof(Scalar);
    }

    /// to = a row of W, `inputs` numbers. It is scattered over as many cache lines.
    void copy_row(Index output, Scalar* to) const noexcept {
#if defined(EIGEN_USE_BLAS)
        std::copy_n(weight_.data() + output * inputs_, inputs_, to);
#else
        constexpr Index width = detail::ProductTile<Scalar>::cols;
        for (Index k = 0; k < inputs_; k += deep) {
            const Index count = (std::min)(deep, inputs_ - k);
            const Scalar* from = block(k) + output / width * width * count + output % width;
            for (Index i = 0; i < count; ++i) to[k + i] = from[i * width];
        }
#endif
    }

    /// Y = X Wᵀ + b, unchecked; `finish(row, col, part)` is called with parts of Y that are complete, in
    /// several threads. x: rows × inputs and y: rows × outputs, apart in memory, of neighbouring columns.
    /// Cost O(rows inputs outputs); a few rows read W once | heap: none | thread-safe: yes | threads split
    /// the rows, or the columns of few rows
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, detail::Finish<Scalar> finish = {}) const {
        const Scalar* bias = bias_.size() == 0 ? nullptr : bias_.data();
#if defined(EIGEN_USE_BLAS)
        Workspace none;
        detail::multiply<Scalar>(detail::Product::right_transposed, x,
                                 MatrixView<const Scalar>(weight_.data(), outputs_, inputs_), Update::assign,
                                 bias, y, none, finish);
#else
        multiply(x, bias, y, finish);
#endif
    }

private:
#if !defined(EIGEN_USE_BLAS)
    // As in detail::multiply, whose bits these are.
    using Blocks = detail::ProductBlocks<Scalar>;
    static constexpr Index deep = Blocks::deep;

    /// Where the panels of inputs k.. begin, for a multiple k of `deep`.
    Scalar* block(Index k) noexcept { return weight_.data() + detail::packed_size<Scalar>(k, outputs_); }
    const Scalar* block(Index k) const noexcept {
        return weight_.data() + detail::packed_size<Scalar>(k, outputs_);
    }

    [[gnu::noinline]] void multiply(MatrixView<const Scalar> x, const Scalar* bias, MatrixView<Scalar> y,
                                    const detail::Finish<Scalar>& finish) const {
        const auto parts = [](Index count, Index size) { return (count + size - 1) / size; };
        const Index across = parts(outputs_, Blocks::finished);
        const Index tiles = parts(x.rows(), Blocks::tall) * across;
        const int threads = detail::thread_count(tiles, x.rows() * outputs_ * inputs_ / 30);
        detail::parallel_chunks(tiles, threads, [&](Index begin, Index end, int) {
            for (Index next = 0; begin < end; begin = next) {
                next = (std::min)(end, (begin / across + 1) * across);
                const Index row = begin / across * Blocks::tall;
                const Index rows = (std::min)(Blocks::tall, x.rows() - row);
                for (Index k = 0; k == 0 || k < inputs_; k += deep) {
                    const Index depth = (std::min)(deep, inputs_ - k);
                    const auto left = detail::left_factor(x.block(row, k, rows, depth));
                    for (Index tile = begin; tile < next; ++tile) {
                        const Index col = tile % across * Blocks::finished;
                        const auto out =
                            y.block(row, col, rows, (std::min)(Blocks::finished, outputs_ - col));
                        detail::multiply_packed<Scalar>(
                            left, block(k) + col * depth, depth, k == 0 ? Update::assign : Update::add,
                            k == 0 && bias != nullptr ? bias + col : nullptr, out);
                        if (k + depth == inputs_) finish(row, col, out);
                    }
                }
            }
        });
    }
#endif

    Index inputs_ = 0;
    Index outputs_ = 0;
    Buffer<Scalar> weight_;  ///< panels of outputs for every `deep` inputs: see detail::pack_right
    Vector<Scalar> bias_;
};

namespace detail {

/// As of LinearParameters.
template <Real Scalar>
void linear_forward(const PackedLinear<Scalar>& linear, MatrixView<const Scalar> x, MatrixView<Scalar> y,
                    Workspace& /*ws*/, Finish<Scalar> finish = {}) {
    linear.apply(x, y, finish);
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
