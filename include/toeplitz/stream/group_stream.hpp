// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The schedule of a stream: what each step adds by definition, and which part of which transform it does.

#include <toeplitz/stream/level_transforms.hpp>
#include <toeplitz/stream/recent_lags.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The columns of a stream that fill their packs alike.
///
/// Time and memory are the caller's. Thread-safe: const, on distinct memory.
template <Real Scalar>
class GroupStream {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;

public:
    using Inputs = MatrixView<const Scalar>;

    /// Of a state: the inputs, and what follows from them.
    struct Memory {
        Scalar* inputs;
        Scalar* levels;
    };

    /// \param lags n × channels, row t is lag t \param block number of steps that all calls take multiples of
    GroupStream(const StreamColumns<Scalar>& columns, Inputs lags, Index block)
        : columns_(columns),
          partition_(lags.rows(), block, columns.phases()),
          inputs_(columns, partition_.direct(), partition_.history()),
          recent_(columns, lags, partition_.direct_lags()) {
        for (const StreamLevel& level : partition_.levels()) {
            levels_.push_back({{level, columns, lags}, memory_size_});
            memory_size_ += levels_.back().transforms.memory_size();
        }
    }

    const StreamPartition& partition() const noexcept { return partition_; }
    const StreamInputs<Scalar>& inputs() const noexcept { return inputs_; }
    /// Scalars of the levels' memory.
    Index memory_size() const noexcept { return memory_size_; }
    std::size_t state_bytes() const noexcept {
        std::size_t bytes = recent_.state_bytes();
        for (const Level& level : levels_) bytes += level.transforms.state_bytes();
        return bytes;
    }

    /// Operations on packs of the step from time t to t + 1.
    Index operations(Index t) const noexcept {
        const Index phases = columns_.phases();
        const Index lags = (partition_.direct_lags(t) + phases - 1) / phases;
        const Index sums = lags > 0 ? std::countr_zero(static_cast<std::uint64_t>(phases)) : 0;
        Index count = columns_.packs() * (lags + sums + static_cast<Index>(levels_.size()));
        for (const Level& level : levels_) {
            const Units units = units_of(level, t, t + 1);
            if (units.block >= 0) {
                count += level.transforms.operations(units.block, units.first, units.last);
            }
        }
        return count;
    }

    /// The next steps, from time t on.
    void process(const Inputs& x, const MatrixView<Scalar>& y, Index steps, Index t,
                 Memory memory) const noexcept {
        const bool neighbours = inputs_.has_neighbours(x) && inputs_.has_neighbours(y);
        columns_.with_phases([&]<Index phases>() TOEPLITZ_LAMBDA {
            neighbours ? process<phases, true>(x, y, steps, t, memory)
                       : process<phases, false>(x, y, steps, t, memory);
        });
    }

    /// Leaves at time `end` what process leaves that gets the inputs from time t on: steps first..first +
    /// count − 1 of x.
    void prefill(const Inputs& x, Index first, Index t, Index end, Memory memory) const noexcept {
        const bool neighbours = inputs_.has_neighbours(x);
        columns_.with_phases([&]<Index phases>() TOEPLITZ_LAMBDA {
            catch_up(t, end, memory, [&](Index from, Index count) {
                const Index row = first + from - t;
                const Index place = inputs_.place(from);
                neighbours ? inputs_.template read<phases, true>(x, row, count, place, memory.inputs)
                           : inputs_.template read<phases, false>(x, row, count, place, memory.inputs);
            });
        });
    }
    /// The same of saved steps, one after another.
    void restore(const std::byte* steps, Index t, Index end, Memory memory) const noexcept {
        catch_up(t, end, memory, [&](Index from, Index count) {
            for (Index i = from; i < from + count; ++i) {
                inputs_.load_step(steps + static_cast<std::size_t>(i - t) * inputs_.step_bytes(), i,
                                  memory.inputs);
            }
        });
    }

private:
    struct Level {
        LevelTransforms<Scalar> transforms;
        Index memory;  ///< where its memory begins among that of all levels
    };

    // Units first..last−1 of the job of a block; none where the block is negative.
    struct Units {
        Index block;
        Index first;
        Index last;
    };

