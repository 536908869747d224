// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The splitting tree: a polynomial at the N roots of z^N = i, one SIMD lane per channel (docs/transform.md).

#include <toeplitz/fft/tree_twiddles.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// R complex packs, `step` scalars apart.
template <Index R, Real Scalar>
TOEPLITZ_INLINE void load_points(const Scalar* p, Index step, ComplexPack<Scalar>* z) noexcept {
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k] = ComplexPack<Scalar>::load(p + k * step); });
}
template <Index R, Real Scalar>
TOEPLITZ_INLINE void store_points(Scalar* p, Index step, const ComplexPack<Scalar>* z) noexcept {
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k].store(p + k * step); });
}

/// Of R complex packs of R phases, the r-th phase of pack k changes places with the k-th of pack r.
template <Index R, Real Scalar>
TOEPLITZ_INLINE void transpose_phases(ComplexPack<Scalar>* z) noexcept {
    typename Simd<Scalar>::Pack part[std::size_t{R}];
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { part[k] = z[k].re; });
    Simd<Scalar>::template transpose_blocks<R>(part);
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k].re = part[k]; });
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { part[k] = z[k].im; });
    Simd<Scalar>::template transpose_blocks<R>(part);
    unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k].im = part[k]; });
}

/// Columns that share a pack, of `rest` that do not fill one; what they leave free holds phases. A lane in
/// four may stay empty, which costs less than one more pack.
constexpr Index shared_width(Index rest) noexcept {
    const auto whole = static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(rest)));
    return 4 * rest > 3 * whole || whole == rest ? whole : whole / 2;
}

/// Transforms of one pack of channels: N coefficients to the N points z_p of the tree, z_p^N = i, and back.
/// With s > 1 phases a pack of `lanes` numbers is s consecutive coefficients of lanes/s channels.
///
/// Split after split, z^L − e^{iθ} = (z^{L/2} − e^{iθ/2})(z^{L/2} + e^{iθ/2}) leads to the N roots. The
/// factors are the same for a whole block, the array stays in place, and the points come out in the order of
/// the leaves (tree_order). Memory: N/s ComplexPacks, aligned to buffer_alignment.
///
/// Cost O(N log N) | heap: none after construction | thread-safe: const, on distinct memory.
template <Real Scalar>
class SplittingTree {
public:
    using Complex = ComplexPack<Scalar>;

    template <Index R>
    using Node = NodeRadix<R>;
    template <Index R>
    using Root = std::conditional_t<R % 2 == 0, NodeRadix<R>, OddRoot<R>>;

    /// \throws config_error 201 or 202
    explicit SplittingTree(Index length, Index phases = 1) : plan_(length, phases) {}

    /// N, see tree_size.
    Index size() const noexcept { return plan_.size(); }

    /// N/s.
    Index packs() const noexcept { return plan_.packs(); }
    Index phases() const noexcept { return plan_.phases(); }

    /// Scalars of a pack's points.
    Index pack_size() const noexcept { return packs() * Complex::size; }

    /// Where the coefficient a_t and the point z_p, in the order of the tree, of the first channel are; those
    /// of others are its neighbours, and its imaginary part a vector further.
    Index coefficient(Index t) const noexcept { return place(t / phases(), t % phases()); }
    Index point(Index p) const noexcept {
        const Index pack = p / phases();
        return place(pack / phases() * phases() + p % phases(), pack % phases());
    }

    /// Coefficients a_t to points Σ a_t z_p^t.
    [[gnu::noinline]] void split(Scalar* points) const noexcept {
        with_root([&]<Index R>() { split_block<Root<R>, R>(points, packs(), root_factors()); });
        walk(Descent{points, points, {}});
    }

    /// The adjoint of split, N times its inverse: points y_p to Σ y_p conj(z_p)^t.
    [[gnu::noinline]] void join(Scalar* points) const noexcept {
        walk(Ascent{points, points, {}});
        with_root([&]<Index R>() { join_block<Root<R>, R>(points, packs(), root_factors()); });
    }

