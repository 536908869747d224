// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Numbers in fewer bits: how weights may be stored for inference, and rows on their way into a product; what
/// training computes in and keeps.

#include <algorithm>
#include <bit>
#include <cstring>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/simd.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// How weights are stored and multiplied at inference.
///
/// exact: as they are. bf16: weights, and the rows they are multiplied by, rounded to 8 significant bits;
/// sums in float. int8: integers in ±127 times a scale for each output, and for each row that they are
/// multiplied by; sums exact. Sums of bf16 and int8 are the same bits with and without instructions for
/// them. A row with a NaN or an infinity gives NaN in int8, one of numbers below 2⁻¹⁰⁰ counts as zero there.
enum class WeightFormat { exact, bf16, int8 };

/// What the matrix products of training take, forward and backward, and what is kept between the two.
///
/// exact: numbers as they are. bf16: numbers rounded to 8 significant bits, with sums in float; weights stay
/// float, and so do norms, kernels, transforms and the residual stream. Sums are the same bits with and
/// without instructions for them. For models of float.
enum class Precision { exact, bf16 };

namespace detail {

/// Some neighbours of a row, which a product takes at once.
using Word = std::uint32_t;
typedef Word Words __attribute__((vector_size(TOEPLITZ_SIMD_BYTES)));
typedef std::int32_t Integers __attribute__((vector_size(TOEPLITZ_SIMD_BYTES)));

/// At any address.
TOEPLITZ_INLINE Words load_words(const Word* from) noexcept {
    typedef Word Unaligned
        __attribute__((vector_size(TOEPLITZ_SIMD_BYTES), may_alias, aligned(alignof(Word))));
    return *reinterpret_cast<const Unaligned*>(from);
}

/// `count` ≤ lanes numbers as floats; the other lanes are zero.
template <Real Scalar>
TOEPLITZ_INLINE Simd<float>::Pack load_floats(const Scalar* from, Index count) noexcept {
    if constexpr (std::is_same_v<Scalar, float>) {
        return Simd<float>::load_row(from, count);
    } else {
        alignas(buffer_alignment) float floats[static_cast<std::size_t>(Simd<float>::lanes)] = {};
        for (Index i = 0; i < count; ++i) floats[i] = static_cast<float>(from[i]);
        return Simd<float>::load(floats);
    }
}

/// The reverse of it.
template <Real Scalar>
TOEPLITZ_INLINE void store_floats(Scalar* to, Simd<float>::Pack x, Index count) noexcept {
    if constexpr (std::is_same_v<Scalar, float>) {
        Simd<float>::store_row(to, x, count);
    } else {
        for (Index i = 0; i < count; ++i) to[i] = static_cast<Scalar>(x[i]);
    }
}

/// to = the first `count` lanes, each without its upper bits.
template <class Number>
TOEPLITZ_INLINE void store_narrow(Words words, Index count, Number* to) noexcept {
    typedef Number Narrow __attribute__((vector_size(TOEPLITZ_SIMD_BYTES / sizeof(Word) * sizeof(Number))));
    const Narrow narrow = __builtin_convertvector(words, Narrow);
    if (count == Simd<float>::lanes) {
        std::memcpy(to, &narrow, sizeof narrow);
    } else {
        std::memcpy(to, &narrow, static_cast<std::size_t>(count) * sizeof(Number));
    }
}

/// The first `count` lanes from numbers without upper bits; the other lanes are zero.
template <class Number>
TOEPLITZ_INLINE Words load_narrow(const Number* from, Index count) noexcept {
    typedef Number Narrow __attribute__((vector_size(TOEPLITZ_SIMD_BYTES / sizeof(Word) * sizeof(Number))));
    Narrow narrow{};
    if (count == Simd<float>::lanes) {
        std::memcpy(&narrow, from, sizeof narrow);
    } else {
        std::memcpy(&narrow, from, static_cast<std::size_t>(count) * sizeof(Number));
    }
    return __builtin_convertvector(narrow, Words);
}

/// Calls f(i, count) for the vectors of a row.
template <class F>
TOEPLITZ_INLINE void for_packs(Index size, F&& f) {
    constexpr Index lanes = Simd<float>::lanes;
    Index i = 0;
    for (; i + lanes <= size; i += lanes) f(i, lanes);
    if (i < size) f(i, size - i);
}

/// Numbers as they are.
template <Real Scalar>
struct Exact {
    using Number = Scalar;
    static constexpr bool has_scales = false;
    static float encode(const Scalar* from, Index size, Number* to) noexcept {
        std::copy_n(from, size, to);
        return 1;
    }
    static Scalar decode(Number number, float /*scale*/) noexcept { return number; }
};

/// bfloat16: the upper half of a float.
struct Bf16 {
    using Number = std::uint16_t;
    static constexpr Index group = 2;  ///< numbers of a word
    static constexpr bool has_scales = false;

