// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tolerances of errors, of kernels of any amplitude.

#include <limits>

#include <toeplitz/approximation/norm_estimate.hpp>
#include <toeplitz/approximation/scale.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// absolute: ‖E‖₂ ≤ ε. relative: ‖E‖₂ ≤ ε ‖T‖₂, ‖T‖₂ taken from below.
enum class ToleranceKind { absolute, relative };

namespace detail {

/// Absolute tolerances of all channels, from a lower estimate of the norm where they are relative. Never
/// infinite, which any error meets.
/// \param lags all of them, of this kind
template <Causality causality, Real Scalar>
Vector<double> absolute_tolerances(MatrixView<const Scalar> lags, double tolerance, ToleranceKind kind) {
    if (kind == ToleranceKind::absolute) return Vector<double>::Constant(lags.cols(), tolerance);
    // Products of lags of about 1 do not overflow.
    Matrix<Scalar> scaled = lags.eigen();
    const ChannelScales scales{MatrixView<const Scalar>(scaled)};
    for (Index i = 0; i < scaled.rows(); ++i) {
        for (Index c = 0; c < scaled.cols(); ++c) {
            scaled(i, c) = static_cast<Scalar>(static_cast<double>(scaled(i, c)) * scales[c]);
        }
    }
    const Index length = causality == Causality::causal ? lags.rows() : (lags.rows() + 1) / 2;
    const Fft<Scalar, causality> exact({.length = length, .channels = lags.cols()}, scaled);
    // Less by what the products may round.
    constexpr double safety = 1 - 1e4 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
    Vector<double> tolerances = norm_estimate(exact);
    for (Index c = 0; c < tolerances.size(); ++c) {
        tolerances(c) = scaled_back_down(tolerances(c) * safety * tolerance, scales[c]);
    }
    return tolerances;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
