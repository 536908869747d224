// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between the half spectrum of a real kernel and its lags: the discrete Hilbert transform of the causal
/// kernel, the bidirectional one, and the adjoint of both.

#include <optional>

#include <toeplitz/fft/chirp.hpp>
#include <toeplitz/fft/half_complex.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Frequencies ω_k = 2πk/N, k = 0..N/2, of a real signal of N points.
constexpr Index frequency_count(Index grid) noexcept { return grid / 2 + 1; }

/// The default grid for kernels of length n: ≥ 2n, so that no lag wraps onto another, and from n = 16 on
/// twice a size of the tree, so that its transforms are the fast ones. \throws config_error 202
inline Index default_frequency_grid(Index length) {
    return 2 * (length < 16 ? std::max<Index>(length, 1) : detail::tree_size(length));
}

/// Transforms of a group of channels between N/2+1 frequencies and the lags of a kernel.
///
/// Spectra are rows of frequencies × channels, either real (`Spectrum = Scalar`: the real part R of a causal
/// kernel's response) or complex (`Spectrum = std::complex<Scalar>`). Lags are rows of lags × channels.
/// Let e = irfft(spectrum, N). A bidirectional kernel is k(t) = e_{t mod N}. A causal kernel is h_t = u_t e_t
/// with the window u of the discrete Hilbert transform: 1 at lag 0, 2 at 0 < t < N/2, 1 at t = N/2 where N is
/// even, 0 beyond; then Re rfft(h) = R exactly (paper's frequency-domain causal kernel).
///
/// Grids of twice a size of the tree take one transform of N/2 complex points; others about four times as
/// much. All calls are const, allocate nothing and are safe at the same time with distinct scratch.
template <Real Scalar>
class HalfSpectrum {
public:
    /// Channels per group: one cache line of a row.
    static constexpr Index lanes = TreeConvolution<Scalar>::lanes;

    /// \param channels d: calls are given `lanes` or d % lanes of them
    /// \throws config_error 201 or 202
    explicit HalfSpectrum(Index grid, Index channels = lanes) : grid_(grid) {
        detail::require_positive(grid, "HalfSpectrum", "grid");
        if (grid > (std::numeric_limits<std::int32_t>::max)()) {
            detail::raise<config_error>(202, "HalfSpectrum", "a grid below 2^31", std::to_string(grid));
        }
        if (detail::HalfComplexTree<Scalar>::serves(grid)) {
            tree_.emplace(grid, channels);
            pack_width_ = tree_->width();
        } else {
            chirp_.emplace(grid);
        }
    }

    Index grid() const noexcept { return grid_; }
    Index frequencies() const noexcept { return frequency_count(grid_); }

    /// Scalars of scratch, aligned to buffer_alignment, that a call needs.
    Index scratch_size() const noexcept { return tree_ ? tree_->scratch_size() : chirp_->scratch_size(); }

    /// Row t + negative of `lags` = u_t e_t (all u_t = 1 where bidirectional). Fewer than N lags, and at most
    /// `lanes` channels.
    template <class Spectrum>
    void to_lags(MatrixView<Spectrum> spectrum, Causality causality, MatrixView<Scalar> lags, Index negative,
                 Scalar* scratch) const noexcept {
        const Times<Scalar> times(lags, negative, causality, grid_);
        const Scalar scale = times.largest() / static_cast<Scalar>(grid_);
        for (Index first = 0; first < lags.cols(); first += pack_width_) {
            if (tree_) {
                tree_->synthesize(spectrum, times, first, scale, scratch);
                continue;
            }
            const detail::SpectrumPack<Spectrum, Scalar, 1> rows(spectrum, first);
            chirp_->synthesize(
                scratch, [&](Index k) { return rows.load(k); },
                [&](Index u, Pack value) {
                    alignas(buffer_alignment) Scalar values[std::size_t{S::lanes}];
                    S::store(values, scale * value);
                    times.store(u, first, (std::min)(pack_width_, lags.cols() - first), values);
                });
        }
    }

    /// The adjoint of to_lags: dspectrum_k += (w_k/N) Σ_t u_t dlags_t e^{−2πi kt/N} (its real part where the
    /// spectrum is real), w_k = 1 at k = 0 and at N/2, else 2.
    template <class Spectrum>
    void accumulate_spectrum(MatrixView<const Scalar> dlags, Index negative, Causality causality,
                             MatrixView<Spectrum> dspectrum, Scalar* scratch) const noexcept {
        add_spectrum(dlags, negative, causality, Scalar(1) / static_cast<Scalar>(grid_), dspectrum, scratch);
    }

    /// spectrum = rfft of the lags from 0 on, as they are.
    void to_spectrum(MatrixView<const Scalar> lags, MatrixView<std::complex<Scalar>> spectrum,
                     Scalar* scratch) const noexcept {
        spectrum.eigen().setZero();
        add_spectrum(lags, 0, Causality::bidirectional, Scalar(0.5), spectrum, scratch);
        // Frequencies that the full spectrum has once.
        spectrum.eigen().row(0) *= Scalar(2);
        if (grid_ % 2 == 0) spectrum.eigen().row(grid_ / 2) *= Scalar(2);
    }

private:
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = detail::ComplexPack<Scalar>;
    template <class Element>
    using Times = detail::LagTimes<Element, Scalar>;

    template <class Spectrum>
    void add_spectrum(MatrixView<const Scalar> lags, Index negative, Causality causality, Scalar scale,
                      MatrixView<Spectrum> spectrum, Scalar* scratch) const noexcept {
        const Times<const Scalar> times(lags, negative, causality, grid_);
        scale *= times.largest();
        for (Index first = 0; first < lags.cols(); first += pack_width_) {
            if (tree_) {
                tree_->analyze(spectrum, times, first, scale, scratch);
                continue;
            }
            const detail::SpectrumPack<Spectrum, Scalar, 1> rows(spectrum, first);
            chirp_->analyze(
                scratch,
                [&](Index u) {
                    alignas(buffer_alignment) Scalar values[std::size_t{S::lanes}];
                    times.load(u, first, (std::min)(pack_width_, lags.cols() - first), values, S::lanes);
                    return S::load(values);
                },
                [&](Index k, Complex value) {
                    rows.add(k, {scale * value.re, scale * value.im});
                });
        }
    }

    Index grid_ = 0;
    Index pack_width_ = S::lanes;
    std::optional<detail::HalfComplexTree<Scalar>> tree_;
    std::optional<detail::Chirp<Scalar>> chirp_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
