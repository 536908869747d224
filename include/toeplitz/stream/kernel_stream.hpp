// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Causal kernels one step at a time: exactly, and with work that is bounded at every step. Plan and state
/// are one file, as the schedule of the levels is what both are made of.

#include <span>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/denormals.hpp>
#include <toeplitz/stream/level_transforms.hpp>
#include <toeplitz/stream/options.hpp>
#include <toeplitz/stream/recent_lags.hpp>
#include <toeplitz/stream/saved_state.hpp>
#include <toeplitz/stream/stream_lags.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The plan of y_t = Σ_{s≤t} h_{t−s} x_s for sequences that never end, a few steps at a time.
///
///     const KernelStream<float> plan(lags);   // n × d, row t is lag t
///     auto state = plan.make_state();
///     plan.process(x, y, state);              // any number of steps, x and y: steps × d
///     plan.process(x, y, state);              // the steps after them
///
/// An output does not depend on later inputs, and is there when its input is: the latency is 0. Short kernels
/// are added up by definition. Of longer ones only the last lags are; the others are products of blocks of
/// growing size by transforms, each of which is spread over all the steps until it is due. No step does more
/// than step_bound(), and outputs have the same bits for any cut of the steps into calls (within rounding
/// only where -ffast-math lets the compiler change the order of sums).
///
/// With S streams, rows are those of the streams side by side: step t of stream s is row t·S + s. Views have
/// any strides: channels that are apart (planar audio) are one column stride. y may be x.
///
/// A plan is immutable and serves any number of states and threads. step, process, prefill and reset allocate
/// nothing, take no lock and start no thread. They are noexcept: a view of the wrong shape, or another plan's
/// state, ends the program with the message of error 1002 or 1003.
///
/// Denormal numbers are zeros, as in products.
///
/// A NaN or an infinity in the input makes outputs of its channel and stream non-finite from its step on, for
/// at most settling() steps; nothing else notices, and reset() ends it at once.
///
/// Error |y − y_exact| ≤ 4 √log₂N u ‖h‖₂ ‖x‖₂ of the last N = settling() inputs; without the dropped tail
/// Cost O(log² n) per step and channel | heap: none after construction | thread-safe: const, on distinct
/// states
template <Real ScalarType>
class KernelStream {
public:
    using Scalar = ScalarType;
    using Inputs = MatrixView<const Scalar>;

    /// All that the future depends on. Copies are forks, which go on with the same bits; assigning a state to
    /// one of the same plan allocates nothing.
    class State {
    public:
        /// Steps since the last reset.
        Index time() const noexcept { return time_; }
        /// Bytes held.
        std::size_t state_bytes() const noexcept {
            return static_cast<std::size_t>(memory_.size()) * sizeof(Scalar);
        }

        State(const State&) = default;
        State(State&&) noexcept = default;
        State& operator=(const State& other) {
            if (memory_.size() == other.memory_.size()) {
                std::copy_n(other.memory_.data(), memory_.size(), memory_.data());
            } else {
                memory_ = other.memory_;
            }
            fingerprint_ = other.fingerprint_;
            time_ = other.time_;
            inputs_ = other.inputs_;
            return *this;
        }
        State& operator=(State&&) noexcept = default;
        ~State() = default;

        /// Whether the future of both is the same: plan, time, and the bits of the inputs that still count.
        friend bool operator==(const State& a, const State& b) noexcept {
            return a.fingerprint_ == b.fingerprint_ && a.time_ == b.time_ &&
                   std::memcmp(a.memory_.data(), b.memory_.data(),
                               static_cast<std::size_t>(a.inputs_) * sizeof(Scalar)) == 0;
        }

    private:
        friend KernelStream;
        State(std::uint64_t fingerprint, Index inputs, Index size)
            : fingerprint_(fingerprint), inputs_(inputs), memory_(size) {}

        std::uint64_t fingerprint_;
        Index time_ = 0;
        Index inputs_;           ///< scalars of the inputs, which come first; the rest follows from them
        Buffer<Scalar> memory_;  ///< inputs, and the memory of each level
    };

