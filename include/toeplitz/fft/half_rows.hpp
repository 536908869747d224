// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What transforms between half spectra and lags read and write: rows of a spectrum as packs, and windowed
/// lags as pairs.

#include <algorithm>
#include <complex>
#include <cstring>
#include <type_traits>

#include <toeplitz/core/view.hpp>
#include <toeplitz/fft/tree_butterflies.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// A pack of some columns of a spectrum, real or complex: of s rows of w channels, s·w = lanes.
template <class Spectrum, Real Scalar, Index s>
class SpectrumPack {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = ComplexPack<Scalar>;
    static constexpr bool is_real = std::is_same_v<std::remove_const_t<Spectrum>, Scalar>;
    static constexpr Index width = S::lanes / s;

public:
    /// \param first of its channels
    SpectrumPack(MatrixView<Spectrum> rows, Index first) noexcept
        : rows_(rows.data() + first),
          stride_(rows.row_stride()),
          used_((std::min)(width, rows.cols() - first)),
          is_whole_(used_ == width && (s == 1 || stride_ == width)) {}

    /// s rows from k on.
    TOEPLITZ_INLINE Complex load(Index k) const noexcept {
        const Spectrum* from = rows_ + k * stride_;
        if (!is_whole_) return load_apart(from, stride_, used_);
        if constexpr (is_real) {
            return {S::load_unaligned(from), Pack{}};
        } else {
            Complex value;
            S::load_pairs(reinterpret_cast<const Scalar*>(from), value.re, value.im);
            return value;
        }
    }

    /// To s rows from k on, and to one.
    TOEPLITZ_INLINE void add(Index k, const Complex& value) const noexcept {
        Spectrum* to = rows_ + k * stride_;
        if (!is_whole_) return add_apart(to, stride_, used_, s, value);
        const Complex old = load(k);
        if constexpr (is_real) {
            S::store_unaligned(to, old.re + value.re);
        } else {
            S::store_pairs(reinterpret_cast<Scalar*>(to), old.re + value.re, old.im + value.im);
        }
    }
    void add_row(Index k, const Complex& value) const noexcept {
        add_apart(rows_ + k * stride_, stride_, used_, 1, value);
    }

private:
    [[gnu::noinline]] static Complex load_apart(const Spectrum* from, Index stride, Index used) noexcept {
        Complex value{};
        for (Index i = 0; i < s; ++i, from += stride) {
            for (Index c = 0; c < used; ++c) {
                const int lane = static_cast<int>(i * width + c);
                if constexpr (is_real) {
                    value.re[lane] = from[c];
                } else {
                    value.re[lane] = from[c].real();
                    value.im[lane] = from[c].imag();
                }
            }
        }
        return value;
    }
    [[gnu::noinline]] static void add_apart(Spectrum* to, Index stride, Index used, Index count,
                                            const Complex& value) noexcept {
        for (Index i = 0; i < count; ++i, to += stride) {
            for (Index c = 0; c < used; ++c) {
                const int lane = static_cast<int>(i * width + c);
                if constexpr (is_real) {
                    to[c] += value.re[lane];
                } else {
                    to[c] += Spectrum(value.re[lane], value.im[lane]);
                }
            }
        }
    }

    Spectrum* rows_;
    Index stride_;
    Index used_;
    bool is_whole_;
};

/// Lags at the times u = 0..N−1 of a grid, windowed.
///
/// Windows are 1, or for a causal kernel 2 at 0 < u < N/2, 1 at 0 and N/2 and 0 beyond. What is stored and
/// loaded is the lag divided by the window's largest value, `largest`.
template <class Element, Real Scalar>
class LagTimes {
public:
    LagTimes(MatrixView<Element> lags, Index negative, Causality causality, Index grid) noexcept
        : lags_(lags),
          negative_(negative),
          positive_(lags.rows() - negative),
          grid_(grid),
          is_causal_(causality == Causality::causal) {}

