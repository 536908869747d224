// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Whole causal models one step at a time, and `stream`, which plans whatever can be streamed.

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/stream/mixer_stream.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The plan of a causal model at inference for sequences that never end, a few steps at a time.
///
///     const auto plan = stream(model.prepare(parameters, length));   // kernels of `length` lags
///     auto state = plan.make_state();
///     plan.step(tokens, logits, state);                              // one token of each stream
///
/// Outputs are those of the model on the whole sequence, within rounding; from step `length` on those of the
/// same kernels, which then no longer see the first inputs. Mixers that are state spaces (StateSpaceTno) go
/// on beyond it as they are, as they do in longer batches. With S streams, rows are those of the streams
/// side by side: step t of stream s is row t·S + s. A pooling head gives S rows, the means up to the last
/// step.
///
/// A plan is immutable and serves any number of states and threads. Calls allocate nothing, take no lock and
/// start no thread; all scratch memory is the state's. They are noexcept where the model takes features: a
/// view of the wrong shape, or another plan's state, ends the program with the message of error 1002 or 1003.
/// Where it takes tokens, one that is not in the vocabulary is value_error 711, and the state is as before.
///
/// Cost of a step that of a row of the model, and per channel of each mixer O(log² length), or O(s) of a
/// state space, at every step | heap: none after construction | thread-safe: const, on distinct states
template <class PreparedModel>
class ModelStream {
    using Model = typename PreparedModel::ModelType;
    using Mixer = detail::MixerStream<typename Model::Scalar>;
    static_assert(
        HasCausalLags<typename Model::Mixer::Prepared>,
        "toeplitz: only causal models can be streamed: a bidirectional one needs inputs that are not "
        "there yet. Take the mixer with Causality::causal, and train it as such. A causal mixer of your own "
        "needs an operator with kernel_lags, or causal_lags() of its Prepared: see docs/streaming.md.");

public:
    using Scalar = typename Model::Scalar;
    using Inputs = typename Model::Inputs;
    static constexpr bool takes_tokens = !std::is_same_v<Inputs, MatrixView<const Scalar>>;

    /// What the future depends on, and scratch memory. As a kernel's: a value, whose copies are forks.
    class State {
    public:
        /// Steps since the last reset.
        Index time() const noexcept { return time_; }
        /// Bytes held, scratch memory included.
        std::size_t state_bytes() const noexcept {
            std::size_t bytes = scratch_.capacity() + sums_.size() * sizeof(double);
            for (const auto& mixer : mixers_) bytes += Mixer::state_bytes(mixer);
            return bytes;
        }

        State(const State& other)
            : mixers_(other.mixers_),
              sums_(other.sums_),
              time_(other.time_),
              scratch_(other.scratch_.capacity()) {}
        State(State&&) noexcept = default;
        /// As a whole or not at all; of a state of the same plan without an allocation.
        State& operator=(const State& other) {
            if (!has_room_for(other)) return *this = State(other);
            mixers_ = other.mixers_;
            sums_ = other.sums_;
            time_ = other.time_;
            return *this;
        }
        State& operator=(State&&) noexcept = default;
        ~State() = default;

        /// Whether the future of both is the same.
        friend bool operator==(const State& a, const State& b) noexcept {
            const std::size_t bytes = a.sums_.size() * sizeof(double);
            return a.time_ == b.time_ && a.sums_.size() == b.sums_.size() &&
                   (bytes == 0 || std::memcmp(a.sums_.data(), b.sums_.data(), bytes) == 0) &&
                   a.mixers_ == b.mixers_;
        }

    private:
        friend ModelStream;
        explicit State(const ModelStream& plan) : sums_(plan.sum_count()), scratch_(plan.scratch_bytes()) {
            mixers_.reserve(plan.mixers_.size());
            for (const auto& mixer : plan.mixers_) mixers_.push_back(mixer.make_state());
        }

        bool has_room_for(const State& other) const noexcept {
            const auto is_like = [](const auto& a, const auto& b) {
                return a.index() == b.index() && Mixer::state_bytes(a) == Mixer::state_bytes(b);
            };
            return sums_.size() == other.sums_.size() && scratch_.capacity() >= other.scratch_.capacity() &&
                   std::equal(mixers_.begin(), mixers_.end(), other.mixers_.begin(), other.mixers_.end(),
                              is_like);
        }

