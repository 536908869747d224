// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of rows and packed weights in fewer bits: by the instructions for them, or by others with the
/// same bits.

#if defined(__AVX512BF16__) || defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#include <immintrin.h>
#endif

#include <toeplitz/dense/product.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// By the instructions for words, or by those for their numbers one after another.
enum class Arithmetic { native, portable };

/// sums + Σ over a word's numbers of left · right, `parts` of them one after another: `right` makes of a
/// vector of words the factors of all rows; those of all columns are a row's `Left` numbers, at `left(part)`.
template <class Numbers, Arithmetic arithmetic>
struct WordProduct;

/// As the instruction: the upper number first, each product exact and each sum rounded.
template <>
struct WordProduct<Bf16, Arithmetic::portable> {
    using Sums = Simd<float>::Pack;
    using Left = float;
    static constexpr int parts = 2;
    static constexpr int left(int part) noexcept { return 1 - part; }
    static Left expand(Bf16::Number number) noexcept { return Bf16::decode(number, 1); }
    TOEPLITZ_INLINE static Sums right(Words words, int part) noexcept {
        return reinterpret_cast<Sums>(part == 0 ? words & 0xFFFF0000U : words << 16U);
    }
    TOEPLITZ_INLINE static Sums add(Sums sums, Left left, Sums right) noexcept { return sums + left * right; }
};

/// Unsigned left numbers and signed right ones.
template <>
struct WordProduct<Int8, Arithmetic::portable> {
    using Sums = Integers;
    using Left = std::int32_t;
    static constexpr int parts = 4;
    static constexpr int left(int part) noexcept { return part; }
    static Left expand(Int8::Number number) noexcept { return number; }
    TOEPLITZ_INLINE static Sums right(Words words, int part) noexcept {
        return reinterpret_cast<Sums>(words << static_cast<Word>(24 - 8 * part)) >> 24;
    }
    TOEPLITZ_INLINE static Sums add(Sums sums, Left left, Sums right) noexcept { return sums + left * right; }
};

template <class Numbers>
inline constexpr bool has_word_instruction = false;

/// What such instructions take.
struct NativeWords {
    using Left = Word;
    static constexpr int parts = 1;
    static constexpr int left(int part) noexcept { return part; }
    TOEPLITZ_INLINE static Words right(Words words, int /*part*/) noexcept { return words; }
};

#if defined(__AVX512BF16__) && (TOEPLITZ_SIMD_BYTES == 64 || defined(__AVX512VL__))
template <>
inline constexpr bool has_word_instruction<Bf16> = true;

template <>
struct WordProduct<Bf16, Arithmetic::native> : NativeWords {
    using Sums = Simd<float>::Pack;
    TOEPLITZ_INLINE static Sums add(Sums sums, Left left, Words right) noexcept {
        const Words lefts = Words{} + left;
#if TOEPLITZ_SIMD_BYTES == 64
        return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(lefts), reinterpret_cast<__m512bh>(right));
#elif TOEPLITZ_SIMD_BYTES == 32
        return _mm256_dpbf16_ps(sums, reinterpret_cast<__m256bh>(lefts), reinterpret_cast<__m256bh>(right));
#else
        return _mm_dpbf16_ps(sums, reinterpret_cast<__m128bh>(lefts), reinterpret_cast<__m128bh>(right));
#endif
    }
};
#endif

#if (defined(__AVX512VNNI__) && (TOEPLITZ_SIMD_BYTES == 64 || defined(__AVX512VL__))) || \
    (defined(__AVXVNNI__) && TOEPLITZ_SIMD_BYTES != 64)
template <>
inline constexpr bool has_word_instruction<Int8> = true;

