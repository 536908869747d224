// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// State spaces in place of another approximation, where they are cheaper: one of a causal kernel, of others
/// one for each direction of time.

#include <toeplitz/approximation/cheapest_state_space.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Whether no lag t < 0 has weight.
template <Real Scalar>
bool is_causal(MatrixView<const Scalar> lags) noexcept {
    for (Index row = 0; row < (lags.rows() - 1) / 2; ++row) {
        for (Index c = 0; c < lags.cols(); ++c) {
            if (lags(row, c) != 0) return false;
        }
    }
    return true;
}

/// The same kernel and tolerances as `from`, by state spaces; their bounds are to be filled in.
template <Real Scalar>
Approximation<Scalar> of_state_spaces(const Approximation<Scalar>& from, const StateSpaceFit<Scalar>& forward,
                                      double cost) {
    Approximation<Scalar> made;
    made.poles = parts_of(forward.poles);
    made.residues = parts_of(forward.residues);
    made.direct = forward.direct;
    made.tolerances = from.tolerances;
    made.cost = cost;
    made.exact_cost = from.exact_cost;
    return made;
}

/// \param best of these lags, with tolerances and cost; replaced by state spaces that keep the tolerances of
/// all channels and cost less
template <Real Scalar>
void prefer_state_space(MatrixView<const Scalar> lags, const ChooseOptions& options,
                        Approximation<Scalar>& best) {
    if (options.most_modes == 0) return;
    const Index n = (lags.rows() + 1) / 2;
    const StateSpaceFitOptions fit_options{.most_modes = options.most_modes, .rounding = options.rounding};
    const auto cost = [&](const StateSpaceFit<Scalar>& fit) {
        return options.cost.state_space(n, fit.mode_count(), fit.direct.rows());
    };
    // Whether `fit` becomes one that keeps the tolerances and costs less than the limit.
    const auto find = [&](const Matrix<Scalar>& half, const Vector<double>& tolerances, double limit,
                          StateSpaceFit<Scalar>& fit) {
        fit = cheapest_state_space(MatrixView<const Scalar>(half), tolerances, fit_options, options.cost,
                                   limit);
        return fit.meets_all() && cost(fit) < limit;
    };
    const auto halves = halves_of(lags);
    StateSpaceFit<Scalar> forward;
    StateSpaceFit<Scalar> backward;
    if (is_causal(lags)) {
        if (!find(halves.first, best.tolerances, best.cost, forward)) return;
        best = of_state_spaces(best, forward, cost(forward));
        best.bounds = forward.bounds;
        return;
    }
    // One direction gets a share of the tolerance, the other what is left of it.
    constexpr double up = 1 + 4 * std::numeric_limits<double>::epsilon();
    for (const double share : {0.75, 0.5, 0.25, 0.9, 0.1}) {
        const double left = best.cost - options.cost.state_space(n, {});
        if (!find(halves.first, best.tolerances * share, left, forward)) continue;
        if (!find(halves.second, (best.tolerances - forward.bounds) / (up * up), best.cost - cost(forward),
                  backward)) {
            continue;
        }
        best = of_state_spaces(best, forward, cost(forward) + cost(backward));
        best.backward_poles = parts_of(backward.poles);
        best.backward_residues = parts_of(backward.residues);
        best.backward_direct = backward.direct;
        best.bounds = state_space_bound(lags, forward.kernel(), backward.kernel())
                          .cwiseMin((forward.bounds + backward.bounds) * up);
    }
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
