// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Depthwise convolution by its definition, blocked so that outputs and taps stay in vector registers.
/// The engine of the band, and of Toeplitz products too short for a transform.

#include <algorithm>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/operators/interface.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Output rows start from zero.
struct StartFromZero {
    auto sequence(Index) const noexcept {
        return [](Index, Index, const auto& load) TOEPLITZ_LAMBDA { return decltype(load(nullptr)){}; };
    }
};

/// Output rows start from what y holds.
template <class Scalar>
struct StartFromRows {
    Rows<const Scalar> rows;
    Index length;

    auto sequence(Index b) const noexcept {
        return [first = rows.row(b * length), stride = rows.stride](Index i, Index channel, const auto& load)
                   TOEPLITZ_LAMBDA { return load(first + i * stride + channel); };
    }
};

/// y_i = start_i + Σ_q s_q x_{i−q} with lags q = −negative..positive, zero outside the rows of x.
///
/// A tile is `tile_rows` outputs of one vector of channels. It stays in registers while blocks of
/// `tap_block` taps, in registers too, sweep over it, so that each load of x feeds tap_block multiply-adds.
/// Tiles start at multiples of tile_rows whatever the thread count: results do not depend on it.
template <Real Scalar>
class ShortConvolution {
    using V = Simd<Scalar>;
    using Pack = typename V::Pack;

public:
    static constexpr int tile_rows = vector_registers == 32 ? 16 : 8;
    static constexpr int tap_block = vector_registers == 32 ? 11 : 6;

    ShortConvolution() = default;

    ShortConvolution(Index channels, Index negative, Index positive)
        : channels_(channels),
          taps_(negative + positive + 1),
          negative_(negative),
          positive_(positive),
          forward_(groups() * taps_ * V::lanes),
          adjoint_(groups() * taps_ * V::lanes) {}

    /// `kernel` has a row for each lag, from −negative to positive.
    void set_kernel(MatrixView<const Scalar> kernel) noexcept {
        for (Index c = 0; c < channels_; ++c) {
            Scalar* forward = forward_.data() + c / V::lanes * taps_ * V::lanes + c % V::lanes;
            Scalar* adjoint = adjoint_.data() + c / V::lanes * taps_ * V::lanes + c % V::lanes;
            for (Index q = 0; q < taps_; ++q) {
                forward[q * V::lanes] = kernel(q, c);
                adjoint[(taps_ - 1 - q) * V::lanes] = kernel(q, c);
            }
        }
    }

    Index taps() const noexcept { return taps_; }
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(forward_.size() + adjoint_.size()) * sizeof(Scalar);
    }

    /// All valid rows of a batch, threads splitting the rows. Row i of sequence b starts from
    /// start.sequence(b)(i, channel, load), a vector of channels.
    template <Direction direction, class Start>
    void product(Rows<const Scalar> x, Rows<Scalar> y, const Batch& batch, const Start& start) const {
        const Index tiles = (batch.length + tile_rows - 1) / tile_rows;
        const Index items = batch.size * tiles;
        // A vector multiply-add takes about a fifth of a nanosecond.
        const int threads = thread_count(items, batch.size * batch.length * groups() * (taps_ + 4) / 5);
        parallel_chunks(items, threads, [&](Index begin, Index end, int) {
            for (Index item = begin; item < end; ++item) {
                const Index b = item / tiles;
                tile<direction>({x.row(b * batch.length), x.stride}, {y.row(b * batch.length), y.stride},
                                batch.rows(b), item % tiles * tile_rows, start.sequence(b));
            }
        });
    }

    /// dkernel_q += Σ_b Σ_i g_i x_{i−q} inside the valid rows. Threads split channels and taps.
    void accumulate_gradient(Rows<const Scalar> x, Rows<const Scalar> g, MatrixView<Scalar> dkernel,
                             const Batch& batch) const {
        const Index blocks = (taps_ + gradient_taps - 1) / gradient_taps;
        const Index items = groups() * blocks;
        const int threads = thread_count(items, batch.size * batch.length * groups() * (taps_ + 4) / 5);
        parallel_chunks(items, threads, [&](Index begin, Index end, int) {
            for (Index item = begin; item < end; ++item) {
                gradient_block(x, g, dkernel, batch, item / blocks * V::lanes, item % blocks * gradient_taps);
            }
        });
    }