    /// \param lags n × d; row t is lag t
    /// \throws config_error 201 (no lags, channels, streams or max_block), 202 (too many), 1001 (tolerance);
    /// value_error 1004 (a NaN or an infinity)
    /// Cost O(n log n) per channel | heap: the plan and scratch | thread-safe: yes
    explicit KernelStream(MatrixView<const Scalar> lags, const StreamOptions& options = {})
        : KernelStream(checked(lags, options), options,
                       detail::lags_before_tail(lags, options.tail_tolerance)) {}

    /// n: lags that are left, at least one.
    Index lags() const noexcept { return lags_; }
    Index channels() const noexcept { return columns_.channels; }
    Index streams() const noexcept { return columns_.streams; }
    const StreamOptions& options() const noexcept { return options_; }
    /// Σ|h_t| of the lags that were dropped, in the channel where it is largest: 0 unless a tolerance allows
    /// it.
    double dropped() const noexcept { return dropped_; }
    /// Delay of outputs after inputs.
    static constexpr Index latency() noexcept { return 0; }
    /// Steps after which nothing is left of an input, not even rounding.
    Index settling() const noexcept { return partition_.history(); }
    /// What states and saved states are checked against: a hash of the kernel, the streams and the options
    /// that change results.
    std::uint64_t fingerprint() const noexcept { return fingerprint_; }
    /// Bytes held by the plan.
    std::size_t state_bytes() const noexcept {
        std::size_t bytes = recent_.state_bytes();
        for (const Level& level : levels_) bytes += level.transforms.state_bytes();
        return bytes;
    }

    /// Arithmetic operations of the step from time t to t + 1: additions, multiplications and multiply-adds
    /// of vectors of `Simd<Scalar>::lanes` channels. Depends on t alone.
    Index operations(Index t) const noexcept {
        Index sum = columns_.packs() * (partition_.direct_lags(t) + static_cast<Index>(levels_.size()));
        for (const Level& level : levels_) {
            const Units units = units_of(level, t, t + 1);
            if (units.block >= 0) {
                sum += level.transforms.operations(units.block, units.first, units.last);
            }
        }
        return sum;
    }

    /// The most operations of any step, whatever the input and the time.
    Index step_bound() const noexcept {
        Index sum = columns_.packs() *
                    (partition_.direct_lags(StreamPartition::base - 1) + static_cast<Index>(levels_.size()));
        for (const Level& level : levels_) {
            const Index units = level.transforms.units();
            const Index block = level.transforms.level().block;
            sum += level.transforms.most_operations((units + block - 1) / block);
        }
        return sum;
    }

    /// Whether a state is one of this plan's.
    bool has_made(const State& state) const noexcept { return state.fingerprint_ == fingerprint_; }
    /// A state at time 0, before which inputs were 0.
    /// \throws std::bad_alloc
    State make_state() const { return State(fingerprint_, inputs_.size(), memory_size_); }

    /// The next step: x and y are S × d.
    void step(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        if (x.rows() != streams()) [[unlikely]]
            refuse("step", "x", streams(), x);
        process(x, y, state);
    }

    /// The next m steps: x and y are (m·S) × d. Costs no more than m times step, and much less for large m.
    void process(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        const Index steps = check(x, state, "process");
        if (y.rows() != x.rows() || y.cols() != x.cols()) [[unlikely]]
            refuse("process", "y", x.rows(), y);
        const bool rows = inputs_.has_neighbours(x) && inputs_.has_neighbours(y);
        const detail::FlushDenormals guard;
        for (Index done = 0; done < steps;) {
            // Some steps are made pack by pack, which then stays in the cache, few of them step by step.
            const bool is_block = steps - done >= StreamPartition::tile;
            const Index count = (std::min)(steps - done, is_block ? piece() : to_block_end(state.time_));
            if (rows) {
                read<true>(x, done, count, state);
                is_block ? make_block<true>(y, done, count, state) : make_steps<true>(y, done, count, state);
            } else {
                read<false>(x, done, count, state);
                is_block ? make_block<false>(y, done, count, state)
                         : make_steps<false>(y, done, count, state);
            }
            state.time_ += count;
            done += count;
        }
    }

    /// The next m steps without their outputs, as of a prompt: leaves what process would leave, bit by bit.
    /// Cost that of one transform of min(m, settling()) steps
    void prefill(Inputs x, State& state) const noexcept {
        const Index steps = check(x, state, "prefill");
        const bool rows = inputs_.has_neighbours(x);
        // What came before the last inputs is forgotten.
        const Index skipped = (std::max)(Index{0}, steps - partition_.history());
        const Index begin = state.time_;
        state.time_ += skipped;
        catch_up(begin + steps, state, [&](Index t, Index count) {
            const Index first = t - begin;
            rows ? read<true>(x, first, count, state) : read<false>(x, first, count, state);
        });
    }

