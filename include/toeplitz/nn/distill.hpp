// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A trained causal model becomes one of state spaces whose errors are proven (docs/streaming.md).

#include <algorithm>
#include <variant>
#include <vector>

#include <toeplitz/approximation/cheapest_state_space.hpp>
#include <toeplitz/core/options.hpp>
#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/output_error.hpp>
#include <toeplitz/nn/state_space_tno.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Which layers stay exact: those whose exact product is cheaper by the cost model, and those that no state
/// space will do for; or the latter alone, as a stream takes more than a product of the whole sequence.
enum class KeepExact { where_cheaper, where_needed };

struct DistillOptions {
    double tolerance = 0;                          ///< ε > 0, for every channel
    ToleranceKind kind = ToleranceKind::relative;  ///< of ε
    Index most_modes = 32;                         ///< s ≥ 1 of a channel at most
    KeepExact keep = KeepExact::where_cheaper;
    CostModel cost{};  ///< what is cheap

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("tolerance", sets.tolerance...);
        f("kind", sets.kind...);
        f("most_modes", sets.most_modes...);
        f("keep", sets.keep...);
        f("cost", sets.cost...);
    }
};

/// What became of a layer's mixer, and why it stayed as it was.
enum class Distillation { state_space, exact_is_cheaper, over_tolerance, not_a_convolution };

constexpr const char* name(Distillation outcome) noexcept {
    constexpr const char* names[] = {"state_space", "exact_is_cheaper", "over_tolerance",
                                     "not_a_convolution"};
    return names[static_cast<int>(outcome)];
}

/// What is known of one layer.
struct DistilledLayer {
    Distillation outcome = Distillation::not_a_convolution;
    /// Eigenvalues of each channel's state space, real ones and pairs of conjugates, which are two: the order
    /// of a system of real numbers. Of the best that was tried where the layer stayed as it was.
    std::vector<Index> orders{};
    Index modes = 0;          ///< s, complex ones: those of the channel with the most
    Index taps = 0;           ///< m: lags in front of them that are exact
    Vector<double> bounds{};  ///< ‖T − T̂‖₂ of each channel's state space is proven to be no more than this
    Vector<double> tolerances{};  ///< absolute, of each channel
    double cost = 0;              ///< nanoseconds of a product, per channel and sequence, by the cost model
    double exact_cost = 0;        ///< the same of the exact product

    bool is_state_space() const noexcept { return outcome == Distillation::state_space; }
    double mean_order() const {
        double sum = 0;
        for (const Index order : orders) sum += static_cast<double>(order);
        return orders.empty() ? 0 : sum / static_cast<double>(orders.size());
    }
    /// The order that a fraction of the channels does not exceed: 0.5 for the median, 1 for the largest.
    Index order_quantile(double fraction) const {
        if (orders.empty()) return 0;
        std::vector<Index> sorted = orders;
        std::sort(sorted.begin(), sorted.end());
        return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
    }
};

