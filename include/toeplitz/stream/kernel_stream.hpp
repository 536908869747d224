// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Causal kernels one step at a time: exactly, and with work that is bounded at every step.

#include <span>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/denormals.hpp>
#include <toeplitz/stream/group_stream.hpp>
#include <toeplitz/stream/options.hpp>
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
/// Where all calls take multiples of a block of steps (StreamOptions::block), the last lags are products of
/// blocks, too. Their work falls on the last step of a block, and rounding or a NaN of an input may reach
/// earlier outputs of its block.
///
/// With S streams, rows are those of the streams side by side: step t of stream s is row t·S + s. Views have
/// any strides: channels that are apart (planar audio) are one column stride. y may be x.
///
/// Channels of streams lie in the lanes of vectors; where few of them are left, consecutive steps do, too, so
/// that one channel costs a fraction of a vector of them. Outputs of the same kernel among other streams are
/// the same within rounding.
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
/// Error |y − y_exact| ≤ 4 √log₂N u ‖h‖₂ ‖x‖₂ of the last N = settling() inputs, and of those to the end of
/// its block; without the dropped tail
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
    /// \throws config_error 201 (no lags, channels, streams, block or max_block), 202 (too many), 1001
    /// (tolerance); value_error 1004 (a NaN or an infinity)
    ///
    /// Cost O(n log n) per channel | heap: the plan and scratch | thread-safe: yes
    explicit KernelStream(MatrixView<const Scalar> lags, const StreamOptions& options = {})
        : KernelStream(checked(lags, options), options,
                       detail::lags_before_tail(lags, options.tail_tolerance)) {}

    /// n: lags that are left, at least one.
    Index lags() const noexcept { return lags_; }
    Index channels() const noexcept { return channels_; }
    Index streams() const noexcept { return options_.streams; }
    const StreamOptions& options() const noexcept { return options_; }
    /// Σ|h_t| of the lags that were dropped, in the channel where it is largest: 0 unless a tolerance allows
    /// it.
    double dropped() const noexcept { return dropped_; }
    /// Delay of outputs after inputs.
    static constexpr Index latency() noexcept { return 0; }
    /// Steps after which nothing is left of an input, not even rounding.
    Index settling() const noexcept { return groups_.front().stream.partition().history(); }
    /// What states and saved states are checked against: a hash of the kernel, the streams and the options
    /// that change results.
    std::uint64_t fingerprint() const noexcept { return fingerprint_; }
    /// Bytes held by the plan.
    std::size_t state_bytes() const noexcept {
        std::size_t bytes = 0;
        for (const Group& group : groups_) bytes += group.stream.state_bytes();
        return bytes;
    }

    /// Arithmetic operations of the step from time t to t + 1: additions, multiplications and multiply-adds
    /// of vectors of `Simd<Scalar>::lanes` numbers. Depends on t alone.
    Index operations(Index t) const noexcept {
        Index sum = 0;
        for (const Group& group : groups_) sum += group.stream.operations(t);
        return sum;
    }

    /// The most operations of any step, whatever the input and the time.
    Index step_bound() const noexcept { return step_bound_; }

    /// Whether a state is one of this plan's.
    bool has_made(const State& state) const noexcept {
        // Nothing is left of one that was moved from.
        return state.fingerprint_ == fingerprint_ && state.memory_.size() == memory_size_;
    }
    /// A state at time 0, before which inputs were 0.
    /// \throws std::bad_alloc
    State make_state() const { return State(fingerprint_, input_size_, memory_size_); }

    /// The next step: x and y are S × d.
    void step(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        if (x.rows() != streams()) [[unlikely]]
            refuse("step", "x", streams(), x);
        process(x, y, state);
    }

    /// The next m steps, a multiple of options().block: x and y are (m·S) × d. Costs no more than m times
    /// step, and much less for large m.
    void process(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        const Index steps = check(x, state, "process");
        if (y.rows() != x.rows() || y.cols() != x.cols()) [[unlikely]]
            refuse("process", "y", x.rows(), y);
        const detail::FlushDenormals guard;
        for (const Group& group : groups_) {
            group.stream.process(x, y, steps, state.time_, group.memory(state));
        }
        state.time_ += steps;
    }

    /// The next m steps without their outputs, as of a prompt: leaves what process would leave, bit by bit.
    /// Cost that of one transform of min(m, settling()) steps
    void prefill(Inputs x, State& state) const noexcept {
        const Index steps = check(x, state, "prefill");
        // What came before the last inputs is forgotten.
        const Index skipped = (std::max)(Index{0}, steps - settling());
        const Index end = state.time_ + steps;
        const detail::FlushDenormals guard;
        for (const Group& group : groups_) {
            group.stream.prefill(x, skipped, state.time_ + skipped, end, group.memory(state));
        }
        state.time_ = end;
    }

    /// Back to time 0, whatever was in the state. Cost less than a copy
    void reset(State& state) const noexcept {
        check(state, "reset");
        restart(state, 0);
    }

    /// Bytes that save writes of a state, or of one at a time.
    std::size_t saved_bytes(const State& state) const noexcept { return saved_bytes(state.time_); }
    std::size_t saved_bytes(Index time) const noexcept {
        return sizeof(SavedHead) + static_cast<std::size_t>(saved_steps(time)) * step_bytes();
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
            for (const Group& group : groups_) {
                group.stream.inputs().save_step(state.memory_.data() + group.inputs, t, at);
            }
            at += step_bytes();
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
        restart(state, time);
        const detail::FlushDenormals guard;
        for (const Group& group : groups_) {
            group.stream.restore(from.data() + sizeof(SavedHead), time - saved_steps(time), time,
                                 group.memory(state));
        }
    }