    /// Back to time 0, whatever was in the state. Cost less than a copy
    void reset(State& state) const noexcept {
        check(state, "reset");
        restart(state, 0);
    }

    /// Bytes that save writes of a state, or of one at a time.
    std::size_t saved_bytes(const State& state) const noexcept { return saved_bytes(state.time_); }
    std::size_t saved_bytes(Index time) const noexcept {
        return sizeof(SavedHead) + static_cast<std::size_t>(saved_steps(time)) * inputs_.step_bytes();
    }

    /// Writes a state: the time and the inputs that still count, whatever the instruction set.
    /// \throws shape_error 1002 (another plan's state), 1005 (fewer than saved_bytes(state) bytes)
    void save(const State& state, std::span<std::byte> to) const {
        check(state, "save");
        if (to.size() < saved_bytes(state)) {
            detail::refuse_bytes(name, "save", saved_bytes(state), to.size());
        }
        std::byte* at = SavedHead{format, sizeof(Scalar), fingerprint_, state.time_}.write(to);
        for (Index t = state.time_ - saved_steps(state.time_); t < state.time_; ++t) {
            inputs_.save_step(state.memory_.data(), t, at);
            at += inputs_.step_bytes();
        }
    }

    /// Makes a state what it was when it was saved: it goes on with the same bits in a program for the same
    /// instruction set, and within rounding in any other.
    /// \throws shape_error 1005 (not as many bytes as saved), value_error 1006 (not a saved state, or one of
    /// another version), 1007 (of another kernel, or with other options); the state is as before then
    /// Cost that of prefill | heap: none | thread-safe: yes
    void restore(std::span<const std::byte> from, State& state) const {
        check(state, "restore");
        const Index time = SavedHead::read_time(from, format, sizeof(Scalar), fingerprint_, name);
        if (from.size() != saved_bytes(time)) {
            detail::refuse_bytes(name, "restore", saved_bytes(time), from.size());
        }
        restart(state, time - saved_steps(time));
        const std::byte* at = from.data() + sizeof(SavedHead);
        catch_up(time, state, [&](Index t, Index count) {
            for (Index i = t; i < t + count; ++i, at += inputs_.step_bytes()) {
                inputs_.load_step(at, i, state.memory_.data());
            }
        });
    }

private:
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using SavedHead = detail::SavedHead;
    static constexpr const char* name = "KernelStream";
    static constexpr std::uint32_t format = 0x31505354;  // "TSP1"

    struct Level {
        detail::LevelTransforms<Scalar> transforms;
        Index memory;  ///< where its memory begins in a state's
    };

    // Units first..last−1 of the job of a block; none where the block is negative.
    struct Units {
        Index block;
        Index first;
        Index last;
    };

    using StreamPartition = detail::StreamPartition;

    KernelStream(MatrixView<const Scalar> lags, const StreamOptions& options, Index count)
        : options_(options),
          lags_(count),
          columns_{lags.cols(), options.streams},
          partition_(count),
          inputs_(columns_, partition_.direct(), partition_.history()),
          recent_(columns_, lags.middle_rows(0, count), partition_.direct_lags(StreamPartition::base - 1)),
          memory_size_(inputs_.size()),
          fingerprint_(detail::lags_fingerprint(lags.middle_rows(0, count), options.streams)) {
        for (Index c = 0; c < lags.cols(); ++c) {
            dropped_ = (std::max)(dropped_, detail::tail_sum(lags, count, c));
        }
        for (const detail::StreamLevel& level : partition_.levels()) {
            levels_.push_back({{level, columns_, lags.middle_rows(0, count)}, memory_size_});
            memory_size_ += levels_.back().transforms.memory_size();
        }
    }

    static MatrixView<const Scalar> checked(MatrixView<const Scalar> lags, const StreamOptions& options) {
        detail::require_stream_options(options, name);
        detail::require_stream_lags(lags, name);
        const Index columns = detail::checked_product(lags.cols(), options.streams, name);
        detail::checked_product(detail::checked_product(lags.rows() + 1024, columns, name),
                                256 * static_cast<Index>(sizeof(Scalar)), name);
        return lags;
    }

