// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Loops along a row: whole vectors first, then the rest one by one. The order of sums depends on the length
/// of the row alone, not on its address.

#include <toeplitz/core/simd.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// How a sweep's body reads and writes: `lanes` neighbours at once, or one element.
template <Real Scalar>
struct PackAccess {
    using Value = typename Simd<Scalar>::Pack;
    TOEPLITZ_INLINE static Value load(const Scalar* p) noexcept { return Simd<Scalar>::load_unaligned(p); }
    TOEPLITZ_INLINE static void store(Scalar* p, Value v) noexcept { Simd<Scalar>::store_unaligned(p, v); }
};
template <Real Scalar>
struct ScalarAccess {
    using Value = Scalar;
    TOEPLITZ_INLINE static Value load(const Scalar* p) noexcept { return *p; }
    TOEPLITZ_INLINE static void store(Scalar* p, Value v) noexcept { *p = v; }
};

/// Calls f(access, j) so that every j = 0..n−1 is covered once.
template <Real Scalar, class F>
TOEPLITZ_INLINE void sweep(Index n, F&& f) {
    constexpr Index lanes = Simd<Scalar>::lanes;
    Index j = 0;
    for (; j + lanes <= n; j += lanes) f(PackAccess<Scalar>{}, j);
    for (; j < n; ++j) f(ScalarAccess<Scalar>{}, j);
}

/// Σ f(access, j): f returns the terms that begin at j.
template <Real Scalar, class F>
TOEPLITZ_INLINE Scalar sweep_sum(Index n, F&& f) {
    constexpr Index lanes = Simd<Scalar>::lanes;
    typename Simd<Scalar>::Pack sums{};
    Index j = 0;
    for (; j + lanes <= n; j += lanes) sums += f(PackAccess<Scalar>{}, j);
    Scalar rest = 0;
    for (; j < n; ++j) rest += f(ScalarAccess<Scalar>{}, j);
    Scalar total = 0;
    for (Index lane = 0; lane < lanes; ++lane) total += sums[lane];
    return total + rest;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
