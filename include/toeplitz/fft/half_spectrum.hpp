// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between the half spectrum of a real kernel and its lags: the discrete Hilbert transform of the causal
/// kernel, the bidirectional one, and the adjoint of both.

#include <algorithm>
#include <type_traits>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>
#include <toeplitz/fft/fftw.hpp>
#include <toeplitz/fft/row_tiles.hpp>
#include <toeplitz/fft/size.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Frequencies ω_k = 2πk/N, k = 0..N/2, of a real signal of N points.
constexpr Index frequency_count(Index grid) noexcept { return grid / 2 + 1; }

/// The default grid for kernels of length n: even, smooth and ≥ 2n−1, so that no lag wraps onto another.
/// \throws config_error 202 when it would leave FFTW's range
inline Index default_frequency_grid(Index length) {
    return smooth_even_size(2 * std::max<Index>(length, 1) - 1);
}

/// Transforms of a group of channels between N/2+1 frequencies and the lags of a kernel.
///
/// Spectra are rows of frequencies × channels, either real (`Spectrum = Scalar`: the real part R of a causal
/// kernel's response) or complex (`Spectrum = std::complex<Scalar>`). Lags are rows of lags × channels.
/// Let e = irfft(spectrum, N). A bidirectional kernel is k(t) = e_{t mod N}. A causal kernel is h_t = u_t e_t
/// with the window u of the discrete Hilbert transform: 1 at lag 0, 2 at 0 < t < N/2, 1 at t = N/2 where N is
/// even, 0 beyond; then Re rfft(h) = R exactly (paper's frequency-domain causal kernel).
///
/// All calls are const, allocate nothing and are safe at the same time with distinct scratch.
template <Real Scalar>
class HalfSpectrum {
public:
    using Complex = std::complex<Scalar>;

    /// Channels per group: one cache line of a row.
    static constexpr Index lanes = detail::tile_lanes<Scalar>;

    /// \throws config_error 201 or 202, plan_error 301
    explicit HalfSpectrum(Index grid) : grid_(grid) {
        detail::require_positive(grid, "HalfSpectrum", "grid");
        // Plans first: they refuse a grid whose strides would overflow.
        forward_ = fftw_plan<Scalar>(FftwKind::real_forward, grid);
        backward_ = fftw_plan<Scalar>(FftwKind::real_backward, grid);
        constexpr Index pad = static_cast<Index>(buffer_alignment / sizeof(Complex));
        frequency_stride_ = (frequency_count(grid) / pad + 2) * pad;
        time_stride_ = (grid / (2 * pad) + 2) * 2 * pad;
    }

    Index grid() const noexcept { return grid_; }
    Index frequencies() const noexcept { return frequency_count(grid_); }

    /// Scalars of scratch, aligned to buffer_alignment, that a call needs.
    Index scratch_size() const noexcept { return lanes * (2 * frequency_stride_ + time_stride_); }

    /// lags[t·stride + c] = u_t e_t for t = −negative..positive (all u_t = 1 where bidirectional).
    /// Needs positive + negative < N; `width` ≤ lanes channels.
    template <class Spectrum>
    void to_lags(const Spectrum* spectrum, Index spectrum_stride, Index width, Causality causality,
                 Index positive, Index negative, Scalar* lags, Index stride, Scalar* scratch) const noexcept {
        load_frequencies(spectrum, spectrum_stride, width, scratch, [](Index) { return Scalar(1); });
        to_time(width, scratch);
        const Scalar scale = Scalar(1) / static_cast<Scalar>(grid_);
        detail::write_columns<lanes, Update::assign>(
            lags, stride, -negative, positive + 1, width, [&](Index t, Index c) {
                return time_lane(scratch, c)[on_grid(t)] * (scale * window(t, causality));
            });
    }

