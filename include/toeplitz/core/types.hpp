// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Index, scalars, matrices and the enumerations shared by all floors.

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <Eigen/Core>

#include <toeplitz/core/config.hpp>
#include <toeplitz/core/error.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Sizes and positions. 64 bits: products such as i·(r−1) exceed 2³¹ from n ≈ 46341.
using Index = std::int64_t;

/// An element of a vocabulary: 0..vocabulary−1.
using Token = std::int32_t;

/// Scalars of the fast paths.
template <class T>
concept Real = std::same_as<T, float> || std::same_as<T, double>;

/// Scalars of the reference paths.
template <class T>
concept ReferenceReal = std::floating_point<T>;

/// A sequence (time × channels), or a kernel (lags × channels): row-major, channels contiguous.
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// Which lags a kernel has: all of −(n−1)..n−1, or only 0..n−1.
enum class Causality { bidirectional, causal };

/// Which linear map a product uses: T, or its transpose.
enum class Direction { forward, adjoint };

/// What a product does with its output: y = T x, or y += T x.
enum class Update { assign, add };

/// Lags of a kernel of length n: row `t + first_lag_row(n)` holds lag t.
constexpr Index first_lag_row(Index length, Causality causality) noexcept {
    return causality == Causality::causal ? 0 : length - 1;
}

/// Rows of a kernel of length n: 2n−1 lags, or n where it is causal.
constexpr Index lag_count(Index length, Causality causality) noexcept {
    return causality == Causality::causal ? length : 2 * length - 1;
}

namespace detail {

/// A count that fits: 64 bits as std::size_t, which has 32 on some targets.
template <class T>
constexpr std::size_t to_size(T count) noexcept {
    return static_cast<std::size_t>(count);
}

/// a·b, or config_error 202 where the product leaves Index.
inline Index checked_product(Index a, Index b, const char* what) {
    Index product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        raise<config_error>(202, what, "a size below 2^63", text(a, " * ", b));
    }
    return product;
}

/// Throws config_error 201 unless value ≥ 1.
inline void require_positive(Index value, const char* where, const char* name) {
    if (value < 1) {
        raise<config_error>(201, where, text(name, " >= 1"), std::to_string(value));
    }
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