    /// The nearest numbers, to even ones of two, as the upper halves of words; the lower ones are anything.
    TOEPLITZ_INLINE static Words nearest(Simd<float>::Pack x) noexcept {
        const Words bits = reinterpret_cast<Words>(x);
        const Words is_nan = reinterpret_cast<Words>((bits & 0x7FFFFFFFU) > 0x7F800000U);
        const Words half = 0x7FFFU + ((bits >> 16U) & 1U);
        return (bits + (half & ~is_nan)) | (is_nan & 0x400000U);
    }
    /// to = the nearest numbers. Returns 1.
    template <Real Scalar>
    [[gnu::noinline]] static float encode(const Scalar* from, Index size, Number* to) noexcept {
        for_packs(size, [&](Index i, Index count) TOEPLITZ_LAMBDA {
            store_narrow(nearest(load_floats(from + i, count)) >> 16U, count, to + i);
        });
        return 1;
    }
    /// to = the numbers.
    template <Real Scalar>
    [[gnu::noinline]] static void decode(const Number* from, Index size, Scalar* to) noexcept {
        for_packs(size, [&](Index i, Index count) TOEPLITZ_LAMBDA {
            store_floats(to + i, reinterpret_cast<Simd<float>::Pack>(load_narrow(from + i, count) << 16U),
                         count);
        });
    }
    /// Rows that weights are multiplied by.
    template <Real Scalar>
    static float encode_row(const Scalar* from, Index size, Number* to) noexcept {
        return encode(from, size, to);
    }
    static float decode(Number number, float /*scale*/) noexcept {
        return std::bit_cast<float>(static_cast<Word>(number) << 16U);
    }
};

/// Integers in ±127 times a scale.
struct Int8 {
    using Number = std::uint8_t;  ///< of a two's complement
    static constexpr Index group = 4;
    static constexpr bool has_scales = true;
    static constexpr Number offset = 128;  ///< of rows that weights are multiplied by: those are unsigned
    static constexpr Index most_inputs = Index{1} << 16U;  ///< of which sums of products fit in 32 bits

    /// to = the nearest integers to multiples of the scale, which is returned.
    template <Real Scalar>
    static float encode(const Scalar* from, Index size, Number* to) noexcept {
        return encode(from, size, 0, to);
    }
    /// The same plus the offset.
    template <Real Scalar>
    static float encode_row(const Scalar* from, Index size, Number* to) noexcept {
        return encode(from, size, offset, to);
    }
    static float decode(Number number, float scale) noexcept {
        return scale * static_cast<float>(std::bit_cast<std::int8_t>(number));
    }
    /// What sums of products with weights begin with, which takes away what the rows' offset adds.
    static Word start(const Number* weights, Index size) noexcept {
        std::int32_t sum = 0;
        for (Index i = 0; i < size; ++i) sum -= std::bit_cast<std::int8_t>(weights[i]);
        return static_cast<Word>(sum * offset);
    }

private:
    template <Real Scalar>
    [[gnu::noinline]] static float encode(const Scalar* from, Index size, Word plus, Number* to) noexcept {
        using Pack = Simd<float>::Pack;
        // By way of the bits, whose order is that of the numbers, and above infinity that of NaNs.
        Words largest{};
        for_packs(size, [&](Index i, Index count) TOEPLITZ_LAMBDA {
            const Words bits = reinterpret_cast<Words>(load_floats(from + i, count)) & 0x7FFFFFFFU;
            largest = bits > largest ? bits : largest;
        });
        Word most = 0;
        for (Index lane = 0; lane < Simd<float>::lanes; ++lane) most = (std::max)(most, Word{largest[lane]});
        const float extent = std::bit_cast<float>(most);
        const bool is_finite = most < 0x7F800000U;
        if (!is_finite || extent < 0x1p-100F) {
            std::fill_n(to, size, static_cast<Number>(plus));
            return is_finite ? 0 : std::bit_cast<float>(Word{0x7FC00000U});
        }
        const float inverse = 127 / extent;
        for_packs(size, [&](Index i, Index count) TOEPLITZ_LAMBDA {
            Pack x = load_floats(from + i, count) * inverse;
            x += x < 0 ? Pack{} - 0.5F : Pack{} + 0.5F;
            const Words integers = reinterpret_cast<Words>(__builtin_convertvector(x, Integers));
            store_narrow(integers + plus, count, to + i);
        });
        return extent / 127;
    }
};

/// f(Exact<Scalar>()), f(Bf16()) or f(Int8()).
template <Real Scalar, class F>
decltype(auto) with_numbers(WeightFormat format, F&& f) {
    if (format == WeightFormat::bf16) return f(Bf16());
    if (format == WeightFormat::int8) return f(Int8());
    return f(Exact<Scalar>());
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