template <>
struct WordProduct<Int8, Arithmetic::native> : NativeWords {
    using Sums = Integers;
    TOEPLITZ_INLINE static Sums add(Sums sums, Left left, Words right) noexcept {
        typedef long long Register __attribute__((vector_size(TOEPLITZ_SIMD_BYTES), may_alias));
        const auto s = reinterpret_cast<Register>(sums);
        const auto l = reinterpret_cast<Register>(Words{} + left);
        const auto r = reinterpret_cast<Register>(right);
#if TOEPLITZ_SIMD_BYTES == 64
        return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(s, l, r));
#elif TOEPLITZ_SIMD_BYTES == 32 && defined(__AVX512VNNI__)
        return reinterpret_cast<Sums>(_mm256_dpbusd_epi32(s, l, r));
#elif TOEPLITZ_SIMD_BYTES == 32
        return reinterpret_cast<Sums>(_mm256_dpbusd_avx_epi32(s, l, r));
#elif defined(__AVX512VNNI__)
        return reinterpret_cast<Sums>(_mm_dpbusd_epi32(s, l, r));
#else
        return reinterpret_cast<Sums>(_mm_dpbusd_avx_epi32(s, l, r));
#endif
    }
};
#endif

/// The faster one. Processors with matrix units for bf16 (AMX) take four times as long for an instruction on
/// vectors of it as for a multiply-add of floats, which does half as much.
template <class Numbers>
inline constexpr Arithmetic word_arithmetic =
    has_word_instruction<Numbers> ? Arithmetic::native : Arithmetic::portable;
#if defined(__AMX_BF16__)
template <>
inline constexpr Arithmetic word_arithmetic<Bf16> = Arithmetic::portable;
#endif

/// A row's numbers as the left factors of a product, `words` times WordProduct::parts of them.
template <class Numbers, Arithmetic arithmetic>
void expand_row(const Word* row, Index words, typename WordProduct<Numbers, arithmetic>::Left* to) noexcept {
    if constexpr (arithmetic == Arithmetic::native) {
        std::copy_n(row, words, to);
    } else {
        for (Index k = 0; k < words * Numbers::group; ++k) {
            typename Numbers::Number number;
            std::memcpy(&number, reinterpret_cast<const char*>(row) + k * Index{sizeof number},
                        sizeof number);
            to[k] = WordProduct<Numbers, arithmetic>::expand(number);
        }
    }
}

/// What a product is made of. Scales and starts are null where the numbers have none.
template <class Left>
struct WordFactors {
    const Left* left;         ///< rows of expand_row
    const float* row_scales;  ///< of left's rows
    const Word* right;        ///< panels: words × ProductTile::cols
    const float* col_scales;  ///< these two of whole panels
    const Word* starts;       ///< of the columns' sums
    const float* bias;        ///< or null
    Index words;              ///< of a row
    Update update = Update::assign;
};

/// Panels that a single row is multiplied by at once: instructions on words take long to add.
inline constexpr int word_row_panels = vector_registers == 32 ? 2 : ProductTile<float>::row_panels;

