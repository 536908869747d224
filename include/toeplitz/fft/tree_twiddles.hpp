// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The shape of the splitting tree: its size, the radix of each level and the factors of each node.

#include <array>
#include <bit>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/fft/roots_of_unity.hpp>
#include <toeplitz/fft/tree_butterflies.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The lowest `count` bits in the opposite order; the others are zero.
constexpr Index reversed_bits(Index bits, int count) noexcept {
    if (count == 0) return 0;
    auto b = static_cast<std::uint64_t>(bits);
    b = (b >> 1U & 0x5555555555555555U) | (b & 0x5555555555555555U) << 1U;
    b = (b >> 2U & 0x3333333333333333U) | (b & 0x3333333333333333U) << 2U;
    b = (b >> 4U & 0x0F0F0F0F0F0F0F0FU) | (b & 0x0F0F0F0F0F0F0F0FU) << 4U;
    return static_cast<Index>(__builtin_bswap64(b) >> (64 - count));
}

/// The angle 2π·numerator/denominator, 0 ≤ numerator < denominator. Its halves and multiples are exact.
struct Turn {
    Index numerator;
    Index denominator;

    /// Of the 2^depth-th roots of this angle's point the k-th one, in the order of the tree: of two square
    /// roots, half of the angle comes before what is half a turn further.
    constexpr Turn root(int depth, Index k) const noexcept {
        // The first split is the highest bit of k, and the least of all halves of a turn.
        return {numerator + denominator * reversed_bits(k, depth), denominator << depth};
    }
};

/// The smallest size that is ≥ length and ≥ 16 and 4, 5, 6 or 7 times a power of two: at most a quarter is
/// padding. \throws config_error 201 or 202
inline Index tree_size(Index length) {
    require_positive(length, "TreeConvolution", "length");
    checked_product(length, Index{1} << 16, "TreeConvolution");
    Index unit = 4;
    while (8 * unit <= length) unit *= 2;
    Index size = 4 * unit;
    while (size < length) size += unit;
    return size;
}

/// The same of trees whose packs hold `phases` coefficients of a channel: a whole number of blocks of as many
/// packs. \throws config_error 201 or 202
inline Index tree_size(Index length, Index phases) {
    Index packs = tree_size((length + phases - 1) / phases);
    while (packs % phases != 0) packs = tree_size(packs + 1);
    return packs * phases;
}

/// The largest odd divisor: the radix of the root, where it is not 1.
constexpr Index odd_part(Index size) noexcept {
    return size >> std::countr_zero(static_cast<std::uint64_t>(size));
}

/// The k-th of the odd · 2^depth roots of i, in the order of the tree; of z^odd = i as OddRoot orders them.
constexpr Turn root_of_i(Index odd, int depth, Index k) noexcept {
    const Index first = odd % 4 == 1 ? 1 : 3;
    const Turn child = {(first * odd + 4 * (k >> depth)) % (4 * odd), 4 * odd};
    return child.root(depth, k & ((Index{1} << depth) - 1));
}

/// Which root of z^N = i each point of a tree of size N is: z_p = e^{2πi (order_p + 1/4)/N}.
inline Buffer<Index> tree_order(Index size) {
    const int depth = std::countr_zero(static_cast<std::uint64_t>(size));
    const Index odd = odd_part(size);
    Buffer<Index> order(size);
    for (Index child = 0; child < odd; ++child) {
        order[child << depth] = root_of_i(odd, 0, child).numerator / 4;
    }
    // Splits of blocks: half the angle first, and half a turn further.
    Index half_turn = odd;
    for (Index block = Index{1} << depth; block > 1; block /= 2, half_turn *= 2) {
        for (Index p = 0; p < size; p += block) order[p + block / 2] = order[p] + half_turn;
    }
    return order;
}