    template <Index phases, bool neighbours>
    [[gnu::noinline]] void process(const Inputs& x, const MatrixView<Scalar>& y, Index steps, Index t,
                                   Memory memory) const noexcept {
        for (Index done = 0; done < steps;) {
            // Some steps are made pack by pack, which then stays in the cache, few of them step by step.
            const bool is_block = steps - done >= StreamPartition::tile(1);
            const Index count = (std::min)(steps - done, is_block ? partition_.piece() : to_block_end(t));
            const Index place = inputs_.place(t);
            inputs_.template read<phases, neighbours>(x, done, count, place, memory.inputs);
            is_block ? make_block<phases, neighbours>(y, done, count, t, memory)
                     : make_steps<phases, neighbours>(y, done, count, t, place, memory);
            t += count;
            done += count;
        }
    }

    // Steps from t to the end of its block of the first level.
    Index to_block_end(Index t) const noexcept { return partition_.base() - (t & (partition_.base() - 1)); }

    // The outputs of the next steps, whose inputs are there, to rows of y from `first` on; and the work of
    // the levels that is due then. The steps lie in one block of the first level.
    template <Index phases, bool neighbours>
    void make_steps(const MatrixView<Scalar>& y, Index first, Index count, Index t, Index place,
                    Memory memory) const noexcept {
        for (Index i = 0; i < count; ++i) {
            const Scalar* x = inputs_.at(memory.inputs, 0, place + i);
            Index pack = 0;
            if constexpr (phases == 1) {
                for (; pack + 4 <= columns_.packs(); pack += 4, x += 4 * inputs_.stride()) {
                    write_one<phases, neighbours, 4>(y, first + i, t + i, pack, x, memory);
                }
            }
            for (; pack < columns_.template packs<phases>(); ++pack, x += inputs_.stride()) {
                write_one<phases, neighbours, 1>(y, first + i, t + i, pack, x, memory);
            }
        }
        for (const Level& level : levels_) run(level, units_of(level, t, t + count), memory);
    }

    // The same for up to piece() steps, anywhere.
    template <Index phases, bool neighbours>
    void make_block(const MatrixView<Scalar>& y, Index first, Index count, Index t,
                    Memory memory) const noexcept {
        constexpr Index tile = StreamPartition::tile(phases);
        for (Index pack = 0; pack < columns_.template packs<phases>(); ++pack) {
            for (Index i = 0; i < count;) {
                const Index from = t + i;
                const Index part = (std::min)(count - i, to_block_end(from));
                for (const Level& level : levels_) {
                    Units units = units_of(level, from, from + part);
                    const Index begin = pack * level.transforms.pack_units();
                    units.first = (std::max)(units.first, begin);
                    units.last = (std::min)(units.last, begin + level.transforms.pack_units());
                    run(level, units, memory);
                }
                const Scalar* x = inputs_.at(memory.inputs, pack, inputs_.place(from));
                for (Index k = 0; k < part;) {
                    const Scalar* own = x + k * (S::lanes / phases);
                    if ((from + k) % tile == 0 && k + tile <= part) {
                        write_tile<phases, neighbours>(y, first + i + k, from + k, pack, own, memory);
                        k += tile;
                    } else {
                        write_one<phases, neighbours, 1>(y, first + i + k, from + k, pack, own, memory);
                        ++k;
                    }
                }
                i += part;
            }
        }
    }

    template <Index phases, bool neighbours, int count>
    void write_one(const MatrixView<Scalar>& y, Index row, Index t, Index pack, const Scalar* x,
                   Memory memory) const noexcept {
        Pack sum[std::size_t{count}];
        recent_.template one<phases, count>(pack, x, inputs_.stride(), partition_.direct_lags(t) - 1, sum);
        for (const Level& level : levels_) {
            const Index stride = level.transforms.output_stride();
            const Scalar* from = outputs(level, t, memory) + pack * stride;
            unroll<count>([&](auto p) TOEPLITZ_LAMBDA { sum[p] += S::load_unaligned(from + p * stride); });
        }
        unroll<count>([&](auto p) TOEPLITZ_LAMBDA {
            inputs_.template write<phases, neighbours, 1>(y, row, pack + p, sum[p]);
        });
    }