        std::vector<typename Mixer::State> mixers_;
        std::vector<double> sums_;  ///< of what a pooling head sees, S × width
        Index time_ = 0;
        Workspace scratch_;
    };

    /// \param model moved or copied in: the plan owns it
    /// \throws config_error 201, 1001, 1008 (max_block is no multiple of block), 761 (one of several mixers
    /// that is not causal); value_error 1004 (a kernel that is not finite)
    ///
    /// Cost evaluates the kernels, and their plans | heap: the plan | thread-safe: yes
    explicit ModelStream(PreparedModel model, const StreamOptions& options = {})
        : model_(std::move(model)), options_(options) {
        detail::require_stream_options(options, name);
        if (options.max_block % options.block != 0) {
            detail::raise<config_error>(1008, name,
                                        detail::text("max_block a multiple of block ", options.block),
                                        std::to_string(options.max_block));
        }
        detail::checked_product(detail::checked_product(options.streams, options.max_block, name), width(),
                                name);
        mixers_.reserve(model_.layers().size());
        for (const auto& layer : model_.layers()) mixers_.emplace_back(layer.gtu().mixer(), options);
    }

    const PreparedModel& model() const noexcept { return model_; }
    const StreamOptions& options() const noexcept { return options_; }
    Index streams() const noexcept { return options_.streams; }
    Index max_block() const noexcept { return options_.max_block; }
    /// Arithmetic operations that the mixers of a step take at most, those of vectors of channels.
    Index mixer_step_bound() const noexcept {
        Index sum = 0;
        for (const auto& mixer : mixers_) sum += mixer.step_bound();
        return sum;
    }
    /// Bytes held by the plan.
    std::size_t state_bytes() const {
        std::size_t bytes = model_.state_bytes();
        for (const auto& mixer : mixers_) bytes += mixer.state_bytes();
        return bytes;
    }

    /// A state at time 0. \throws std::bad_alloc
    State make_state() const { return State(*this); }

    /// The next step: S tokens or rows of features; outputs S × k.
    /// \throws value_error 711 (a token outside the vocabulary)
    void step(Inputs inputs, MatrixView<Scalar> outputs, State& state) const noexcept(!takes_tokens) {
        if (Model::Input::rows(inputs) != streams()) [[unlikely]] {
            refuse("step", "inputs", streams(), Model::Input::rows(inputs));
        }
        process(inputs, outputs, state);
    }

    /// The next 1 ≤ m ≤ max_block steps, a multiple of options().block: m·S tokens or rows of features;
    /// outputs (m·S) × k, or S × k where the head pools. \throws value_error 711 (a token outside the
    /// vocabulary)
    void process(Inputs inputs, MatrixView<Scalar> outputs, State& state) const noexcept(!takes_tokens) {
        const Index rows = Model::Input::rows(inputs);
        check(state, "process");
        check_rows("process", rows, streams() * max_block());
        const Index output_rows = pools() ? streams() : rows;
        if (outputs.rows() != output_rows || outputs.cols() != model_.model().outputs()) [[unlikely]] {
            refuse("process", "outputs", output_rows, outputs.rows());
        }
        advance(inputs, &outputs, state);
    }

    /// The next steps, any number, without their outputs, as of a prompt.
    /// \throws value_error 711 (a token outside the vocabulary)
    void prefill(Inputs inputs, State& state) const noexcept(!takes_tokens) {
        const Index rows = Model::Input::rows(inputs);
        check(state, "prefill");
        check_rows("prefill", rows, rows);
        require_tokens(inputs);
        const Index most = streams() * max_block();
        for (Index first = 0; first < rows; first += most) {
            advance(part(inputs, first, (std::min)(most, rows - first)), nullptr, state);
        }
    }

    /// Back to time 0, whatever was in the state.
    void reset(State& state) const noexcept {
        check(state, "reset");
        for (std::size_t l = 0; l < mixers_.size(); ++l) mixers_[l].reset(state.mixers_[l]);
        std::fill(state.sums_.begin(), state.sums_.end(), 0.0);
        state.time_ = 0;
    }