namespace detail {

/// The mixers of a distilled model: those that there were, and state spaces.
template <class Mixer>
struct DistilledMixerOf {
    static_assert(require_named<Mixer>());
};
template <NamedMixer Mixer>
struct DistilledMixerOf<Mixer> {
    using type = AnyOf<Mixer, StateSpaceTno<typename Mixer::Scalar>>;
};
template <Real Scalar>
struct DistilledMixerOf<StateSpaceTno<Scalar>> {
    using type = AnyOf<StateSpaceTno<Scalar>>;
};
template <class... Mixers>
struct DistilledMixerOf<AnyOf<Mixers...>> {
    using Scalar = typename AnyOf<Mixers...>::Scalar;
    using type = std::conditional_t<(std::is_same_v<Mixers, StateSpaceTno<Scalar>> || ...), AnyOf<Mixers...>,
                                    AnyOf<Mixers..., StateSpaceTno<Scalar>>>;
};

template <class T>
inline constexpr bool is_any_of = false;
template <class... Mixers>
inline constexpr bool is_any_of<AnyOf<Mixers...>> = true;

/// Options and parameters of a mixer as those of an AnyOf whose list begins with it, or with its list.
template <class Any, class Mixer>
typename Any::Options widened_options(const typename Mixer::Options& own) {
    if constexpr (is_any_of<Mixer>) {
        typename Any::Options options;
        copy_options(own, options);
        return options;
    } else {
        return Any::template options<Mixer>(own);
    }
}
template <class Any, class Mixer>
typename Any::Parameters widened_parameters(const typename Mixer::Parameters& own) {
    if constexpr (is_any_of<Mixer>) {
        typename Any::Parameters parameters;
        constexpr std::size_t count = std::variant_size_v<decltype(own.of)>;
        with_index<count>(own.of.index(),
                          [&](auto kind) { parameters.of.template emplace<kind>(std::get<kind>(own.of)); });
        return parameters;
    } else {
        return Any::template parameters<Mixer>(own);
    }
}

template <class Prepared>
bool divides_by_sums(const Prepared& mixer) {
    if constexpr (requires { mixer.divides_by_sums(); }) return mixer.divides_by_sums();
    return false;
}

/// The state space of a prepared mixer, where there is one.
template <class Prepared, Real Scalar>
DistilledLayer distill_prepared(const Prepared& mixer, Index length, const DistillOptions& options,
                                StateSpaceFit<Scalar>& fit) {
    DistilledLayer layer;
    layer.exact_cost = options.cost.exact(length);
    if (divides_by_sums(mixer)) return layer;
    const double limit =
        options.keep == KeepExact::where_cheaper ? layer.exact_cost : std::numeric_limits<double>::infinity();
    const Matrix<Scalar> lags = mixer.causal_lags();
    const MatrixView<const Scalar> view(lags);
    fit = cheapest_state_space(view,
                               absolute_tolerances<Causality::causal>(view, options.tolerance, options.kind),
                               {.most_modes = options.most_modes}, options.cost, limit);
    for (std::size_t c = 0; c < fit.modes.size(); ++c) {
        Index order = 0;
        for (Index i = 0; i < fit.modes[c]; ++i) {
            order += fit.poles(i, static_cast<Index>(c)).imag() == 0 ? 1 : 2;
        }
        layer.orders.push_back(order);
    }
    layer.modes = fit.poles.rows();
    layer.taps = fit.direct.rows();
    layer.bounds = fit.bounds;
    layer.tolerances = fit.tolerances;
    // A mixer has one mode at least.
    const ModeCount modes = layer.modes > 0 ? fit.mode_count() : ModeCount{.real = 1};
    layer.cost = options.cost.state_space(length, modes, layer.taps);
    const ModeCount most{.real = static_cast<double>(options.most_modes)};
    if (fit.meets_all()) {
        layer.outcome = layer.cost < limit ? Distillation::state_space : Distillation::exact_is_cheaper;
    } else {
        layer.outcome = options.cost.state_space(length, most) < limit ? Distillation::over_tolerance
                                                                       : Distillation::exact_is_cheaper;
    }
    return layer;
}

}  // namespace detail

/// Parameters of a StateSpaceTno of m taps and max(s, 1) modes, those of a fit and its bounds.
template <Real Scalar>
StateSpaceTnoParameters<Scalar> state_space_parameters(const StateSpaceFit<Scalar>& fit) {
    StateSpaceTnoParameters<Scalar> parameters{detail::parts_of(fit.poles), detail::parts_of(fit.residues),
                                               fit.direct, fit.bounds};
    if (parameters.poles.rows() == 0) {
        parameters.poles = parameters.residues = Matrix<Scalar>::Zero(1, 2 * fit.direct.cols());
    }
    return parameters;
}

/// What distill() makes of a model: layers that stay exact keep their mixer, and go on to be what they are.
template <class Mixer, class Norm, class Input>
using DistilledModel = Model<typename detail::DistilledMixerOf<Mixer>::type, Norm, Input>;

/// A distilled model with its parameters, ready to be prepared, streamed, trained on and saved, and what is
/// known of each layer.
template <class ModelType>
struct Distilled {
    ModelType module;
    typename ModelType::Parameters parameters;
    std::vector<DistilledLayer> layers{};
};

