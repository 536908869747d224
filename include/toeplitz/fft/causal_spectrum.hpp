// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Whole matrices through the discrete Hilbert transform: real part → causal kernel and its spectrum.

#include <toeplitz/fft/half_spectrum.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Threads for a half-spectrum transform of all channels, at some nanoseconds a point.
template <Real Scalar>
int transform_threads(const HalfSpectrum<Scalar>& transform, Index channels) noexcept {
    constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
    return thread_count((channels + lanes - 1) / lanes, transform.grid() * channels * 2);
}

/// Calls f(first channel, width, scratch) for each group of channels, in parallel.
template <Real Scalar, class F>
void for_channel_groups(const HalfSpectrum<Scalar>& transform, Index channels, Index scratch_size,
                        Workspace& ws, F&& f) {
    constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
    const Index groups = (channels + lanes - 1) / lanes;
    const int threads = transform_threads(transform, channels);
    ws.reserve(ThreadScratch<Scalar>::bytes(scratch_size, threads));
    Workspace::Scope scope(ws);
    const ThreadScratch<Scalar> scratch(scope, scratch_size, threads);
    parallel_chunks(groups, threads, [&](Index begin, Index end, int thread) {
        for (Index g = begin; g < end; ++g)
            f(g * lanes, std::min(lanes, channels - g * lanes), scratch[thread]);
    });
}

inline void require_frequencies(Index got, Index grid, const char* where) {
    if (got != frequency_count(grid)) {
        raise<shape_error>(310, where,
                           detail::text(frequency_count(grid), " frequencies for a grid of ", grid),
                           std::to_string(got));
    }
}

}  // namespace detail

/// The spectrum of the causal kernel whose frequency response has the given real part.
///
/// H = R + i·Hilbert(R), computed as rfft(u ⊙ irfft(R, N)); its inverse transform vanishes at negative lags.
/// \param real_part (N/2+1) × channels: R at ω_k = 2πk/N
/// \param grid N, even or odd
/// \returns (N/2+1) × channels; its real part is `real_part` to rounding
/// \throws shape_error 310, config_error 201 or 202, plan_error 301
/// Cost O(N log N) per channel | heap: result and scratch | thread-safe: yes
template <Real Scalar>
Matrix<std::complex<Scalar>> causal_spectrum(const Matrix<Scalar>& real_part, Index grid) {
    const HalfSpectrum<Scalar> transform(grid);
    detail::require_frequencies(real_part.rows(), grid, "causal_spectrum");
    const Index channels = real_part.cols();
    Matrix<std::complex<Scalar>> spectrum(real_part.rows(), channels);
    constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
    const Index half = grid / 2;
    Workspace ws;
    detail::for_channel_groups(transform, channels, transform.scratch_size() + (half + 1) * lanes, ws,
                               [&](Index first, Index width, Scalar* scratch) {
                                   Scalar* lags = scratch + transform.scratch_size();
                                   transform.to_lags(real_part.data() + first, channels, width,
                                                     Causality::causal, half, 0, lags, lanes, scratch);
                                   transform.to_spectrum(lags, lanes, half, width, spectrum.data() + first,
                                                         channels, scratch);
                               });
    return spectrum;
}

/// The adjoint of causal_spectrum as a real-linear map: ∂L/∂R from ∂L/∂Re H + i ∂L/∂Im H.
/// \throws shape_error 310, config_error 201 or 202, plan_error 301
template <Real Scalar>
Matrix<Scalar> causal_spectrum_adjoint(const Matrix<std::complex<Scalar>>& gradient, Index grid) {
    const HalfSpectrum<Scalar> transform(grid);
    detail::require_frequencies(gradient.rows(), grid, "causal_spectrum_adjoint");
    const Index channels = gradient.cols();
    Matrix<Scalar> real_part = Matrix<Scalar>::Zero(gradient.rows(), channels);
    constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
    const Index half = grid / 2;
    Workspace ws;
    detail::for_channel_groups(
        transform, channels, transform.scratch_size() + (half + 1) * lanes, ws,
        [&](Index first, Index width, Scalar* scratch) {
            Scalar* lags = scratch + transform.scratch_size();
            transform.to_lag_gradient(gradient.data() + first, channels, width, half, lags, lanes, scratch);
            transform.accumulate_spectrum(lags, lanes, Causality::causal, half, 0, width,
                                          real_part.data() + first, channels, scratch);
        });
    return real_part;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
