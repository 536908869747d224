// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The jobs of one level of a stream, in pieces that any step can do: a few butterflies of one transform.

#include <toeplitz/fft/tree.hpp>
#include <toeplitz/stream/partition.hpp>
#include <toeplitz/stream/stream_inputs.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The transforms of one level (see StreamLevel) on the splitting tree, cut into units.
///
/// A job goes through the packs, and in each pack through the passes of the tree: down from the inputs; at
/// the leaves the points are kept in a ring of the last blocks, and the products are added up; up to the
/// outputs. A unit is some points of one pass, a point being a pack: where it has phases, s of them, U steps
/// are U/s points, and the leaves are the tree's level of phases. Spectra of the kernel and of the ring lie
/// leaf by leaf, product by product, as they are read.
///
/// Cost of a job O(U/s (log U + products)) per pack | heap: none after construction | thread-safe: const, on
/// distinct memory
template <Real Scalar>
class LevelTransforms {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Complex = ComplexPack<Scalar>;
    static constexpr Index lanes = S::lanes;

public:
    /// \param lags row t is lag t
    LevelTransforms(const StreamLevel& level, const StreamColumns<Scalar>& columns,
                    MatrixView<const Scalar> lags)
        : level_(level),
          packs_(columns.packs()),
          kernel_packs_(columns.kernel_packs()),
          width_(columns.width),
          tree_(level.block, columns.phases()),
          spectra_(kernel_packs_ * level.most * tree_.packs() * Complex::size) {
        // Few packs need small units: some step of a job does a whole one.
        tile_ = packs_ >= 4 ? 32 : packs_ >= 2 ? 16 : 8;
        leaf_tile_ = (std::max)(leaf(), tile_ / 4);
        pack_units_ = 2 * top() * (point_count() / tile_) + point_count() / leaf_tile_;
        const SplittingTree<Scalar> tree(block(), columns.phases());
        Buffer<Scalar> points(tree.pack_size());
        const Scalar scale = Scalar(1) / static_cast<Scalar>(block());
        for (Index pack = 0; pack < kernel_packs_; ++pack) {
            for (Index k = 0; k < level.most; ++k) {
                for (Index t = 0; t < block(); t += columns.phases()) {
                    Scalar* c = points.data() + t * width_ * 2;
                    columns.load_lags(lags, (level.first + k) * block() + t, 1, pack, c);
                    columns.load_lags(lags, (level.first + k - 1) * block() + t, 1, pack, c + lanes);
                    for (Index lane = 0; lane < lanes; ++lane) {
                        c[lane] *= scale;
                        c[lanes + lane] *= t == 0 && lane < width_ ? Scalar(0) : -scale;
                    }
                }
                tree.split(points.data());
                for (Index b = 0; b < leaves(); ++b) {
                    std::copy_n(points.data() + b * leaf_size(), leaf_size(),
                                spectra_.data() + ((pack * leaves() + b) * level.most + k) * leaf_size());
                }
            }
        }
    }