    /// Bytes that save writes.
    std::size_t saved_bytes(const State& state) const noexcept {
        std::size_t bytes = sizeof(std::int64_t) + state.sums_.size() * sizeof(double);
        for (const auto& mixer : mixers_) bytes += mixer.saved_bytes(state.time_);
        return bytes;
    }

    /// Writes a state: as a kernel's, layer by layer.
    /// \throws shape_error 1002 (another plan's state), 1005 (fewer than saved_bytes(state) bytes)
    void save(const State& state, std::span<std::byte> to) const {
        check(state, "save");
        require_bytes("save", saved_bytes(state), to.size(), to.size() >= saved_bytes(state));
        const std::int64_t time = state.time_;
        std::memcpy(to.data(), &time, sizeof time);
        to = to.subspan(sizeof time);
        if (pools()) std::memcpy(to.data(), state.sums_.data(), state.sums_.size() * sizeof(double));
        to = to.subspan(state.sums_.size() * sizeof(double));
        for (std::size_t l = 0; l < mixers_.size(); ++l) {
            mixers_[l].save(state.mixers_[l], to);
            to = to.subspan(mixers_[l].saved_bytes(state.time_));
        }
    }

    /// Makes a state what it was when it was saved. The kernels are checked; other weights are not.
    /// \throws shape_error 1002, 1005; value_error 1006, 1007: see KernelStream; the state is as before then
    /// heap: a state
    void restore(std::span<const std::byte> from, State& state) const {
        check(state, "restore");
        State restored(*this);
        const std::size_t head = sizeof(std::int64_t) + restored.sums_.size() * sizeof(double);
        require_bytes("restore", head, from.size(), from.size() >= head);
        std::int64_t time = 0;
        std::memcpy(&time, from.data(), sizeof time);
        if (time < 0) refuse_saved();
        restored.time_ = time;
        if (pools()) {
            std::memcpy(restored.sums_.data(), from.data() + sizeof time,
                        restored.sums_.size() * sizeof(double));
        }
        from = from.subspan(head);
        for (std::size_t l = 0; l < mixers_.size(); ++l) {
            const std::size_t bytes = mixers_[l].saved_bytes(time);
            require_bytes("restore", bytes, from.size(), from.size() >= bytes);
            mixers_[l].restore(from.first(bytes), restored.mixers_[l]);
            if (Mixer::time(restored.mixers_[l]) != time) refuse_saved();
            from = from.subspan(bytes);
        }
        require_bytes("restore", 0, from.size(), from.empty());
        state = restored;
    }

private:
    static constexpr const char* name = "ModelStream";

    Index width() const noexcept { return model_.model().width(); }
    bool pools() const noexcept { return model_.model().options().head == Head::mean_pool; }
    std::size_t sum_count() const noexcept {
        return pools() ? static_cast<std::size_t>(streams() * width()) : 0;
    }
    std::size_t scratch_bytes() const {
        return model_.row_workspace(streams() * max_block()) +
               Workspace::bytes_for<Scalar>(streams() * width());
    }

    // Some rows, at most max_block steps.
    void advance(Inputs inputs, const MatrixView<Scalar>* outputs, State& state) const
        noexcept(!takes_tokens) {
        const detail::SerialScope serial;
        model_.evaluate_with(
            [&](std::size_t layer, MatrixView<const Scalar> v, MatrixView<Scalar> mixed) {
                mixers_[layer].process(v, mixed, state.mixers_[layer]);
            },
            inputs, state.scratch_,
            [&](MatrixView<const Scalar> features) {
                state.time_ += features.rows() / streams();
                if (!pools()) {
                    if (outputs != nullptr) model_.apply_head(features, *outputs, state.scratch_);
                } else {
                    pool(features, outputs, state);
                }
            });
    }

