// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Real signals of N points and their N/2+1 frequencies on the splitting tree, N/2 a size of the tree
/// (docs/transform.md).

#include <bit>

#include <toeplitz/fft/half_rows.hpp>
#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Signals of a group of channels and their spectra.
///
/// With m = N/2 and φ_k = πk/N, the signal e_s = Σ_{k<N} H_k e^{2πi ks/N} of a Hermitian spectrum is a
/// polynomial of m complex coefficients at the roots z_t = e^{2πi (t + 1/4)/m} of the tree:
///   e_{2t} + i e_{2t+1} = Σ_{k<m} V_k z_t^k,  V_k = (1+i) a_k H_k + (1−i) b_k conj(H_{m−k}),
///   a_k = cos φ_k − sin φ_k,  b_k = cos φ_k + sin φ_k:
/// the quarter by which the roots are turned leaves real factors alone. The way back is the adjoint.
///
/// Where channels do not fill a pack it holds s consecutive rows of them, the phases of the tree.
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
          factors_(tree_.phases() == 1 ? grid : grid * S::lanes / tree_.phases()) {
        // Of a pack of rows the a_k of its lanes, and then the b_k; of one row one of each.
        const Index phases = tree_.phases();
        const Index width = phases == 1 ? 1 : this->width();
        const auto put = [&](Index k, double a, double b) {
            Scalar* to = factors_.data() + (k / phases * 2 * phases + k % phases) * width;
            std::fill_n(to, width, static_cast<Scalar>(a));
            std::fill_n(to + phases * width, width, static_cast<Scalar>(b));
        };
        const Index m = grid / 2;
        const RootsOfUnity roots(2 * grid);
        for (Index k = 0; k <= m / 2; ++k) {
            const auto [c, s] = roots.at<double>(k);
            put(k, c - s, c + s);
            if (k > 0) put(m - k, s - c, c + s);
        }
    }

    /// Scalars of scratch, aligned to buffer_alignment.
    Index scratch_size() const noexcept { return tree_.pack_size(); }

    /// Channels of a pack.
    Index width() const noexcept { return S::lanes / tree_.phases(); }

    /// e from H, times `scale`, of the channels from `first` on that a pack holds.
    template <class Spectrum, class Times>
    void synthesize(MatrixView<Spectrum> spectrum, const Times& times, Index first, Scalar scale,
                    Scalar* points) const noexcept {
        with_phases<1>([&]<Index phases>() TOEPLITZ_LAMBDA {
            combine<phases>(SpectrumPack<Spectrum, Scalar, phases>(spectrum, first), scale, points);
            tree_.split(points);
            store<phases>(points, typename Times::template Pairs<S::lanes / phases>(times, first));
        });
    }

    /// The adjoint: adds scale · w_k Σ_u g_u e^{−2πi ku/N}, w_k = 1 at k = 0 and N/2, else 2.
    template <class Spectrum, class Times>
    void analyze(MatrixView<Spectrum> spectrum, const Times& times, Index first, Scalar scale,
                 Scalar* points) const noexcept {
        with_phases<1>([&]<Index phases>() TOEPLITZ_LAMBDA {
            load<phases>(typename Times::template Pairs<S::lanes / phases>(times, first), points);
            tree_.join(points);
            separate<phases>(points, scale, SpectrumPack<Spectrum, Scalar, phases>(spectrum, first));
        });
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

    template <Index phases, class F>
    void with_phases(F&& f) const noexcept {
        if constexpr (phases == S::lanes) {
            f.template operator()<phases>();
        } else {
            tree_.phases() == phases ? f.template operator()<phases>() : with_phases<2 * phases>(f);
        }
    }

    // a_k and b_k of the rows of a pack.
    template <Index phases>
    struct Factors {
        Pack a;
        Pack b;
        TOEPLITZ_INLINE Factors(const Scalar* factors, Index k) noexcept {
            if constexpr (phases == 1) {
                a = S::broadcast(factors[2 * k]);
                b = S::broadcast(factors[2 * k + 1]);
            } else {
                factors += 2 * k * (S::lanes / phases);
                a = S::load(factors);
                b = S::load(factors + S::lanes);
            }
        }
    };

    // V_k from H_k and H_{m−k}.
    template <Index phases, class Rows>
    [[gnu::noinline]] void combine(const Rows& spectrum, Scalar scale, Scalar* points) const noexcept {
        constexpr Index width = S::lanes / phases;
        const Rows rows = spectrum;
        const Index m = tree_.size();
        const Pack scales = S::broadcast(scale);
        const Scalar* table = factors_.data();
        const auto coefficient = [](Pack a, Pack b, const Complex& h, const Complex& mirrored)
                                     TOEPLITZ_LAMBDA {
                                         return Complex{a * (h.re - h.im) + b * (mirrored.re - mirrored.im),
                                                        a * (h.re + h.im) - b * (mirrored.re + mirrored.im)};
                                     };
        // One row at a time serves two, as a_{m−k} = −a_k and b_{m−k} = b_k.
        for (Index k = 0; k < (phases == 1 ? m / 2 + 1 : m); k += phases) {
            const Complex h = rows.load(k);
            const Complex mirrored = reverse<phases>(rows.load(m - k - phases + 1));
            const Factors<phases> factors(table, k);
            const Pack a = scales * factors.a;
            const Pack b = scales * factors.b;
            coefficient(a, b, h, mirrored).store(points + k * 2 * width);
            if (phases == 1 && k > 0) coefficient(-a, b, mirrored, h).store(points + (m - k) * 2 * width);
        }
        // Of H_0 and H_m imaginary parts do not count.
        const Complex low = rows.load(0);
        const Complex high = reverse<phases>(rows.load(m - phases + 1));
        for (int lane = 0; lane < static_cast<int>(width); ++lane) {
            points[lane] = scale * (low.re[lane] + high.re[lane]);
            points[lane + static_cast<int>(S::lanes)] = scale * (low.re[lane] - high.re[lane]);
        }
    }

    template <Index phases>
    TOEPLITZ_INLINE static Complex reverse(const Complex& z) noexcept {
        return {S::template reverse_blocks<phases>(z.re), S::template reverse_blocks<phases>(z.im)};
    }

    // The way back.
    template <Index phases, class Rows>
    [[gnu::noinline]] void separate(const Scalar* points, Scalar scale, const Rows& spectrum) const noexcept {
        constexpr Index width = S::lanes / phases;
        const Rows rows = spectrum;
        const Index m = tree_.size();
        const Pack scales = S::broadcast(scale);
        const Scalar* table = factors_.data();
        const auto row = [&](Index k) TOEPLITZ_LAMBDA { return Complex::load(points + k * 2 * width); };
        const auto response = [&](Index k, const Complex& after) TOEPLITZ_LAMBDA {
            const Complex v = row(k);
            const Complex before = row(m - k - phases);
            const Complex mirrored = {S::template reverse_blocks<phases>(before.re, after.re),
                                      S::template reverse_blocks<phases>(before.im, after.im)};
            const Factors<phases> factors(table, k);
            const Pack a = scales * factors.a;
            const Pack b = scales * factors.b;
            return Complex{a * (v.re + v.im) + b * (mirrored.re - mirrored.im),
                           a * (v.im - v.re) - b * (mirrored.re + mirrored.im)};
        };
        Complex zero = response(0, Complex{});
        for (int lane = 0; lane < static_cast<int>(width); ++lane) zero.im[lane] = 0;
        rows.add(0, zero);
        for (Index k = phases; k < m; k += phases) rows.add(k, response(k, row(m - k)));
        const Complex first = row(0);
        rows.add_row(m, {scales * (first.re - first.im), Pack{}});
    }

    // f(points of a pack, the order of its first point): its points are `phases` apart.
    template <Index phases, class Points, class F>
    TOEPLITZ_INLINE void for_packs(Points* points, const F& f) const noexcept {
        const Index packs = tree_.packs();
        const Index* const order = order_.data();
        for (Index pack = 0; pack < packs; ++pack, points += Complex::size) {
            f(points, order + pack / phases * phases * phases + pack % phases);
        }
    }

    template <Index phases, class Pairs>
    [[gnu::noinline]] void store(const Scalar* points, const Pairs& lags) const noexcept {
        constexpr Index width = S::lanes / phases;
        const Pairs pairs = lags;
        for_packs<phases>(points, [&](const Scalar* p, const Index* order) TOEPLITZ_LAMBDA {
            if constexpr (phases == 1) {
                pairs.store(*order, p);
            } else {
                alignas(buffer_alignment) Scalar values[std::size_t{Complex::size}];
                Pack low;
                Pack high;
                S::template merge_pairs<width>(S::load(p), S::load(p + S::lanes), low, high);
                S::store(values, low);
                S::store(values + S::lanes, high);
                unroll<phases>(
                    [&](auto i) TOEPLITZ_LAMBDA { pairs.store(order[i * phases], values + i * 2 * width); });
            }
        });
    }

    template <Index phases, class Pairs>
    [[gnu::noinline]] void load(const Pairs& lags, Scalar* points) const noexcept {
        constexpr Index width = S::lanes / phases;
        const Pairs pairs = lags;
        for_packs<phases>(points, [&](Scalar* p, const Index* order) TOEPLITZ_LAMBDA {
            if constexpr (phases == 1) {
                pairs.load(*order, p);
            } else {
                alignas(buffer_alignment) Scalar values[std::size_t{Complex::size}];
                unroll<phases>(
                    [&](auto i) TOEPLITZ_LAMBDA { pairs.load(order[i * phases], values + i * 2 * width); });
                Complex z;
                S::template split_pairs<width>(S::load(values), S::load(values + S::lanes), z.re, z.im);
                z.store(p);
            }
        });
    }

    SplittingTree<Scalar> tree_;
    Buffer<Index> order_;
    Buffer<Scalar> factors_;  ///< a_k and b_k, see Factors
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
