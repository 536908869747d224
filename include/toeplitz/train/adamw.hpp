// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Adam with decoupled weight decay (Kingma, Ba 2015; Loshchilov, Hutter 2019), as PyTorch's AdamW computes
/// it.

#include <algorithm>
#include <cmath>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/sweep.hpp>

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
    double epsilon = 1e-8;
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

/// Throws config_error 801 unless the options are in their ranges.
inline void check_adamw(const AdamWOptions& options) {
    const auto require = [](bool ok, const char* expected, double got) {
        if (!ok) raise<config_error>(801, "AdamW", expected, std::to_string(got));
    };
    require(options.beta1 >= 0 && options.beta1 < 1, "beta1 in [0, 1)", options.beta1);
    require(options.beta2 >= 0 && options.beta2 < 1, "beta2 in [0, 1)", options.beta2);
    require(options.epsilon >= 0 && std::isfinite(options.epsilon), "epsilon >= 0", options.epsilon);
    require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay >= 0",
            options.weight_decay);
    if (options.decay == nullptr) raise<config_error>(801, "AdamW", "a rule for decay", "none");
}

/// Elements that one thread takes at a time. Fixed, so that no result depends on the number of threads.
inline constexpr Index element_block = 1024;

/// Calls f(first, count) on fixed blocks of a tensor's elements, split among threads.
template <class F>
void for_each_block(Index size, Index nanoseconds_per_element, F&& f) {
    const Index blocks = (size + element_block - 1) / element_block;
    parallel_chunks(blocks, thread_count(blocks, size * nanoseconds_per_element),
                    [&](Index begin, Index end, int) {
                        for (Index block = begin; block < end; ++block) {
                            const Index first = block * element_block;
                            f(first, std::min(element_block, size - first));
                        }
                    });
}

/// One update's factors: g ← scale g, p ← keep p, m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
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
        const auto second = at.load(v + i) * c.beta2 + gradient * gradient * c.new2;
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

}  // namespace detail

/// One update, t = state.step + 1, with g = gradient_scale · gradients, η = rate:
///     p ← p (1 − η·weight_decay),  m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
///     p ← p − η/(1−β₁ᵗ) · m/(√v/√(1−β₂ᵗ) + ε).
/// Buffers keep their values. All sets of the same shapes.
/// \throws config_error 801
/// Cost O(parameters), one pass | heap: none | thread-safe: yes, with distinct parameters and state
template <ParameterSet P>
void adamw_update(P& parameters, const P& gradients, AdamWState<P>& state, double rate,
                  const AdamWOptions& options = {}, double gradient_scale = 1) {
    detail::check_adamw(options);
    const double t = static_cast<double>(++state.step);
    const double correction1 = 1 - std::pow(options.beta1, t);
    const double root2 = std::sqrt(1 - std::pow(options.beta2, t));
    const bool fairseq = options.variant == AdamVariant::fairseq;
    for_each_parameter(
        [&](const ParameterName& name, auto& p, const auto& g, auto& m, auto& v) {
            if (name.is_buffer()) return;
            using Scalar = typename std::remove_reference_t<decltype(p)>::Scalar;
            const double decay = options.decay(name, p.rows(), p.cols()) ? options.weight_decay : 0;
            const auto narrow = [](double value) { return static_cast<Scalar>(value); };
            const detail::AdamWFactors<Scalar> factors{
                .scale = narrow(gradient_scale),
                .keep = narrow(1 - rate * decay),
                .beta1 = narrow(options.beta1),
                .beta2 = narrow(options.beta2),
                .new1 = narrow(1 - options.beta1),
                .new2 = narrow(1 - options.beta2),
                .step = narrow(fairseq ? rate * root2 / correction1 : rate / correction1),
                .inverse_root = narrow(fairseq ? 1 : 1 / root2),
                .epsilon = narrow(options.epsilon),
            };
            detail::for_each_block(p.size(), 2, [&](Index first, Index count) {
                detail::update_block(factors, g.data() + first, p.data() + first, m.data() + first,
                                     v.data() + first, count);
            });
        },
        parameters, gradients, state.first, state.second);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
