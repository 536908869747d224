// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Real signals and their spectra on a grid of any size, as Toeplitz products with a chirp.

#include <complex>

#include <toeplitz/fft/tree_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// What HalfComplexTree computes, for the grids that it does not serve, at about four times the cost.
///
/// 2ks = k² + s² − (s−k)², so with the chirp χ(u) = e^{πi u²/N} = C_u + i S_u
///   e_s = Re χ(s) Σ_{k≤N/2} conj χ(s−k) · χ(k) w_k H_k,
/// and the sum is a Toeplitz product (Bluestein's algorithm): with G = χ w H,
///   (T_C − i T_S)(G′ + i G″) = (T_C G′ + T_S G″) + i (T_C G″ − T_S G′).
template <Real Scalar>
class Chirp {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = ComplexPack<Scalar>;
    using Engine = TreeConvolution<Scalar>;
    static constexpr Index lanes = S::lanes;

public:
    /// \param grid N ≥ 1
    /// \throws config_error 202
    explicit Chirp(Index grid)
        : grid_(grid),
          frequencies_(grid / 2 + 1),
          engine_(grid),
          points_(2 * grid),
          cosines_(engine_.spectrum_size(lanes)),
          sines_(engine_.spectrum_size(lanes)) {
        const RootsOfUnity roots(2 * grid);
        for (Index u = 0; u < grid; ++u) {
            const auto [c, s] = roots.at<Scalar>(square(u));
            points_[2 * u] = c;
            points_[2 * u + 1] = s;
        }
        // All lanes have the same kernel: lags −N/2..N−1 of an even function.
        const Index negative = frequencies_ - 1;
        Buffer<Scalar> lags((negative + grid) * lanes);
        Buffer<Scalar> scratch(engine_.scratch_size());
        for (Index part : {0, 1}) {
            for (Index u = -negative; u < grid; ++u) {
                std::fill_n(lags.data() + (u + negative) * lanes, lanes, points_[2 * std::abs(u) + part]);
            }
            engine_.transform_kernel({lags.data(), negative + grid, lanes}, negative,
                                     (part == 0 ? cosines_ : sines_).data(), scratch.data());
        }
    }

    /// Scalars of scratch, aligned to buffer_alignment.
    Index scratch_size() const noexcept {
        return 2 * (frequencies_ + grid_) * lanes + engine_.scratch_size();
    }

    /// e from H, for a pack of channels: load(k) gives frequency k, store(u, value) takes time u.
    template <class Load, class Store>
    void synthesize(Scalar* scratch, Load&& load, Store&& store) const noexcept {
        const Rows rows = split(scratch);
        for (Index k = 0; k < frequencies_; ++k) {
            const Complex g = multiply<Direction::forward>(weighted(load(k), k), chirp(k));
            S::store(rows.g_re + k * lanes, g.re);
            S::store(rows.g_im + k * lanes, g.im);
        }
        product<Direction::forward, Update::assign>(rows.g_re, cosines_, rows.e_re, rows);
        product<Direction::forward, Update::assign>(rows.g_im, cosines_, rows.e_im, rows);
        product<Direction::forward, Update::add>(rows.g_im, sines_, rows.e_re, rows);
        negate(rows.g_re, frequencies_);
        product<Direction::forward, Update::add>(rows.g_re, sines_, rows.e_im, rows);
        for (Index u = 0; u < grid_; ++u) {
            store(u, points_[2 * u] * S::load(rows.e_re + u * lanes) -
                         points_[2 * u + 1] * S::load(rows.e_im + u * lanes));
        }
    }

    /// The adjoint: load(u) gives time u, store(k, value) takes w_k Σ_u g_u e^{−2πi ku/N}, w_k = 1 at k = 0
    /// and N/2, else 2.
    template <class Load, class Store>
    void analyze(Scalar* scratch, Load&& load, Store&& store) const noexcept {
        const Rows rows = split(scratch);
        for (Index u = 0; u < grid_; ++u) {
            const Pack value = load(u);
            S::store(rows.e_re + u * lanes, points_[2 * u] * value);
            S::store(rows.e_im + u * lanes, -points_[2 * u + 1] * value);
        }
        product<Direction::adjoint, Update::assign>(rows.e_re, cosines_, rows.g_re, rows);
        product<Direction::adjoint, Update::assign>(rows.e_re, sines_, rows.g_im, rows);
        product<Direction::adjoint, Update::add>(rows.e_im, cosines_, rows.g_im, rows);
        negate(rows.e_im, grid_);
        product<Direction::adjoint, Update::add>(rows.e_im, sines_, rows.g_re, rows);
        for (Index k = 0; k < frequencies_; ++k) {
            const Complex g{S::load(rows.g_re + k * lanes), S::load(rows.g_im + k * lanes)};
            store(k, weighted(multiply<Direction::adjoint>(g, chirp(k)), k));
        }
    }

private:
    struct Rows {
        Scalar* g_re;
        Scalar* g_im;
        Scalar* e_re;
        Scalar* e_im;
        Scalar* scratch;
    };

    // u² mod 2N without overflow: u < N < 2³¹.
    Index square(Index u) const noexcept { return u * u % (2 * grid_); }

    Complex chirp(Index u) const noexcept { return Complex::broadcast(points_.data() + 2 * u); }

    // w_k H_k. At 0 and N/2 the imaginary part does not count.
    Complex weighted(Complex h, Index k) const noexcept {
        if (k == 0 || 2 * k == grid_) return {h.re, Pack{}};
        return {h.re + h.re, h.im + h.im};
    }

    Rows split(Scalar* scratch) const noexcept {
        Scalar* g = scratch;
        Scalar* e = g + 2 * frequencies_ * lanes;
        return {g, g + frequencies_ * lanes, e, e + grid_ * lanes, e + 2 * grid_ * lanes};
    }

    static void negate(Scalar* rows, Index count) noexcept {
        for (Index i = 0; i < count * lanes; ++i) rows[i] = -rows[i];
    }

    template <Direction direction, Update update>
    void product(const Scalar* from, const Buffer<Scalar>& kernel, Scalar* to,
                 const Rows& rows) const noexcept {
        constexpr bool forward = direction == Direction::forward;
        engine_.template convolve<direction, update>(
            {from, forward ? frequencies_ : grid_, lanes}, kernel.data(),
            {to, forward ? grid_ : frequencies_, lanes}, rows.scratch);
    }

    Index grid_;
    Index frequencies_;
    Engine engine_;
    Buffer<Scalar> points_;  ///< χ(u), u < N
    Buffer<Scalar> cosines_;
    Buffer<Scalar> sines_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
