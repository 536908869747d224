// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The lags that a stream adds by definition: those of the last steps.

#include <toeplitz/core/memory.hpp>
#include <toeplitz/stream/level_transforms.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// y_t += Σ_s h_{t−s} x_s from an s that a tile of outputs shares, in ascending order of s: outputs have the
/// same bits whether they are made one by one or tile by tile.
template <Real Scalar>
class RecentLags {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    static constexpr Index lanes = S::lanes;
    static constexpr Index tile = StreamPartition::tile;

public:
    /// \param lags row t is lag t \param count lags needed
    RecentLags(const StreamColumns<Scalar>& columns, MatrixView<const Scalar> lags, Index count)
        : kernel_packs_(columns.kernel_packs()), stride_(count * lanes), lags_(kernel_packs_ * stride_) {
        for (Index pack = 0; pack < kernel_packs_; ++pack) {
            for (Index t = 0; t < count; ++t) {
                columns.load_lag(lags, t, pack, lags_.data() + pack * stride_ + t * lanes);
            }
        }
    }

    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(lags_.size()) * sizeof(Scalar);
    }

    /// One output of `count` packs from `first` on. x: that step of the first pack, `stride` from one to the
    /// next; `before` steps before it count.
    template <int count>
    TOEPLITZ_INLINE void add_one(Index first, const Scalar* x, Index stride, Index before,
                                 Pack* sum) const noexcept {
        const Scalar* h[std::size_t{count}];
        unroll<count>([&](auto p) TOEPLITZ_LAMBDA { h[p] = kernel(first + p) + before * lanes; });
        x -= before * lanes;
        for (Index s = 0; s <= before; ++s) {
            unroll<count>([&](auto p) TOEPLITZ_LAMBDA {
                sum[p] += S::load(h[p] - s * lanes) * S::load(x + p * stride + s * lanes);
            });
        }
    }

    /// The outputs of a tile of one pack. x: its first step; `before` steps before it count, a multiple of
    /// the tile.
    TOEPLITZ_INLINE void add_tile(Index pack, const Scalar* x, Index before, Pack* sum) const noexcept {
        const Scalar* h = kernel(pack) + before * lanes;
        x -= before * lanes;
        for (Index s = 0; s < before; s += tile, h -= tile * lanes, x += tile * lanes) {
            unroll<tile>([&](auto p) TOEPLITZ_LAMBDA {
                const Pack input = S::load(x + p * lanes);
                unroll<tile>([&](auto q) TOEPLITZ_LAMBDA { sum[q] += S::load(h + (q - p) * lanes) * input; });
            });
        }
        unroll<tile>([&](auto p) TOEPLITZ_LAMBDA {
            const Pack input = S::load(x + p * lanes);
            unroll<tile>([&](auto q) TOEPLITZ_LAMBDA {
                if constexpr (q >= p) sum[q] += S::load(h + (q - p) * lanes) * input;
            });
        });
    }

private:
    const Scalar* kernel(Index pack) const noexcept { return lags_.data() + pack % kernel_packs_ * stride_; }

    Index kernel_packs_;
    Index stride_;
    Buffer<Scalar> lags_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
