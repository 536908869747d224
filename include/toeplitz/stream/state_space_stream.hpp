// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// State spaces one step at a time: O(s + m) per step, however much has been heard.

#include <cstring>
#include <span>

#include <toeplitz/core/denormals.hpp>
#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/stream/saved_state.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The plan of a StateSpace of m taps and s modes, for sequences that never end, a few steps at a time.
///
///     const StateSpaceStream<float> plan(kernel);   // StateSpaceKernel: poles, residues, direct
///     auto state = plan.make_state();
///     plan.process(x, y, state);                    // any number of steps, x and y: steps × d
///     plan.process(x, y, state);                    // the steps after them
///
/// Outputs are those of the operator StateSpace, bit by bit, for any cut of the steps into calls, and go on
/// beyond its length. All steps cost the same. The latency is 0.
///
/// With S streams, rows are those of the streams side by side: step t of stream s is row t·S + s. Views have
/// any strides: channels that are apart (planar audio) are one column stride. y may be x.
///
/// A plan is immutable and serves any number of states and threads. step, process, prefill and reset allocate
/// nothing, take no lock and start no thread. They are noexcept: a view of the wrong shape, or another plan's
/// state, ends the program with the message of error 1003 or 1002.
///
/// A NaN or an infinity in the input stays in its channel and stream until reset(), which ends it; nothing
/// else notices. A state that decays in silence becomes 0 where it would leave the normal numbers, and slows
/// nothing down.
///
/// Cost O(s + m) per step and channel | heap: none after construction | thread-safe: const, on distinct
/// states
template <Real ScalarType>
class StateSpaceStream {
    using Recurrence = detail::ModalRecurrence<ScalarType>;
    using SavedHead = detail::SavedHead;

public:
    using Scalar = ScalarType;
    using Inputs = MatrixView<const Scalar>;
    using Kernel = StateSpaceKernel<const Scalar>;

    /// All that the future depends on. Copies are forks, which go on with the same bits; assigning a state to
    /// one of the same plan allocates nothing.
    class State {
    public:
        /// Steps since the last reset.
        Index time() const noexcept { return time_; }
        /// Bytes held.
        std::size_t state_bytes() const noexcept {
            return static_cast<std::size_t>(modes_.size()) * sizeof(Scalar);
        }

        State(const State&) = default;
        State(State&&) noexcept = default;
        State& operator=(const State& other) {
            if (modes_.size() == other.modes_.size()) {
                std::copy_n(other.modes_.data(), modes_.size(), modes_.data());
            } else {
                modes_ = other.modes_;
            }
            fingerprint_ = other.fingerprint_;
            time_ = other.time_;
            return *this;
        }
        State& operator=(State&&) noexcept = default;
        ~State() = default;

        /// Whether the future of both is the same: plan, time, and the bits of all modes.
        friend bool operator==(const State& a, const State& b) noexcept {
            return a.fingerprint_ == b.fingerprint_ && a.time_ == b.time_ &&
                   a.modes_.size() == b.modes_.size() &&
                   (a.modes_.size() == 0 ||
                    std::memcmp(a.modes_.data(), b.modes_.data(), a.state_bytes()) == 0);
        }

    private:
        friend StateSpaceStream;
        State(std::uint64_t fingerprint, Index size) : fingerprint_(fingerprint), modes_(size) {}

        std::uint64_t fingerprint_;
        Index time_ = 0;
        Buffer<Scalar> modes_;  // streams × packs × (vectors of modes: Re u, Im u; the last m − 1 inputs)
    };

    /// \param streams S ≥ 1: sequences that one state carries on side by side
    /// \throws config_error 201 (no channels or streams), 202 (too many), 513 (taps); shape_error 501;
    /// value_error 530
    explicit StateSpaceStream(const Kernel& kernel, Index streams = 1)
        : streams_(checked(kernel, streams)),
          recurrence_(kernel.poles.cols(), kernel.poles.rows(), kernel.direct.rows()) {
        recurrence_.set_kernel(kernel);
        fingerprint_ = hash(kernel);
    }

    Index channels() const noexcept { return recurrence_.channels(); }
    Index modes() const noexcept { return recurrence_.modes(); }
    Index taps() const noexcept { return recurrence_.taps(); }
    Index streams() const noexcept { return streams_; }
    /// Delay of outputs after inputs.
    static constexpr Index latency() noexcept { return 0; }
    /// What states and saved states are checked against: a hash of the kernel and the streams.
    std::uint64_t fingerprint() const noexcept { return fingerprint_; }
    /// Bytes held by the plan.
    std::size_t state_bytes() const noexcept { return recurrence_.bytes(); }

    /// Operations of a step, of every one: multiplications, multiply-adds and sums of vectors of
    /// `Simd<Scalar>::lanes` channels. A mode takes six, and two where it comes last and its poles are real
    /// in all channels of a vector. Where channels do not fill a vector, its modes take that together, and a
    /// few more sum them up; steps of longer calls share these.
    Index step_bound() const noexcept { return streams_ * recurrence_.operations(); }