    Index packs() const noexcept { return columns_.packs(); }

    // Steps of x from `first` on become the inputs from the state's time on.
    template <bool neighbours>
    void read(Inputs x, Index first, Index count, State& state) const noexcept {
        inputs_.template read<neighbours>(x, first, count, state.time_, state.memory_.data());
    }

    // Steps from t to the end of its block of the first level.
    static Index to_block_end(Index t) noexcept { return StreamPartition::base - t % StreamPartition::base; }

    // The outputs of the next steps, whose inputs are there, to rows of y from `first` on; and the work of
    // the levels that is due then. The steps lie in one block of the first level.
    template <bool neighbours>
    void make_steps(MatrixView<Scalar> y, Index first, Index count, State& state) const noexcept {
        for (Index i = 0; i < count; ++i) {
            Index pack = 0;
            for (; pack + 4 <= packs(); pack += 4) {
                write_one<neighbours, 4>(y, first + i, state.time_ + i, pack, state);
            }
            for (; pack < packs(); ++pack) {
                write_one<neighbours, 1>(y, first + i, state.time_ + i, pack, state);
            }
        }
        for (const Level& level : levels_)
            run(level, units_of(level, state.time_, state.time_ + count), state);
    }

    // The same for up to piece() steps, anywhere.
    template <bool neighbours>
    void make_block(MatrixView<Scalar> y, Index first, Index count, State& state) const noexcept {
        for (Index pack = 0; pack < packs(); ++pack) {
            for (Index i = 0; i < count;) {
                const Index from = state.time_ + i;
                const Index part = (std::min)(count - i, to_block_end(from));
                for (Index k = 0; k < part;) {
                    const Index t = from + k;
                    if (t % StreamPartition::tile == 0 && k + StreamPartition::tile <= part) {
                        write_tile<neighbours>(y, first + i + k, t, pack, state);
                        k += StreamPartition::tile;
                    } else {
                        write_one<neighbours, 1>(y, first + i + k, t, pack, state);
                        ++k;
                    }
                }
                for (const Level& level : levels_) {
                    Units units = units_of(level, from, from + part);
                    const Index begin = pack * level.transforms.pack_units();
                    units.first = (std::max)(units.first, begin);
                    units.last = (std::min)(units.last, begin + level.transforms.pack_units());
                    run(level, units, state);
                }
                i += part;
            }
        }
    }

    template <bool neighbours, int count>
    void write_one(MatrixView<Scalar> y, Index row, Index t, Index pack, const State& state) const noexcept {
        Pack sum[std::size_t{count}] = {};
        for (const Level& level : levels_) {
            const Index stride = level.transforms.output_stride();
            const Scalar* from =
                level.transforms.outputs(state.memory_.data() + level.memory, t) + pack * stride;
            detail::unroll<count>([&](auto p) TOEPLITZ_LAMBDA { sum[p] += S::load(from + p * stride); });
        }
        recent_.template add_one<count>(pack, inputs_.at(state.memory_.data(), pack, t), inputs_.stride(),
                                        partition_.direct_lags(t) - 1, sum);
        detail::unroll<count>(
            [&](auto p) TOEPLITZ_LAMBDA { inputs_.template write<neighbours>(y, row, pack + p, sum[p]); });
    }

    template <bool neighbours>
    void write_tile(MatrixView<Scalar> y, Index row, Index t, Index pack, const State& state) const noexcept {
        constexpr int tile = StreamPartition::tile;
        Pack sum[tile] = {};
        for (const Level& level : levels_) {
            const Scalar* from = level.transforms.outputs(state.memory_.data() + level.memory, t) +
                                 pack * level.transforms.output_stride();
            detail::unroll<tile>([&](auto q) TOEPLITZ_LAMBDA { sum[q] += S::load(from + q * S::lanes); });
        }
        recent_.add_tile(pack, inputs_.at(state.memory_.data(), pack, t), partition_.direct_lags(t) - 1, sum);
        detail::unroll<tile>(
            [&](auto q) TOEPLITZ_LAMBDA { inputs_.template write<neighbours>(y, row + q, pack, sum[q]); });
    }

