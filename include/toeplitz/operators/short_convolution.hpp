// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Depthwise convolution by its definition, blocked so that rows stay in cache, outputs and taps in
/// registers. The engine of the band, and of Toeplitz products too short for a transform.

#include <toeplitz/operators/narrow_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Output rows start from zero.
template <Real Scalar>
struct StartFromZero {
    Index channels;

    auto sequence(Index) const noexcept {
        return [](Index, Index, const auto& load) TOEPLITZ_LAMBDA { return decltype(load(nullptr)){}; };
    }
    void write_rows(Index, Index, Index count, Scalar* to) const noexcept {
        std::fill_n(to, count * channels, Scalar(0));
    }
};

/// Output rows start from what y holds.
template <Real Scalar>
struct StartFromRows {
    MatrixView<const Scalar> rows;
    const Sequences& sequences;

    void write_rows(Index b, Index i, Index count, Scalar* to) const noexcept {
        pack_rows<Scalar>(sequences.of(rows, b).middle_rows(i, count), to);
    }

    auto sequence(Index b) const noexcept {
        return [from = sequences.of(rows, b)](Index i, Index channel, const auto& load)
                   TOEPLITZ_LAMBDA { return load(from.row(i) + channel); };
    }
};

/// y_i = start_i + Σ_q s_q x_{i−q} with lags q = −negative..positive, zero outside the rows of x.
///
/// The rows that a run of outputs needs are copied, some cache lines wide, into a window that stays in the
/// first-level cache: rows a power of two apart would evict each other there. Rows outside the sequence and
/// channels beyond the last are zeros in it, so the loops below know no edges. A tile of `tile_rows` outputs
/// of one vector of channels then stays in registers while blocks of taps, in registers too, sweep over it:
/// each load of x feeds up to tap_block multiply-adds.
/// Runs start at multiples of run_rows whatever the thread count: results do not depend on it.
/// Channels that do not fill a vector are NarrowConvolution's.
template <Real Scalar>
class ShortConvolution {
    using V = Simd<Scalar>;
    using Pack = typename V::Pack;

public:
    ShortConvolution() = default;

    /// \throws config_error 202
    ShortConvolution(Index channels, Index negative, Index positive)
        : channels_(channels), taps_(negative + positive + 1), negative_(negative), positive_(positive) {
        if (is_narrow()) {
            narrow_ = NarrowConvolution<Scalar>(channels, negative, positive);
        } else {
            const Index size = checked_product(packs() * V::lanes, taps_, "ShortConvolution");
            forward_ = Buffer<Scalar>(size);
            adjoint_ = Buffer<Scalar>(size);
        }
    }

    /// Taps of some channels from the first one on: a row for each lag, from −negative to positive.
    void set_kernel(Index first, MatrixView<const Scalar> kernel) noexcept {
        if (is_narrow()) return narrow_.set_kernel(kernel);
        for (Index j = 0; j < kernel.cols(); ++j) {
            const Index c = first + j;
            const Index start = c / V::lanes * taps_ * V::lanes + c % V::lanes;
            for (Index q = 0; q < taps_; ++q) {
                forward_[start + q * V::lanes] = kernel(q, j);
                adjoint_[start + (taps_ - 1 - q) * V::lanes] = kernel(q, j);
            }
        }
    }

    Index taps() const noexcept { return taps_; }
    std::size_t state_bytes() const noexcept {
        if (is_narrow()) return narrow_.state_bytes();
        return static_cast<std::size_t>(forward_.size() + adjoint_.size()) * sizeof(Scalar);
    }

    std::size_t product_workspace(Index batch, Index length) const noexcept {
        if (is_narrow()) return narrow_.product_workspace(batch, length);
        return ThreadScratch<Scalar>::bytes(window_size(), product_threads(batch, length));
    }
    std::size_t gradient_workspace(Index batch, Index length) const noexcept {
        if (is_narrow()) return narrow_.gradient_workspace();
        return ThreadScratch<Scalar>::bytes(gradient_scratch(), gradient_threads(batch, length));
    }

