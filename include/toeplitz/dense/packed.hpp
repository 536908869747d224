// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b with W laid out for products once, for inference.

#include <variant>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/dense/linear.hpp>
#include <toeplitz/dense/packed_words.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// x ↦ W x + b of W as it is: see PackedLinear. Where EIGEN_USE_BLAS is defined the BLAS multiplies.
template <Real Scalar>
class PackedExact {
public:
    PackedExact() = default;
    PackedExact(MatrixView<const Scalar> weight, const Vector<Scalar>& bias);

    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(weight_.size() + bias_.size()) * sizeof(Scalar);
    }
    static std::size_t workspace(Index /*rows*/, Index /*outputs*/) noexcept { return 0; }
    void copy_row(Index output, Index inputs, Scalar* to) const noexcept;
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
               const Finish<Scalar>& finish) const;

private:
    const Scalar* bias() const noexcept { return bias_.size() == 0 ? nullptr : bias_.data(); }

#if !defined(EIGEN_USE_BLAS)
    // As in detail::multiply, whose bits these are.
    static constexpr Index deep = ProductBlocks<Scalar>::deep;
    static constexpr Index width = ProductTile<Scalar>::cols;
    static_assert(packed_tile_rows == ProductBlocks<Scalar>::tall);
#endif

    Buffer<Scalar> weight_;  ///< panels of outputs for every `deep` inputs: see pack_right
    Vector<Scalar> bias_;
};

#if defined(EIGEN_USE_BLAS)

template <Real Scalar>
PackedExact<Scalar>::PackedExact(MatrixView<const Scalar> weight, const Vector<Scalar>& bias)
    : weight_(weight.size()), bias_(bias) {
    MatrixView<Scalar>(weight_.data(), weight.rows(), weight.cols()).eigen() = weight.eigen();
}

template <Real Scalar>
void PackedExact<Scalar>::copy_row(Index output, Index inputs, Scalar* to) const noexcept {
    std::copy_n(weight_.data() + output * inputs, inputs, to);
}

template <Real Scalar>
void PackedExact<Scalar>::apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                                const Finish<Scalar>& finish) const {
    const MatrixView<const Scalar> weight(weight_.data(), y.cols(), x.cols());
    detail::multiply<Scalar>(Product::right_transposed, x, weight, Update::assign, bias(), y, ws, finish);
}

#else

template <Real Scalar>
PackedExact<Scalar>::PackedExact(MatrixView<const Scalar> weight, const Vector<Scalar>& bias)
    : weight_(packed_size<Scalar>(weight.cols(), weight.rows())), bias_(bias) {
    for (Index k = 0; k < weight.cols(); k += deep) {
        pack_right(weight.block(0, k, weight.rows(), (std::min)(deep, weight.cols() - k)), true,
                   weight_.data() + packed_size<Scalar>(k, weight.rows()));
    }
}

template <Real Scalar>
void PackedExact<Scalar>::copy_row(Index output, Index inputs, Scalar* to) const noexcept {
    const Index outputs = inputs == 0 ? 0 : weight_.size() / inputs;  // of whole panels
    for (Index k = 0; k < inputs; k += deep) {
        const Index count = (std::min)(deep, inputs - k);
        const Scalar* from = weight_.data() + k * outputs + output / width * width * count + output % width;
        for (Index i = 0; i < count; ++i) to[k + i] = from[i * width];
    }
}

template <Real Scalar>
void PackedExact<Scalar>::apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& /*ws*/,
                                const Finish<Scalar>& finish) const {
    const Index inputs = x.cols();
    const int threads = packed_tile_threads(y.rows(), y.cols(), inputs);
    for_packed_tiles(
        y.rows(), y.cols(), threads, [&](Index row, Index rows, int /*thread*/, auto&& for_cols) {
            for (Index k = 0; k == 0 || k < inputs; k += deep) {
                const Index depth = (std::min)(deep, inputs - k);
                const auto left = left_factor(x.block(row, k, rows, depth));
                const Scalar* block = weight_.data() + packed_size<Scalar>(k, y.cols());
                for_cols([&](Index col, Index cols) {
                    const auto out = y.block(row, col, rows, cols);
                    multiply_packed<Scalar>(left, block + col * depth, depth,
                                            k == 0 ? Update::assign : Update::add,
                                            k == 0 && bias() != nullptr ? bias() + col : nullptr, out);
                    if (k + depth == inputs) finish(row, col, out);
                });
            }
        });
}

#endif

}  // namespace detail