    void pool(MatrixView<const Scalar> features, const MatrixView<Scalar>* outputs, State& state) const {
        for (Index row = 0; row < features.rows(); ++row) {
            double* sum = state.sums_.data() + row % streams() * width();
            for (Index c = 0; c < width(); ++c) sum[c] += static_cast<double>(features(row, c));
        }
        if (outputs == nullptr) return;
        Workspace::Scope scope(state.scratch_);
        const MatrixView<Scalar> means = scope.template matrix<Scalar>(streams(), width());
        const auto time = static_cast<double>(state.time_);
        for (Index i = 0; i < means.size(); ++i) {
            means.data()[i] = static_cast<Scalar>(state.sums_[static_cast<std::size_t>(i)] / time);
        }
        model_.apply_head(means, *outputs, state.scratch_);
    }

    static Inputs part(Inputs inputs, Index first, Index rows) noexcept {
        if constexpr (takes_tokens) {
            return inputs.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows));
        } else {
            return inputs.middle_rows(first, rows);
        }
    }

    // Before anything has changed.
    void require_tokens(Inputs inputs) const noexcept(!takes_tokens) {
        if constexpr (takes_tokens) {
            const Index vocabulary = model_.model().options().input.vocabulary;
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                if (inputs[i] < 0 || inputs[i] >= vocabulary) {
                    detail::raise<value_error>(711, detail::text(name, "::prefill"),
                                               detail::text("tokens in 0..", vocabulary - 1),
                                               detail::text(inputs[i], " at position ", i));
                }
            }
        }
    }

    void check(const State& state, const char* function) const {
        bool has_made = state.mixers_.size() == mixers_.size() && state.sums_.size() == sum_count();
        for (std::size_t l = 0; has_made && l < mixers_.size(); ++l) {
            has_made = mixers_[l].has_made(state.mixers_[l]);
        }
        if (!has_made) [[unlikely]]
            detail::refuse_state(name, function);
    }
    void check_rows(const char* function, Index rows, Index most) const {
        const Index unit = streams() * options_.block;
        if (rows % unit != 0 || rows > most || (rows == 0 && most > 0)) [[unlikely]] {
            refuse(function, "inputs", (std::min)(most, (rows / unit + 1) * unit), rows);
        }
    }
    [[noreturn, gnu::cold, gnu::noinline]] void refuse(const char* function, const char* what, Index expected,
                                                       Index got) const {
        detail::raise<shape_error>(
            1003, detail::text(name, "::", function),
            detail::text(what, " of ", expected, " rows for ", streams(), " streams and calls of at most ",
                         max_block(), " steps", detail::multiples_text(options_.block)),
            std::to_string(got));
    }
    [[noreturn, gnu::cold, gnu::noinline]] static void refuse_saved() {
        detail::raise<value_error>(1006, detail::text(name, "::restore"), "a saved state", "other bytes");
    }
    static void require_bytes(const char* function, std::size_t expected, std::size_t got, bool are_right) {
        if (!are_right) detail::refuse_bytes(name, function, expected, got);
    }

    PreparedModel model_;
    StreamOptions options_;
    std::vector<Mixer> mixers_;
};

/// The plan of a causal kernel, n × d: row t is lag t.
template <Viewable Lags>
auto stream(const Lags& lags, const StreamOptions& options = {}) {
    return KernelStream<typename Lags::Scalar>(MatrixView<const typename Lags::Scalar>(lags), options);
}

/// The plan of a mixer that was prepared, and is nothing but a convolution.
template <HasCausalLags Prepared>
requires(!HasCausalModes<Prepared> && !requires(const Prepared& mixer) {
    mixer.divides_by_sums();
}) auto stream(const Prepared& mixer, const StreamOptions& options = {}) {
    return KernelStream<typename Prepared::Scalar>(mixer.causal_lags(), options);
}

/// The plan of a mixer that was prepared, and is a state space.
template <HasCausalModes Prepared>
requires(!requires(const Prepared& mixer) {
    mixer.divides_by_sums();
}) auto stream(const Prepared& mixer, const StreamOptions& options = {}) {
    detail::require_stream_options(options, "StateSpaceStream");
    return StateSpaceStream<typename Prepared::Scalar>(mixer.causal_modes().kernel(), options.streams);
}

/// The plan of a model that was prepared, which is moved or copied into it.
template <class Prepared>
requires requires { typename Prepared::ModelType; }
auto stream(Prepared model, const StreamOptions& options = {}) {
    return ModelStream<Prepared>(std::move(model), options);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