    /// Whether a state is one of this plan.
    bool has_made(const State& state) const noexcept {
        // Nothing is left of one that was moved from.
        return state.fingerprint_ == fingerprint_ && state.modes_.size() == streams_ * stream_state();
    }
    /// A state at time 0, before which inputs were 0.
    /// \throws std::bad_alloc
    State make_state() const { return State(fingerprint_, streams_ * stream_state()); }

    /// The next step: x and y are S × d.
    void step(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        if (x.rows() != streams_) [[unlikely]]
            refuse("step", "x", streams_, x);
        process(x, y, state);
    }

    /// The next m steps: x and y are (m·S) × d.
    void process(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        const Index steps = check(x, state, "process");
        if (y.rows() != x.rows() || y.cols() != x.cols()) [[unlikely]]
            refuse("process", "y", x.rows(), y);
        if (steps == 1 && recurrence_.begins_with_modes() && x.has_contiguous_rows() &&
            y.has_contiguous_rows()) {
            return make_step(x, y, state);
        }
        alignas(buffer_alignment) Scalar windows[std::size_t{2 * Recurrence::most_window_size()}];
        // Modes that come later read x again: where y is x, they read a copy.
        const bool by_window = x.data() == y.data() || !x.has_contiguous_rows() || !y.has_contiguous_rows();
        for_runs(steps, state, [&](Index first, Index count, Index stream, Index pack, Scalar* modes) {
            const Inputs from = rows_of(x, first, count, stream);
            const MatrixView<Scalar> to = rows_of(y, first, count, stream);
            if (by_window) {
                Scalar* sums = windows + recurrence_.window_size();
                recurrence_.read_window(pack, from, windows);
                recurrence_.advance(pack, windows, sums, count, modes);
                recurrence_.write_window(pack, sums, to);
            } else {
                recurrence_.template advance<Update::assign>(pack, from, to, modes, windows);
            }
        });
    }

    /// The next m steps without their outputs, as of a prompt: leaves what process would leave, bit by bit.
    void prefill(Inputs x, State& state) const noexcept {
        const Index steps = check(x, state, "prefill");
        alignas(buffer_alignment) Scalar windows[std::size_t{2 * Recurrence::most_window_size()}];
        for_runs(steps, state, [&](Index first, Index count, Index stream, Index pack, Scalar* modes) {
            recurrence_.read_window(pack, rows_of(x, first, count, stream), windows);
            recurrence_.advance(pack, windows, windows + recurrence_.window_size(), count, modes);
        });
    }

    /// Back to time 0, whatever was in the state.
    void reset(State& state) const noexcept {
        check(state, "reset");
        std::fill_n(state.modes_.data(), state.modes_.size(), Scalar(0));
        state.time_ = 0;
    }

    /// Bytes that save writes, of any state at any time.
    std::size_t saved_bytes() const noexcept {
        return sizeof(SavedHead) +
               static_cast<std::size_t>(streams_ * channels() * recurrence_.channel_state()) * sizeof(Scalar);
    }
    std::size_t saved_bytes(const State& /*state*/) const noexcept { return saved_bytes(); }
    std::size_t saved_bytes(Index /*time*/) const noexcept { return saved_bytes(); }

    /// Writes a state, in an order that does not depend on the instruction set.
    /// \throws shape_error 1002 (another plan's state), 1005 (fewer than saved_bytes() bytes)
    void save(const State& state, std::span<std::byte> to) const {
        check(state, "save");
        if (to.size() < saved_bytes()) detail::refuse_bytes(name, "save", saved_bytes(), to.size());
        std::byte* at = SavedHead{format, sizeof(Scalar), fingerprint_, state.time_}.write(to);
        for_numbers([&](Index i) {
            std::memcpy(at, &state.modes_[i], sizeof(Scalar));
            at += sizeof(Scalar);
        });
    }

    /// Makes a state what it was when it was saved: it goes on with the same bits in a program for the same
    /// instruction set, and within rounding in any other.
    /// \throws shape_error 1002 (another plan's state), 1005 (not saved_bytes() bytes), value_error 1006 (not
    /// a saved state, or one of another version), 1007 (of another kernel or number of streams); the state is
    /// as before then
    void restore(std::span<const std::byte> from, State& state) const {
        check(state, "restore");
        if (from.size() != saved_bytes()) {
            detail::refuse_bytes(name, "restore", saved_bytes(), from.size());
        }
        const Index time = SavedHead::read_time(from, format, sizeof(Scalar), fingerprint_, name);
        reset(state);
        state.time_ = time;
        const std::byte* at = from.data() + sizeof(SavedHead);
        for_numbers([&](Index i) {
            std::memcpy(&state.modes_[i], at, sizeof(Scalar));
            at += sizeof(Scalar);
        });
        for (Index stream = 0; stream < streams_; ++stream) {
            recurrence_.fill_up(state.modes_.data() + stream * stream_state());
        }
    }

private:
    static constexpr const char* name = "StateSpaceStream";
    static constexpr std::uint32_t format = 0x31535354;  // "TSS1"

