// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Band and inducing values of given sizes that approximate a kernel given by its lags.

#include <toeplitz/approximation/error_bound.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Throws config_error 552 unless 0 ≤ r ≤ n and −1 ≤ b ≤ n−1.
inline void check_sizes(Index length, Index rank, Index half_width, const char* where) {
    if (rank < 0 || rank > length || half_width < -1 || half_width >= length) {
        raise<config_error>(552, where,
                            text("a rank of 0..", length, " and a half width of -1..", length - 1),
                            text(rank, " and ", half_width));
    }
}

/// The cubic through four neighbouring lags, two on either side of `lag` where there are as many; the lag
/// itself where it is an integer. Fewer than four lags: the polynomial through them all. Times `scale`.
template <Real Scalar>
double interpolated_lag(MatrixView<const Scalar> lags, double lag, Index channel, double scale) {
    const Index n = (lags.rows() + 1) / 2;
    const Index below = static_cast<Index>(std::floor(lag));
    const auto value = [&](Index t) { return static_cast<double>(lags(t + n - 1, channel)) * scale; };
    if (static_cast<double>(below) == lag) return value(below);
    const Index points = std::min<Index>(4, lags.rows());
    const Index first = std::clamp(below - 1, 1 - n, n - points);
    double sum = 0;
    for (Index i = 0; i < points; ++i) {
        double weight = 1;
        for (Index j = 0; j < points; ++j) {
            if (j != i) weight *= (lag - static_cast<double>(first + j)) / static_cast<double>(i - j);
        }
        sum += weight * value(first + i);
    }
    return sum;
}

/// Second differences of every column; the outermost ones are their neighbours'.
inline double second_difference_at(const Matrix<double>& values, Index row, Index channel) {
    const Index at = std::clamp<Index>(row, 1, values.rows() - 2);
    return values(at - 1, channel) - 2 * values(at, channel) + values(at + 1, channel);
}

/// Replaces rows −inside..inside around the middle by the cubic through the two on either side. The fourth
/// differences of a cubic vanish, which is the condition for the least sum of squared second differences.
inline void bridge_rows(Matrix<double>& values, Index inside) {
    const Index middle = (values.rows() - 1) / 2;
    const double p = static_cast<double>(inside + 1);
    const double q = static_cast<double>(inside + 2);
    const auto even = [&](Index delta, Index c) {
        return (values(middle + delta, c) + values(middle - delta, c)) / 2;
    };
    const auto odd = [&](Index delta, Index c) {
        return (values(middle + delta, c) - values(middle - delta, c)) / 2;
    };
    for (Index c = 0; c < values.cols(); ++c) {
        const double even_p = even(inside + 1, c);
        const double even_q = even(inside + 2, c);
        const double odd_p = odd(inside + 1, c) / p;
        const double odd_q = odd(inside + 2, c) / q;
        for (Index delta = -inside; delta <= inside; ++delta) {
            const double x = static_cast<double>(delta);
            const double from_q = (x * x - p * p) / (q * q - p * p);
            values(middle + delta, c) =
                even_p + from_q * (even_q - even_p) + x * (odd_p + from_q * (odd_q - odd_p));
        }
    }
}

/// Taps of half width b ≥ 0 for all channels: the middle of what the error is without them.
template <Real Scalar>
Matrix<Scalar> middle_taps(const InterpolationError<Scalar>& error, Index half_width) {
    Matrix<Scalar> taps(2 * half_width + 1, error.channels());
    const Index first = error.length() - 1 - half_width;
    for (Index c = 0; c < taps.cols(); ++c) {
        error.template for_rows<double>(first, first + taps.rows(), c, [&](Index row, const auto& e) {
            taps(row - first, c) = static_cast<Scalar>(e.center / error.scale(c));
        });
    }
    return taps;
}

}  // namespace detail

/// The kernel at the inducing lags δh, (2r−1) × d, from its values at integer lags: exact where δh is an
/// integer, by a cubic through four lags elsewhere.
/// \throws shape_error 550, config_error 552
template <class Lags>
Matrix<typename Lags::Scalar> sample_inducing(const Lags& lags_like, Index rank) {
    using Scalar = typename Lags::Scalar;
    const MatrixView<const Scalar> lags(lags_like);
    const Index n = detail::checked_length(lags, "sample_inducing");
    detail::check_sizes(n, rank, -1, "sample_inducing");
    if (rank == 0) return Matrix<Scalar>(0, lags.cols());
    const Vector<double> at = inducing_lags(n, rank);
    Matrix<Scalar> values(at.size(), lags.cols());
    for (Index i = 0; i < values.rows(); ++i) {
        for (Index c = 0; c < values.cols(); ++c) {
            values(i, c) = static_cast<Scalar>(detail::interpolated_lag(lags, at(i), c, 1));
        }
    }
    return values;
}