    const StreamLevel& level() const noexcept { return level_; }
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(spectra_.size()) * sizeof(Scalar);
    }

    /// Scalars of the ring of spectra, of the outputs of two blocks, and of scratch between units.
    Index ring_size() const noexcept { return packs_ * level_.most * pack_size(); }
    Index output_size() const noexcept { return packs_ * output_stride(); }
    Index scratch_size() const noexcept { return packs_ * pack_size(); }

    /// Outputs that this level adds at time t and after, to the end of its block; of the first pack.
    const Scalar* outputs(const Scalar* memory, Index t) const noexcept {
        return memory + ring_size() + (t & (2 * block() - 1)) * width_;
    }
    /// From one pack to the next.
    Index output_stride() const noexcept { return 2 * block() * width_; }

    /// Scalars of this level's memory: the ring, the outputs, the scratch.
    Index memory_size() const noexcept { return ring_size() + output_size() + scratch_size(); }

    /// Units of a job, and those of one pack, which come one after another.
    Index units() const noexcept { return packs_ * pack_units_; }
    Index pack_units() const noexcept { return pack_units_; }

    /// The inputs of block c: `stride` from one pack to the next.
    struct Inputs {
        const Scalar* rows;
        Index stride;
    };

    /// Units first..last−1 of the job of block c.
    void run(Index c, Index first, Index last, Inputs inputs, Scalar* memory) const noexcept {
        for_parts(first, last, [&](const Part& part) {
            const Scalar* rows = inputs.rows + part.pack * inputs.stride;
            Scalar* points = scratch(memory, part.pack);
            if (part.pass == top()) {
                return leaves_of(c, part.pack, level_.products(c), part.first, part.count, points, memory);
            }
            Scalar* out = memory + ring_size() + part.pack * output_stride() + c % 2 * block() * width_;
            const Index level = part.pass < top() ? part.pass : 2 * top() - part.pass;
            with_radix(level, [&]<Index R>() TOEPLITZ_LAMBDA {
                const Range range = {part.first / R, part.count / R};
                if (part.pass == 0) return split_root<R>(rows, points, range);
                if (part.pass == 2 * top()) return join_root<R>(points, out, range);
                if constexpr (R != 2) {
                    part.pass < top() ? split_nodes<R>(level, points, range)
                                      : join_nodes<R>(level, points, range);
                }
            });
        });
    }

    /// The transform of block c alone: for a block that later jobs look back to.
    void keep(Index c, Inputs inputs, Scalar* memory) const noexcept {
        for (Index pack = 0; pack < packs_; ++pack) {
            Scalar* points = scratch(memory, pack);
            for (Index level = 0; level < top(); ++level) {
                with_radix(level, [&]<Index R>() TOEPLITZ_LAMBDA {
                    const Range range = {0, point_count() / R};
                    if (level == 0) return split_root<R>(inputs.rows + pack * inputs.stride, points, range);
                    if constexpr (R != 2) split_nodes<R>(level, points, range);
                });
            }
            leaves_of(c, pack, 0, 0, point_count(), points, memory);
        }
    }

    /// Additions and multiplications, or multiply-adds, on one pack that units first..last−1 of the job of
    /// block c take.
    Index operations(Index c, Index first, Index last) const noexcept {
        Index sum = 0;
        for_parts(first, last, [&](const Part& part) {
            sum += part.count * point_operations(part.pass, level_.products(c));
        });
        return sum;
    }

