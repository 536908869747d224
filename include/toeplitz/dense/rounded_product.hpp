// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of matrices that are rounded to bf16 on their way, with sums in float: those of training.

#include <toeplitz/dense/word_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Factors of a product in bf16: see multiply_blocks. Along the depth they are made of units: words for the
/// instruction, or floats, each two neighbours the other way round, for the same sums without it. Where the
/// depth is odd a zero fills it up.
template <Arithmetic arithmetic = word_arithmetic<Bf16>>
struct RoundedFactors {
    static constexpr bool has_words = arithmetic == Arithmetic::native;
    using Scalar = float;
    using Unit = std::conditional_t<has_words, Word, float>;
    using Right = Unit;
    using Left = Unit;

    static constexpr Index units(Index depth) noexcept { return (depth + 1) / 2 * (has_words ? 1 : 2); }
    static Index right_size(Index depth, Index cols) noexcept {
        return packed_size<float>(units(depth), cols);
    }
    static Index left_size(Product /*form*/) noexcept { return Blocks::tall * units(Blocks::deep); }

    /// As pack_right, unit by unit.
    [[gnu::noinline]] static void pack_right(MatrixView<const float> b, bool transposed, Right* to) {
        constexpr Index width = ProductTile<float>::cols;
        const Index cols = transposed ? b.rows() : b.cols();
        const Index count = units(transposed ? b.cols() : b.rows());
        for (Index first = 0; first < cols; first += width, to += count * width) {
            const Index here = (std::min)(width, cols - first);
            if (here < width) std::fill_n(to, count * width, Unit(0));
            if (!transposed) {
                for (Index k = 0; k < count; ++k) {
                    for_packs(here, [&](Index j, Index lanes) TOEPLITZ_LAMBDA {
                        store_units(row_units(b, k, first + j, lanes), lanes, to + k * width + j);
                    });
                }
                continue;
            }
            for (Index j = 0; j < here; ++j) {
                Unit row[to_size(units(Blocks::deep))];
                pack_row(b.row(first + j), b.cols(), row);
                for (Index k = 0; k < count; ++k) to[k * width + j] = row[k];
            }
        }
    }

    /// The rows of A one after another.
    [[gnu::noinline]] static const Left* left(MatrixView<const float> a, bool transposed, Left* scratch) {
        constexpr Index lanes = S::lanes;
        const Index rows = transposed ? a.cols() : a.rows();
        const Index count = units(transposed ? a.rows() : a.cols());
        if (!transposed) {
            for (Index i = 0; i < rows; ++i) pack_row(a.row(i), a.cols(), scratch + i * count);
            return scratch;
        }
        for (Index k = 0; k < count; k += lanes) {
            const Index deep = (std::min)(lanes, count - k);
            for (Index i = 0; i < rows; i += lanes) {
                const Index across = (std::min)(lanes, rows - i);
                S::Pack tile[to_size(lanes)] = {};
                for (Index u = 0; u < deep; ++u) tile[u] = row_units(a, k + u, i, across);
                S::transpose_blocks<lanes>(tile);
                for (Index j = 0; j < across; ++j) store_units(tile[j], deep, scratch + (i + j) * count + k);
            }
        }
        return scratch;
    }

    static void multiply(const Left* left, const Right* right, Index depth, Update update, const float* bias,
                         MatrixView<float> c) {
        const Index count = units(depth);
        if constexpr (has_words) {
            multiply_words<Bf16, arithmetic>({left, nullptr, right, nullptr, nullptr, bias, count, update},
                                             c);
        } else {
            multiply_packed<float>({left, count, 1}, right, count, update, bias, c);
        }
    }

private:
    using S = Simd<float>;
    using Blocks = ProductBlocks<float>;

    TOEPLITZ_INLINE static S::Pack as_floats(Words words) noexcept {
        return reinterpret_cast<S::Pack>(words);
    }
    TOEPLITZ_INLINE static Words upper_half(Words words) noexcept { return words & 0xFFFF0000U; }

    TOEPLITZ_INLINE static void store_units(S::Pack units, Index count, Unit* to) noexcept {
        S::store_row(reinterpret_cast<float*>(to), units, count);
    }

    /// The k-th unit of columns from j on.
    TOEPLITZ_INLINE static S::Pack row_units(MatrixView<const float> m, Index k, Index j,
                                             Index count) noexcept {
        const auto nearest = [&](Index row) TOEPLITZ_LAMBDA {
            return row < m.rows() ? Bf16::nearest(S::load_row(m.row(row) + j, count)) : Words{};
        };
        if constexpr (has_words) {
            return as_floats(upper_half(nearest(2 * k + 1)) | nearest(2 * k) >> 16U);
        } else {
            return as_floats(upper_half(nearest(k % 2 == 0 ? k + 1 : k - 1)));
        }
    }

    /// to = a row.
    TOEPLITZ_INLINE static void pack_row(const float* row, Index size, Unit* to) noexcept {
        if constexpr (has_words) {
            if (size > 0) to[units(size) - 1] = 0;
            Bf16::encode(row, size, reinterpret_cast<Bf16::Number*>(to));
        } else {
            for_packs(size, [&](Index k, Index count) TOEPLITZ_LAMBDA {
                const S::Pack rounded = as_floats(upper_half(Bf16::nearest(S::load_row(row + k, count))));
                store_units(swapped(rounded, std::make_integer_sequence<int, int{S::lanes}>{}), units(count),
                            to + k);
            });
        }
    }
    template <int... i>
    TOEPLITZ_INLINE static S::Pack swapped(S::Pack x, std::integer_sequence<int, i...>) noexcept {
        return __builtin_shufflevector(x, x, (i % 2 == 0 ? i + 1 : i - 1)...);
    }
};

/// Bytes that `multiply` of a precision takes from its workspace for an m × n product of depth k.
template <Real Scalar>
std::size_t product_workspace(Precision precision, Product form, Index m, Index n, Index k) noexcept {
    if constexpr (std::is_same_v<Scalar, float>) {
        if (precision == Precision::bf16) return block_workspace<RoundedFactors<>>(form, m, n, k);
    }
    return product_workspace<Scalar>(form, m, n, k);
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …, in a precision; bias may be null. bf16 is for floats.
template <Real Scalar>
[[gnu::noinline]] void multiply(Precision precision, Product form, MatrixView<const Scalar> a,
                                MatrixView<const Scalar> b, Update update, const Scalar* bias,
                                MatrixView<Scalar> c, Workspace& ws, Finish<Scalar> finish = {}) {
    if constexpr (std::is_same_v<Scalar, float>) {
        if (precision == Precision::bf16) {
            return multiply_blocks<RoundedFactors<>>(form, a, b, update, bias, c, ws, finish);
        }
    }
    multiply<Scalar>(form, a, b, update, bias, c, ws, finish);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
