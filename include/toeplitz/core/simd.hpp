// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Portable vectors, one channel per lane: the one idea that vectorises every path.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The vector of the compile target's register width for a scalar, and its loads and stores.
/// Arithmetic is the compiler's own on vector types; `a * b + c` contracts to a fused multiply-add.
template <Real Scalar>
struct Simd {
    static constexpr Index lanes = TOEPLITZ_SIMD_BYTES / static_cast<Index>(sizeof(Scalar));

    typedef Scalar Pack __attribute__((vector_size(TOEPLITZ_SIMD_BYTES)));

    /// Address aligned to buffer_alignment.
    TOEPLITZ_INLINE static Pack load(const Scalar* p) noexcept {
        return *reinterpret_cast<const Aliased*>(p);
    }
    TOEPLITZ_INLINE static void store(Scalar* p, Pack v) noexcept { *reinterpret_cast<Aliased*>(p) = v; }

    /// Any address.
    TOEPLITZ_INLINE static Pack load_unaligned(const Scalar* p) noexcept {
        return *reinterpret_cast<const Unaligned*>(p);
    }
    TOEPLITZ_INLINE static void store_unaligned(Scalar* p, Pack v) noexcept {
        *reinterpret_cast<Unaligned*>(p) = v;
    }

    /// The first `count` < lanes channels of a row; the other lanes are zero.
    TOEPLITZ_INLINE static Pack load_partial(const Scalar* p, Index count) noexcept {
        Pack v{};
        std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(Scalar));
        return v;
    }
    TOEPLITZ_INLINE static void store_partial(Scalar* p, Pack v, Index count) noexcept {
        std::memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(Scalar));
    }

    /// The first `count` ≤ lanes channels, at any address. Incomplete rows out of line: they go through
    /// memory, where the compiler would keep the vector in either case.
    TOEPLITZ_INLINE static Pack load_row(const Scalar* p, Index count) noexcept {
        return count == lanes ? load_unaligned(p) : load_tail(p, count);
    }
    TOEPLITZ_INLINE static void store_row(Scalar* p, Pack v, Index count) noexcept {
        count == lanes ? store_unaligned(p, v) : store_tail(p, v, count);
    }

    /// Every second number from p on, of 2·lanes at any address, and those between them: real and imaginary
    /// parts of complex numbers.
    TOEPLITZ_INLINE static void load_pairs(const Scalar* p, Pack& even, Pack& odd) noexcept {
        const Pack low = load_unaligned(p);
        const Pack high = load_unaligned(p + lanes);
        split_pairs<1>(low, high, even, odd);
    }
    TOEPLITZ_INLINE static void store_pairs(Scalar* p, Pack even, Pack odd) noexcept {
        Pack low;
        Pack high;
        merge_pairs<1>(even, odd, low, high);
        store_unaligned(p, low);
        store_unaligned(p + lanes, high);
    }

    /// Of two vectors of blocks of `width` lanes, one after another, every second block and those between
    /// them.
    template <Index width>
    TOEPLITZ_INLINE static void split_pairs(Pack low, Pack high, Pack& even, Pack& odd) noexcept {
        [&]<int... i>(std::integer_sequence<int, i...>) TOEPLITZ_LAMBDA {
            constexpr int w = static_cast<int>(width);
            even = __builtin_shufflevector(low, high, (i / w * 2 * w + i % w)...);
            odd = __builtin_shufflevector(low, high, (i / w * 2 * w + w + i % w)...);
        }
        (every_lane);
    }
    /// The way back.
    template <Index width>
    TOEPLITZ_INLINE static void merge_pairs(Pack even, Pack odd, Pack& low, Pack& high) noexcept {
        [&]<int... i>(std::integer_sequence<int, i...>) TOEPLITZ_LAMBDA {
            constexpr int w = static_cast<int>(width);
            constexpr int all = static_cast<int>(lanes);
            const auto lane = [](int at) { return at / (2 * w) * w + at % w + at / w % 2 * all; };
            low = __builtin_shufflevector(even, odd, lane(i)...);
            high = __builtin_shufflevector(even, odd, lane(all + i)...);
        }
        (every_lane);
    }

    /// `count` blocks from the last one on.
    template <Index count>
    TOEPLITZ_INLINE static Pack reverse_blocks(Pack a) noexcept {
        return [&]<int... i>(std::integer_sequence<int, i...>) TOEPLITZ_LAMBDA {
            constexpr int w = static_cast<int>(lanes / count);
            return __builtin_shufflevector(a, a, (static_cast<int>(lanes) - w - i / w * w + i % w)...);
        }
        (every_lane);
    }
    /// The first of `count` blocks of b, and after it those of a but its first one, from the last one on.
    template <Index count>
    TOEPLITZ_INLINE static Pack reverse_blocks(Pack a, Pack b) noexcept {
        return [&]<int... i>(std::integer_sequence<int, i...>) TOEPLITZ_LAMBDA {
            constexpr int w = static_cast<int>(lanes / count);
            constexpr int all = static_cast<int>(lanes);
            return __builtin_shufflevector(a, b, (i < w ? all + i : all - i / w * w + i % w)...);
        }
        (every_lane);
    }

    /// `width` numbers from p on in all blocks of as many lanes; a whole vector is load().
    template <Index width>
    TOEPLITZ_INLINE static Pack load_repeated(const Scalar* p) noexcept {
        if constexpr (width == lanes) {
            return load(p);
        } else if constexpr (width == 1) {
            return broadcast(*p);
        } else if constexpr (width * sizeof(Scalar) == sizeof(std::uint64_t)) {
            // As one number: compilers take vectors of this size apart.
            std::uint64_t word;
            std::memcpy(&word, p, sizeof word);
            return reinterpret_cast<Pack>(word - Words{});
        } else {
            return repeat<width>(p, every_lane);
        }
    }

    /// Of `count` vectors, each of `count` blocks of lanes, the r-th block of vector k changes places with
    /// the k-th of vector r. `count` is a power of two.
    template <Index count>
    TOEPLITZ_INLINE static void transpose_blocks(Pack* v) noexcept {
        swap_blocks<count, 1>(v);
    }

    /// Of `count` vectors, each of `count` blocks of lanes, the sum of the blocks of vector k as the k-th
    /// block of the result. Overwrites the vectors. `count` is a power of two.
    template <Index count>
    TOEPLITZ_INLINE static Pack sum_blocks(Pack* v) noexcept {
        return fold<count, count / 2>(v);
    }
    /// The sum of the blocks of one vector in all blocks, with the same bits.
    template <Index count>
    TOEPLITZ_INLINE static Pack sum_blocks(Pack v) noexcept {
        return fold<count, count / 2>(v);
    }

    TOEPLITZ_INLINE static Pack broadcast(Scalar x) noexcept { return x - Pack{}; }

