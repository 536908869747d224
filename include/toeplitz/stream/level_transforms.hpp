// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The jobs of one level of a stream, in pieces that any step can do: a few butterflies of one transform.

#include <numeric>

#include <toeplitz/core/view.hpp>
#include <toeplitz/fft/tree.hpp>
#include <toeplitz/stream/partition.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// A state's columns, which are the channels of its streams one after another, in packs of one register.
/// Kernels of packs repeat where channels do.
template <Real Scalar>
struct StreamColumns {
    static constexpr Index lanes = Simd<Scalar>::lanes;

    Index channels;
    Index columns;  ///< of all streams

    Index packs() const noexcept { return (columns + lanes - 1) / lanes; }
    /// Packs of different kernels.
    Index kernel_packs() const noexcept { return (std::min)(packs(), channels / std::gcd(channels, lanes)); }
    /// Columns of a pack.
    Index width(Index pack) const noexcept { return (std::min)(lanes, columns - pack * lanes); }

    /// to[lane] = one lag of a pack's kernels; zeros where `lags` has no such row.
    void load_lag(MatrixView<const Scalar> lags, Index lag, Index pack, Scalar* to) const noexcept {
        for (Index lane = 0; lane < lanes; ++lane) {
            to[lane] = lag < lags.rows() ? lags(lag, (pack * lanes + lane) % channels) : Scalar(0);
        }
    }
};