/// x ↦ W x + b of constant W and b, row by row. A value: it owns what it needs, which is W once, outputs
/// filled up to whole panels (at most 64 of them), and b.
///
/// Results are the same bits for any number of threads, and a row's do not depend on the rows beside it.
/// Those of exact weights are a product's with W as it was given, bit for bit. Others err in y_j by at most,
/// with a = Σ_k |W_jk x_k|, s = max |x| / 127, t = max_k |W_jk| / 127, n inputs and u = 2⁻²⁴,
///
/// * bf16: (2⁻⁷ + 2⁻¹⁶ + 2 (n + 2) u) a + 2 u |b_j|
/// * int8: (1 + 2⁻¹³) Σ_k (s |W_jk| + t |x_k| + s t / 2) / 2 + 4 u (a + |b_j|)
template <Real ScalarType>
class PackedLinear {
public:
    using Scalar = ScalarType;

    PackedLinear() = default;

    /// \param weight outputs × inputs
    /// \param bias outputs, or empty
    /// \throws config_error 440 (int8 weights of more than 2¹⁶ inputs)
    /// Cost O(weight) | heap: the copy
    explicit PackedLinear(MatrixView<const Scalar> weight, const Vector<Scalar>& bias = {},
                          WeightFormat format = WeightFormat::exact)
        : inputs_(weight.cols()), outputs_(weight.rows()) {
        if (format == WeightFormat::exact) {
            packed_ = Packed<detail::Exact<Scalar>>(weight, bias);
        } else {
            *this = PackedLinear(EncodedMatrix<Scalar>(weight, format), bias);
        }
    }
    /// The same of weights that are in their format already.
    explicit PackedLinear(const EncodedMatrix<Scalar>& weight, const Vector<Scalar>& bias = {})
        : inputs_(weight.cols()), outputs_(weight.rows()) {
        detail::with_numbers<Scalar>(weight.format(), [&]<class Numbers>(Numbers) {
            if constexpr (std::is_same_v<Numbers, detail::Exact<Scalar>>) {
                const MatrixView<const Scalar> rows(weight.template row<Scalar>(0), outputs_, inputs_);
                packed_ = Packed<Numbers>(rows, bias);
            } else {
                packed_ = Packed<Numbers>(weight, bias);
            }
        });
    }
    /// Weights in fewer bits stay as they are where `format` is exact.
    explicit PackedLinear(const LinearParameters<Scalar>& linear, WeightFormat format = WeightFormat::exact)
        : PackedLinear(linear.encoded.empty() ? PackedLinear(linear.weight, linear.bias, format)
                                              : PackedLinear(linear.encoded.in(format), linear.bias)) {}

    Index inputs() const noexcept { return inputs_; }
    Index outputs() const noexcept { return outputs_; }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return std::visit([](const auto& packed) { return packed.state_bytes(); }, packed_);
    }
    /// Bytes that apply takes from its workspace for some rows.
    std::size_t row_workspace(Index rows) const noexcept {
        return std::visit([&](const auto& packed) { return packed.workspace(rows, outputs_); }, packed_);
    }

    /// to = a row of W, `inputs` numbers, as they are stored. It is scattered over a cache line for each
    /// number, or pair in bf16, or four in int8.
    void copy_row(Index output, Scalar* to) const noexcept {
        std::visit([&](const auto& packed) { packed.copy_row(output, inputs_, to); }, packed_);
    }

    /// Y = X Wᵀ + b, unchecked; `finish(row, col, part)` is called with parts of Y that are complete, in
    /// several threads. x: rows × inputs and y: rows × outputs, apart in memory, of neighbouring columns.
    /// Cost O(rows inputs outputs); a few rows read W once | heap: none with a reserved workspace |
    /// thread-safe: yes | threads split the rows, or the columns of few rows
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
               detail::Finish<Scalar> finish = {}) const {
        std::visit([&](const auto& packed) { packed.apply(x, y, ws, finish); }, packed_);
    }

private:
    template <class Numbers>
    using Packed = std::conditional_t<std::is_same_v<Numbers, detail::Exact<Scalar>>,
                                      detail::PackedExact<Scalar>, detail::PackedWords<Numbers, Scalar>>;

    Index inputs_ = 0;
    Index outputs_ = 0;
    std::variant<Packed<detail::Exact<Scalar>>, Packed<detail::Bf16>, Packed<detail::Int8>> packed_;
};

namespace detail {

/// As of LinearParameters.
template <Real Scalar>
void linear_forward(const PackedLinear<Scalar>& linear, MatrixView<const Scalar> x, MatrixView<Scalar> y,
                    Workspace& ws, Finish<Scalar> finish = {}) {
    linear.apply(x, y, ws, finish);
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
