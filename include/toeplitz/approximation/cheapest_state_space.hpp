// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The taps and modes that are the cheapest within a tolerance: a few exact lags in front may save modes.

#include <toeplitz/approximation/state_space_fit.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Of the numbers of taps that it tries, the state space of the least cost that keeps the tolerances of all
/// channels and costs less than `limit`. Where there is none, one that does not.
/// \param lags n × d
/// \param options most_modes and rounding of them
template <Real Scalar>
StateSpaceFit<Scalar> cheapest_state_space(MatrixView<const Scalar> lags, const Vector<double>& tolerances,
                                           const StateSpaceFitOptions& options, const CostModel& cost,
                                           double limit) {
    const Index n = lags.rows();
    StateSpaceFit<Scalar> best;
    Index hardest = 0;
    // Whether so many taps are better than those before.
    const auto try_taps = [&](Index taps) {
        StateSpaceFitOptions own = options;
        own.taps = taps;
        while (own.most_modes > 0 && cost.state_space(n, own.most_modes, taps) >= limit) --own.most_modes;
        // Most numbers of taps fail in the channel that needs the most modes.
        if (taps > 1 &&
            !fit_state_space(lags.middle_cols(hardest, 1), tolerances.segment(hardest, 1).eval(), own)
                 .meets_all()) {
            return false;
        }
        StateSpaceFit<Scalar> fit = fit_state_space(lags, tolerances, own);
        for (Index c = 0; c < lags.cols(); ++c) {
            const auto modes = [&](Index i) { return fit.modes[static_cast<std::size_t>(i)]; };
            if (fit.meets(hardest) && (!fit.meets(c) || modes(c) > modes(hardest))) hardest = c;
        }
        const bool is_better = fit.meets_all() && cost.state_space(n, fit.poles.rows(), taps) < limit;
        if (is_better) limit = cost.state_space(n, fit.poles.rows(), taps);
        if (is_better || taps == 1) best = std::move(fit);
        return is_better;
    };
    try_taps(1);
    for (const Index taps : {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}) {
        if (taps > n || cost.state_space(n, 0, taps) >= limit) break;
        try_taps(taps);
    }
    // Those between two that were tried.
    Index fewer = best.direct.rows() - 1;
    while (fewer > 1 && try_taps(fewer)) --fewer;
    return best;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
