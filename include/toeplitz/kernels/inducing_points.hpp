// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Evenly spaced inducing points of a sequence, and the linear interpolation W from them to all time steps.

#include <algorithm>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Inducing points actually used: min(r, n).
constexpr Index effective_rank(Index length, Index rank) noexcept { return rank < length ? rank : length; }

/// Points p_a = a·h, a = 0..r−1, over the time steps 0..n−1, h = (n−1)/(r−1); h = 0 where there is only one.
/// Or as many as the n time steps need, spaced as those of another length are.
class InducingPoints {
public:
    /// \param length n ≥ 1
    /// \param rank r ≥ 1; more than n are as good as n
    constexpr InducingPoints(Index length, Index rank) noexcept
        : rank_(effective_rank(length, rank)),
          steps_(std::max<Index>(rank_ - 1, 1)),
          span_(std::max<Index>(length - 1, 1)) {}

    /// Spaced as `rank` points over n₀ = spacing_length time steps, h = (n₀−1)/(rank−1): the first ones of
    /// all that there are, up to the first at or beyond n−1, so that no length sees another kernel. One point
    /// alone has no spacing, and is one at any length.
    constexpr InducingPoints(Index length, Index rank, Index spacing_length) noexcept
        : InducingPoints(length, rank) {
        const Index trained = effective_rank(spacing_length, rank);
        if (trained < 2) return;
        steps_ = trained - 1;
        span_ = spacing_length - 1;
        const Index last = (length - 1) * steps_;
        rank_ = last / span_ + (last % span_ > 0 ? 1 : 0) + 1;
    }

    constexpr Index rank() const noexcept { return rank_; }

    /// Distance h between neighbours, in time steps.
    constexpr double spacing() const noexcept { return lag(1); }

    /// The lag δ·h. Exact where it is an integer.
    constexpr double lag(Index delta) const noexcept {
        return rank_ < 2 ? 0.0 : static_cast<double>(delta * span_) / static_cast<double>(steps_);
    }

    /// Row i of W: what the inducing point `below` and the next one count. They sum to 1; with r = n they are
    /// 1 and 0, or 0 and 1, exactly.
    struct Weights {
        Index below;
        double lower;
        double upper;
    };
    constexpr Weights at(Index i) const noexcept {
        if (rank_ < 2) return {0, 1.0, 0.0};
        const Index position = i * steps_;
        const Index below = (std::min)(position / span_, rank_ - 2);
        const Index offset = position - below * span_;
        return {below, static_cast<double>(span_ - offset) / static_cast<double>(span_),
                static_cast<double>(offset) / static_cast<double>(span_)};
    }

private:
    Index rank_;
    Index steps_;
    Index span_;
};

/// The lags δ·h, δ = −(r−1)..r−1, at which a Ski operator wants its kernel.
inline Vector<double> inducing_lags(const InducingPoints& points) {
    Vector<double> lags(2 * points.rank() - 1);
    for (Index row = 0; row < lags.size(); ++row) lags(row) = points.lag(row + 1 - points.rank());
    return lags;
}
/// The same of r points on n time steps.
inline Vector<double> inducing_lags(Index length, Index rank) {
    return inducing_lags(InducingPoints(length, rank));
}

/// The lags that a kernel of length n has, in the order of its rows: −(n−1)..n−1, or 0..n−1.
inline Vector<double> all_lags(Index length, Causality causality = Causality::bidirectional) {
    const Index first = first_lag_row(length, causality);
    Vector<double> lags(lag_count(length, causality));
    for (Index row = 0; row < lags.size(); ++row) lags(row) = static_cast<double>(row - first);
    return lags;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
