// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Counter-based random numbers: the same on every platform, compiler and thread count.

#include <cmath>
#include <numbers>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The value at position `i` of stream `seed` is a hash of both, so any element can be drawn in any order.
///
/// The hash is two rounds of the SplitMix64 finaliser (Steele, Lea, Flood 2014). Not for cryptography.
class CounterRandom {
public:
    explicit constexpr CounterRandom(std::uint64_t seed) noexcept : key_(mix(seed + golden)) {}

    /// 64 uniform bits.
    constexpr std::uint64_t bits(std::uint64_t i) const noexcept {
        return mix(key_ ^ mix(i * golden + key_));
    }

    /// Uniform in [0, 1), 53 bits.
    constexpr double uniform(std::uint64_t i) const noexcept {
        return static_cast<double>(bits(i) >> 11) * 0x1.0p-53;
    }

    /// Uniform in [low, high).
    constexpr double uniform(std::uint64_t i, double low, double high) const noexcept {
        return low + (high - low) * uniform(i);
    }

    /// Standard normal, by Box and Muller.
    double normal(std::uint64_t i) const noexcept {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(2 * i)));
        return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * i + 1));
    }

private:
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;

    static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

    std::uint64_t key_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
