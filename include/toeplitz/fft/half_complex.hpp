// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Real signals of N points and their N/2+1 frequencies on the splitting tree, N/2 a size of the tree
/// (docs/transform.md).

#include <bit>
#include <complex>

#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Signals of a group of channels and their spectra, both given and taken row by row.
///
/// With m = N/2 and φ_k = πk/N, the signal e_s = Σ_{k<N} H_k e^{2πi ks/N} of a Hermitian spectrum is a
/// polynomial of m complex coefficients at the roots z_t = e^{2πi (t + 1/4)/m} of the tree:
///   e_{2t} + i e_{2t+1} = Σ_{k<m} V_k z_t^k,  V_k = (1+i) a_k H_k + (1−i) b_k conj(H_{m−k}),
///   a_k = cos φ_k − sin φ_k,  b_k = cos φ_k + sin φ_k:
/// the quarter by which the roots are turned leaves real factors alone. The way back is the adjoint.
///
/// Cost one transform of N/2 complex points | heap: none after construction | thread-safe: const
template <Real Scalar>
class HalfComplexTree {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = ComplexPack<Scalar>;

public:
    /// Whether N/2 is a size of the tree.
    static bool serves(Index grid) { return grid % 2 == 0 && tree_size(grid / 2) == grid / 2; }

    /// \param grid N, which serves
    /// \param channels d: where they do not fill a pack, time steps share it
    HalfComplexTree(Index grid, Index channels)
        : tree_(grid / 2, phases_of(grid / 2, channels)),
          order_(tree_order(grid / 2)),
          factors_(grid / 2 + 2) {
        const RootsOfUnity roots(2 * grid);
        for (Index k = 0; k <= grid / 4; ++k) {
            const auto [c, s] = roots.at<double>(k);
            factors_[2 * k] = static_cast<Scalar>(c - s);
            factors_[2 * k + 1] = static_cast<Scalar>(c + s);
        }
    }

    /// Scalars of scratch, aligned to buffer_alignment.
    Index scratch_size() const noexcept { return tree_.pack_size(); }

    /// Channels of a pack.
    Index width() const noexcept { return S::lanes / tree_.phases(); }

    /// e from H: load(k, pack) gives the row of frequency k, store(s, pack, value) takes the row of time s.
    template <class Load, class Store>
    void synthesize(Index packs, Scalar* points, Load&& load, Store&& store) const noexcept {
        const Index m = tree_.size();
        for (Index pack = 0; pack < packs; ++pack) {
            const auto combine = [&](Index k, Scalar a, Scalar b, Complex h, Complex mirrored) {
                const Pack x = a * (h.re - h.im), y = a * (h.re + h.im);
                const Pack u = b * (mirrored.re - mirrored.im), v = b * (mirrored.re + mirrored.im);
                write(points + tree_.coefficient(k), {x + u, y - v});
            };
            combine(0, 1, 1, {load(0, pack).re, Pack{}}, {load(m, pack).re, Pack{}});
            for (Index k = 1; k <= m / 2; ++k) {
                const Scalar a = factors_[2 * k];
                const Scalar b = factors_[2 * k + 1];
                const Complex h = load(k, pack);
                const Complex mirrored = load(m - k, pack);
                combine(k, a, b, h, mirrored);
                if (2 * k != m) combine(m - k, -a, b, mirrored, h);
            }
            tree_.split(points);
            for (Index p = 0; p < m; ++p) {
                const Complex z = read(points + tree_.point(p));
                store(2 * order_[p], pack, z.re);
                store(2 * order_[p] + 1, pack, z.im);
            }
        }
    }

    /// The adjoint: load(s, pack) gives the row of time s, store(k, pack, value) takes
    /// w_k Σ_s g_s e^{−2πi ks/N}, w_k = 1 at k = 0 and N/2, else 2.
    template <class Load, class Store>
    void analyze(Index packs, Scalar* points, Load&& load, Store&& store) const noexcept {
        const Index m = tree_.size();
        for (Index pack = 0; pack < packs; ++pack) {
            for (Index p = 0; p < m; ++p) {
                write(points + tree_.point(p), {load(2 * order_[p], pack), load(2 * order_[p] + 1, pack)});
            }
            tree_.join(points);
            const Complex first = read(points);
            store(0, pack, Complex{first.re + first.im, Pack{}});
            store(m, pack, Complex{first.re - first.im, Pack{}});
            const auto combine = [&](Index k, Scalar a, Scalar b, Complex v, Complex mirrored) {
                store(k, pack,
                      Complex{a * (v.re + v.im) + b * (mirrored.re - mirrored.im),
                              a * (v.im - v.re) - b * (mirrored.re + mirrored.im)});
            };
            for (Index k = 1; k <= m / 2; ++k) {
                const Scalar a = factors_[2 * k];
                const Scalar b = factors_[2 * k + 1];
                const Complex v = read(points + tree_.coefficient(k));
                const Complex mirrored = read(points + tree_.coefficient(m - k));
                combine(k, a, b, v, mirrored);
                if (2 * k != m) combine(m - k, -a, b, mirrored, v);
            }
        }
    }

private:
    // As many as leave room for the largest power of two of the channels, and the tree whole blocks of packs.
    static Index phases_of(Index size, Index channels) noexcept {
        const auto width = static_cast<Index>(std::bit_floor(static_cast<std::uint64_t>(channels)));
        Index phases = 1;
        while (2 * phases * width <= S::lanes && size / (2 * phases) >= 16 &&
               size % (4 * phases * phases) == 0) {
            phases *= 2;
        }
        return phases;
    }

    // The lanes of one coefficient or point, `width` of them; what is read has zeros in the others.
    template <Index width = S::lanes>
    TOEPLITZ_INLINE Complex read(const Scalar* p) const noexcept {
        if constexpr (width > 1) {
            if (width * tree_.phases() != S::lanes) return read<width / 2>(p);
        }
        if constexpr (width == S::lanes) {
            return Complex::load(p);
        } else {
            return {S::load_partial(p, width), S::load_partial(p + S::lanes, width)};
        }
    }
    template <Index width = S::lanes>
    TOEPLITZ_INLINE void write(Scalar* p, const Complex& z) const noexcept {
        if constexpr (width > 1) {
            if (width * tree_.phases() != S::lanes) return write<width / 2>(p, z);
        }
        if constexpr (width == S::lanes) {
            z.store(p);
        } else {
            S::store_partial(p, z.re, width);
            S::store_partial(p + S::lanes, z.im, width);
        }
    }

    SplittingTree<Scalar> tree_;
    Buffer<Index> order_;
    Buffer<Scalar> factors_;  ///< a_k and b_k, k ≤ m/2; a_{m−k} = −a_k, b_{m−k} = b_k
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