/// The transforms of one level (see StreamLevel) on the splitting tree, cut into units.
///
/// A job goes through the packs, and in each pack through the passes of the tree: down from the inputs; at
/// the leaves the points are kept in a ring of the last blocks, and the products are added up; up to the
/// outputs. A unit is some points of one pass. Spectra of the kernel and of the ring lie leaf by leaf,
/// product by product, as they are read.
///
/// Cost of a job O(U (log U + products)) per pack | heap: none after construction | thread-safe: const, on
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
          tree_(level.block),
          spectra_(kernel_packs_ * level.most * level.block * Complex::size) {
        // Few packs need small units: some step of a job does a whole one.
        tile_ = packs_ >= 4 ? 32 : packs_ >= 2 ? 16 : 8;
        leaf_tile_ = (std::max)(leaf(), tile_ / 4);
        const SplittingTree<Scalar> tree(block());
        Buffer<Scalar> points(tree.pack_size());
        const Scalar scale = Scalar(1) / static_cast<Scalar>(block());
        for (Index pack = 0; pack < kernel_packs_; ++pack) {
            for (Index k = 0; k < level.most; ++k) {
                for (Index t = 0; t < block(); ++t) {
                    Scalar* c = points.data() + t * Complex::size;
                    columns.load_lag(lags, (k + 2) * block() + t, pack, c);
                    columns.load_lag(lags, (k + 1) * block() + t, pack, c + lanes);
                    for (Index lane = 0; lane < lanes; ++lane) {
                        c[lane] *= scale;
                        c[lanes + lane] *= t == 0 ? Scalar(0) : -scale;
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
    Index ring_size() const noexcept { return packs_ * level_.most * block() * Complex::size; }
    Index output_size() const noexcept { return packs_ * output_stride(); }
    Index scratch_size() const noexcept { return packs_ * block() * Complex::size; }

    /// Outputs that this level adds at time t and after, to the end of its block; of the first pack.
    const Scalar* outputs(const Scalar* memory, Index t) const noexcept {
        return memory + ring_size() + t % (2 * block()) * lanes;
    }
    /// From one pack to the next.
    Index output_stride() const noexcept { return 2 * block() * lanes; }

    /// Scalars of this level's memory: the ring, the outputs, the scratch.
    Index memory_size() const noexcept { return ring_size() + output_size() + scratch_size(); }

    /// Units of a job, and those of one pack, which come one after another.
    Index units() const noexcept { return packs_ * pack_units(); }
    Index pack_units() const noexcept { return 2 * top() * (block() / tile_) + block() / leaf_tile_; }

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
            Scalar* out = memory + ring_size() + part.pack * output_stride() + c % 2 * block() * lanes;
            const Index level = part.pass < top() ? part.pass : 2 * top() - part.pass;
            with_radix(level, [&]<Index R>() TOEPLITZ_LAMBDA {
                const Range range = {part.first / R, part.count / R};
                if (part.pass == 0) return split_root<R>(rows, points, range);
                if (part.pass == 2 * top()) return join_root<R>(points, out, range);
                if constexpr (R != 2) {
                    if (part.pass < top()) return split_nodes<R>(level, points, range);
                    if (part.pass > top()) return join_nodes<R>(level, points, range);
                    leaves_of<R>(c, part.pack, level_.products(c), range, points, memory);
                }
            });
        });
    }

    /// The transform of block c alone: for a block that later jobs look back to.
    void keep(Index c, Inputs inputs, Scalar* memory) const noexcept {
        for (Index pack = 0; pack < packs_; ++pack) {
            Scalar* points = scratch(memory, pack);
            for (Index level = 0; level <= top(); ++level) {
                with_radix(level, [&]<Index R>() TOEPLITZ_LAMBDA {
                    const Range range = {0, block() / R};
                    if (level == 0) return split_root<R>(inputs.rows + pack * inputs.stride, points, range);
                    if constexpr (R != 2) {
                        if (level < top()) return split_nodes<R>(level, points, range);
                        leaves_of<R>(c, pack, 0, range, points, memory);
                    }
                });
            }
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

    /// The most that `count` units of any job take one after another.
    Index most_operations(Index count) const noexcept {
        Index most = leaf_tile_ * point_operations(top(), level_.most);
        for (Index pass = 0; pass < top(); ++pass) most = (std::max)(most, tile_ * point_operations(pass, 0));
        return count * most;
    }

private:
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
    // The last level of the tree, whose nodes are the leaves' parents; passes 0..top−1 go down to it.
    Index top() const noexcept { return tree_.levels() - 1; }
    Index leaf() const noexcept { return tree_.radix(top()); }
    Index leaves() const noexcept { return block() / leaf(); }
    Index leaf_size() const noexcept { return leaf() * Complex::size; }
    Scalar* scratch(Scalar* memory, Index pack) const noexcept {
        return memory + ring_size() + output_size() + pack * block() * Complex::size;
    }

    // Calls f with the units first..last−1, those of one pass together.
    template <class F>
    void for_parts(Index first, Index last, F&& f) const noexcept {
        const Index tiles = block() / tile_;
        const Index down = top() * tiles;
        const Index leaf_tiles = block() / leaf_tile_;
        while (first < last) {
            const Index unit = first % pack_units();
            Part part{first / pack_units(), top(), unit - down, 0};
            Index size = leaf_tile_;
            Index rest = leaf_tiles - part.first;
            if (unit < down || rest <= 0) {
                const Index beyond = unit < down ? unit : -rest;
                part.pass = unit < down ? beyond / tiles : top() + 1 + beyond / tiles;
                part.first = beyond % tiles;
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
        const auto radix = static_cast<std::uint64_t>(tree_.radix(level));
        const Index transform = 4 + 2 * std::countr_zero(radix);
        return pass == top() ? 2 * transform + 4 * products : transform;
    }

    // Calls f(points, step, factors) for the butterflies of a level: R points, `step` scalars apart.
    template <Index R, class F>
    TOEPLITZ_INLINE void for_butterflies(Index level, Range range, Scalar* points, F&& f) const noexcept {
        Index length = block();
        for (Index above = 0; above < level; ++above) length /= tree_.radix(above);
        const Index count = length / R;
        const Index end = range.first + range.count;
        for (Index at = range.first; at < end;) {
            const Index node = at / count;
            const Index stop = (std::min)(end, (node + 1) * count);
            const typename NodeRadix<R>::template Factors<Scalar> factors(tree_.factors(level) +
                                                                          node * NodeRadix<R>::factor_size);
            Scalar* p = points + (node * length + at % count) * Complex::size;
            for (; at < stop; ++at, p += Complex::size) f(p, count * Complex::size, factors);
        }
    }

    template <Index R>
    [[gnu::noinline]] void split_root(const Scalar* rows, Scalar* points, Range range) const noexcept {
        const Index step = block() / R;
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
        const Index step = block() / R;
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

    // The last splits, whose points the ring keeps; with products also these, and the first joins.
    template <Index R>
    [[gnu::noinline]] void leaves_of(Index c, Index pack, Index products, Range range, Scalar* points,
                                     Scalar* ring) const noexcept {
        constexpr Index size = R * Complex::size;
        const Index newest = c % level_.most;
        const Scalar* kernel = spectra_.data() + (pack % kernel_packs_) * leaves() * level_.most * size;
        ring += pack * leaves() * level_.most * size;
        for (Index b = range.first; b < range.first + range.count; ++b) {
            const typename NodeRadix<R>::template Factors<Scalar> factors(tree_.factors(top()) +
                                                                          b * NodeRadix<R>::factor_size);
            Complex z[std::size_t{R}];
            load_points<R, Scalar>(points + b * size, Complex::size, z);
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
            store_points<R, Scalar>(points + b * size, Complex::size, z);
        }
    }

    StreamLevel level_;
    Index packs_;
    Index kernel_packs_;
    TreePlan<Scalar> tree_;
    Buffer<Scalar> spectra_;
    Index tile_ = 0;
    Index leaf_tile_ = 0;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
