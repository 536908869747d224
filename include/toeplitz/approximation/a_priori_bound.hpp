// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Bounds on ‖T − W A Wᵀ‖₂ before any value is computed, for kernels known by formula (docs/certificates.md).
///
/// They hold for inducing values k(δh) and n ≥ r ≥ 2 without a band. With one, they hold for the kernel that
/// the band leaves: k where it is smooth, bridged inside. Each is 0 for r = n, where the product is exact,
/// and includes its own roundings.

#include <cmath>
#include <limits>
#include <numbers>
#include <span>

#include <toeplitz/core/error.hpp>
#include <toeplitz/core/finite.hpp>
#include <toeplitz/kernels/inducing_points.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// h, or 0 for r = n. \throws config_error 201 or 554
inline double checked_spacing(Index length, Index rank, const char* where) {
    require_positive(length, where, "length");
    if (rank < std::min<Index>(length, 2)) {
        raise<config_error>(554, where, "a rank of at least 2", std::to_string(rank));
    }
    return rank >= length ? 0.0 : InducingPoints(length, rank).spacing();
}

/// What a kernel's constant has to be for a bound to be one. \throws config_error 559
inline void require_constant(double constant, const char* where) {
    if (is_finite(constant) && constant >= 0) return;
    raise<config_error>(559, where, "a finite constant >= 0", text(constant));
}

/// Above what half a dozen roundings have made of a bound, those of the smallest numbers included.
inline double rounded_up(double bound) noexcept {
    constexpr double slack = 4 * std::numeric_limits<double>::epsilon();
    return bound > 0 ? std::nextafter(bound * (1 + slack), std::numeric_limits<double>::infinity()) : bound;
}

}  // namespace detail

/// (h²/4 + h/2) TV(k′), TV over (−(n−1), n−1): the sharpest in general. k is continuous; kinks are allowed,
/// each of which adds the jump of its slope.
/// \throws config_error 201, 554 or 559
inline double variation_bound(Index length, Index rank, double variation_of_slope) {
    const double h = detail::checked_spacing(length, rank, "variation_bound");
    detail::require_constant(variation_of_slope, "variation_bound");
    return detail::rounded_up((h * h / 4 + h / 2) * variation_of_slope);
}

/// n h² M/4 for |k″| ≤ M: each entry is off by h² M/4 at most.
/// \throws config_error 201, 554 or 559
inline double curvature_bound(Index length, Index rank, double largest_second_derivative) {
    const double h = detail::checked_spacing(length, rank, "curvature_bound");
    detail::require_constant(largest_second_derivative, "curvature_bound");
    return detail::rounded_up(static_cast<double>(length) * h * h / 4 * largest_second_derivative);
}

/// (h²/4) max Σ M(t) over the windows of n lags, M(t) = sup |k″(s)| over |s − t| ≤ 2h; 2n−1 values, the first
/// of which is for lag −(n−1).
/// \throws config_error 201, 554 or 559, shape_error 550
inline double local_curvature_bound(Index length, Index rank, std::span<const double> second_derivatives) {
    const double h = detail::checked_spacing(length, rank, "local_curvature_bound");
    if (static_cast<Index>(second_derivatives.size()) != 2 * length - 1) {
        detail::raise<shape_error>(550, "local_curvature_bound", detail::text(2 * length - 1, " values"),
                                   detail::text(static_cast<Index>(second_derivatives.size())));
    }
    for (const double value : second_derivatives) detail::require_constant(value, "local_curvature_bound");
    const auto n = static_cast<std::size_t>(length);
    double window = 0;
    for (std::size_t i = 0; i < n; ++i) window += second_derivatives[i];
    double total = window;
    double largest = window;
    for (std::size_t i = 0; i + 1 < n; ++i) {
        window += second_derivatives[i + n] - second_derivatives[i];
        largest = (std::max)(largest, window);
        total += second_derivatives[i + n];
    }
    // Each of 3n sums is off by a rounding of the total.
    largest += 2 * static_cast<double>(length) * std::numeric_limits<double>::epsilon() * total;
    return detail::rounded_up(h * h / 4 * largest);
}

/// n L h/√2 for |k(s) − k(t)| ≤ L |s − t|.
/// \throws config_error 201, 554 or 559
inline double lipschitz_bound(Index length, Index rank, double lipschitz_constant) {
    const double h = detail::checked_spacing(length, rank, "lipschitz_bound");
    detail::require_constant(lipschitz_constant, "lipschitz_bound");
    return detail::rounded_up(static_cast<double>(length) * h * lipschitz_constant / std::numbers::sqrt2);
}

/// J (3h/4 + 3/2): what a jump of size J adds to any of the others.
/// \throws config_error 201, 554 or 559
inline double jump_bound(Index length, Index rank, double jump) {
    const double h = detail::checked_spacing(length, rank, "jump_bound");
    detail::require_constant(std::abs(jump), "jump_bound");
    return h > 0 ? detail::rounded_up(std::abs(jump) * (0.75 * h + 1.5)) : 0.0;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