    /// All valid rows of a batch, threads splitting the rows. Row i of sequence b starts from
    /// start.sequence(b)(i, channel, load), a vector of channels; or, where channels do not fill one, from
    /// what start.write_rows gives.
    template <Direction direction, class Start>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 const Start& start, Workspace& ws) const {
        if (is_narrow()) return narrow_.template product<direction>(x, y, sequences, start, ws);
        const Index batch = sequences.batch();
        const int threads = product_threads(batch, sequences.length());
        ws.reserve(product_workspace(batch, sequences.length()));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> windows(scope, window_size(), threads);
        const Index runs = run_count(sequences.length());
        parallel_chunks(batch * runs, threads, [&](Index begin, Index end, int thread) {
            for (Index item = begin; item < end; ++item) {
                const Index b = item / runs;
                run<direction>(sequences.valid_of(x, b), sequences.valid_of(y, b), item % runs * run_rows,
                               start.sequence(b), windows[thread]);
            }
        });
    }

    /// The same from zero, or from what y holds.
    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        if constexpr (update == Update::add) {
            product<direction>(x, y, sequences, StartFromRows<Scalar>{y, sequences}, ws);
        } else {
            product<direction>(x, y, sequences, StartFromZero<Scalar>{channels_}, ws);
        }
    }

    /// dkernel_q += Σ_b Σ_i g_i x_{i−q} inside the valid rows. Threads split the channels.
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             MatrixView<Scalar> dkernel, const Sequences& sequences, Workspace& ws) const {
        if (is_narrow()) return narrow_.accumulate_gradient(x, g, dkernel, sequences, ws);
        const int threads = gradient_threads(sequences.batch(), sequences.length());
        ws.reserve(gradient_workspace(sequences.batch(), sequences.length()));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, gradient_scratch(), threads);
        parallel_chunks(block_count(), threads, [&](Index begin, Index end, int thread) {
            for (Index block = begin; block < end; ++block) {
                gradient_block(x, g, dkernel, sequences, block * block_width, scratch[thread]);
            }
        });
    }