private:
    // All numbers of points and radices are powers of two: divisions would take longer than a small unit.
    static int log2(Index power) noexcept { return std::countr_zero(static_cast<std::uint64_t>(power)); }

    // Butterflies first..first + count − 1 of a level, from left to right.
    struct Range {
        Index first;
        Index count;
    };

    // `count` points of a pass.
    struct Part {
        Index pack;
        Index pass;
        Index first;
        Index count;
    };

    Index block() const noexcept { return level_.block; }
    // Of a pack, and their scalars.
    Index point_count() const noexcept { return tree_.packs(); }
    Index pack_size() const noexcept { return point_count() * Complex::size; }
    // The last level of the tree, whose nodes are the leaves' parents; passes 0..top−1 go down to it.
    Index top() const noexcept { return tree_.levels() - 1; }
    Index leaf() const noexcept { return tree_.radix(top()); }
    Index leaves() const noexcept { return point_count() >> log2(leaf()); }
    Index leaf_size() const noexcept { return leaf() * Complex::size; }
    Scalar* scratch(Scalar* memory, Index pack) const noexcept {
        return memory + ring_size() + output_size() + pack * pack_size();
    }

    // Calls f with the units first..last−1, those of one pass together.
    template <class F>
    void for_parts(Index first, Index last, F&& f) const noexcept {
        const int log2_tiles = log2(point_count() / tile_);
        const Index tiles = Index{1} << log2_tiles;
        const Index down = top() * tiles;
        const Index leaf_tiles = pack_units_ - 2 * down;
        while (first < last) {
            const Index pack = first < pack_units_ ? 0 : first / pack_units_;
            const Index unit = first - pack * pack_units_;
            Part part{pack, top(), unit - down, 0};
            Index size = leaf_tile_;
            Index rest = leaf_tiles - part.first;
            if (unit < down || rest <= 0) {
                const Index beyond = unit < down ? unit : -rest;
                part.pass = (unit < down ? 0 : top() + 1) + (beyond >> log2_tiles);
                part.first = beyond & (tiles - 1);
                size = tile_;
                rest = tiles - part.first;
            }
            const Index count = (std::min)(rest, last - first);
            part.first *= size;
            part.count = count * size;
            f(part);
            first += count;
        }
    }

    // The radix of a level above the leaves.
    template <class F>
    void with_radix(Index level, F&& f) const noexcept {
        switch (tree_.radix(level)) {
            case 2:
                return f.template operator()<2>();
            case 4:
                return f.template operator()<4>();
            default:
                return f.template operator()<8>();
        }
    }

    // Per point; a complex product takes four, a butterfly of radix R one product and log₂R sums per point.
    Index point_operations(Index pass, Index products) const noexcept {
        const Index level = pass <= top() ? pass : 2 * top() - pass;
        const Index transform = 4 + 2 * log2(tree_.radix(level));
        const Index turns =
            tree_.phases() == 1 ? 0 : 4;  // of the factors, where they differ from lane to lane
        return pass == top() ? 2 * transform + turns + 4 * products : transform;
    }

    // Calls f(points, step, factors) for the butterflies of a level: R points, `step` scalars apart.
    template <Index R, class F>
    TOEPLITZ_INLINE void for_butterflies(Index level, Range range, Scalar* points, F&& f) const noexcept {
        int log2_count = log2(point_count() / R);
        for (Index above = 0; above < level; ++above) log2_count -= log2(tree_.radix(above));
        const Index count = Index{1} << log2_count;
        const Index end = range.first + range.count;
        for (Index at = range.first; at < end;) {
            const Index node = at >> log2_count;
            const Index stop = (std::min)(end, (node + 1) * count);
            const typename NodeRadix<R>::template Factors<Scalar> factors(tree_.factors(level) +
                                                                          node * NodeRadix<R>::factor_size);
            Scalar* p = points + (node * R * count + (at & (count - 1))) * Complex::size;
            for (; at < stop; ++at, p += Complex::size) f(p, count * Complex::size, factors);
        }
    }

    template <Index R>
    [[gnu::noinline]] void split_root(const Scalar* rows, Scalar* points, Range range) const noexcept {
        const Index step = point_count() / R;
        const typename NodeRadix<R>::template Factors<Scalar> factors(tree_.factors(0));
        for (Index i = range.first; i < range.first + range.count; ++i) {
            Pack a[std::size_t{R}];
            unroll<R>([&](auto m) TOEPLITZ_LAMBDA { a[m] = S::load(rows + (i + m * step) * lanes); });
            Complex z[std::size_t{R}];
            NodeRadix<R>::template split_real<Scalar>(a, z, factors);
            store_points<R, Scalar>(points + i * Complex::size, step * Complex::size, z);
        }
    }

    template <Index R>
    [[gnu::noinline]] void join_root(const Scalar* points, Scalar* rows, Range range) const noexcept {
        const Index step = point_count() / R;
        const typename NodeRadix<R>::template Factors<Scalar> factors(tree_.factors(0));
        for (Index i = range.first; i < range.first + range.count; ++i) {
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(points + i * Complex::size, step * Complex::size, z);
            Pack a[std::size_t{R}];
            NodeRadix<R>::template join_real<Scalar>(z, a, factors);
            unroll<R>([&](auto m) TOEPLITZ_LAMBDA { S::store(rows + (i + m * step) * lanes, a[m]); });
        }
    }

    template <Index R>
    [[gnu::noinline]] void split_nodes(Index level, Scalar* points, Range range) const noexcept {
        for_butterflies<R>(level, range, points, [](Scalar* p, Index step, const auto& f) TOEPLITZ_LAMBDA {
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(p, step, z);
            NodeRadix<R>::split(z, f);
            store_points<R, Scalar>(p, step, z);
        });
    }

    template <Index R>
    [[gnu::noinline]] void join_nodes(Index level, Scalar* points, Range range) const noexcept {
        for_butterflies<R>(level, range, points, [](Scalar* p, Index step, const auto& f) TOEPLITZ_LAMBDA {
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(p, step, z);
            NodeRadix<R>::join(z, f);
            store_points<R, Scalar>(p, step, z);
        });
    }

    // The last splits of points first..first + count − 1, which the ring keeps; with products also these, and
    // the first joins.
    void leaves_of(Index c, Index pack, Index products, Index first, Index count, Scalar* points,
                   Scalar* ring) const noexcept {
        const auto leaves = [&]<Index R, bool has_phases>() TOEPLITZ_LAMBDA {
            leaves_of<R, has_phases>(c, pack, products, {first / R, count / R}, points, ring);
        };
        if (tree_.phases() == 1) {
            return leaf() == 4 ? leaves.template operator()<4, false>()
                               : leaves.template operator()<8, false>();
        }
        with_phases<2>(leaves);
    }
    template <Index phases, class F>
    void with_phases(F&& leaves) const noexcept {
        if constexpr (phases == lanes) {
            leaves.template operator()<phases, true>();
        } else {
            leaf() == phases ? leaves.template operator()<phases, true>() : with_phases<2 * phases>(leaves);
        }
    }

    template <Index R, bool has_phases>
    [[gnu::noinline]] void leaves_of(Index c, Index pack, Index products, Range range, Scalar* points,
                                     Scalar* ring) const noexcept {
        constexpr Index size = R * Complex::size;
        const Index newest = c % level_.most;
        const Scalar* kernel = spectra_.data() + StreamColumns<Scalar>::kernel_of(pack, kernel_packs_) *
                                                     leaves() * level_.most * size;
        ring += pack * leaves() * level_.most * size;
        for (Index b = range.first; b < range.first + range.count; ++b) {
            using Factors = typename NodeRadix<R>::template Factors<Scalar>;
            const Scalar* table = tree_.factors(top()) + b * NodeRadix<R>::factor_size;
            const Factors factors = has_phases ? Factors(table, tree_.turns()) : Factors(table);
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(points + b * size, Complex::size, z);
            if constexpr (has_phases) transpose_phases<R>(z);
            NodeRadix<R>::split(z, factors);
            const Scalar* h = kernel + b * level_.most * size;
            Scalar* kept = ring + b * level_.most * size;
            store_points<R, Scalar>(kept + newest * size, Complex::size, z);
            if (products == 0) continue;
            unroll<R>([&](auto i) TOEPLITZ_LAMBDA {
                z[i] = multiply<Direction::forward>(z[i], Complex::load(h + i * Complex::size));
            });
            Index slot = newest;
            for (Index k = 1; k < products; ++k) {
                slot = slot == 0 ? level_.most - 1 : slot - 1;
                const Scalar* x = kept + slot * size;
                h += size;
                unroll<R>([&](auto i) TOEPLITZ_LAMBDA {
                    const Complex a = Complex::load(x + i * Complex::size);
                    const Complex s = Complex::load(h + i * Complex::size);
                    z[i].re += a.re * s.re;
                    z[i].re -= a.im * s.im;
                    z[i].im += a.re * s.im;
                    z[i].im += a.im * s.re;
                });
            }
            NodeRadix<R>::join(z, factors);
            if constexpr (has_phases) transpose_phases<R>(z);
            store_points<R, Scalar>(points + b * size, Complex::size, z);
        }
    }

    StreamLevel level_;
    Index packs_;
    Index kernel_packs_;
    Index width_;  ///< of a step of a pack
    TreePlan<Scalar> tree_;
    Buffer<Scalar> spectra_;
    Index tile_ = 0;
    Index leaf_tile_ = 0;
    Index pack_units_ = 0;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
