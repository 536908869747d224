// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the plan of a stream asks of a kernel: whether it is one, where it ends, and which one it is.

#include <cmath>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/stream/saved_state.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// \throws config_error 201, value_error 1004
template <Real Scalar>
void require_stream_lags(MatrixView<const Scalar> lags, const char* where) {
    require_positive(lags.rows(), where, "lags");
    require_positive(lags.cols(), where, "channels");
    for (Index t = 0; t < lags.rows(); ++t) {
        for (Index c = 0; c < lags.cols(); ++c) {
            if (is_finite(lags(t, c))) continue;
            raise<value_error>(1004, where, "finite lags", text("none at lag ", t, " of channel ", c));
        }
    }
}

/// Σ|h_t|, t ≥ first, of one channel, rounded up.
template <Real Scalar>
double tail_sum(MatrixView<const Scalar> lags, Index first, Index channel) noexcept {
    double sum = 0;
    for (Index t = lags.rows(); t-- > first;) sum += std::abs(static_cast<double>(lags(t, channel)));
    return sum * (1 + static_cast<double>(lags.rows()) * std::numeric_limits<double>::epsilon());
}

/// How many lags there are before tails of at most `tolerance` in all channels; at least one.
template <Real Scalar>
Index lags_before_tail(MatrixView<const Scalar> lags, double tolerance) noexcept {
    const double slack = 1 + static_cast<double>(lags.rows()) * std::numeric_limits<double>::epsilon();
    Index count = 1;
    for (Index c = 0; c < lags.cols(); ++c) {
        double sum = 0;
        for (Index t = lags.rows(); t > count; --t) {
            sum += std::abs(static_cast<double>(lags(t - 1, c)));
            if (sum * slack > tolerance) count = t;
        }
    }
    return count;
}

/// A hash of the lags and of what is given beside them.
template <Real Scalar>
std::uint64_t lags_fingerprint(MatrixView<const Scalar> lags, Index streams, Index block) noexcept {
    StreamFingerprint hash;
    if (block > 1) hash.add(block);
    for (const Index size : {streams, lags.rows(), lags.cols()}) hash.add(size);
    for (Index t = 0; t < lags.rows(); ++t) {
        for (Index c = 0; c < lags.cols(); ++c) hash.add(lags(t, c));
    }
    return hash.value();
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
