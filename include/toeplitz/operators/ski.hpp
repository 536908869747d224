// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The smooth, low-rank part of the kernel: structured kernel interpolation with an asymmetric kernel.

#include <optional>

#include <toeplitz/core/simd.hpp>
#include <toeplitz/kernels/inducing_points.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct SkiOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1
    Index rank = 0;      ///< r ≥ 1 inducing points; more than n are as good as n
    /// The rank is that of another length, whose spacing h is kept: there are as many points as n needs.
    /// None: n.
    std::optional<Index> spacing_length{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
        f("rank", sets.rank...);
        f("spacing_length", sets.spacing_length...);
    }
};

/// y = W A Wᵀ x: W interpolates linearly from r evenly spaced inducing points p_a = a·h, and A_ab = k((a−b)h)
/// is an r × r Toeplitz matrix that need not be symmetric.
///
/// W's rows hold the weights 1−f and f of the two neighbouring inducing points; they sum to 1. For r ≥ n the
/// operator is the exact one, and affine kernels are exact for any r ≥ 2; in between ‖T − W A Wᵀ‖₂ is
/// O((n/r)² TV(k′)). T itself is not Toeplitz, and never causal.
/// Kernel: (2r−1) × d, r = rank(); row δ + r − 1 holds k(δh), see inducing_lags. r = 1 is the constant k(0).
/// With a spacing_length T is the leading block of that of any longer sequence.
/// Cost O(n + r log r) per channel | heap: none | thread-safe: yes | threads split the time steps, same bits
/// for any number
template <Real ScalarType>
class Ski : public Operator<Ski<ScalarType>, ScalarType> {
    using Base = Operator<Ski, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Cache = NoCache;
    using Options = SkiOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202 or 520 (rank = 0), plan_error 301
    explicit Ski(const Options& options)
        : Base(options.length, options.channels),
          points_(checked_points(options)),
          rank_(points_.rank()),
          inducing_(FftOptions{.length = rank_, .channels = options.channels}),
          cells_(options.length),
          lower_(options.length),
          upper_(options.length) {
        make_interpolation();
    }

    /// \throws config_error 201, 202 or 520, shape_error 501, value_error 530, plan_error 301
    Ski(const Options& options, Kernel kernel) : Ski(options) { this->set_kernel(kernel); }