/// Sampled inducing values, (2r−1) × d, changed to those of `mode` for a band of half width b (−1: no band).
/// \throws config_error 552
template <Real Scalar>
Matrix<Scalar> adjust_inducing(const Matrix<Scalar>& sampled, Index length, Index half_width,
                               InducingMode mode) {
    const Index r = (sampled.rows() + 1) / 2;
    detail::check_sizes(length, r, half_width, "adjust_inducing");
    // With all lags among the inducing ones there is nothing to gain.
    if (mode == InducingMode::sample || r < 2 || r == length) return sampled;
    // A bridge multiplies the values around it by some of its width, which must not overflow on the way.
    const detail::ChannelScales scales{MatrixView<const Scalar>(sampled)};
    Matrix<double> values(sampled.rows(), sampled.cols());
    for (Index i = 0; i < values.rows(); ++i) {
        for (Index c = 0; c < values.cols(); ++c) {
            values(i, c) = static_cast<double>(sampled(i, c)) * scales[c];
        }
    }
    const bool bridges = mode == InducingMode::bridge || mode == InducingMode::balanced_bridge;
    if (bridges && half_width >= 0 && r >= 3) {
        detail::bridge_rows(values, (std::min)(InducingPoints(length, r).at(half_width).below, r - 3));
    }
    const double balance = mode == InducingMode::bridge ? 0 : 0.125;
    Matrix<Scalar> adjusted(values.rows(), values.cols());
    for (Index i = 0; i < values.rows(); ++i) {
        for (Index c = 0; c < values.cols(); ++c) {
            const double value = values(i, c) - balance * detail::second_difference_at(values, i, c);
            adjusted(i, c) = static_cast<Scalar>(value / scales[c]);
        }
    }
    return adjusted;
}

/// The taps of half width b that minimise the bounds for given inducing values, m × d with m = 2b + 1: on
/// each diagonal the middle of what is left of it. b = −1: none.
/// \throws shape_error 550 or 551, config_error 552, value_error 530
template <Real Scalar>
Matrix<Scalar> optimal_taps(std::type_identity_t<MatrixView<const Scalar>> lags,
                            const Matrix<Scalar>& inducing, Index half_width) {
    const Index n = detail::checked_length(lags, "optimal_taps");
    const Index r = (inducing.rows() + 1) / 2;
    detail::check_sizes(n, r, half_width, "optimal_taps");
    if (half_width < 0) return Matrix<Scalar>(0, lags.cols());
    detail::InducingGrid grid(n, std::max<Index>(r, 1), detail::InducingGrid::Rows::none);
    grid.fill(n - 1 - half_width, n + half_width);
    detail::ChannelScales scales(lags.middle_rows(n - 1 - half_width, 2 * half_width + 1));
    scales.include(MatrixView<const Scalar>(inducing));
    return detail::middle_taps(
        detail::InterpolationError<Scalar>(lags, MatrixView<const Scalar>{}, inducing, grid, scales),
        half_width);
}

struct ApproximationOptions {
    Index half_width = -1;                     ///< b of −1..n−1; −1: no band
    Index rank = 0;                            ///< r of 0..n; 0: no low-rank part
    InducingMode mode = InducingMode::sample;  ///< where the inducing values come from

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("half_width", sets.half_width...);
        f("rank", sets.rank...);
        f("mode", sets.mode...);
    }
};

/// Band and inducing values for a kernel given at all lags, (2n−1) × d.
/// \throws shape_error 550, config_error 552, value_error 530
/// Cost O(r d + b d) but for a check of all lags | heap: the result | thread-safe: yes
template <class Lags>
Approximation<typename Lags::Scalar> approximate(const Lags& lags, const ApproximationOptions& options) {
    using Scalar = typename Lags::Scalar;
    Approximation<Scalar> result;
    result.mode = options.mode;
    const Index n = (lags.rows() + 1) / 2;
    result.inducing =
        adjust_inducing<Scalar>(sample_inducing(lags, options.rank), n, options.half_width, options.mode);
    result.taps = optimal_taps<Scalar>(lags, result.inducing, options.half_width);
    return result;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