private:
    using SavedHead = detail::SavedHead;
    static constexpr const char* name = "KernelStream";
    static constexpr std::uint32_t format = 0x31505354;  // "TSP1"

    // Columns that fill their packs alike, and where their memory begins in a state's.
    struct Group {
        detail::GroupStream<Scalar> stream;
        Index inputs;
        Index levels = 0;

        typename detail::GroupStream<Scalar>::Memory memory(State& state) const noexcept {
            return {state.memory_.data() + inputs, state.memory_.data() + levels};
        }
    };

    KernelStream(MatrixView<const Scalar> lags, const StreamOptions& options, Index count)
        : options_(options),
          lags_(count),
          channels_(lags.cols()),
          fingerprint_(detail::lags_fingerprint(lags.middle_rows(0, count), options.streams, options.block)) {
        for (Index c = 0; c < channels_; ++c) {
            dropped_ = (std::max)(dropped_, detail::tail_sum(lags, count, c));
        }
        for (const auto& columns : detail::StreamColumns<Scalar>::groups(channels_, options.streams)) {
            groups_.push_back({{columns, lags.middle_rows(0, count), options.block}, input_size_});
            input_size_ += groups_.back().stream.inputs().size();
        }
        memory_size_ = input_size_;
        Index period = 1;
        for (Group& group : groups_) {
            group.levels = memory_size_;
            memory_size_ += group.stream.memory_size();
            period = (std::max)(period, group.stream.partition().period());
        }
        // From when on all levels have jobs.
        for (Index t = 2 * period; t < 3 * period; ++t) step_bound_ = (std::max)(step_bound_, operations(t));
    }

    static MatrixView<const Scalar> checked(MatrixView<const Scalar> lags, const StreamOptions& options) {
        detail::require_stream_options(options, name);
        detail::require_stream_lags(lags, name);
        detail::checked_product(options.streams, options.block, name);
        const Index columns = detail::checked_product(lags.cols(), options.streams, name);
        detail::checked_product(detail::checked_product(lags.rows() + 1024, columns, name),
                                256 * static_cast<Index>(sizeof(Scalar)), name);
        return lags;
    }

    void restart(State& state, Index time) const noexcept {
        std::memset(static_cast<void*>(state.memory_.data()), 0, state.state_bytes());
        state.time_ = time;
    }

    Index saved_steps(Index time) const noexcept { return (std::min)(time, settling()); }
    std::size_t step_bytes() const noexcept { return groups_.front().stream.inputs().step_bytes(); }

    // Checks are short; their failures are out of line.

    void check(const State& state, const char* function) const {
        if (!has_made(state)) [[unlikely]]
            detail::refuse_state(name, function);
    }
    Index check(Inputs x, const State& state, const char* function) const noexcept {
        check(state, function);
        // A division is long beside a step of one channel.
        const Index steps = x.rows() == streams() ? 1 : x.rows() / streams();
        if (x.cols() != channels() || x.rows() != steps * streams()) [[unlikely]] {
            refuse(function, "x", steps * streams(), x);
        }
        if (options_.block > 1 && steps % options_.block != 0) [[unlikely]]
            refuse(function, "x", (steps / options_.block + 1) * options_.block * streams(), x);
        return steps;
    }
    [[noreturn, gnu::cold, gnu::noinline]] void refuse(const char* function, const char* what, Index rows,
                                                       MatrixView<const Scalar> got) const {
        detail::raise<shape_error>(
            1003, detail::text(name, "::", function),
            detail::text(what, " of ", detail::shape_text(rows, channels()), " for ", streams(), " streams",
                         detail::multiples_text(options_.block)),
            detail::shape_text(got.rows(), got.cols()));
    }

    StreamOptions options_;
    Index lags_;
    Index channels_;
    std::vector<Group> groups_;
    Index input_size_ = 0;
    Index memory_size_ = 0;
    Index step_bound_ = 0;
    double dropped_ = 0;
    std::uint64_t fingerprint_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/stream/compiled.hpp>
#endif