    const InducingPoints& inducing_points() const noexcept { return points_; }
    /// Inducing points r, at most n.
    Index rank() const noexcept { return rank_; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const { return inducing_.take_kernel(scope); }
    /// Bytes that set_kernel takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const { return inducing_.kernel_workspace(); }

    /// y = (W A Wᵀ + T) x, or its adjoint, in one pass, for a T whose rows can start from given values: a
    /// Band.
    template <Direction direction, class Other>
    requires requires(const Other& other) { &Other::template product_from<direction, int>; }
    void product_with(const Other& other, MatrixView<const Scalar> x, MatrixView<Scalar> y,
                      const Sequences& sequences, Workspace& ws) const {
        with_interpolation<direction>(x, sequences, ws, [&](const Interpolation& interpolation) {
            other.template product_from<direction>(x, y, sequences, interpolation, ws);
        });
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return inducing_.state_bytes() + static_cast<std::size_t>(cells_.size()) * sizeof(Index) +
               static_cast<std::size_t>(lower_.size() + upper_.size()) * sizeof(Scalar) +
               static_cast<std::size_t>(chunks_.size()) * sizeof(Chunk);
    }

private:
    static constexpr const char* name = "Ski";

    using V = Simd<Scalar>;
    using Pack = typename V::Pack;

    /// Rows [begin, end) between two neighbouring inducing points, or a part of them.
    struct Chunk {
        Index cell;
        Index begin;
        Index end;
    };

    /// Rows of a chunk at most: enough of them for every thread, and short sums.
    static constexpr Index chunk_rows = 1024;

    static InducingPoints checked_points(const Options& options) {
        if (options.rank < 1) {
            detail::raise<config_error>(520, "Ski", "rank >= 1", std::to_string(options.rank));
        }
        const Index spacing_length = options.spacing_length.value_or(options.length);
        detail::require_positive(spacing_length, "Ski", "spacing_length");
        detail::checked_product(options.length, effective_rank(spacing_length, options.rank), "Ski");
        return {options.length, options.rank, spacing_length};
    }

    void make_interpolation() {
        const Index n = this->length();
        for (Index i = 0; i < n; ++i) {
            const InducingPoints::Weights weights = points_.at(i);
            cells_[i] = weights.below;
            lower_[i] = static_cast<Scalar>(weights.lower);
            upper_[i] = static_cast<Scalar>(weights.upper);
        }
        Index count = 0;
        const auto for_chunks = [&](auto&& f) {
            Index begin = 0;
            for (Index i = 1; i <= n; ++i) {
                if (i < n && cells_[i] == cells_[begin] && i - begin < chunk_rows) continue;
                f(Chunk{cells_[begin], begin, i});
                begin = i;
            }
        };
        for_chunks([&](const Chunk&) { ++count; });
        chunks_ = Buffer<Chunk>(count);
        count = 0;
        for_chunks([&](const Chunk& chunk) { chunks_[count++] = chunk; });
    }

    void require_kernel(Kernel kernel, const char* where) const {
        require_kernel_shape(kernel, 2 * rank_ - 1, this->channels(), where);
    }

    void assign_kernel(Kernel kernel, Workspace& ws) {
        require_kernel(kernel, "Ski::set_kernel");
        require_finite(kernel, "Ski::set_kernel", "inducing lag", 1 - rank_);
        inducing_.set_kernel(kernel, ws);
    }

    MatrixView<Scalar> take_inducing(Workspace::Scope& scope, Index batch) const {
        return scope.template matrix<Scalar>(batch * rank_, this->channels());
    }

    Index sums_size(Index batch) const noexcept { return batch * chunks_.size() * 2 * this->channels(); }

    /// Bytes around what the inducing points' operator takes.
    std::size_t workspace_around(std::size_t inducing, Index batch) const {
        return 2 * Workspace::bytes_for<Scalar>(batch * rank_ * this->channels()) +
               (std::max)(Workspace::bytes_for<Scalar>(sums_size(batch)), inducing);
    }
    std::size_t product_workspace(Index batch) const {
        return workspace_around(inducing_.apply_workspace(batch), batch);
    }
    std::size_t gradient_workspace(Index batch) const {
        return workspace_around(inducing_.required_workspace(batch), batch);
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        with_interpolation<direction>(x, sequences, ws, [&](const Interpolation& interpolation) {
            for_chunks(sequences, [&](Index b, const Chunk& chunk, Index) {
                const MatrixView<Scalar> to = sequences.of(y, b);
                interpolate_rows<update>(interpolation.row(b, chunk.cell), chunk.begin, chunk.end,
                                         to.row(chunk.begin), to.row_stride());
            });
        });
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        require_kernel(dkernel, "Ski, dkernel");
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> zx = take_inducing(scope, sequences.batch());
        const MatrixView<Scalar> zg = take_inducing(scope, sequences.batch());
        gather(x, zx, sequences, ws);
        gather(g, zg, sequences, ws);
        inducing_.accumulate_kernel_gradient(zx, zg, dkernel, ws);
    }

    /// Calls f(sequence, chunk, number of both) for the chunks of all sequences, cut at their lengths, in
    /// parallel.
    template <class F>
    void for_chunks(const Sequences& sequences, F&& f) const {
        const Index count = chunks_.size();
        const Index items = sequences.batch() * count;
        const int threads =
            detail::thread_count(items, sequences.batch() * this->length() * this->channels() / 4);
        detail::parallel_chunks(items, threads, [&](Index begin, Index end, int) {
            for (Index item = begin; item < end; ++item) {
                const Index b = item / count;
                Chunk chunk = chunks_[item % count];
                chunk.end = (std::min)(chunk.end, sequences.valid(b));
                f(b, chunk, item);
            }
        });
    }

    // Rows of W u between two inducing points, whole rows at once: pieces of them would be written a stride
    // apart. Channels that fill no vector are written one after another.
    template <Update update>
    TOEPLITZ_INLINE void interpolate_rows(const Scalar* below, Index begin, Index end, Scalar* y,
                                          Index stride) const noexcept {
        const Index d = this->channels();
        const Index whole = d - d % V::lanes;
        const Scalar* above = rank_ > 1 ? below + d : below;
        const Scalar* lower = lower_.data();
        const Scalar* upper = upper_.data();
        Scalar* row = y;
        for (Index i = begin; whole > 0 && i < end; ++i, row += stride) {
            const Pack low = V::broadcast(lower[i]);
            const Pack high = V::broadcast(upper[i]);
            Index c = 0;
            const auto interpolate = [&](auto p) TOEPLITZ_LAMBDA {
                const Index at = c + p * V::lanes;
                Pack value = low * V::load_unaligned(below + at) + high * V::load_unaligned(above + at);
                if constexpr (update == Update::add) value += V::load_unaligned(row + at);
                V::store_unaligned(row + at, value);
            };
            for (; c + sweep * V::lanes <= whole; c += sweep * V::lanes) detail::unroll<sweep>(interpolate);
            for (; c < whole; c += V::lanes) detail::unroll<1>(interpolate);
        }
        for (Index c = whole; c < d; ++c) {
            const Scalar low = below[c];
            const Scalar high = above[c];
            Scalar* to = y + c;
            for (Index i = begin; i < end; ++i, to += stride) {
                const Scalar value = lower[i] * low + upper[i] * high;
                *to = update == Update::add ? *to + value : value;
            }
        }
    }

    /// Row i of W u, a vector of channels at a time.
    struct Interpolation {
        const Ski& ski;
        const Scalar* u;

        /// Inducing point `cell` of sequence b.
        const Scalar* row(Index b, Index cell) const noexcept {
            return u + (b * ski.rank_ + cell) * ski.channels();
        }

        void write_rows(Index b, Index i, Index count, Scalar* to) const noexcept {
            for (const Index end = i + count; i < end;) {
                Index next = i + 1;
                while (next < end && ski.cells_[next] == ski.cells_[i]) ++next;
                ski.template interpolate_rows<Update::assign>(row(b, ski.cells_[i]), i, next, to,
                                                              ski.channels());
                to += (next - i) * ski.channels();
                i = next;
            }
        }
        auto sequence(Index b) const noexcept {
            return [this, first = u + b * ski.rank_ * ski.channels()](Index i, Index channel,
                                                                      const auto& load) TOEPLITZ_LAMBDA {
                const Index d = ski.channels();
                const Scalar* below = first + ski.cells_[i] * d + channel;
                const Scalar* above = ski.rank_ > 1 ? below + d : below;
                return V::broadcast(ski.lower_[i]) * load(below) + V::broadcast(ski.upper_[i]) * load(above);
            };
        }
    };

    /// Computes u = A Wᵀ x (or Aᵀ Wᵀ x) and calls f(interpolation), which reads W u row by row.
    template <Direction direction, class F>
    void with_interpolation(MatrixView<const Scalar> x, const Sequences& sequences, Workspace& ws,
                            F&& f) const {
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> z = take_inducing(scope, sequences.batch());
        const MatrixView<Scalar> u = take_inducing(scope, sequences.batch());
        gather(x, z, sequences, ws);
        if constexpr (direction == Direction::forward) {
            inducing_.apply(z, u, ws);
        } else {
            inducing_.apply_adjoint(z, u, ws);
        }
        f(Interpolation{*this, u.data()});
    }

    /// z = Wᵀ x: each chunk sums its rows into the two inducing points around it, then each inducing point
    /// adds up its chunks in order, so that the result does not depend on the threads.
    void gather(MatrixView<const Scalar> x, MatrixView<Scalar> z, const Sequences& sequences,
                Workspace& ws) const {
        const Index d = this->channels();
        const Index count = chunks_.size();
        Workspace::Scope scope(ws);
        Scalar* sums = scope.template take<Scalar>(sums_size(sequences.batch()));
        for_chunks(sequences, [&](Index b, const Chunk& chunk, Index item) {
            sum_chunk(sequences.of(x, b), chunk, sums + item * 2 * d);
        });
        for (Index b = 0; b < sequences.batch(); ++b) {
            const MatrixView<Scalar> zb = z.middle_rows(b * rank_, rank_);
            std::fill_n(zb.data(), zb.size(), Scalar(0));
            for (Index k = 0; k < count; ++k) {
                const Scalar* sum = sums + (b * count + k) * 2 * d;
                const Index a = chunks_[k].cell;
                add_row(sum, zb.row(a));
                if (rank_ > 1) add_row(sum + d, zb.row(a + 1));
            }
        }
    }

    void add_row(const Scalar* from, Scalar* to) const noexcept {
        for (Index c = 0; c < this->channels(); ++c) to[c] += from[c];
    }

    // sums[0..d) = Σ (1−f_i) x_i, sums[d..2d) = Σ f_i x_i over the rows of a chunk.
    void sum_chunk(MatrixView<const Scalar> x, const Chunk& chunk, Scalar* sums) const {
        const Index d = this->channels();
        std::fill_n(sums, 2 * d, Scalar(0));
        for (Index i0 = chunk.begin; i0 < chunk.end; i0 += tile_rows) {
            const Index i1 = (std::min)(i0 + tile_rows, chunk.end);
            Index c = 0;
            for (; c + sweep * V::lanes <= d; c += sweep * V::lanes) sum_tile<sweep>(x, i0, i1, c, sums);
            for (; c + V::lanes <= d; c += V::lanes) sum_tile<1>(x, i0, i1, c, sums);
        }
        for (Index c = d - d % V::lanes; c < d; ++c) sum_column(x, chunk, c, sums);
    }

    // One channel of a chunk, in four sums by turns: a sum waits for the one before it.
    [[gnu::noinline]] void sum_column(MatrixView<const Scalar> x, const Chunk& chunk, Index c,
                                      Scalar* sums) const noexcept {
        Scalar low[4] = {};
        Scalar high[4] = {};
        Index i = chunk.begin;
        const auto add = [&](auto k) TOEPLITZ_LAMBDA {
            low[k] += lower_[i + k] * x.row(i + k)[c];
            high[k] += upper_[i + k] * x.row(i + k)[c];
        };
        for (; i + 4 <= chunk.end; i += 4) detail::unroll<4>(add);
        for (; i < chunk.end; ++i) detail::unroll<1>(add);
        sums[c] = (low[0] + low[1]) + (low[2] + low[3]);
        sums[this->channels() + c] = (high[0] + high[1]) + (high[2] + high[3]);
    }

    // Packs of channels at a time, and rows: few, so that a row's cache lines are used one after another.
    static constexpr int sweep = 4;
    static constexpr Index tile_rows = 32;

    template <int width>
    TOEPLITZ_INLINE void sum_tile(MatrixView<const Scalar> x, Index i0, Index i1, Index c,
                                  Scalar* sums) const {
        const Index d = this->channels();
        Pack low[std::size_t{width}];
        Pack high[std::size_t{width}];
        detail::unroll<width>([&](auto v) TOEPLITZ_LAMBDA {
            low[v] = V::load_unaligned(sums + c + v * V::lanes);
            high[v] = V::load_unaligned(sums + d + c + v * V::lanes);
        });
        for (Index i = i0; i < i1; ++i) {
            const Pack lower = V::broadcast(lower_[i]);
            const Pack upper = V::broadcast(upper_[i]);
            detail::unroll<width>([&](auto v) TOEPLITZ_LAMBDA {
                const Pack value = V::load_unaligned(x.row(i) + c + v * V::lanes);
                low[v] += lower * value;
                high[v] += upper * value;
            });
        }
        detail::unroll<width>([&](auto v) TOEPLITZ_LAMBDA {
            V::store_unaligned(sums + c + v * V::lanes, low[v]);
            V::store_unaligned(sums + d + c + v * V::lanes, high[v]);
        });
    }

    InducingPoints points_;
    Index rank_;
    Fft<Scalar> inducing_;  // A, of length r
    Buffer<Index> cells_;   // a_i: inducing point below time step i
    Buffer<Scalar> lower_;  // 1 − f_i
    Buffer<Scalar> upper_;  // f_i
    Buffer<Chunk> chunks_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
