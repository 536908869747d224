// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Adam with decoupled weight decay (Kingma, Ba 2015; Loshchilov, Hutter 2019), as PyTorch's AdamW computes
/// it.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/sweep.hpp>
#include <toeplitz/train/element_blocks.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Where ε stands: √(v/(1−β₂ᵗ)) + ε in PyTorch, (√v + ε)/√(1−β₂ᵗ) in fairseq.
enum class AdamVariant { pytorch, fairseq };

/// Says whether a tensor's weights decay.
using DecayRule = bool (*)(const ParameterName& name, Index rows, Index cols);

/// All tensors decay, as with PyTorch's defaults.
inline bool decay_all(const ParameterName& /*name*/, Index /*rows*/, Index /*cols*/) { return true; }

/// Biases, gains and other vectors do not decay.
inline bool decay_matrices(const ParameterName& /*name*/, Index rows, Index cols) {
    return rows > 1 && cols > 1;
}

struct AdamWOptions {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;  ///< a normal number of the parameters' type, such as 1e-30
    double weight_decay = 0.01;
    AdamVariant variant = AdamVariant::pytorch;
    DecayRule decay = decay_all;

    static constexpr const char* unvisited_options[] = {"decay"};  // a function has no name

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("beta1", sets.beta1...);
        f("beta2", sets.beta2...);
        f("epsilon", sets.epsilon...);
        f("weight_decay", sets.weight_decay...);
        f("variant", sets.variant...);
    }
};

/// What the optimizer remembers between steps.
template <ParameterSet P>
struct AdamWState {
    Index step = 0;  ///< updates done
    P first;         ///< running mean of the gradients
    P second;        ///< running mean of their squares
};

/// The state before the first update.
template <ParameterSet P>
AdamWState<P> make_adamw_state(const P& parameters) {
    return {0, zeros_like(parameters), zeros_like(parameters)};
}