    Scalar largest() const noexcept { return is_causal_ ? Scalar(2) : Scalar(1); }

    /// The w channels from `first` on at two times 2t and 2t+1, one after the other.
    template <Index w>
    class Pairs {
    public:
        Pairs(const LagTimes& times, Index first) noexcept
            : times_(&times),
              first_(first),
              used_((std::min)(w, times.lags_.cols() - first)),
              rows_(times.lags_.data() + first),
              stride_(times.lags_.row_stride()),
              begin_(times.is_causal_ ? 1 : 0),
              end_(times.is_causal_ ? (std::min)(times.positive_, (times.grid_ + 1) / 2) : times.positive_),
              negative_(times.negative_),
              grid_(times.grid_) {
            if (used_ < w) begin_ = end_ = 2 * grid_;
        }

        TOEPLITZ_INLINE void store(Index t, const Scalar* pair) const noexcept {
            const Index row = row_of(2 * t);
            if (row < 0) return times_->store_pair(2 * t, first_, used_, pair, w);
            Element* to = rows_ + row * stride_;
            std::memcpy(to, pair, sizeof(Scalar) * w);
            std::memcpy(to + stride_, pair + w, sizeof(Scalar) * w);
        }
        TOEPLITZ_INLINE void load(Index t, Scalar* pair) const noexcept {
            const Index row = row_of(2 * t);
            if (row < 0) return times_->load_pair(2 * t, first_, used_, pair, w);
            const Element* from = rows_ + row * stride_;
            std::memcpy(pair, from, sizeof(Scalar) * w);
            std::memcpy(pair + w, from + stride_, sizeof(Scalar) * w);
        }

    private:
        // The row of time u, where it and u + 1 are lags that are all there and whose window is the largest;
        // otherwise negative.
        TOEPLITZ_INLINE Index row_of(Index u) const noexcept {
            if (u >= begin_ && u + 1 < end_) return u + negative_;
            return u + negative_ >= grid_ && begin_ < grid_ ? u + negative_ - grid_ : -1;
        }

        const LagTimes* times_;
        Index first_;
        Index used_;
        Element* rows_;
        Index stride_;
        Index begin_;
        Index end_;
        Index negative_;
        Index grid_;
    };

    /// `used` channels from `first` on, of w, at one time.
    void store(Index u, Index first, Index used, const Scalar* value) const noexcept {
        const Index row = row_of(u);
        for (Index c = 0; row >= 0 && c < used; ++c) lags_.row(row)[first + c] = share(u) * value[c];
    }
    void load(Index u, Index first, Index used, Scalar* value, Index w) const noexcept {
        const Index row = row_of(u);
        for (Index c = 0; c < w; ++c) {
            value[c] = row >= 0 && c < used ? share(u) * lags_.row(row)[first + c] : Scalar(0);
        }
    }

private:
    // Negative where it is no lag.
    Index row_of(Index u) const noexcept {
        if (u < positive_) return u + negative_;
        return u + negative_ >= grid_ ? u + negative_ - grid_ : -1;
    }
    Scalar share(Index u) const noexcept {
        if (!is_causal_) return 1;
        return 2 * u > grid_ ? Scalar(0) : u == 0 || 2 * u == grid_ ? Scalar(0.5) : Scalar(1);
    }

    [[gnu::noinline]] void store_pair(Index u, Index first, Index used, const Scalar* pair,
                                      Index w) const noexcept {
        store(u, first, used, pair);
        store(u + 1, first, used, pair + w);
    }
    [[gnu::noinline]] void load_pair(Index u, Index first, Index used, Scalar* pair, Index w) const noexcept {
        load(u, first, used, pair, w);
        load(u + 1, first, used, pair + w, w);
    }

    MatrixView<Element> lags_;
    Index negative_;
    Index positive_;
    Index grid_;
    bool is_causal_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
