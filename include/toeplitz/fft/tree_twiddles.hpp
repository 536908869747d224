// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The shape of the splitting tree: its size, the radix of each level and the factors of each node.

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/fft/tree_butterflies.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The angle 2π·numerator/denominator, 0 ≤ numerator < denominator. Its halves and multiples are exact, so
/// each factor of the tree is one cosine and one sine away from its exact value.
struct Turn {
    Index numerator;
    Index denominator;

    /// The angles of the two square roots: half of this one, and half a turn further.
    constexpr Turn left() const noexcept { return {numerator, 2 * denominator}; }
    constexpr Turn right() const noexcept { return {numerator + denominator, 2 * denominator}; }

    /// Cosine and sine; the functions see arguments within ±π/4 only.
    template <Real Scalar>
    std::array<Scalar, 2> point() const noexcept {
        const Index quadrant = (8 * numerator + denominator) / (2 * denominator);
        const double rest = static_cast<double>(4 * numerator - quadrant * denominator);
        const double angle = std::numbers::pi / 2 * (rest / static_cast<double>(denominator));
        const double c = std::cos(angle);
        const double s = std::sin(angle);
        const std::array<double, 4> turned = {c, -s, -c, s};
        return {static_cast<Scalar>(turned[static_cast<std::size_t>(quadrant % 4)]),
                static_cast<Scalar>(turned[static_cast<std::size_t>((quadrant + 3) % 4)])};
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

/// The angles of z^odd = i, as OddRoot orders them.
inline std::vector<Turn> odd_root_children(Index odd) {
    const Index first = odd % 4 == 1 ? 1 : 3;
    std::vector<Turn> children;
    for (Index k = 0; k < odd; ++k) children.push_back({(first * odd + 4 * k) % (4 * odd), 4 * odd});
    return children;
}

/// Which root of z^N = i each point of a tree of size N is: z_p = e^{2πi (order_p + 1/4)/N}.
inline Buffer<Index> tree_order(Index size) {
    const Index odd = size >> std::countr_zero(static_cast<std::uint64_t>(size));
    std::vector<Turn> nodes = odd_root_children(odd);
    while (static_cast<Index>(nodes.size()) < size) {
        std::vector<Turn> children;
        children.reserve(2 * nodes.size());
        for (const Turn& node : nodes) children.insert(children.end(), {node.left(), node.right()});
        nodes = std::move(children);
    }
    Buffer<Index> order(size);
    for (Index p = 0; p < size; ++p) order[p] = nodes[static_cast<std::size_t>(p)].numerator / 4;
    return order;
}

/// The levels of a tree and the factors of their nodes.
///
/// The nodes of a level, from left to right, are consecutive blocks of the array that holds the polynomials.
template <Real Scalar>
class TreePlan {
public:
    explicit TreePlan(Index length) : size_(tree_size(length)) {
        std::vector<Turn> nodes = {Turn{1, 4}};  // z^N − i
        std::vector<Scalar> factors;
        Index block = size_;
        const Index odd = size_ >> std::countr_zero(static_cast<std::uint64_t>(size_));
        if (odd > 1) {
            levels_.push_back({odd, 0});
            nodes = odd_root_children(odd);
            block /= odd;
        }
        while (block > 1) {
            const Index radix = choose_radix(block, levels_.empty());
            levels_.push_back({radix, static_cast<Index>(factors.size())});
            std::vector<Turn> children;
            children.reserve(nodes.size() * static_cast<std::size_t>(radix));
            for (const Turn& node : nodes) {
                append_factors(node, radix, factors);
                append_children(node, radix, children);
            }
            nodes = std::move(children);
            block /= radix;
        }
        factors_ = Buffer<Scalar>(static_cast<Index>(factors.size()));
        std::copy(factors.begin(), factors.end(), factors_.data());
    }

    /// N, the number of coefficients and of points.
    Index size() const noexcept { return size_; }

    Index levels() const noexcept { return static_cast<Index>(levels_.size()); }

    /// Children per node of a level.
    Index radix(Index level) const noexcept { return levels_[static_cast<std::size_t>(level)].radix; }

    /// The factors of a level's nodes, NodeRadix::factor_size each.
    const Scalar* factors(Index level) const noexcept {
        return factors_.data() + levels_[static_cast<std::size_t>(level)].factors;
    }

private:
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

    static void append_factors(const Turn& node, Index radix, std::vector<Scalar>& factors) {
        for (Index m = 1; m < radix; ++m) {
            const auto power = Turn{m * node.numerator, radix * node.denominator}.template point<Scalar>();
            factors.insert(factors.end(), power.begin(), power.end());
        }
    }

    static void append_children(const Turn& node, Index radix, std::vector<Turn>& children) {
        if (radix == 1) {
            children.push_back(node);
            return;
        }
        append_children(node.left(), radix / 2, children);
        append_children(node.right(), radix / 2, children);
    }

    Index size_;
    std::vector<Level> levels_;
    Buffer<Scalar> factors_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
