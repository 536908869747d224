// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between the half spectrum of a real kernel and its lags: the discrete Hilbert transform of the causal
/// kernel, the bidirectional one, and the adjoint of both.

#include <algorithm>
#include <optional>
#include <type_traits>

#include <toeplitz/core/view.hpp>
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
        const Scalar scale = Scalar(1) / static_cast<Scalar>(grid_);
        synthesize(
            lags.cols(), scratch, [&](Index k, Index pack) { return row(spectrum, k, pack); },
            [&](Index s, Index pack, Pack value) {
                Index t = s;
                if (s >= lags.rows() - negative) {
                    if (s < grid_ - negative) return;
                    t = s - grid_;
                }
                S::store_row(lags.row(t + negative) + pack * pack_width_,
                             scale * window(t, causality) * value, channels_of(pack, lags.cols()));
            });
    }

    /// The adjoint of to_lags: dspectrum_k += (w_k/N) Σ_t u_t dlags_t e^{−2πi kt/N} (its real part where the
    /// spectrum is real), w_k = 1 at k = 0 and at N/2, else 2.
    template <class Spectrum>
    void accumulate_spectrum(MatrixView<const Scalar> dlags, Index negative, Causality causality,
                             MatrixView<Spectrum> dspectrum, Scalar* scratch) const noexcept {
        const Scalar scale = Scalar(1) / static_cast<Scalar>(grid_);
        analyze(dlags.cols(), scratch, windowed(dlags, negative, causality),
                [&](Index k, Index pack, Complex value) {
                    Spectrum* to = dspectrum.row(k) + pack * pack_width_;
                    const Index count = channels_of(pack, dspectrum.cols());
                    if constexpr (std::is_same_v<Spectrum, Scalar>) {
                        S::store_row(to, S::load_row(to, count) + scale * value.re, count);
                    } else {
                        const Complex old = row(dspectrum, k, pack);
                        store_row(to, {old.re + scale * value.re, old.im + scale * value.im}, count);
                    }
                });
    }

    /// spectrum = rfft of the lags from 0 on, as they are.
    void to_spectrum(MatrixView<const Scalar> lags, MatrixView<std::complex<Scalar>> spectrum,
                     Scalar* scratch) const noexcept {
        analyze(lags.cols(), scratch, windowed(lags, 0, Causality::bidirectional),
                [&](Index k, Index pack, Complex value) {
                    const Scalar scale = 1 / weight(k);
                    store_row(spectrum.row(k) + pack * pack_width_, {scale * value.re, scale * value.im},
                              channels_of(pack, lags.cols()));
                });
    }

private:
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = detail::ComplexPack<Scalar>;

    // Multiplicity of frequency k in the full spectrum.
    Scalar weight(Index k) const noexcept { return k == 0 || 2 * k == grid_ ? Scalar(1) : Scalar(2); }

    Scalar window(Index t, Causality causality) const noexcept {
        if (causality == Causality::bidirectional) return Scalar(1);
        return 2 * t > grid_ ? Scalar(0) : weight(t);
    }

    Index packs_of(Index width) const noexcept { return (width + pack_width_ - 1) / pack_width_; }
    Index channels_of(Index pack, Index width) const noexcept {
        return (std::min)(pack_width_, width - pack * pack_width_);
    }

    template <class Load, class Store>
    void synthesize(Index width, Scalar* scratch, Load&& load, Store&& store) const noexcept {
        if (tree_) {
            tree_->synthesize(packs_of(width), scratch, load, store);
        } else {
            chirp_->synthesize(packs_of(width), scratch, load, store);
        }
    }
    template <class Load, class Store>
    void analyze(Index width, Scalar* scratch, Load&& load, Store&& store) const noexcept {
        if (tree_) {
            tree_->analyze(packs_of(width), scratch, load, store);
        } else {
            chirp_->analyze(packs_of(width), scratch, load, store);
        }
    }

    // One pack of row k of a spectrum.
    template <class Spectrum>
    Complex row(MatrixView<Spectrum> spectrum, Index k, Index pack) const noexcept {
        const Spectrum* from = spectrum.row(k) + pack * pack_width_;
        const Index count = channels_of(pack, spectrum.cols());
        if constexpr (std::is_same_v<std::remove_const_t<Spectrum>, Scalar>) {
            return {S::load_row(from, count), Pack{}};
        } else {
            if (count < S::lanes) return load_tail(from, count);
            Complex value;
            S::load_pairs(reinterpret_cast<const Scalar*>(from), value.re, value.im);
            return value;
        }
    }

    static void store_row(std::complex<Scalar>* to, Complex value, Index count) noexcept {
        if (count < S::lanes) return store_tail(to, value, count);
        S::store_pairs(reinterpret_cast<Scalar*>(to), value.re, value.im);
    }
    [[gnu::noinline]] static Complex load_tail(const std::complex<Scalar>* from, Index count) noexcept {
        Complex value{};
        for (Index c = 0; c < count; ++c) {
            value.re[static_cast<int>(c)] = from[c].real();
            value.im[static_cast<int>(c)] = from[c].imag();
        }
        return value;
    }
    [[gnu::noinline]] static void store_tail(std::complex<Scalar>* to, Complex value, Index count) noexcept {
        for (Index c = 0; c < count; ++c) {
            to[c] = {value.re[static_cast<int>(c)], value.im[static_cast<int>(c)]};
        }
    }

    // A function (s, pack) that gives the windowed lag at time s of the grid.
    auto windowed(MatrixView<const Scalar> lags, Index negative, Causality causality) const noexcept {
        return [=, this](Index s, Index pack) {
            Index t = s;
            if (s >= lags.rows() - negative) {
                if (s < grid_ - negative) return Pack{};
                t = s - grid_;
            }
            const Scalar* from = lags.row(t + negative) + pack * pack_width_;
            return window(t, causality) * S::load_row(from, channels_of(pack, lags.cols()));
        };
    }

    Index grid_ = 0;
    Index pack_width_ = S::lanes;
    std::optional<detail::HalfComplexTree<Scalar>> tree_;
    std::optional<detail::Chirp<Scalar>> chirp_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
