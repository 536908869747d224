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
    static constexpr Index lanes = Engine::lanes;

public:
    /// \param grid N ≥ 1
    /// \throws config_error 202
    explicit Chirp(Index grid)
        : grid_(grid),
          frequencies_(grid / 2 + 1),
          engine_(grid),
          points_(2 * grid),
          cosines_(engine_.spectrum_size()),
          sines_(engine_.spectrum_size()) {
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

    /// As HalfComplexTree::synthesize.
    template <class Load, class Store>
    void synthesize(Index packs, Scalar* scratch, Load&& load, Store&& store) const noexcept {
        const Rows rows = split(scratch);
        const Index width = packs * S::lanes;
        for_rows(frequencies_, packs, [&](Index k, Index pack, Index at) {
            const Complex h = load(k, pack);
            const Complex g = multiply<Direction::forward>(weighted(h, k), chirp(k));
            S::store(rows.g_re + at, g.re);
            S::store(rows.g_im + at, g.im);
        });
        product<Direction::forward, Update::assign>(rows.g_re, cosines_, rows.e_re, width, rows);
        product<Direction::forward, Update::assign>(rows.g_im, cosines_, rows.e_im, width, rows);
        product<Direction::forward, Update::add>(rows.g_im, sines_, rows.e_re, width, rows);
        negate(rows.g_re, frequencies_);
        product<Direction::forward, Update::add>(rows.g_re, sines_, rows.e_im, width, rows);
        for_rows(grid_, packs, [&](Index s, Index pack, Index at) {
            store(s, pack,
                  points_[2 * s] * S::load(rows.e_re + at) - points_[2 * s + 1] * S::load(rows.e_im + at));
        });
    }

    /// As HalfComplexTree::analyze.
    template <class Load, class Store>
    void analyze(Index packs, Scalar* scratch, Load&& load, Store&& store) const noexcept {
        const Rows rows = split(scratch);
        const Index width = packs * S::lanes;
        for_rows(grid_, packs, [&](Index s, Index pack, Index at) {
            const Pack value = load(s, pack);
            S::store(rows.e_re + at, points_[2 * s] * value);
            S::store(rows.e_im + at, -points_[2 * s + 1] * value);
        });
        product<Direction::adjoint, Update::assign>(rows.e_re, cosines_, rows.g_re, width, rows);
        product<Direction::adjoint, Update::assign>(rows.e_re, sines_, rows.g_im, width, rows);
        product<Direction::adjoint, Update::add>(rows.e_im, cosines_, rows.g_im, width, rows);
        negate(rows.e_im, grid_);
        product<Direction::adjoint, Update::add>(rows.e_im, sines_, rows.g_re, width, rows);
        for_rows(frequencies_, packs, [&](Index k, Index pack, Index at) {
            const Complex g{S::load(rows.g_re + at), S::load(rows.g_im + at)};
            store(k, pack, weighted(multiply<Direction::adjoint>(g, chirp(k)), k));
        });
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

    // f(row, pack, offset of both)
    template <class F>
    static void for_rows(Index rows, Index packs, F&& f) noexcept {
        for (Index i = 0; i < rows; ++i) {
            for (Index pack = 0; pack < packs; ++pack) f(i, pack, i * lanes + pack * S::lanes);
        }
    }

    static void negate(Scalar* rows, Index count) noexcept {
        for (Index i = 0; i < count * lanes; ++i) rows[i] = -rows[i];
    }

    template <Direction direction, Update update>
    void product(const Scalar* from, const Buffer<Scalar>& kernel, Scalar* to, Index width,
                 const Rows& rows) const noexcept {
        constexpr bool forward = direction == Direction::forward;
        engine_.template convolve<direction, update>(
            {from, forward ? frequencies_ : grid_, width, lanes}, kernel.data(),
            {to, forward ? grid_ : frequencies_, width, lanes}, rows.scratch);
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