    template <Index phases, bool neighbours>
    void write_tile(const MatrixView<Scalar>& y, Index row, Index t, Index pack, const Scalar* x,
                    Memory memory) const noexcept {
        constexpr int packs = static_cast<int>(StreamPartition::tile(phases) / phases);
        Pack sum[std::size_t{packs}] = {};
        if (!partition_.has_blocks()) {
            recent_.template tile<phases>(pack, x, partition_.direct_lags(t) - 1, sum);
        }
        for (const Level& level : levels_) {
            const Scalar* from = outputs(level, t, memory) + pack * level.transforms.output_stride();
            unroll<packs>([&](auto p) TOEPLITZ_LAMBDA { sum[p] += S::load(from + p * S::lanes); });
        }
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
            inputs_.template write<phases, neighbours, phases>(y, row + p * phases, pack, sum[p]);
        });
    }

    // What a level does between two times of one of its blocks: the job of the block before, or of this one
    // where it is due at once.
    static Units units_of(const Level& level, Index from, Index to) noexcept {
        const StreamLevel& own = level.transforms.level();
        const Index current = from >> own.log2_block();
        const Index begin = current << own.log2_block();
        return units_of(level, own.is_spread() ? current - 1 : current, from - begin, to - begin);
    }
    // Units are spread evenly: after `age` of U steps, at least age/U of them are done.
    static Units units_of(const Level& level, Index block, Index from_age, Index to_age) noexcept {
        const StreamLevel& own = level.transforms.level();
        const Index units = level.transforms.units();
        const auto due = [&](Index age) {
            return own.is_spread() ? (units * age + own.block - 1) >> own.log2_block()
                                   : (age == own.block ? units : 0);
        };
        return {block, due(from_age), due(to_age)};
    }

    // What a level adds at time t and after, of the first pack.
    static const Scalar* outputs(const Level& level, Index t, Memory memory) noexcept {
        return level.transforms.outputs(memory.levels + level.memory, t);
    }

    void run(const Level& level, const Units& units, Memory memory) const noexcept {
        if (units.block < 0 || units.first >= units.last) return;
        level.transforms.run(units.block, units.first, units.last, inputs_of(level, units.block, memory),
                             memory.levels + level.memory);
    }
    typename LevelTransforms<Scalar>::Inputs inputs_of(const Level& level, Index block,
                                                       Memory memory) const noexcept {
        const Index place = inputs_.place(block * level.transforms.level().block);
        return {inputs_.at(memory.inputs, 0, place), inputs_.stride()};
    }

    // From time t to `end`, where fill(t, count) gives the inputs of the steps from t on.
    template <class Fill>
    void catch_up(Index t, Index end, Memory memory, Fill&& fill) const noexcept {
        for (bool is_first = true; t < end; is_first = false) {
            const Index count = (std::min)(end - t, partition_.piece());
            fill(t, count);
            for (const Level& level : levels_) catch_up(level, t, t + count, is_first, end, memory);
            t += count;
        }
    }

    // What a level would have done by time `end`, as far as the inputs before `to` tell, of which those from
    // `from` on are new.
    void catch_up(const Level& level, Index from, Index to, bool is_first, Index end,
                  Memory memory) const noexcept {
        const StreamLevel& own = level.transforms.level();
        const Index block = own.block;
        const Index current = end / block;
        Index c = (std::max)(is_first && own.is_spread() ? from / block - 1 : from / block, Index{0});
        c = (std::max)(c, current - 1 - own.most);
        for (; (c + 1) * block <= to; ++c) {
            if (c < current - 2 || !own.is_spread()) {
                level.transforms.keep(c, inputs_of(level, c, memory), memory.levels + level.memory);
            } else {
                const Index begin = (c + 1) * block;
                run(level,
                    units_of(level, c, (std::max)(from - begin, Index{0}), (std::min)(end - begin, block)),
                    memory);
            }
        }
    }

    StreamColumns<Scalar> columns_;
    StreamPartition partition_;
    StreamInputs<Scalar> inputs_;
    RecentLags<Scalar> recent_;
    std::vector<Level> levels_;
    Index memory_size_ = 0;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