/// A trained causal model with the mixers of its layers replaced by state spaces whose error on sequences of
/// up to `length` steps is proven to be within the tolerance in every channel; everything else is as it was.
///
/// A layer stays exact where no state space of up to most_modes modes keeps the tolerance of all channels,
/// where the exact product is cheaper (KeepExact), or where it is Normalized: its report says so. Beyond
/// `length`, which exact kernels have a value for as well, state spaces go on as they are.
///
///     const auto made = distill(model, parameters, 2048, {.tolerance = 1e-3});
///     const auto plan = stream(made.module.prepare(made.parameters, 2048));
///     const OutputError error = output_error<float>(exact, made.module.prepare(made.parameters, 2048), …);
///
/// \throws shape_error 405 (parameters of another number of layers, or of other options), config_error 201
/// (length, most_modes), 553 (tolerance), 558 (cost), 761 (one of several mixers that is not causal)
/// Cost see fit_state_space | heap: yes | thread-safe: yes | threads split the channels, same result for any
/// number
template <class Mixer, class Norm, class Input>
Distilled<DistilledModel<Mixer, Norm, Input>> distill(
    const Model<Mixer, Norm, Input>& model, const typename Model<Mixer, Norm, Input>::Parameters& parameters,
    Index length, const DistillOptions& options) {
    using Made = DistilledModel<Mixer, Norm, Input>;
    using Any = typename Made::Mixer;
    using Scalar = typename Mixer::Scalar;
    constexpr const char* where = "distill";
    static_assert(
        HasCausalLags<typename Mixer::Prepared>,
        "toeplitz: distill() takes causal models: a state space sees the past alone. See compress().");
    detail::require_positive(length, where, "length");
    detail::require_positive(options.most_modes, where, "most_modes");
    detail::require_tolerance(options.tolerance, where);
    detail::require_cost(options.cost, where);
    const auto& exact = model.options();
    if (static_cast<Index>(parameters.layers.size()) != exact.layers) {
        detail::raise<shape_error>(405, where, detail::text("parameters of ", exact.layers, " layers"),
                                   std::to_string(parameters.layers.size()));
    }
    typename Made::Options made_options;
    copy_options(exact, made_options);
    made_options.blocks.assign(parameters.layers.size(), made_options.block);
    typename Made::Parameters made;
    made.embed = parameters.embed;
    made.norm = parameters.norm;
    made.out = parameters.out;
    std::vector<DistilledLayer> layers;
    for (std::size_t l = 0; l < parameters.layers.size(); ++l) {
        const auto& block = exact.blocks.empty() ? exact.block : exact.blocks[l];
        const auto& layer = parameters.layers[l];
        const Mixer& mixer = model.block(static_cast<Index>(l)).gtu().mixer();
        StateSpaceFit<Scalar> fit;
        layers.push_back(
            detail::distill_prepared(mixer.prepare(layer.gtu.toep, length), length, options, fit));
        auto& made_block = made_options.blocks[l];
        copy_options(block, made_block);
        typename Any::Parameters toep;
        if (layers.back().is_state_space()) {
            using StateSpaces = StateSpaceTno<Scalar>;
            auto own = state_space_parameters(fit);
            made_block.gtu.mixer =
                Any::template options<StateSpaces>({.modes = own.poles.rows(), .taps = own.direct.rows()});
            toep = Any::template parameters<StateSpaces>(std::move(own));
        } else {
            made_block.gtu.mixer = detail::widened_options<Any, Mixer>(block.gtu.mixer);
            toep = detail::widened_parameters<Any, Mixer>(layer.gtu.toep);
        }
        made.layers.push_back(
            {{layer.gtu.v_proj, layer.gtu.u_proj, layer.gtu.o, layer.gtu.norm, std::move(toep)},
             layer.gtu_norm,
             layer.glu,
             layer.glu_norm});
    }
    return {Made(made_options), std::move(made), std::move(layers)};
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
