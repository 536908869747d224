// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A state space in place of another approximation of a causal kernel, where it is cheaper.

#include <toeplitz/approximation/state_space_fit.hpp>

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

/// \param best of these lags, with tolerances and cost; replaced by a state space that keeps the tolerances
/// of all channels and costs less
template <Real Scalar>
void prefer_state_space(MatrixView<const Scalar> lags, const ChooseOptions& options,
                        Approximation<Scalar>& best) {
    const Index n = (lags.rows() + 1) / 2;
    Index most = options.most_modes;
    while (most > 0 && options.cost.state_space(n, most) >= best.cost) --most;
    if (most == 0 || !is_causal(lags)) return;
    const StateSpaceFit<Scalar> fit = fit_state_space(lags.middle_rows(n - 1, n), best.tolerances,
                                                      {.most_modes = most, .rounding = options.rounding});
    if (!fit.meets_all()) return;
    Approximation<Scalar> made;
    made.poles = parts_of(fit.poles);
    made.residues = parts_of(fit.residues);
    made.direct = fit.direct;
    made.bounds = fit.bounds;
    made.tolerances = std::move(best.tolerances);
    made.cost = options.cost.state_space(n, made.modes());
    made.exact_cost = best.exact_cost;
    best = std::move(made);
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