private:
    static constexpr int gradient_taps = vector_registers == 32 ? 16 : 8;
    static constexpr int gradient_rows = 4;
    static constexpr Index gradient_run = 512;

    Index groups() const noexcept { return (channels_ + V::lanes - 1) / V::lanes; }

    template <Direction direction, class Start>
    void tile(Rows<const Scalar> x, Rows<Scalar> y, Index rows, Index i0, const Start& start) const {
        if (i0 >= rows) return;
        const Index before = direction == Direction::forward ? positive_ : negative_;
        const Index after = direction == Direction::forward ? negative_ : positive_;
        const bool interior = i0 >= before && i0 + tile_rows - 1 + after < rows;
        const Scalar* taps = direction == Direction::forward ? forward_.data() : adjoint_.data();
        const Index whole = channels_ / V::lanes;
        for (Index g = 0; g < whole; ++g, taps += taps_ * V::lanes) {
            const auto load = [](const Scalar* p) { return V::load_unaligned(p); };
            const auto save = [](Scalar* p, Pack v) { V::store_unaligned(p, v); };
            if (interior) {
                tile_group<true>(x, y, rows, i0, -after, g * V::lanes, taps, start, load, save);
            } else {
                tile_group<false>(x, y, rows, i0, -after, g * V::lanes, taps, start, load, save);
            }
        }
        if (const Index rest = channels_ - whole * V::lanes; rest > 0) {
            const auto load = [rest](const Scalar* p) { return V::load_partial(p, rest); };
            const auto save = [rest](Scalar* p, Pack v) { V::store_partial(p, v, rest); };
            tile_group<false>(x, y, rows, i0, -after, whole * V::lanes, taps, start, load, save);
        }
    }

    // One tile of one vector of channels; taps run from lag first_lag upwards.
    template <bool interior, class Start, class Load, class Save>
    void tile_group(Rows<const Scalar> x, Rows<Scalar> y, Index rows, Index i0, Index first_lag,
                    Index channel, const Scalar* taps, const Start& start, const Load& load,
                    const Save& save) const {
        const Index valid = interior ? tile_rows : std::min<Index>(tile_rows, rows - i0);
        Pack sum[tile_rows];
        if constexpr (interior) {
            unroll<tile_rows>([&](auto r) TOEPLITZ_LAMBDA { sum[r] = start(i0 + r, channel, load); });
        } else {
            for (int r = 0; r < tile_rows; ++r) sum[r] = r < valid ? start(i0 + r, channel, load) : Pack{};
        }
        Index q = 0;
        for (; q + tap_block <= taps_; q += tap_block) {
            add_taps<interior, tap_block>(x, rows, i0 - first_lag - q, channel, taps + q * V::lanes, load,
                                          sum);
        }
        // What is left is a block of its own size, found by halving.
        add_rest<interior, tap_block / 2>(x, rows, i0 - first_lag, channel, taps, q, load, sum);
        if constexpr (interior) {
            unroll<tile_rows>([&](auto r) TOEPLITZ_LAMBDA { save(y.row(i0 + r) + channel, sum[r]); });
        } else {
            for (int r = 0; r < valid; ++r) save(y.row(i0 + r) + channel, sum[r]);
        }
    }

    template <bool interior, int count, class Load>
    void add_rest(Rows<const Scalar> x, Index rows, Index i0, Index channel, const Scalar* taps, Index q,
                  const Load& load, Pack* sum) const {
        while (q + count <= taps_) {
            add_taps<interior, count>(x, rows, i0 - q, channel, taps + q * V::lanes, load, sum);
            q += count;
        }
        if constexpr (count > 1) add_rest<interior, count / 2>(x, rows, i0, channel, taps, q, load, sum);
    }

    // sum_r += Σ_k tap_k x_{j0 + r − k}, k < count.
    template <bool interior, int count, class Load>
    TOEPLITZ_INLINE static void add_taps(Rows<const Scalar> x, Index rows, Index j0, Index channel,
                                         const Scalar* taps, const Load& load, Pack* sum) {
        Pack tap[count];
        unroll<count>([&](auto k) TOEPLITZ_LAMBDA { tap[k] = V::load(taps + k * V::lanes); });
        const Scalar* p = x.row(j0 - (count - 1)) + channel;
        unroll<tile_rows + count - 1>([&](auto step) TOEPLITZ_LAMBDA {
            constexpr int m = decltype(step)::value - (count - 1);
            Pack value{};
            if (interior || (j0 + m >= 0 && j0 + m < rows)) value = load(p + step * x.stride);
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                constexpr int r = m + decltype(k)::value;
                if constexpr (r >= 0 && r < tile_rows) sum[r] += tap[k] * value;
            });
        });
    }

    void gradient_block(Rows<const Scalar> x, Rows<const Scalar> g, MatrixView<Scalar> dkernel,
                        const Batch& batch, Index channel, Index q0) const {
        const Index width = std::min(V::lanes, channels_ - channel);
        const auto load = [width](const Scalar* p) {
            return width == V::lanes ? V::load_unaligned(p) : V::load_partial(p, width);
        };
        const Index lag0 = q0 - negative_;
        Pack total[gradient_taps] = {};
        for (Index b = 0; b < batch.size; ++b) {
            const Index rows = batch.rows(b);
            const Rows<const Scalar> xs{x.row(b * batch.length) + channel, x.stride};
            const Rows<const Scalar> gs{g.row(b * batch.length) + channel, g.stride};
            // Sums over short runs first: rounding grows with their length, not with n.
            for (Index run = 0; run < rows; run += gradient_run) {
                Pack sum[gradient_taps] = {};
                const Index end = std::min(run + gradient_run, rows);
                Index i = run;
                for (; i + gradient_rows <= end; i += gradient_rows) {
                    const Index low = i - lag0 - (gradient_taps - 1);
                    if (low >= 0 && i + gradient_rows - 1 - lag0 < rows) {
                        gradient_step<true>(xs, gs, rows, i, lag0, load, sum);
                    } else {
                        gradient_step<false>(xs, gs, rows, i, lag0, load, sum);
                    }
                }
                for (; i < end; ++i) {
                    const Pack gi = load(gs.row(i));
                    for (int k = 0; k < gradient_taps; ++k) {
                        const Index j = i - lag0 - k;
                        if (j >= 0 && j < rows) sum[k] += gi * load(xs.row(j));
                    }
                }
                for (int k = 0; k < gradient_taps; ++k) total[k] += sum[k];
            }
        }
        for (Index k = 0; k < std::min<Index>(gradient_taps, taps_ - q0); ++k) {
            for (Index c = 0; c < width; ++c) dkernel(q0 + k, channel + c) += total[k][c];
        }
    }

    // sum_k += Σ_r g_{i+r} x_{i+r−lag0−k} over gradient_rows rows.
    template <bool interior, class Load>
    TOEPLITZ_INLINE static void gradient_step(Rows<const Scalar> x, Rows<const Scalar> g, Index rows, Index i,
                                              Index lag0, const Load& load, Pack* sum) {
        Pack gs[gradient_rows];
        unroll<gradient_rows>([&](auto r) TOEPLITZ_LAMBDA { gs[r] = load(g.row(i + r)); });
        const Index j0 = i - lag0 - (gradient_taps - 1);
        unroll<gradient_rows + gradient_taps - 1>([&](auto step) TOEPLITZ_LAMBDA {
            Pack value{};
            if (interior || (j0 + step >= 0 && j0 + step < rows)) value = load(x.row(j0 + step));
            unroll<gradient_taps>([&](auto k) TOEPLITZ_LAMBDA {
                constexpr int r = decltype(step)::value - (gradient_taps - 1) + decltype(k)::value;
                if constexpr (r >= 0 && r < gradient_rows) sum[k] += gs[r] * value;
            });
        });
    }

    Index channels_ = 0;
    Index taps_ = 0;
    Index negative_ = 0;
    Index positive_ = 0;
    Buffer<Scalar> forward_;  // groups × taps × lanes, lags upwards
    Buffer<Scalar> adjoint_;  // the same, lags of the transpose upwards
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