private:
    static constexpr std::make_integer_sequence<int, static_cast<int>(lanes)> every_lane{};

    // Sums of blocks whose numbers differ in one bit, then of those in the bits below.
    template <Index count, Index bit>
    TOEPLITZ_INLINE static Pack fold(Pack* v) noexcept {
        if constexpr (bit > 0) {
            for (Index k = 0; k < bit; ++k) {
                exchange<bit*(lanes / count)>(v[k], v[k + bit], every_lane);
                v[k] += v[k + bit];
            }
            return fold<count, bit / 2>(v);
        }
        return v[0];
    }
    template <Index count, Index bit>
    TOEPLITZ_INLINE static Pack fold(Pack v) noexcept {
        if constexpr (bit > 0) {
            Pack other = v;
            exchange<bit*(lanes / count)>(v, other, every_lane);
            return fold<count, bit / 2>(v + other);
        }
        return v;
    }

    // The bit `bit` of the numbers of vectors and blocks, and those above it.
    template <Index count, Index bit>
    TOEPLITZ_INLINE static void swap_blocks(Pack* v) noexcept {
        if constexpr (bit < count) {
            for (Index high = 0; high < count; high += 2 * bit) {
                for (Index low = 0; low < bit; ++low) {
                    exchange<bit*(lanes / count)>(v[high + low], v[high + low + bit], every_lane);
                }
            }
            swap_blocks<count, 2 * bit>(v);
        }
    }
    // The lanes of a whose number has the bit `width` for those of b that lack it.
    template <Index width, int... i>
    TOEPLITZ_INLINE static void exchange(Pack& a, Pack& b, std::integer_sequence<int, i...>) noexcept {
        constexpr int w = static_cast<int>(width);
        constexpr int other = static_cast<int>(lanes);
        const Pack first = __builtin_shufflevector(a, b, ((i & w) == 0 ? i : other + i - w)...);
        b = __builtin_shufflevector(a, b, ((i & w) == 0 ? i + w : other + i)...);
        a = first;
    }

    [[gnu::noinline]] static Pack load_tail(const Scalar* p, Index count) noexcept {
        return load_partial(p, count);
    }
    [[gnu::noinline]] static void store_tail(Scalar* p, Pack v, Index count) noexcept {
        store_partial(p, v, count);
    }

    template <Index width, int... i>
    TOEPLITZ_INLINE static Pack repeat(const Scalar* p, std::integer_sequence<int, i...>) noexcept {
        typedef Scalar Block
            __attribute__((vector_size(width * sizeof(Scalar)), may_alias, aligned(alignof(Scalar))));
        const Block block = *reinterpret_cast<const Block*>(p);
        return __builtin_shufflevector(block, block, (i % static_cast<int>(width))...);
    }

    typedef std::uint64_t Words __attribute__((vector_size(TOEPLITZ_SIMD_BYTES)));
    typedef Scalar Aliased __attribute__((vector_size(TOEPLITZ_SIMD_BYTES), may_alias));
    typedef Scalar Unaligned
        __attribute__((vector_size(TOEPLITZ_SIMD_BYTES), may_alias, aligned(alignof(Scalar))));
};

namespace detail {

/// Vector registers of the compile target.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

/// Whether a multiplication and an addition are one instruction there.
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool fused_multiply_add = true;
#else
inline constexpr bool fused_multiply_add = false;
#endif

/// Calls f(0), f(1) … f(count−1) with the index as a compile-time constant, so that arrays indexed by it stay
/// in registers.
template <int count, class F>
TOEPLITZ_INLINE void unroll(F&& f) {
    [&]<int... i>(std::integer_sequence<int, i...>) TOEPLITZ_LAMBDA {
        (f(std::integral_constant<int, i>{}), ...);
    }
    (std::make_integer_sequence<int, count>{});
}

/// Makes the compiler load again what an iteration before has loaded: carrying whole rows over in registers,
/// as it likes to, spills the sums that belong there.
TOEPLITZ_INLINE void separate_iterations() noexcept { asm volatile("" ::: "memory"); }

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