namespace detail {

/// Steps that a run may have: the schedule and the corrections count them in doubles.
inline constexpr Index most_steps = Index{1} << 53;

/// The numbers that every tensor of a set can hold with full precision; buffers aside.
struct ScalarRange {
    double smallest = (std::numeric_limits<double>::min)();
    double largest = (std::numeric_limits<double>::max)();
};

template <ParameterSet P>
ScalarRange scalar_range(const P& parameters) {
    ScalarRange range;
    for_each_tensor(
        [&](const ParameterName& name, const TensorRef* tensor) {
            if (name.is_buffer()) return;
            tensor->with_data([&]<class Scalar>(const Scalar* /*data*/) {
                using Limits = std::numeric_limits<Scalar>;
                range.smallest = (std::max)(range.smallest, static_cast<double>((Limits::min)()));
                range.largest = (std::min)(range.largest, static_cast<double>((Limits::max)()));
            });
        },
        parameters);
    return range;
}

/// Throws config_error 801 unless the options are in their ranges. An ε that the numbers cannot hold would
/// divide zero by zero where gradients vanish.
inline void check_adamw(const AdamWOptions& options, const ScalarRange& range) {
    const auto require = [](bool ok, std::string_view expected, double got) {
        if (!ok || !is_finite(got)) raise<config_error>(801, "AdamW", expected, text(got));
    };
    require(options.beta1 >= 0 && options.beta1 < 1, "beta1 in [0, 1)", options.beta1);
    require(options.beta2 >= 0 && options.beta2 < 1, "beta2 in [0, 1)", options.beta2);
    require(options.epsilon >= range.smallest && options.epsilon <= range.largest,
            text("epsilon in [", range.smallest, ", ", range.largest, "]"), options.epsilon);
    require(options.weight_decay >= 0 && options.weight_decay <= range.largest,
            text("weight_decay in [0, ", range.largest, "]"), options.weight_decay);
    if (options.decay == nullptr) raise<config_error>(801, "AdamW", "a rule for decay", "none");
}

/// Throws shape_error 820 unless the tensors of both sets have the same shapes.
template <ParameterSet P>
void require_same_shapes(const P& wanted, const P& given, const char* where, const char* what) {
    Index together = 0;
    for_each_tensor(
        [&](const ParameterName& name, const TensorRef* tensors) {
            const TensorRef ours = tensors[0];
            const TensorRef theirs = tensors[1];
            ++together;
            if (ours.has_shape_of(theirs)) return;
            raise<shape_error>(
                820, where,
                text(what, " with ", name.text(), " of shape ", shape_text(ours.rows(), ours.cols())),
                shape_text(theirs.rows(), theirs.cols()));
        },
        wanted, given);
    // A set with lists may have longer ones.
    const auto count = [](const P& set) {
        Index tensors = 0;
        for_each_tensor([&](const ParameterName&, const TensorRef*) { ++tensors; }, set);
        return tensors;
    };
    if (count(wanted) != together || count(given) != together) {
        raise<shape_error>(820, where, text(what, " of ", count(wanted), " tensors"), text(count(given)));
    }
}

/// What keeps a run from going on with a state; empty where nothing does.
template <ParameterSet P>
std::string state_problem(const AdamWState<P>& state) {
    if (state.step < 0 || state.step >= most_steps) return text("step ", state.step);
    std::string problem;
    for_each_tensor(
        [&](const ParameterName& name, const TensorRef* moments) {
            for (Index i = 0; i < moments->rows() && problem.empty(); ++i) {
                for (Index j = 0; j < moments->cols() && problem.empty(); ++j) {
                    const double m = moments[0].at(i, j);
                    const double v = moments[1].at(i, j);
                    const bool bad_m = !is_finite(m);
                    if (bad_m || !(is_finite(v) && v >= 0)) {
                        problem = text(bad_m ? m : v, " in the ", bad_m ? "first" : "second", " moment of ",
                                       name.text(), "(", i, ", ", j, ")");
                    }
                }
            }
        },
        state.first, state.second);
    return problem;
}

/// What a state must be, for messages.
inline std::string expected_state() {
    return text("a step in 0..", most_steps - 1, ", finite moments, and second ones from 0 on");
}

/// One update's factors: g ← scale g, p ← keep p, m ← β₁m + (1−β₁)g, v ← β₂v + ((1−β₂)g)g,
/// p ← p − step m/(√v·inverse_root + ε).
template <Real Scalar>
struct AdamWFactors {
    Scalar scale, keep, beta1, beta2, new1, new2, step, inverse_root, epsilon;
};

template <Real Scalar>
void update_block(const AdamWFactors<Scalar>& c, const Scalar* g, Scalar* p, Scalar* m, Scalar* v,
                  Index count) {
    alignas(buffer_alignment) Scalar root[element_block];
    sweep<Scalar>(count, [&](auto at, Index i) TOEPLITZ_LAMBDA {
        const auto gradient = at.load(g + i) * c.scale;
        at.store(m + i, at.load(m + i) * c.beta1 + gradient * c.new1);
        const auto second = at.load(v + i) * c.beta2 + gradient * c.new2 * gradient;
        at.store(v + i, second);
        at.store(root + i, second);
    });
    // Not Eigen's root, which is an approximation for float.
    for (Index i = 0; i < count; ++i) root[i] = std::sqrt(root[i]);
    sweep<Scalar>(count, [&](auto at, Index i) TOEPLITZ_LAMBDA {
        const auto denominator = at.load(root + i) * c.inverse_root + c.epsilon;
        at.store(p + i, at.load(p + i) * c.keep - c.step * (at.load(m + i) / denominator));
    });
}

/// Whether all numbers are at most `most` ≥ 0 in size and, if asked for, have no sign; false where one is a
/// NaN.
template <Real Scalar>
bool all_within(const Scalar* data, Index count, Scalar most, bool no_sign = false) noexcept {
    using Bits = std::conditional_t<sizeof(Scalar) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
    constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
    const Bits refused = no_sign ? sign : 0;
    // Without their signs numbers are ordered as integers, and NaNs are the largest.
    const Bits limit = std::bit_cast<Bits>(most);
    Bits beyond = 0;
    for (Index i = 0; i < count; ++i) {
        const Bits word = std::bit_cast<Bits>(data[i]);
        beyond |= (limit - (word & ~sign)) | (word & refused);
    }
    return (beyond & sign) == 0;
}

/// The size up to which parameters, first moments and scaled gradients, and second moments up to its square,
/// stay finite in an update; 0 where the factors promise nothing.
template <Real Scalar>
Scalar safe_size(const AdamWFactors<Scalar>& c) {
    constexpr Scalar most = (std::numeric_limits<Scalar>::max)();
    const Scalar checked[] = {c.scale, c.keep, c.step};
    if (!all_within(checked, 3, most)) return 0;
    const double quarter = static_cast<double>(most) / 4;
    const double epsilon = static_cast<double>(c.epsilon);
    const double growth = std::abs(static_cast<double>(c.keep)) + static_cast<double>(c.step) / epsilon;
    const double size = (std::min)({std::sqrt(quarter), quarter * epsilon, quarter / growth});
    return static_cast<Scalar>(size / (std::max)(1.0, std::abs(static_cast<double>(c.scale))));
}

/// Throws train_error 813 if the update of a tensor would leave a number that is not finite.
template <Real Scalar>
void require_finite_update(const AdamWFactors<Scalar>& c, const ParameterName& name, Index cols, Index size,
                           const Scalar* g, const Scalar* p, const Scalar* m, const Scalar* v, Index step) {
    const Scalar safe = safe_size(c);
    std::atomic<bool> proven = safe > 0;
    if (proven) {
        for_each_block(size, 1, [&](Index first, Index count) {
            const bool within = all_within(g + first, count, safe) && all_within(p + first, count, safe) &&
                                all_within(m + first, count, safe) &&
                                all_within(v + first, count, safe * safe, true);
            if (!within) proven.store(false, std::memory_order_relaxed);
        });
    }
    if (proven) return;
    // Rare: the update itself tells, on a copy.
    for (Index first = 0; first < size; first += element_block) {
        const Index count = (std::min)(element_block, size - first);
        alignas(buffer_alignment) Scalar next[3][element_block];
        std::copy_n(p + first, count, next[0]);
        std::copy_n(m + first, count, next[1]);
        std::copy_n(v + first, count, next[2]);
        update_block(c, g + first, next[0], next[1], next[2], count);
        for (Index i = 0; i < count; ++i) {
            for (int which = 0; which < 3; ++which) {
                const Scalar value = next[which][i];
                if (all_within(&value, 1, (std::numeric_limits<Scalar>::max)())) continue;
                constexpr const char* moment[] = {"", "the first moment of ", "the second moment of "};
                raise<train_error>(813, "adamw_update", text("an update ", step, " to finite numbers"),
                                   text(static_cast<double>(value), " in ", moment[which], name.text(), "(",
                                        (first + i) / cols, ", ", (first + i) % cols, ")"));
            }
        }
    }
}

/// One update, tensor by tensor: tensors are the parameter, its gradient, first and second moment.
class AdamWStep {
public:
    AdamWStep(const AdamWOptions& options, Index step, double rate, double gradient_scale)
        : options_(options),
          step_(step),
          rate_(rate),
          scale_(gradient_scale),
          correction1_(1 - std::pow(options.beta1, static_cast<double>(step))),
          root2_(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)))) {}

    /// Throws train_error 813 if the update would leave a number that is not finite.
    void check(const ParameterName& name, const TensorRef* tensors) const {
        tensors->with_data([&]<class Scalar>(const Scalar* p) {
            require_finite_update(factors<Scalar>(name, *tensors), name, tensors->cols(), tensors->size(),
                                  tensors[1].data<Scalar>(), p, tensors[2].data<Scalar>(),
                                  tensors[3].data<Scalar>(), step_);
        });
    }
    void update(const ParameterName& name, const TensorRef* tensors) const {
        tensors->with_data([&]<class Scalar>(Scalar* p) {
            const AdamWFactors<Scalar> c = factors<Scalar>(name, *tensors);
            const Scalar* const g = tensors[1].data<Scalar>();
            Scalar* const m = tensors[2].data<Scalar>();
            Scalar* const v = tensors[3].data<Scalar>();
            for_each_block(tensors->size(), 2, [&](Index first, Index count) {
                update_block(c, g + first, p + first, m + first, v + first, count);
            });
        });
    }

