// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Depthwise convolution by its definition of fewer channels than a vector has lanes.

#include <algorithm>
#include <numeric>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/core/workspace.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Copies rows of neighbouring numbers one behind the other.
template <Real Scalar>
void pack_rows(MatrixView<const Scalar> rows, Scalar* to) noexcept {
    const Index width = rows.cols();
    if (rows.row_stride() == width) {
        std::copy_n(rows.row(0), rows.rows() * width, to);
        return;
    }
    for (Index i = 0; i < rows.rows(); ++i) std::copy_n(rows.row(i), width, to + i * width);
}

/// y_i = start_i + Σ_q s_q x_{i−q} with lags q = −negative..positive, zero outside the rows of x.
///
/// Rows are copied one behind the other, d numbers each, so that a vector holds several steps: lane l of
/// vector v is channel (v·lanes + l) mod d, and a lag of q steps is q·d numbers. Vectors whose first lanes
/// are of the same channel form a class and have their taps in common; there are d / gcd(d, lanes) classes,
/// one where d divides the lanes.
/// Runs start at multiples of run_rows whatever the thread count: results do not depend on it.
template <Real Scalar>
class NarrowConvolution {
    using V = Simd<Scalar>;
    using Pack = typename V::Pack;

public:
    static constexpr bool serves(Index channels) noexcept { return channels < V::lanes; }

    NarrowConvolution() = default;

    /// \throws config_error 202
    NarrowConvolution(Index channels, Index negative, Index positive)
        : channels_(channels),
          taps_(negative + positive + 1),
          negative_(negative),
          positive_(positive),
          classes_(channels / std::gcd(channels, V::lanes)),
          forward_(checked_product(tap_size(), taps_, "NarrowConvolution")),
          adjoint_(forward_.size()) {}

    /// All taps: a row for each lag, from −negative to positive.
    void set_kernel(MatrixView<const Scalar> kernel) noexcept {
        for (Index q = 0; q < taps_; ++q) {
            for (Index i = 0; i < tap_size(); ++i) {
                forward_[q * tap_size() + i] = adjoint_[(taps_ - 1 - q) * tap_size() + i] =
                    kernel(q, i % channels_);
            }
        }
    }

    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(forward_.size() + adjoint_.size()) * sizeof(Scalar);
    }
    std::size_t product_workspace(Index batch, Index length) const noexcept {
        return ThreadScratch<Scalar>::bytes(window_size() + run_size(), threads(batch, length));
    }
    std::size_t gradient_workspace() const noexcept {
        return ThreadScratch<Scalar>::bytes(window_size() + run_size() + sums_size(), 1);
    }

    /// All valid rows of a batch, threads splitting the rows. start.write_rows(b, i, count, to) gives what
    /// rows i.. of sequence b start from, one behind the other.
    template <Direction direction, class Start>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 const Start& start, Workspace& ws) const {
        const Index batch = sequences.batch();
        const int limit = threads(batch, sequences.length());
        ws.reserve(product_workspace(batch, sequences.length()));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, window_size() + run_size(), limit);
        const Index runs = run_count(sequences.length());
        parallel_chunks(batch * runs, limit, [&](Index begin, Index end, int thread) {
            for (Index item = begin; item < end; ++item) {
                const Index b = item / runs;
                const Index i0 = item % runs * run_rows;
                const MatrixView<const Scalar> xs = sequences.valid_of(x, b);
                const Index count = (std::min)(run_rows, xs.rows() - i0);
                if (count <= 0) continue;
                Scalar* outputs = scratch[thread] + window_size();
                start.write_rows(b, i0, count, outputs);
                run<direction>(xs, sequences.valid_of(y, b).middle_rows(i0, count), i0, scratch[thread],
                               outputs);
            }
        });
    }

    /// dkernel_q += Σ_b Σ_i g_i x_{i−q} inside the valid rows, on one thread.
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             MatrixView<Scalar> dkernel, const Sequences& sequences, Workspace& ws) const {
        ws.reserve(gradient_workspace());
        Workspace::Scope scope(ws);
        Scalar* sums = ThreadScratch<Scalar>(scope, window_size() + run_size() + sums_size(), 1)[0];
        Scalar* window = sums + sums_size();
        Scalar* run = window + window_size();
        std::fill_n(sums, sums_size(), Scalar(0));
        for (Index b = 0; b < sequences.batch(); ++b) {
            const MatrixView<const Scalar> xs = sequences.valid_of(x, b);
            const MatrixView<const Scalar> gs = sequences.valid_of(g, b);
            for (Index i0 = 0; i0 < xs.rows(); i0 += run_rows) {
                const Index count = (std::min)(run_rows, xs.rows() - i0);
                fill_window(xs, i0 - positive_, count, window);
                pack_rows<Scalar>(gs.middle_rows(i0, count), run);
                std::fill_n(run + count * channels_, V::lanes, Scalar(0));
                const Taps used = taps_that_count(i0 - positive_, count, xs.rows());
                Index q = used.begin;
                for (; q + gradient_taps <= used.end; q += gradient_taps) {
                    add_gradient<gradient_taps>(window, run, count, q, sums);
                }
                for (; q < used.end; ++q) add_gradient<1>(window, run, count, q, sums);
            }
        }
        for (Index q = 0; q < taps_; ++q) {
            for (Index i = 0; i < classes_ * V::lanes; ++i) {
                dkernel(q, i % channels_) += sums[q * classes_ * V::lanes + i];
            }
        }
    }