    // What a level does between two times of one of its blocks: the job of the block before.
    static Units units_of(const Level& level, Index from, Index to) noexcept {
        const int log2_block = level.transforms.level().log2_block();
        const Index block = (from >> log2_block) - 1;
        return units_of(level, block, from - ((block + 1) << log2_block), to - ((block + 1) << log2_block));
    }
    // Units are spread evenly: after `age` of U steps, at least age/U of them are done.
    static Units units_of(const Level& level, Index block, Index from_age, Index to_age) noexcept {
        const int log2_block = level.transforms.level().log2_block();
        const Index units = level.transforms.units();
        const auto due = [&](Index age) {
            return (units * age + level.transforms.level().block - 1) >> log2_block;
        };
        return {block, due(from_age), due(to_age)};
    }

    void run(const Level& level, const Units& units, State& state) const noexcept {
        if (units.block < 0 || units.first >= units.last) return;
        level.transforms.run(units.block, units.first, units.last, inputs_of(level, units.block, state),
                             state.memory_.data() + level.memory);
    }
    typename detail::LevelTransforms<Scalar>::Inputs inputs_of(const Level& level, Index block,
                                                               State& state) const noexcept {
        return {inputs_.at(state.memory_.data(), 0, block * level.transforms.level().block),
                inputs_.stride()};
    }

    // The state of time `end`, where fill(t, count) gives the inputs of the steps from t on.
    template <class Fill>
    void catch_up(Index end, State& state, Fill&& fill) const noexcept {
        const detail::FlushDenormals guard;
        for (bool is_first = true; state.time_ < end; is_first = false) {
            const Index from = state.time_;
            const Index count = (std::min)(end - from, piece());
            fill(from, count);
            state.time_ += count;
            for (const Level& level : levels_) catch_up(level, from, is_first, end, state);
        }
    }

    // What a level would have done by time `end`, as far as the inputs up to now tell, which were there up to
    // `from` before.
    void catch_up(const Level& level, Index from, bool is_first, Index end, State& state) const noexcept {
        const Index block = level.transforms.level().block;
        const Index current = end / block;
        Index c = (std::max)(is_first ? from / block - 1 : from / block, Index{0});
        c = (std::max)(c, current - 1 - level.transforms.level().most);
        for (; (c + 1) * block <= state.time_; ++c) {
            if (c < current - 2) {
                level.transforms.keep(c, inputs_of(level, c, state), state.memory_.data() + level.memory);
            } else {
                const Index begin = (c + 1) * block;
                run(level,
                    units_of(level, c, (std::max)(from - begin, Index{0}), (std::min)(end - begin, block)),
                    state);
            }
        }
    }

    // Steps that are taken at once: what the ring of inputs holds beside what the largest block looks back
    // to.
    Index piece() const noexcept {
        return levels_.empty() ? StreamPartition::base : levels_.back().transforms.level().block;
    }

    void restart(State& state, Index time) const noexcept {
        std::memset(static_cast<void*>(state.memory_.data()), 0, state.state_bytes());
        state.time_ = time;
    }

    Index saved_steps(Index time) const noexcept { return (std::min)(time, partition_.history()); }

    // Checks are short; their failures are out of line.

    void check(const State& state, const char* function) const {
        if (!has_made(state)) [[unlikely]]
            detail::refuse_state(name, function);
    }
    Index check(Inputs x, const State& state, const char* function) const noexcept {
        check(state, function);
        if (x.cols() != channels() || x.rows() % streams() != 0) [[unlikely]] {
            refuse(function, "x", x.rows() / streams() * streams(), x);
        }
        return x.rows() / streams();
    }
    [[noreturn, gnu::cold, gnu::noinline]] void refuse(const char* function, const char* what, Index rows,
                                                       MatrixView<const Scalar> got) const {
        detail::raise<shape_error>(
            1003, detail::text(name, "::", function),
            detail::text(what, " of ", detail::shape_text(rows, channels()), " for ", streams(), " streams"),
            detail::shape_text(got.rows(), got.cols()));
    }
    StreamOptions options_;
    Index lags_;
    detail::StreamColumns<Scalar> columns_;
    StreamPartition partition_;
    detail::StreamInputs<Scalar> inputs_;
    detail::RecentLags<Scalar> recent_;
    std::vector<Level> levels_;
    Index memory_size_;
    double dropped_ = 0;
    std::uint64_t fingerprint_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