private:
    template <Real Scalar>
    AdamWFactors<Scalar> factors(const ParameterName& name, const TensorRef& tensor) const {
        const double decay = options_.decay(name, tensor.rows(), tensor.cols()) ? options_.weight_decay : 0;
        const bool fairseq = options_.variant == AdamVariant::fairseq;
        const auto narrow = [](double value) { return static_cast<Scalar>(value); };
        return {
            .scale = narrow(scale_),
            .keep = narrow(1 - rate_ * decay),
            .beta1 = narrow(options_.beta1),
            .beta2 = narrow(options_.beta2),
            .new1 = narrow(1 - options_.beta1),
            .new2 = narrow(1 - options_.beta2),
            .step = narrow(fairseq ? rate_ * root2_ / correction1_ : rate_ / correction1_),
            .inverse_root = narrow(fairseq ? 1 : 1 / root2_),
            .epsilon = narrow(options_.epsilon),
        };
    }

    const AdamWOptions& options_;
    Index step_;
    double rate_;
    double scale_;
    double correction1_;
    double root2_;
};

}  // namespace detail

/// One update, t = state.step + 1, with g = gradient_scale · gradients, η = rate:
///     p ← p (1 − η·weight_decay),  m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
///     p ← p − η/(1−β₁ᵗ) · m/(√v/√(1−β₂ᵗ) + ε).
/// Buffers keep their values. All sets of the same shapes. Where anything is thrown, nothing has changed.
/// \throws config_error 801 (options, rate), shape_error 820, value_error 821 (the step), train_error 813 (a
///         parameter or a moment would not be finite)
/// Cost O(parameters), two passes | heap: none | thread-safe: yes, with distinct parameters and state
template <ParameterSet P>
void adamw_update(P& parameters, const P& gradients, AdamWState<P>& state, double rate,
                  const AdamWOptions& options = {}, double gradient_scale = 1) {
    const char* const where = "adamw_update";
    const detail::ScalarRange range = detail::scalar_range(parameters);
    detail::check_adamw(options, range);
    if (!(detail::is_finite(rate) && rate >= 0 && rate <= range.largest)) {
        detail::raise<config_error>(801, "AdamW", detail::text("a rate in [0, ", range.largest, "]"),
                                    detail::text(rate));
    }
    if (state.step < 0 || state.step >= detail::most_steps) {
        detail::raise<value_error>(821, where, detail::expected_state(), detail::text("step ", state.step));
    }
    detail::require_same_shapes<P>(parameters, gradients, where, "gradients");
    detail::require_same_shapes<P>(parameters, state.first, where, "first moments");
    detail::require_same_shapes<P>(parameters, state.second, where, "second moments");

    const Index t = state.step + 1;
    const detail::AdamWStep step(options, t, rate, gradient_scale);
    detail::for_each_tensor(
        [&](const ParameterName& name, const detail::TensorRef* tensors) {
            if (!name.is_buffer()) step.check(name, tensors);
        },
        parameters, gradients, state.first, state.second);
    detail::for_each_tensor(
        [&](const ParameterName& name, const detail::TensorRef* tensors) {
            if (!name.is_buffer()) step.update(name, tensors);
        },
        parameters, gradients, state.first, state.second);
    state.step = t;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
