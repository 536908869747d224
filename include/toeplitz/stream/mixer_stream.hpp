// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The mixer of one layer as a stream: by its modes where it is a state space, by its lags where it is not.

#include <variant>

#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/stream/kernel_stream.hpp>
#include <toeplitz/stream/state_space_stream.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// y = T x, or (T x)/(T 1) where the mixer is Normalized.
template <Real Scalar>
class MixerStream {
    using Lags = KernelStream<Scalar>;
    using Modes = StateSpaceStream<Scalar>;
    using Plan = std::variant<Lags, Modes>;

public:
    using State = std::variant<typename Lags::State, typename Modes::State>;

    template <class Prepared>
    MixerStream(const Prepared& mixer, const StreamOptions& options) : plan_(make_plan(mixer, options)) {
        if constexpr (requires { mixer.divides_by_sums(); }) {
            if (mixer.divides_by_sums()) divide_by_sums(mixer.causal_lags());
        }
    }

    /// Operations that any step takes: see KernelStream and StateSpaceStream.
    Index step_bound() const noexcept {
        return visit([](const auto& plan) { return plan.step_bound(); });
    }
    std::size_t state_bytes() const noexcept {
        return visit([](const auto& plan) { return plan.state_bytes(); }) +
               static_cast<std::size_t>(sums_.size()) * sizeof(Scalar);
    }

    State make_state() const {
        return visit([](const auto& plan) { return State(plan.make_state()); });
    }
    bool has_made(const State& state) const noexcept {
        return state.index() == plan_.index() &&
               with(state, [](const auto& plan, const auto& own) { return plan.has_made(own); });
    }
    static Index time(const State& state) noexcept {
        return std::visit([](const auto& own) { return own.time(); }, state);
    }
    static std::size_t state_bytes(const State& state) noexcept {
        return std::visit([](const auto& own) { return own.state_bytes(); }, state);
    }

    // Below: of states that it has made.
    void process(MatrixView<const Scalar> x, MatrixView<Scalar> y, State& state) const noexcept {
        const Index first = time(state);
        with(state, [&](const auto& plan, auto& own) { plan.process(x, y, own); });
        if (sums_.size() == 0) return;
        const Index streams = std::get<Lags>(plan_).streams();
        for (Index row = 0; row < y.rows(); ++row) {
            const Scalar* sum = &sums_((std::min)(first + row / streams, sums_.rows() - 1), 0);
            for (Index c = 0; c < y.cols(); ++c) y(row, c) /= sum[c];
        }
    }
    void reset(State& state) const noexcept {
        with(state, [](const auto& plan, auto& own) { plan.reset(own); });
    }
    /// Of a state at some time.
    std::size_t saved_bytes(Index time) const noexcept {
        return visit([&](const auto& plan) { return plan.saved_bytes(time); });
    }
    void save(const State& state, std::span<std::byte> to) const {
        with(state, [&](const auto& plan, const auto& own) { plan.save(own, to); });
    }
    void restore(std::span<const std::byte> from, State& state) const {
        with(state, [&](const auto& plan, auto& own) { plan.restore(from, own); });
    }

private:
    template <class Prepared>
    static Plan make_plan(const Prepared& mixer, const StreamOptions& options) {
        if constexpr (HasCausalModes<Prepared>) {
            const std::optional modes(mixer.causal_modes());
            if (modes) return Modes(modes->kernel(), options.streams);
        }
        return Lags(mixer.causal_lags(), options);
    }

    void divide_by_sums(const Matrix<Scalar>& lags) {
        sums_.resize(lags.rows(), lags.cols());
        for (Index c = 0; c < lags.cols(); ++c) {
            double sum = 0;
            for (Index t = 0; t < lags.rows(); ++t) {
                sum += static_cast<double>(lags(t, c));
                sums_(t, c) = static_cast<Scalar>(sum);
            }
        }
    }

    template <class F>
    auto visit(F&& f) const {
        return std::visit(f, plan_);
    }
    /// f(plan, its own kind of state).
    template <class AnyState, class F>
    auto with(AnyState& state, F&& f) const {
        return visit([&]<class Own>(const Own& plan) { return f(plan, std::get<typename Own::State>(state)); });
    }

    Plan plan_;
    Matrix<Scalar> sums_;  ///< row t: of the lags up to t
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