/// A tile of C: at most `height` rows and `panels` panels of columns, whose sums stay in registers.
template <class Numbers, Arithmetic arithmetic, int height, int panels, Real Scalar>
TOEPLITZ_INLINE void multiply_word_tile(const WordFactors<typename WordProduct<Numbers, arithmetic>::Left>& f,
                                        MatrixView<Scalar> c) {
    using S = Simd<float>;
    using Dot = WordProduct<Numbers, arithmetic>;
    using Tile = ProductTile<float>;
    constexpr int packs = panels * Tile::packs;
    // Rows and panels beyond the last one are computed as if they were it, and not stored.
    const typename Dot::Left* left[to_size(height)];
    const auto row = [&](Index r) TOEPLITZ_LAMBDA { return (std::min)(r, c.rows() - 1); };
    const auto col = [&](Index p) TOEPLITZ_LAMBDA {
        const Index first = p / Tile::packs * Tile::cols;
        return (first < c.cols() ? first : 0) + p % Tile::packs * S::lanes;
    };
    unroll<height>([&](auto r) TOEPLITZ_LAMBDA { left[r] = f.left + row(r) * f.words * Dot::parts; });
    const Word* right[to_size(panels)];
    unroll<panels>([&](auto q) TOEPLITZ_LAMBDA { right[q] = f.right + col(q * Tile::packs) * f.words; });
    typename Dot::Sums sums[to_size(height)][to_size(packs)] = {};
    if constexpr (Numbers::has_scales) {
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
            const auto start = reinterpret_cast<typename Dot::Sums>(load_words(f.starts + col(p)));
            unroll<height>([&](auto r) TOEPLITZ_LAMBDA { sums[r][p] = start; });
        });
    }
    for (Index k = 0; k < f.words; ++k) {
        unroll<Dot::parts>([&](auto part) TOEPLITZ_LAMBDA {
            decltype(Dot::right(Words{}, part)) factors[to_size(packs)];
            unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
                const Word* from = right[p / Tile::packs] + p % Tile::packs * S::lanes;
                factors[p] = Dot::right(load_words(from), part);
            });
            unroll<height>([&](auto r) TOEPLITZ_LAMBDA {
                const auto factor = left[r][k * Dot::parts + Dot::left(part)];
                unroll<packs>([&](auto p)
                                  TOEPLITZ_LAMBDA { sums[r][p] = Dot::add(sums[r][p], factor, factors[p]); });
            });
            if (Dot::parts > 1) separate_iterations();
        });
        unroll<panels>([&](auto q) TOEPLITZ_LAMBDA { right[q] += Tile::cols; });
    }
    unroll<height>([&](auto r) TOEPLITZ_LAMBDA {
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
            S::Pack y = __builtin_convertvector(sums[r][p], S::Pack);
            if constexpr (Numbers::has_scales) {
                y *= S::load_unaligned(f.col_scales + col(p)) * f.row_scales[row(r)];
            }
            const Index first = p * S::lanes;
            const Index count = (std::min)(S::lanes, c.cols() - first);
            if (r >= c.rows() || count <= 0) return;
            if (f.bias != nullptr) y += S::load_row(f.bias + first, count);
            if (f.update == Update::add) y += load_floats(c.row(r) + first, count);
            store_floats(c.row(r) + first, y, count);
        });
    });
}

/// C = the scaled A B + 1 biasᵀ, or C += …. An element's bits depend on its row of A and its column of B
/// alone.
template <class Numbers, Arithmetic arithmetic, Real Scalar>
[[gnu::noinline]] void multiply_words(const WordFactors<typename WordProduct<Numbers, arithmetic>::Left>& f,
                                      MatrixView<Scalar> c) {
    using Tile = ProductTile<float>;
    const Index width = (c.rows() == 1 ? word_row_panels : 1) * Tile::cols;
    for (Index j = 0; j < c.cols(); j += width) {
        for (Index i = 0; i < c.rows(); i += Tile::rows) {
            auto part = f;
            part.left += i * f.words * WordProduct<Numbers, arithmetic>::parts;
            part.right += j * f.words;
            if (f.bias != nullptr) part.bias += j;
            if constexpr (Numbers::has_scales) {
                part.row_scales += i;
                part.col_scales += j;
                part.starts += j;
            }
            const auto out =
                c.block(i, j, std::min<Index>(Tile::rows, c.rows() - i), (std::min)(width, c.cols() - j));
            if (c.rows() == 1) {
                multiply_word_tile<Numbers, arithmetic, 1, word_row_panels>(part, out);
            } else if (out.rows() <= 2) {
                multiply_word_tile<Numbers, arithmetic, 2, 1>(part, out);
            } else if (out.rows() <= 4) {
                multiply_word_tile<Numbers, arithmetic, 4, 1>(part, out);
            } else {
                multiply_word_tile<Numbers, arithmetic, Tile::rows, 1>(part, out);
            }
        }
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
