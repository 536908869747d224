// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The lags that a stream adds by definition: those of the last steps.

#include <toeplitz/stream/partition.hpp>
#include <toeplitz/stream/stream_inputs.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Σ_s h_{t−s} x_s from an s that a tile of outputs shares, pack of steps after pack, and then over their
/// phases. Packs of phases go to four sums by turns, those of the tile itself to the first of them, as no
/// other channels' packs are there to fill the time between two additions. Outputs have the same bits whether
/// they are made one by one or tile by tile.
template <Real Scalar>
class RecentLags {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    static constexpr Index lanes = S::lanes;
    template <Index phases>
    static constexpr int chains = phases == 1 ? 1 : 4;

public:
    /// \param lags row t is lag t \param count lags needed
    RecentLags(const StreamColumns<Scalar>& columns, MatrixView<const Scalar> lags, Index count)
        : kernel_packs_(columns.kernel_packs()),
          stride_(count * lanes),
          lags_(kernel_packs_ * stride_),
          phases_(lanes) {
        for (Index pack = 0; pack < kernel_packs_; ++pack) {
            for (Index t = 0; t < count; ++t) {
                // What the steps of a pack are multiplied by, of which the first is t steps ago.
                columns.load_lags(lags, t, -1, pack, lags_.data() + pack * stride_ + t * lanes);
            }
        }
        for (Index lane = 0; lane < lanes; ++lane) {
            phases_[lane] = static_cast<Scalar>(lane / columns.width);
        }
    }

    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(lags_.size() + phases_.size()) * sizeof(Scalar);
    }

    /// One output of `count` packs from `first` on, in all phases. x: that step of the first pack, `stride`
    /// from one to the next; `before` steps before it count, from the first one of a tile on.
    template <Index phases, int count>
    TOEPLITZ_INLINE void one(Index first, const Scalar* x, Index stride, Index before,
                             Pack* sum) const noexcept {
        constexpr Index width = lanes / phases;
        constexpr Index step = phases * chains<phases>;
        const Scalar* h[std::size_t{count}];
        unroll<count>([&](auto p) TOEPLITZ_LAMBDA {
            h[p] = kernel(first + p) + before * lanes;
            sum[p] = Pack{};
        });
        x -= before * width;
        // Of one pack alone; the first of its sums is sum[0].
        Pack rest[std::size_t{chains<phases>}] = {};
        const auto add = [&](Index s) TOEPLITZ_LAMBDA {
            unroll<count>([&](auto p) TOEPLITZ_LAMBDA {
                sum[p] += S::load(h[p] - s * lanes) * S::load(x + p * stride + s * width);
            });
        };
        const Index old = before - (before & (StreamPartition::tile(phases) - 1));
        Index s = 0;
        for (; s + step <= old; s += step) {
            add(s);
            unroll<chains<phases> - 1>([&](auto k) TOEPLITZ_LAMBDA {
                const Index own = s + (k + 1) * phases;
                rest[k + 1] += S::load(h[0] - own * lanes) * S::load(x + own * width);
            });
        }
        if (s < old) add(s);
        unroll<chains<phases> - 1>([&](auto k) TOEPLITZ_LAMBDA {
            const Index own = s + (k + 1) * phases;
            if (own < old) rest[k + 1] += S::load(h[0] - own * lanes) * S::load(x + own * width);
        });
        for (s = old; s + phases <= before; s += phases) add(s);
        unroll<count>([&](auto p) TOEPLITZ_LAMBDA {
            const Pack steps = up_to<phases>(before - s, S::load(x + p * stride + s * width));
            sum[p] += S::load(h[p] - s * lanes) * steps;
        });
        unroll<chains<phases> - 1>([&](auto k) TOEPLITZ_LAMBDA { sum[0] += rest[k + 1]; });
        unroll<count>([&](auto p) TOEPLITZ_LAMBDA { sum[p] = S::template sum_blocks<phases>(sum[p]); });
    }

    /// The outputs of a tile of one pack's columns, pack after pack. x: its first step; `before` steps before
    /// it count, a multiple of the tile.
    template <Index phases>
    TOEPLITZ_INLINE void tile(Index pack, const Scalar* x, Index before, Pack* outputs) const noexcept {
        constexpr int tile = static_cast<int>(StreamPartition::tile(phases));
        constexpr int packs = tile / static_cast<int>(phases);
        const Scalar* h = kernel(pack);
        Pack sum[std::size_t{tile}] = {};
        add_packs<phases, tile>(h, x, before, sum);
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
            const Pack steps = S::load(x + p * lanes);
            unroll<tile>([&](auto q) TOEPLITZ_LAMBDA {
                constexpr Index place = q - p * phases;
                if constexpr (place >= 0) {
                    sum[q] += S::load(h + place * lanes) * up_to<phases>(place, steps);
                }
            });
        });
        for (int k = 1; k < chains<phases>; ++k) {
            Pack rest[std::size_t{tile}] = {};
            add_packs<phases, tile>(h, x, before - k * phases, rest);
            unroll<tile>([&](auto q) TOEPLITZ_LAMBDA { sum[q] += rest[q]; });
        }
        unroll<packs>([&](auto p)
                          TOEPLITZ_LAMBDA { outputs[p] = S::template sum_blocks<phases>(sum + p * phases); });
    }

private:
    const Scalar* kernel(Index pack) const noexcept {
        return lags_.data() + StreamColumns<Scalar>::kernel_of(pack, kernel_packs_) * stride_;
    }

    // What one of the chains of a tile gets from the pack that begins `before` steps ago, and every `chains`
    // packs after it, before the tile.
    template <Index phases, int tile>
    TOEPLITZ_INLINE static void add_packs(const Scalar* h, const Scalar* x, Index before,
                                          Pack* sum) noexcept {
        constexpr Index step = chains<phases> * phases;
        constexpr int unrolled = step == 1 ? tile : 1;
        for (Index s = before; s > 0; s -= unrolled * step) {
            unroll<unrolled>([&](auto p) TOEPLITZ_LAMBDA {
                const Pack steps = S::load(x - (s - p * step) * (lanes / phases));
                unroll<tile>([&](auto q) TOEPLITZ_LAMBDA {
                    sum[q] += S::load(h + (s - p * step + q) * lanes) * steps;
                });
            });
        }
    }

    // The steps of a pack up to one of them; zeros for those after it, which may be anything.
    template <Index phases>
    TOEPLITZ_INLINE Pack up_to(Index last, Pack steps) const noexcept {
        if (phases == 1 || last >= phases - 1) return steps;
        return S::load(phases_.data()) <= S::broadcast(static_cast<Scalar>(last)) ? steps : Pack{};
    }

    Index kernel_packs_;
    Index stride_;
    Buffer<Scalar> lags_;
    Buffer<Scalar> phases_;  ///< of the lanes
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