private:
    static constexpr int tile_rows = vector_registers == 32 ? 16 : 8;
    static constexpr int tap_block = vector_registers == 32 ? 11 : 6;
    static constexpr Index run_rows = 128;
    /// Channels of a window: two cache lines of a row.
    static constexpr Index block_width = static_cast<Index>(2 * buffer_alignment / sizeof(Scalar));
    static constexpr int gradient_taps = vector_registers == 32 ? 16 : 8;
    static constexpr int gradient_rows = 4;

    bool is_narrow() const noexcept { return NarrowConvolution<Scalar>::serves(channels_); }
    static constexpr Index divide_up(Index a, Index b) noexcept { return (a + b - 1) / b; }
    Index packs() const noexcept { return divide_up(channels_, V::lanes); }
    Index block_count() const noexcept { return divide_up(channels_, block_width); }
    static Index run_count(Index length) noexcept { return divide_up(length, run_rows); }
    // Rows of x that a run reads, the last tile's beyond its end included.
    Index window_rows() const noexcept { return run_rows + taps_ - 1; }
    Index window_size() const noexcept { return window_rows() * block_width; }
    // Taps in whole blocks of a gradient.
    Index tap_rows() const noexcept { return divide_up(taps_, gradient_taps) * gradient_taps; }
    // Sums of the taps, rows of g, and the rows of x behind them.
    Index gradient_scratch() const noexcept {
        return (tap_rows() + run_rows + (run_rows + tap_rows() - 1)) * block_width;
    }

    struct Taps {
        Index begin;
        Index end;
    };

    // A vector multiply-add takes about a fifth of a nanosecond.
    Index work(Index batch, Index length) const noexcept {
        return batch * length * packs() * (taps_ + 4) / 5;
    }
    int product_threads(Index batch, Index length) const noexcept {
        return thread_count(batch * run_count(length), work(batch, length));
    }
    int gradient_threads(Index batch, Index length) const noexcept {
        return thread_count(block_count(), work(batch, length));
    }

    // window_j = x_{first+j} for j < count, zeros outside the rows and beyond the width.
    static void fill_window(MatrixView<const Scalar> x, Index first, Index count, Index channel, Index width,
                            Scalar* window) noexcept {
        for (Index j = 0; j < count; ++j, window += block_width) {
            if (first + j < 0 || first + j >= x.rows()) {
                std::fill_n(window, block_width, Scalar(0));
                continue;
            }
            const Scalar* row = x.row(first + j) + channel;
            if (width == block_width) {
                unroll<block_width / V::lanes>([&](auto p) TOEPLITZ_LAMBDA {
                    V::store(window + p * V::lanes, V::load_unaligned(row + p * V::lanes));
                });
            } else {
                std::fill(std::copy_n(row, width, window), window + block_width, Scalar(0));
            }
        }
    }

    template <Direction direction, class Start>
    void run(MatrixView<const Scalar> x, MatrixView<Scalar> y, Index i0, const Start& start,
             Scalar* window) const {
        const Index before = direction == Direction::forward ? positive_ : negative_;
        const Scalar* taps = direction == Direction::forward ? forward_.data() : adjoint_.data();
        const Index count = (std::min)(run_rows, x.rows() - i0);
        for (Index channel = 0; channel < channels_ && count > 0; channel += block_width) {
            const Index width = (std::min)(block_width, channels_ - channel);
            const Index tiles = divide_up(count, tile_rows);
            const Index window_start = i0 - before;
            const Index fill_start = std::max<Index>(window_start, 1 - tile_rows);
            const Index fill_end =
                (std::min)(window_start + tiles * tile_rows + taps_ - 1, x.rows() + tile_rows - 1);
            fill_window(x, fill_start, fill_end - fill_start, channel, width,
                        window + (fill_start - window_start) * block_width);
            for (Index tile = 0; tile < tiles; ++tile) {
                const Index first = tile * tile_rows;
                const Index valid = std::min<Index>(tile_rows, count - first);
                // Tap q brings row `newest` − q to the tile's first row; other taps meet zeros alone.
                const Index newest = window_start + first + taps_ - 1;
                const Taps used{std::max<Index>(0, newest - (x.rows() - 1)),
                                (std::min)(taps_, newest + tile_rows)};
                for (Index c = 0; c < width; c += V::lanes) {
                    const Scalar* source = window + first * block_width + c;
                    const Scalar* tap = taps + (channel + c) * taps_;
                    Scalar* to = y.row(i0 + first) + channel + c;
                    if (valid == tile_rows && c + V::lanes <= width) {
                        whole_tile(source, tap, used, start, i0 + first, channel + c, to, y.row_stride());
                    } else {
                        rest_tile(source, tap, used, start, i0 + first, valid, channel + c,
                                  (std::min)(V::lanes, width - c), to, y.row_stride());
                    }
                }
            }
        }
    }

    template <class Start>
    [[gnu::noinline]] void whole_tile(const Scalar* window, const Scalar* taps, Taps used, const Start& start,
                                      Index i, Index channel, Scalar* y, Index y_stride) const {
        Pack sum[tile_rows];
        const auto load = [](const Scalar* p) TOEPLITZ_LAMBDA { return V::load_unaligned(p); };
        unroll<tile_rows>([&](auto r) TOEPLITZ_LAMBDA { sum[r] = start(i + r, channel, load); });
        add_taps_in(used, window, taps, sum);
        unroll<tile_rows>([&](auto r) TOEPLITZ_LAMBDA { V::store_unaligned(y + r * y_stride, sum[r]); });
    }

    // A tile cut by the end of the sequence or by the last channel.
    template <class Start>
    [[gnu::noinline]] void rest_tile(const Scalar* window, const Scalar* taps, Taps used, const Start& start,
                                     Index i, Index valid, Index channel, Index width, Scalar* y,
                                     Index y_stride) const {
        Pack sum[tile_rows] = {};
        const auto load = [width](const Scalar* p) { return V::load_partial(p, width); };
        for (Index r = 0; r < valid; ++r) sum[r] = start(i + r, channel, load);
        add_taps_in(used, window, taps, sum);
        for (Index r = 0; r < valid; ++r) V::store_partial(y + r * y_stride, sum[r], width);
    }

    // sum_r += Σ_q tap_q x_{r−q}; taps run from the first lag upwards, so x runs down from the window's end.
    TOEPLITZ_INLINE void add_taps_in(Taps used, const Scalar* window, const Scalar* taps, Pack* sum) const {
        for (; used.begin + tap_block <= used.end; used.begin += tap_block) {
            add_taps<tap_block>(window, taps, used.begin, sum);
        }
        add_rest<tap_block / 2>(window, taps, used, sum);
    }

    template <int count>
    TOEPLITZ_INLINE void add_rest(const Scalar* window, const Scalar* taps, Taps& used, Pack* sum) const {
        for (; used.begin + count <= used.end; used.begin += count) {
            add_taps<count>(window, taps, used.begin, sum);
        }
        if constexpr (count > 1) add_rest<count / 2>(window, taps, used, sum);
    }

    template <int count>
    TOEPLITZ_INLINE void add_taps(const Scalar* window, const Scalar* taps, Index q, Pack* sum) const {
        separate_iterations();
        Pack tap[std::size_t{count}];
        unroll<count>([&](auto k) TOEPLITZ_LAMBDA { tap[k] = V::load(taps + (q + k) * V::lanes); });
        // Step s is the row that tap k multiplies for output s − (count−1) + k.
        const Scalar* row = window + (taps_ - q - count) * block_width;
        unroll<tile_rows + count - 1>([&](auto step) TOEPLITZ_LAMBDA {
            const Pack value = V::load(row + step * block_width);
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                constexpr int r = decltype(step)::value - (count - 1) + decltype(k)::value;
                if constexpr (r >= 0 && r < tile_rows) sum[r] += tap[k] * value;
            });
        });
    }

    // Sums over one run first: rounding grows with the run, not with n.
    void gradient_block(MatrixView<const Scalar> x, MatrixView<const Scalar> g, MatrixView<Scalar> dkernel,
                        const Sequences& sequences, Index channel, Scalar* scratch) const {
        const Index width = (std::min)(block_width, channels_ - channel);
        const Index padded_taps = tap_rows();
        Scalar* total = scratch;
        Scalar* g_window = total + padded_taps * block_width;
        Scalar* x_window = g_window + run_rows * block_width;
        std::fill_n(total, padded_taps * block_width, Scalar(0));
        for (Index b = 0; b < sequences.batch(); ++b) {
            const MatrixView<const Scalar> xs = sequences.valid_of(x, b);
            const MatrixView<const Scalar> gs = sequences.valid_of(g, b);
            for (Index i0 = 0; i0 < xs.rows(); i0 += run_rows) {
                const Index count =
                    divide_up((std::min)(run_rows, xs.rows() - i0), gradient_rows) * gradient_rows;
                fill_window(gs, i0, count, channel, width, g_window);
                // Taps are padded to whole blocks: their sums come out of rows before the window's first.
                fill_window(xs, i0 + negative_ - (padded_taps - 1), count + padded_taps - 1, channel, width,
                            x_window);
                for (Index q = 0; q < padded_taps; q += gradient_taps) {
                    // Rows of g that these taps bring together with rows of x.
                    const Index lag = q - negative_;
                    const Index begin = std::clamp<Index>(lag - i0, 0, count) / gradient_rows * gradient_rows;
                    const Index end =
                        std::clamp<Index>(xs.rows() + lag + gradient_taps - 1 - i0, begin, count);
                    for (Index c = 0; c < width; c += V::lanes) {
                        add_gradient(x_window + (padded_taps - q - gradient_taps + begin) * block_width + c,
                                     g_window + begin * block_width + c, end - begin,
                                     total + q * block_width + c);
                    }
                }
            }
        }
        for (Index q = 0; q < taps_; ++q) {
            for (Index c = 0; c < width; ++c) dkernel(q, channel + c) += total[q * block_width + c];
        }
    }

    // total_k += Σ_i g_i x_{i−k}, k < gradient_taps.
    static void add_gradient(const Scalar* x, const Scalar* g, Index count, Scalar* total) noexcept {
        Pack sum[gradient_taps] = {};
        for (Index i = 0; i < count;
             i += gradient_rows, x += gradient_rows * block_width, g += gradient_rows * block_width) {
            separate_iterations();
            Pack gs[gradient_rows];
            unroll<gradient_rows>([&](auto r) TOEPLITZ_LAMBDA { gs[r] = V::load(g + r * block_width); });
            unroll<gradient_rows + gradient_taps - 1>([&](auto step) TOEPLITZ_LAMBDA {
                const Pack value = V::load(x + step * block_width);
                unroll<gradient_taps>([&](auto k) TOEPLITZ_LAMBDA {
                    constexpr int r = decltype(step)::value - (gradient_taps - 1) + decltype(k)::value;
                    if constexpr (r >= 0 && r < gradient_rows) sum[k] += gs[r] * value;
                });
            });
        }
        unroll<gradient_taps>([&](auto k) TOEPLITZ_LAMBDA {
            V::store(total + k * block_width, V::load(total + k * block_width) + sum[k]);
        });
    }

    Index channels_ = 0;
    Index taps_ = 0;
    Index negative_ = 0;
    Index positive_ = 0;
    NarrowConvolution<Scalar> narrow_;
    Buffer<Scalar> forward_;  // packs × taps × lanes, lags upwards
    Buffer<Scalar> adjoint_;  // the same, lags of the transpose upwards
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
