// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a product costs on each path: the measure by which choose() prefers one to another.

#include <cmath>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/fft/tree.hpp>
#include <toeplitz/operators/state_space_kernel.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Nanoseconds of one forward product, per channel and sequence, as a few measured constants.
///
/// The defaults are those of float on one core of a server with 32-byte vectors (AMD EPYC, Zen 3), those of
/// state spaces of another one, where a tap takes 2.3 times as long, in proportion; only their ratios matter.
/// A benchmark can fill them in.
struct CostModel {
    double transform_point = 0.3;   ///< exact product: per point of its transforms …
    double transform_level = 0.19;  ///< … and per point and log₂ of their number
    double direct_tap = 0.045;      ///< exact product of a short sequence: per pair of time steps
    double direct_length = 32;      ///< longest sequence that is multiplied directly
    double band_step = 0.2;         ///< band: per time step …
    double band_tap = 0.023;        ///< … and per time step and tap
    double ski_step = 0.42;         ///< low rank: per time step, besides the product of length r
    double modes_step = 0.13;       ///< state space: per time step …
    double complex_mode = 0.157;    ///< … per time step and complex mode …
    double real_mode = 0.053;       ///< … and per time step and real mode (ModeCount)

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("transform_point", sets.transform_point...);
        f("transform_level", sets.transform_level...);
        f("direct_tap", sets.direct_tap...);
        f("direct_length", sets.direct_length...);
        f("band_step", sets.band_step...);
        f("band_tap", sets.band_tap...);
        f("ski_step", sets.ski_step...);
        f("modes_step", sets.modes_step...);
        f("complex_mode", sets.complex_mode...);
        f("real_mode", sets.real_mode...);
    }

    /// The exact operator, Fft.
    double exact(Index length) const {
        const double n = static_cast<double>(length);
        if (n <= direct_length) return n * n * direct_tap;
        const double points = static_cast<double>(detail::tree_size(length));
        return points * (transform_point + transform_level * std::log2(points));
    }

    /// m taps (0: no band) and r inducing points (0: no low rank): Band, Ski or their sum.
    double sparse_plus_low_rank(Index length, Index taps, Index rank) const {
        const double n = static_cast<double>(length);
        double cost = n * band_tap * static_cast<double>(taps);
        // The sum is one pass over the sequence: the band alone has to make its own.
        cost += rank > 0 ? n * ski_step + exact(rank) : n * band_step;
        return cost;
    }

    /// Modes (count_modes) and m taps: StateSpace. A single tap costs nothing, more of them are a pass of
    /// their own.
    double state_space(Index length, const ModeCount& modes, Index taps = 1) const {
        const double band = taps > 1 ? band_step + band_tap * static_cast<double>(taps) : 0;
        return static_cast<double>(length) *
               (modes_step + complex_mode * modes.complex + real_mode * modes.real + band);
    }
};

namespace detail {

/// \throws config_error 558
inline void require_cost(const CostModel& cost, const char* where) {
    const auto require = [&](const char* name, double constant) {
        if (is_finite(constant) && constant >= 0) return;
        raise<config_error>(558, where, text("a finite cost.", name, " >= 0"), text(constant));
    };
    CostModel::for_each_option(require, cost);
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