/// The levels of a tree and the factors of their nodes.
///
/// The nodes of a level, from left to right, are consecutive blocks of the array that holds the polynomials.
///
/// Where packs hold s > 1 phases, lanes are coefficients sj + m, m < s, of a polynomial in z: s polynomials
/// in u = z^s, split alike down to z^s − u_p, which the lanes of one pack hold. The last level, of radix s,
/// splits these.
template <Real Scalar>
class TreePlan {
public:
    /// \param phases s, a power of two ≤ 16 and the number of lanes at most
    explicit TreePlan(Index length, Index phases = 1)
        : packs_(tree_size(length, phases) / phases), phases_(phases) {
        const Index odd = odd_part(packs_);
        Index block = packs_;
        Index factors = 0;
        if (odd > 1) {
            levels_[0] = {odd, 0};
            count_ = 1;
            block /= odd;
        }
        while (block > 1) {
            const Index radix = choose_radix(block, count_ == 0);
            levels_[static_cast<std::size_t>(count_++)] = {radix, factors};
            factors += packs_ / block * 2 * (radix - 1);
            block /= radix;
        }
        const int phase_bits = std::countr_zero(static_cast<std::uint64_t>(phases));
        if (phases > 1) {
            levels_[static_cast<std::size_t>(count_++)] = {phases, factors};
            factors += packs_ / phases * 2 * (phases - 1);
        }
        factors_ = Buffer<Scalar>(factors);
        const RootsOfUnity roots(4 * size());
        int depth = 0;
        for (Index level = odd > 1 ? 1 : 0; level < count_; ++level) {
            Scalar* to = factors_.data() + levels_[static_cast<std::size_t>(level)].factors;
            const Index r = radix(level);
            const bool splits_packs = phases > 1 && level + 1 == count_;
            if (splits_packs) depth -= phase_bits;
            for (Index node = 0; node < odd << depth; ++node) {
                const Turn angle = root_of_i(odd, depth, node);
                const Index parts = splits_packs ? phases * phases : r;
                const Index step = angle.numerator * (roots.order() / (parts * angle.denominator));
                for (Index m = 1; m < r; ++m) {
                    const auto power = roots.template at<Scalar>(m * step);
                    *to++ = power[0];
                    *to++ = power[1];
                }
            }
            depth += std::countr_zero(static_cast<std::uint64_t>(r));
        }
        if (phases > 1) fill_turns(phase_bits);
    }

    /// N, the number of coefficients and of points of a channel.
    Index size() const noexcept { return packs_ * phases_; }

    /// N/s packs hold them.
    Index packs() const noexcept { return packs_; }
    Index phases() const noexcept { return phases_; }

    Index levels() const noexcept { return count_; }

    /// Children per node of a level.
    Index radix(Index level) const noexcept { return levels_[static_cast<std::size_t>(level)].radix; }

    /// The factors of a level's nodes, NodeRadix::factor_size each.
    const Scalar* factors(Index level) const noexcept {
        return factors_.data() + levels_[static_cast<std::size_t>(level)].factors;
    }

    /// Of s packs that one node of u has been split into, what the factors of the level of phases m = 1..s−1
    /// have more than those of the first: a pack each, whose lanes are the s packs.
    const Scalar* turns() const noexcept { return turns_.data(); }

private:
    void fill_turns(int phase_bits) {
        using Complex = ComplexPack<Scalar>;
        turns_ = Buffer<Scalar>((phases_ - 1) * Complex::size);
        const RootsOfUnity roots(phases_ * phases_);
        for (Index lane = 0; lane < Complex::lanes; ++lane) {
            const Index step = Turn{0, 1}.root(phase_bits, lane * phases_ / Complex::lanes).numerator;
            for (Index m = 1; m < phases_; ++m) {
                const auto [cos, sin] = roots.template at<Scalar>(m * step);
                turns_[(m - 1) * Complex::size + lane] = cos;
                turns_[(m - 1) * Complex::size + Complex::lanes + lane] = sin;
            }
        }
    }

    struct Level {
        Index radix;
        Index factors;
    };

    // 16 registers hold a butterfly of radix 4 with its factors, 32 one of radix 8. An odd number of binary
    // levels costs least at the root, whose coefficients are real.
    static Index choose_radix(Index block, bool root) noexcept {
        const int bits = std::countr_zero(static_cast<std::uint64_t>(block));
        if (vector_registers >= 32) return bits == 2 || bits == 4 ? 4 : 8;
        if (bits % 2 == 0) return 4;
        return root ? 2 : 8;
    }

    Index packs_;
    Index phases_;
    Index count_ = 0;
    // One of an odd radix, at most one for every other of 62 bits but the root's, and one of phases.
    std::array<Level, 35> levels_{};
    Buffer<Scalar> factors_;
    Buffer<Scalar> turns_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
