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
    // The most that cost less than the limit behind so many taps, of what one of them counts as.
    const auto affordable = [&](Index most, const ModeCount& each, Index taps) {
        const auto times = [&](double part) { return part * static_cast<double>(most); };
        while (most > 0 && cost.state_space(n, {times(each.complex), times(each.real)}, taps) >= limit) {
            --most;
        }
        return most;
    };
    // Modes cost the least where all are real, eigenvalues then or where all are conjugate pairs.
    constexpr ModeCount real{.real = 1};
    constexpr ModeCount half_of_pair{.complex = 0.5};
    const bool has_dear_pairs = cost.state_space(n, real) <= cost.state_space(n, half_of_pair);
    StateSpaceFit<Scalar> best;
    Index hardest = 0;
    // Whether so many taps are better than those before.
    const auto try_taps = [&](Index taps) {
        StateSpaceFitOptions own = options;
        own.taps = taps;
        own.most_modes = affordable(own.most_modes, real, taps);
        const Index order = affordable(2 * own.most_modes, has_dear_pairs ? real : half_of_pair, taps);
        // Most numbers of taps fail in the channel that needs the most modes.
        if (taps > 1 &&
            !fit_state_space(lags.middle_cols(hardest, 1), tolerances.segment(hardest, 1).eval(), own, order)
                 .meets_all()) {
            return false;
        }
        StateSpaceFit<Scalar> fit = fit_state_space(lags, tolerances, own, order);
        for (Index c = 0; c < lags.cols(); ++c) {
            const auto modes = [&](Index i) { return fit.modes[static_cast<std::size_t>(i)]; };
            if (fit.meets(hardest) && (!fit.meets(c) || modes(c) > modes(hardest))) hardest = c;
        }
        const double costs = cost.state_space(n, fit.mode_count(), taps);
        const bool is_better = fit.meets_all() && costs < limit;
        if (is_better) limit = costs;
        if (is_better || taps == 1) best = std::move(fit);
        return is_better;
    };
    try_taps(1);
    for (const Index taps : {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}) {
        if (taps > n || cost.state_space(n, {}, taps) >= limit) break;
        try_taps(taps);
    }
    // Those between two that were tried.
    Index fewer = best.direct.rows() - 1;
    while (fewer > 1 && try_taps(fewer)) --fewer;
    return best;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