    static Index checked(const Kernel& kernel, Index streams) {
        const Index modes = kernel.poles.rows();
        const Index channels = kernel.poles.cols();
        detail::require_positive(channels, name, "channels");
        detail::require_positive(streams, name, "streams");
        require_kernel_shape(kernel.residues, modes, channels, name);
        const Index taps = kernel.direct.rows();
        Recurrence::require_taps(taps, name);
        require_kernel_shape(kernel.direct, taps, channels, name);
        detail::checked_product(detail::checked_product(streams, channels + Recurrence::lanes, name),
                                (modes + taps) * 4 * static_cast<Index>(sizeof(Scalar)), name);
        require_finite(kernel.poles, name, "pole", 0);
        require_finite(kernel.residues, name, "residue", 0);
        require_finite(kernel.direct, name, "direct", 0);
        return streams;
    }

    std::uint64_t hash(const Kernel& kernel) const noexcept {
        detail::StreamFingerprint hash;
        for (const Index size : {streams_, channels(), modes(), taps()}) hash.add(size);
        for (Index c = 0; c < channels(); ++c) {
            for (Index q = 0; q < taps(); ++q) hash.add(kernel.direct(q, c));
            for (Index i = 0; i < modes(); ++i) {
                for (const std::complex<Scalar>& number : {kernel.poles(i, c), kernel.residues(i, c)}) {
                    hash.add(number.real());
                    hash.add(number.imag());
                }
            }
        }
        return hash.value();
    }

    // Scalars of one stream's state.
    Index stream_state() const noexcept { return recurrence_.packs() * recurrence_.pack_state(); }

    // Steps first..first + count − 1 of a stream.
    template <class T>
    MatrixView<T> rows_of(MatrixView<T> rows, Index first, Index count, Index stream) const noexcept {
        return {rows.row(first * streams_ + stream), count, rows.cols(), rows.row_stride() * streams_,
                rows.col_stride()};
    }

    // f(first, count, stream, pack, its modes) for all steps, and on with the time.
    template <class F>
    void for_runs(Index steps, State& state, F&& f) const noexcept {
        const detail::FlushDenormals flush;
        for (Index first = 0; first < steps; first += Recurrence::run_rows) {
            const Index count = (std::min)(Recurrence::run_rows, steps - first);
            Scalar* modes = state.modes_.data();
            for (Index stream = 0; stream < streams_; ++stream) {
                for (Index pack = 0; pack < recurrence_.packs(); ++pack) {
                    f(first, count, stream, pack, modes);
                    modes += recurrence_.pack_state();
                }
            }
        }
        state.time_ += steps;
    }

    void make_step(Inputs x, MatrixView<Scalar> y, State& state) const noexcept {
        const detail::FlushDenormals flush;
        Scalar* modes = state.modes_.data();
        for (Index stream = 0; stream < streams_; ++stream) {
            recurrence_.advance_row(x.row(stream), y.row(stream), modes);
            modes += stream_state();
        }
        ++state.time_;
    }

    // f(index) of every number of a state: stream by stream, channel by channel, Re u and Im u of each mode,
    // and the last inputs.
    template <class F>
    void for_numbers(F&& f) const {
        for (Index stream = 0; stream < streams_; ++stream) {
            for (Index c = 0; c < channels(); ++c) {
                for (Index i = 0; i < recurrence_.channel_state(); ++i) {
                    f(stream * stream_state() + recurrence_.state_place(i, c));
                }
            }
        }
    }

    void check(const State& state, const char* function) const {
        if (!has_made(state)) [[unlikely]]
            detail::refuse_state(name, function);
    }

    Index check(Inputs x, const State& state, const char* function) const {
        check(state, function);
        if (x.cols() != channels() || x.rows() % streams_ != 0) [[unlikely]]
            refuse(function, "x", -1, x);
        return x.rows() / streams_;
    }

    // `rows` < 0: any multiple of the streams.
    [[noreturn]] void refuse(const char* function, const char* argument, Index rows, Inputs got) const {
        const std::string wanted = rows < 0 ? detail::text("m*", streams_) : std::to_string(rows);
        detail::raise<shape_error>(1003, detail::text(name, "::", function),
                                   detail::text(argument, " of ", wanted, "×", channels()),
                                   detail::shape_text(got.rows(), got.cols()));
    }

    Index streams_;
    Recurrence recurrence_;
    std::uint64_t fingerprint_ = 0;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/stream/compiled.hpp>
#endif