    /// What split does below the root, whose children `points` hold.
    [[gnu::noinline]] void split_children(Scalar* points) const noexcept {
        walk(Descent{points, points, {}});
    }

    /// split_children, a product with `kernel` point by point, and the way back up to the root's children.
    template <Direction direction>
    [[gnu::noinline]] void multiply_children(Scalar* points, const Scalar* kernel) const noexcept {
        walk(RoundTrip<direction>{points, points, {kernel}});
    }

    /// Points times `kernel`, and up to the root's children in `points`.
    template <Direction direction>
    [[gnu::noinline]] void join_product(const Scalar* source, const Scalar* kernel,
                                        Scalar* points) const noexcept {
        walk(Return<direction>{points, source, {kernel}});
    }

    /// The factors of the root.
    const Scalar* root_factors() const noexcept { return plan_.factors(0); }

    /// Calls f with the radix of the root as a template argument.
    template <class F>
    void with_root(F&& f) const noexcept {
        switch (plan_.radix(0)) {
            case 2:
                return f.template operator()<2>();
            case 3:
                return f.template operator()<3>();
            case 4:
                return f.template operator()<4>();
            case 5:
                return f.template operator()<5>();
            case 7:
                return f.template operator()<7>();
            default:
                return f.template operator()<8>();
        }
    }

private:
    Index place(Index pack, Index phase) const noexcept {
        return pack * Complex::size + phase * (Complex::lanes / phases());
    }

    // Nodes whose blocks share half a first-level cache are split one after another, so that the processor
    // finds independent work; larger ones are finished one by one, so that their data stays in the cache.
    static constexpr Index batch_bytes = 16384;

    // The spectrum of the kernel is read once and in order: it is asked for this far ahead.
    static constexpr Index prefetch_bytes = 4096;

    // The product point by point that happens at the leaves of the tree: none, or with the kernel.

    struct Nothing {
        template <Index R>
        TOEPLITZ_INLINE void apply(Index, Complex*) const noexcept {}
    };

    template <Direction direction>
    struct Product {
        const Scalar* kernel;

        template <Index R>
        TOEPLITZ_INLINE void apply(Index offset, Complex* z) const noexcept {
            const Scalar* s = kernel + offset;
            const char* ahead = reinterpret_cast<const char*>(s) + prefetch_bytes;
            constexpr Index bytes = R * Complex::size * static_cast<Index>(sizeof(Scalar));
            unroll<bytes / Index{buffer_alignment}>([&](auto line) TOEPLITZ_LAMBDA {
                __builtin_prefetch(ahead + line * Index{buffer_alignment});
            });
            unroll<R>([&](auto k) TOEPLITZ_LAMBDA {
                z[k] = multiply<direction>(z[k], Complex::load(s + k * Complex::size));
            });
        }
    };

    // A pack's way through the tree below the root: down, up, or both. Coefficients and points go from
    // `source`, where the way down takes place, to `points`, where the way up does.
    template <bool Down, bool Up, class Leaf>
    struct Way {
        static constexpr bool down = Down;
        static constexpr bool up = Up;
        Scalar* points;
        const Scalar* source;
        Leaf product;

        // A node of the last level: its R coefficients start at `offset`.
        template <Index R>
        TOEPLITZ_INLINE void leaf(Index offset, const Scalar* factors) const noexcept {
            const typename Node<R>::template Factors<Scalar> f(factors);
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(source + offset, Complex::size, z);
            if constexpr (down) Node<R>::split(z, f);
            product.template apply<R>(offset, z);
            if constexpr (up) Node<R>::join(z, f);
            store_points<R, Scalar>(points + offset, Complex::size, z);
        }

        // R neighbouring packs of R phases, whose lanes are the packs while they are points.
        template <Index R>
        TOEPLITZ_INLINE void phases(Index offset, const Scalar* factors, const Scalar* turns) const noexcept {
            const typename Node<R>::template Factors<Scalar> f(factors, turns);
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(source + offset, Complex::size, z);
            if constexpr (down) {
                transpose_phases<R>(z);
                Node<R>::split(z, f);
            }
            product.template apply<R>(offset, z);
            if constexpr (up) {
                Node<R>::join(z, f);
                transpose_phases<R>(z);
            }
            store_points<R, Scalar>(points + offset, Complex::size, z);
        }
    };
    using Descent = Way<true, false, Nothing>;
    using Ascent = Way<false, true, Nothing>;
    template <Direction direction>
    using RoundTrip = Way<true, true, Product<direction>>;
    template <Direction direction>
    using Return = Way<false, true, Product<direction>>;