    /// The adjoint of to_lags: dspectrum_k += (w_k/N) Σ_t u_t dlags_t e^{−2πi kt/N} (its real part where the
    /// spectrum is real), w_k = 1 at k = 0 and at N/2, else 2.
    template <class Spectrum>
    void accumulate_spectrum(const Scalar* dlags, Index stride, Causality causality, Index positive,
                             Index negative, Index width, Spectrum* dspectrum, Index spectrum_stride,
                             Scalar* scratch) const noexcept {
        to_frequencies(dlags, stride, causality, positive, negative, width, scratch);
        const Scalar scale = Scalar(1) / static_cast<Scalar>(grid_);
        detail::write_columns<lanes, Update::add>(
            dspectrum, spectrum_stride, 0, frequencies(), width, [&](Index k, Index c) {
                const Complex value = frequency_lane(scratch, c)[k] * (scale * weight(k));
                if constexpr (std::is_same_v<Spectrum, Complex>) {
                    return value;
                } else {
                    return value.real();
                }
            });
    }

    /// spectrum = rfft of the lags 0..positive, as they are.
    void to_spectrum(const Scalar* lags, Index stride, Index positive, Index width, Complex* spectrum,
                     Index spectrum_stride, Scalar* scratch) const noexcept {
        to_frequencies(lags, stride, Causality::bidirectional, positive, 0, width, scratch);
        detail::write_columns<lanes, Update::assign>(
            spectrum, spectrum_stride, 0, frequencies(), width,
            [&](Index k, Index c) { return frequency_lane(scratch, c)[k]; });
    }

    /// The adjoint of to_spectrum: lags_t = Re Σ_k conj(e^{−2πi kt/N}) dspectrum_k, t = 0..positive.
    void to_lag_gradient(const Complex* dspectrum, Index spectrum_stride, Index width, Index positive,
                         Scalar* lags, Index stride, Scalar* scratch) const noexcept {
        load_frequencies(dspectrum, spectrum_stride, width, scratch,
                         [this](Index k) { return Scalar(1) / weight(k); });
        to_time(width, scratch);
        detail::write_columns<lanes, Update::assign>(
            lags, stride, 0, positive + 1, width, [&](Index t, Index c) { return time_lane(scratch, c)[t]; });
    }

private:
    // Multiplicity of frequency k in the full spectrum.
    Scalar weight(Index k) const noexcept { return k == 0 || 2 * k == grid_ ? Scalar(1) : Scalar(2); }

    Scalar window(Index t, Causality causality) const noexcept {
        if (causality == Causality::bidirectional) return Scalar(1);
        return 2 * t > grid_ ? Scalar(0) : weight(t);
    }

    Index on_grid(Index t) const noexcept { return t < 0 ? t + grid_ : t; }

    Complex* frequency_lane(Scalar* scratch, Index c) const noexcept {
        return reinterpret_cast<Complex*>(scratch) + c * frequency_stride_;
    }
    Scalar* time_lane(Scalar* scratch, Index c) const noexcept {
        return scratch + lanes * 2 * frequency_stride_ + c * time_stride_;
    }

    template <class Spectrum, class Scale>
    void load_frequencies(const Spectrum* spectrum, Index stride, Index width, Scalar* scratch,
                          Scale&& scale) const noexcept {
        detail::read_columns<lanes>(spectrum, stride, 0, frequencies(), width,
                                    [&](Index k, Index c, const Spectrum& value) {
                                        frequency_lane(scratch, c)[k] = Complex(value) * scale(k);
                                    });
    }

    void to_time(Index width, Scalar* scratch) const noexcept {
        for (Index c = 0; c < width; ++c)
            backward_->execute(frequency_lane(scratch, c), time_lane(scratch, c));
    }

    // Frequencies of the windowed lags, laid out on the grid.
    void to_frequencies(const Scalar* lags, Index stride, Causality causality, Index positive, Index negative,
                        Index width, Scalar* scratch) const noexcept {
        for (Index c = 0; c < width; ++c) {
            Scalar* e = time_lane(scratch, c);
            std::fill(e + positive + 1, e + std::max(grid_ - negative, positive + 1), Scalar(0));
        }
        detail::read_columns<lanes>(lags, stride, -negative, positive + 1, width,
                                    [&](Index t, Index c, Scalar value) {
                                        time_lane(scratch, c)[on_grid(t)] = value * window(t, causality);
                                    });
        for (Index c = 0; c < width; ++c)
            forward_->execute(time_lane(scratch, c), frequency_lane(scratch, c));
    }

    Index grid_ = 0;
    Index frequency_stride_ = 0;
    Index time_stride_ = 0;
    std::shared_ptr<const FftwPlan<Scalar>> forward_;
    std::shared_ptr<const FftwPlan<Scalar>> backward_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