private:
    static constexpr int tile_packs = 8;
    static constexpr int gradient_taps = 8;
    // A multiple of the lanes: every run begins with the first class.
    static constexpr Index run_rows = 512;

    struct Taps {
        Index begin;
        Index end;
    };

    static Index run_count(Index length) noexcept { return (length + run_rows - 1) / run_rows; }
    // Of a tap: what the vectors of a tile are multiplied by, whichever class the first one is of.
    Index tap_size() const noexcept { return (classes_ == 1 ? 1 : classes_ + tile_packs - 1) * V::lanes; }
    // The rows that a run reads, and the outputs of one; both to the end of a tile.
    Index window_size() const noexcept {
        return whole_lines<Scalar>((taps_ - 1 + run_rows) * channels_ + tile_packs * V::lanes);
    }
    Index run_size() const noexcept {
        return whole_lines<Scalar>(run_rows * channels_ + tile_packs * V::lanes);
    }
    Index sums_size() const noexcept { return taps_ * classes_ * V::lanes; }

    // A vector multiply-add with its load counts as a quarter of a nanosecond.
    int threads(Index batch, Index length) const noexcept {
        return thread_count(batch * run_count(length),
                            (batch * length * channels_ / V::lanes + 1) * (taps_ + 4) / 4);
    }

    // Taps that bring some of `count` rows together with rows of x, where the window begins with row `first`.
    Taps taps_that_count(Index first, Index count, Index rows) const noexcept {
        const Index newest = first + taps_ - 1;
        return {std::max<Index>(0, newest - (rows - 1)), (std::min)(taps_, newest + count)};
    }

    // The rows of x from `first` on that `count` outputs read, zeros outside.
    void fill_window(MatrixView<const Scalar> x, Index first, Index count, Scalar* window) const noexcept {
        const Index size = count + taps_ - 1;
        const Index begin = std::clamp<Index>(-first, 0, size);
        const Index end = std::clamp<Index>(x.rows() - first, begin, size);
        std::fill_n(window, begin * channels_, Scalar(0));
        if (end > begin)
            pack_rows<Scalar>(x.middle_rows(first + begin, end - begin), window + begin * channels_);
        std::fill(window + end * channels_, window + size * channels_ + tile_packs * V::lanes, Scalar(0));
    }

    // Adds the taps to the outputs of some rows from i0 on, and copies them to y.
    template <Direction direction>
    void run(MatrixView<const Scalar> x, MatrixView<Scalar> y, Index i0, Scalar* window,
             Scalar* outputs) const noexcept {
        const Index count = y.rows();
        const Index first = i0 - (direction == Direction::forward ? positive_ : negative_);
        fill_window(x, first, count, window);
        const Taps used = taps_that_count(first, count, x.rows());
        const Scalar* taps = direction == Direction::forward ? forward_.data() : adjoint_.data();
        classes_ == 1 ? add_tiles<true>(window, taps, used, count, outputs)
                      : add_tiles<false>(window, taps, used, count, outputs);
        if (y.row_stride() == channels_) {
            std::copy_n(outputs, count * channels_, y.row(0));
            return;
        }
        for (Index i = 0; i < count; ++i) std::copy_n(outputs + i * channels_, channels_, y.row(i));
    }

    template <bool one_class>
    [[gnu::noinline]] void add_tiles(const Scalar* window, const Scalar* taps, Taps used, Index count,
                                     Scalar* outputs) const noexcept {
        const Index stride = tap_size();
        Index first_class = 0;
        for (Index at = 0; at < count * channels_; at += tile_packs * V::lanes) {
            Pack sum[tile_packs];
            unroll<tile_packs>([&](auto r)
                                   TOEPLITZ_LAMBDA { sum[r] = V::load(outputs + at + r * V::lanes); });
            // Taps run from the first lag upwards, so x runs down from the window's end.
            const Scalar* x = window + at + (taps_ - 1 - used.begin) * channels_;
            const Scalar* tap = taps + used.begin * stride + first_class * V::lanes;
            for (Index q = used.begin; q < used.end; ++q, x -= channels_, tap += stride) {
                unroll<tile_packs>([&](auto r) TOEPLITZ_LAMBDA {
                    sum[r] +=
                        V::load(tap + (one_class ? 0 : r * V::lanes)) * V::load_unaligned(x + r * V::lanes);
                });
            }
            unroll<tile_packs>([&](auto r)
                                   TOEPLITZ_LAMBDA { V::store(outputs + at + r * V::lanes, sum[r]); });
            if constexpr (!one_class) first_class = (first_class + tile_packs) % classes_;
        }
    }

    // sums_{q+k} += Σ_i g_i x_{i−q−k}, k < count, of each class apart.
    template <int count>
    [[gnu::noinline]] void add_gradient(const Scalar* window, const Scalar* g, Index rows, Index q,
                                        Scalar* sums) const noexcept {
        window += (taps_ - 1 - q) * channels_;
        for (Index own = 0; own < classes_; ++own) {
            Pack sum[std::size_t{count}] = {};
            for (Index at = own * V::lanes; at < rows * channels_; at += classes_ * V::lanes) {
                const Pack gs = V::load(g + at);
                unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                    sum[k] += gs * V::load_unaligned(window + at - k * channels_);
                });
            }
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                Scalar* to = sums + ((q + k) * classes_ + own) * V::lanes;
                V::store(to, V::load(to) + sum[k]);
            });
        }
    }

    Index channels_ = 0;
    Index taps_ = 0;
    Index negative_ = 0;
    Index positive_ = 0;
    Index classes_ = 0;
    Buffer<Scalar> forward_;  // taps × tap_size(), lags upwards
    Buffer<Scalar> adjoint_;  // the same, lags of the transpose upwards
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