    // One node: `length` coefficients in place.
    template <class Radix, Index R>
    static void split_block(Scalar* block, Index length, const Scalar* factors) noexcept {
        const typename Radix::template Factors<Scalar> f(factors);
        const Index step = length / R * Complex::size;
        for (Scalar* p = block; p != block + step; p += Complex::size) {
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(p, step, z);
            Radix::split(z, f);
            store_points<R, Scalar>(p, step, z);
        }
    }

    template <class Radix, Index R>
    static void join_block(Scalar* block, Index length, const Scalar* factors) noexcept {
        const typename Radix::template Factors<Scalar> f(factors);
        const Index step = length / R * Complex::size;
        for (Scalar* p = block; p != block + step; p += Complex::size) {
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(p, step, z);
            Radix::join(z, f);
            store_points<R, Scalar>(p, step, z);
        }
    }

    template <class W>
    void walk(const W& way) const noexcept {
        walk(way, 1, 0, plan_.radix(0), packs() / plan_.radix(0));
    }

    // Nodes first..first + count − 1 of a level, `length` packs each, and all below them.
    template <class W>
    void walk(const W& way, Index level, Index first, Index count, Index length) const noexcept {
        if (length == 1) {
            walk_phases(way, first, count);
        } else if (plan_.radix(level) == 8) {
            walk_nodes<8>(way, level, first, count, length);
        } else {
            walk_nodes<4>(way, level, first, count, length);
        }
    }

    template <Index R, class W>
    void walk_nodes(const W& way, Index level, Index first, Index count, Index length) const noexcept {
        constexpr Index factor_size = Node<R>::factor_size;
        const Scalar* factors = plan_.factors(level) + first * factor_size;
        const Index block = length * Complex::size;
        const Index start = first * block;
        if (length == R && phases() == 1) {
            for (Index k = 0; k < count; ++k) {
                way.template leaf<R>(start + k * R * Complex::size, factors + k * factor_size);
            }
            return;
        }
        const Index batch = (std::max)(Index{1}, batch_bytes / (block * static_cast<Index>(sizeof(Scalar))));
        for (Index begin = 0; begin < count; begin += batch) {
            const Index end = (std::min)(begin + batch, count);
            if constexpr (W::down) {
                for (Index k = begin; k < end; ++k) {
                    split_block<Node<R>, R>(way.points + start + k * block, length,
                                            factors + k * factor_size);
                }
            }
            walk(way, level + 1, (first + begin) * R, (end - begin) * R, length / R);
            if constexpr (W::up) {
                for (Index k = begin; k < end; ++k) {
                    join_block<Node<R>, R>(way.points + start + k * block, length, factors + k * factor_size);
                }
            }
        }
    }

    // The level of phases: `count` packs from `first` on, whole blocks of s.
    template <class W>
    void walk_phases(const W& way, Index first, Index count) const noexcept {
        switch (phases()) {
            case 2:
                return walk_phases<2>(way, first, count);
            case 4:
                return walk_phases<4>(way, first, count);
            case 8:
                return walk_phases<8>(way, first, count);
            default:
                return walk_phases<16>(way, first, count);
        }
    }
    template <Index R, class W>
    void walk_phases(const W& way, Index first, Index count) const noexcept {
        if constexpr (R <= Complex::lanes) {
            constexpr Index factor_size = Node<R>::factor_size;
            const Scalar* factors = plan_.factors(plan_.levels() - 1) + first / R * factor_size;
            for (Index k = 0; k < count; k += R, factors += factor_size) {
                way.template phases<R>((first + k) * Complex::size, factors, plan_.turns());
            }
        }
    }

    TreePlan<Scalar> plan_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
