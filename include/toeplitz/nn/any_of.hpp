// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer that is one of several, known at run time only. One instance of the layers serves all of them.

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <variant>

#include <toeplitz/core/options.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/state_space_kernel.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A mixer that files can tell from others: `architecture` is its name in them, `causality()` what it sees,
/// and its options are visited.
template <class M>
concept NamedMixer = TokenMixer<M> && OptionSet<typename M::Options> && requires(const M& mixer) {
    { M::architecture } -> std::convertible_to<const char*>;
    { mixer.causality() } -> std::same_as<Causality>;
};

namespace detail {

/// Says so once where a mixer is none of these, before the constraints of all that it would be in.
template <class... Mixers>
consteval bool require_named() {
    static_assert((NamedMixer<Mixers> && ...),
                  "toeplitz: a file says what it holds: to be saved, loaded, distilled or one of an AnyOf, a "
                  "mixer needs a name, static constexpr const char* architecture, causality(), and Options "
                  "with for_each_option: see docs/guide/4-own-parts.md, \"In files\".");
    return true;
}

/// f(std::integral_constant) of an index below `count`.
template <std::size_t count, class F>
void with_index(std::size_t index, F&& f) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
        ((index == i ? f(std::integral_constant<std::size_t, i>()) : void()), ...);
    }
    (std::make_index_sequence<count>());
}

/// Where a mixer stands in a list; as many as there are where it does not.
template <class Mixer, class... Mixers>
consteval std::size_t mixer_index() {
    std::size_t index = 0;
    static_cast<void>(((std::is_same_v<Mixer, Mixers> || (static_cast<void>(++index), false)) || ...));
    return index;
}

template <class... Mixers>
consteval bool have_distinct_names() {
    const std::array<std::string_view, sizeof...(Mixers)> names = {Mixers::architecture...};
    for (std::size_t i = 0; i < names.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (names[i] == names[j]) return false;
        }
    }
    return true;
}

/// The options of one of the mixers: an OptionChoice by architecture.
template <class... Mixers>
class MixerChoice {
public:
    static constexpr std::array<const char*, sizeof...(Mixers)> names = {Mixers::architecture...};

    MixerChoice() = default;
    template <std::size_t kind, class Options>
    MixerChoice(std::in_place_index_t<kind> at, const Options& options) : options_(at, options) {}

    std::size_t index() const noexcept { return options_.index(); }
    template <std::size_t kind>
    const auto& get() const {
        return std::get<kind>(options_);
    }

    template <class F>
    void visit(F&& f) {
        std::visit([&](auto& options) { f(names[index()], options); }, options_);
    }
    template <class F>
    void visit(F&& f) const {
        std::visit([&](const auto& options) { f(names[index()], options); }, options_);
    }
    template <class F>
    static void for_each_choice(F&& f) {
        for (const char* name : names) f(name);
    }
    void choose(std::string_view name) {
        const auto kind = std::find(names.begin(), names.end(), name) - names.begin();
        with_index<sizeof...(Mixers)>(static_cast<std::size_t>(kind),
                                      [this](auto index) { options_.template emplace<index>(); });
    }

private:
    std::variant<typename Mixers::Options...> options_;  // by index: mixers may share a type of options
};

template <class... Mixers>
struct AnyOfOptions {
    Index channels = 0;             ///< d ≥ 1; a layer fills it in
    MixerChoice<Mixers...> kind{};  ///< its channels are filled in

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("kind", sets.kind...);
    }
};

/// Those of the mixer, by their names.
template <class... Mixers>
struct AnyOfParameters {
    std::variant<typename Mixers::Parameters...> of;

    template <class F, class First, class... Rest>
    static void for_each(F&& f, First& first, Rest&... rest) {
        with_index<sizeof...(Mixers)>(first.of.index(), [&](auto kind) {
            using Own = std::variant_alternative_t<kind, decltype(AnyOfParameters::of)>;
            Own::for_each(f, std::get<kind>(first.of), std::get<kind>(rest.of)...);
        });
    }
};

}  // namespace detail

/// The mixer that its options say, out of a closed list: `AnyOf<…>::options<Mixer>({…})` are those for Mixer.
///
///     using Short = SkiTno<float, Causality::causal>;
///     using Net = Model<AnyOf<FdTno<float, Causality::causal>, Short>>;
///     Net::Options options{.input = {.vocabulary = 256}, .width = 64, .layers = 2};
///     options.blocks.resize(2);
///     options.blocks[1].gtu.mixer = Net::Mixer::options<Short>({.length = 512});
///
/// All that it does is done by that mixer: results, parameters and their names, errors and costs are the
/// mixer's. Parameters, gradients and caches of another one are shape_error 405 and 705.
template <NamedMixer... Mixers>
class AnyOf {
    static constexpr std::size_t count = sizeof...(Mixers);
    static constexpr const auto& names = detail::MixerChoice<Mixers...>::names;
    static_assert(detail::have_distinct_names<Mixers...>(),
                  "toeplitz: two mixers have the same architecture.");
    template <class Mixer>
    static constexpr std::size_t index_of = detail::mixer_index<Mixer, Mixers...>();

public:
    using Scalar = typename std::variant_alternative_t<0, std::variant<Mixers...>>::Scalar;
    static_assert((std::is_same_v<Scalar, typename Mixers::Scalar> && ...),
                  "toeplitz: mixers of different scalars.");
    using Options = detail::AnyOfOptions<Mixers...>;
    using Parameters = detail::AnyOfParameters<Mixers...>;
    struct Cache {
        std::variant<typename Mixers::Cache...> of;
        Precision precision = Precision::exact;
    };

    /// Options that say Mixer.
    template <class Mixer>
    static Options options(const typename Mixer::Options& own = {}) {
        static_assert(index_of<Mixer> < count, "toeplitz: no mixer of the list.");
        return {0, {std::in_place_index<index_of<Mixer>>, own}};
    }

    /// Parameters of Mixer.
    template <class Mixer>
    static Parameters parameters(typename Mixer::Parameters own) {
        static_assert(index_of<Mixer> < count, "toeplitz: no mixer of the list.");
        Parameters parameters;
        parameters.of.template emplace<index_of<Mixer>>(std::move(own));
        return parameters;
    }

    /// \throws as the mixer
    explicit AnyOf(const Options& options) : mixer_(make(options)) {}

    /// Name of the mixer in files.
    const char* architecture() const noexcept { return names[mixer_.index()]; }
    Causality causality() const noexcept {
        return std::visit([](const auto& mixer) { return mixer.causality(); }, mixer_);
    }
    Index channels() const noexcept {
        return std::visit([](const auto& mixer) { return mixer.channels(); }, mixer_);
    }
    /// The mixer where it is a Mixer; null otherwise.
    template <class Mixer>
    const Mixer* get_if() const noexcept {
        return std::get_if<index_of<Mixer>>(&mixer_);
    }

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const
        requires(HasRequiredWorkspace<Mixers>&&...) {
        return std::visit([&](const auto& mixer) { return mixer.required_workspace(batch, length); }, mixer_);
    }

    Parameters make_parameters(std::uint64_t seed = 0) const {
        Parameters parameters;
        visit([&](auto kind, const auto& mixer) {
            parameters.of.template emplace<kind>(mixer.make_parameters(seed));
        });
        return parameters;
    }

    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        visit([&](auto kind, const auto& mixer) {
            if (cache.of.index() != kind) cache.of.template emplace<kind>();
            detail::set_precision(std::get<kind>(cache.of), cache.precision);
            mixer.forward(own<kind>(parameters), x, sequences, y, std::get<kind>(cache.of), ws);
        });
    }

    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        visit([&](auto kind, const auto& mixer) {
            const auto* kept = std::get_if<kind>(&cache.of);
            if (kept == nullptr) {
                detail::raise<shape_error>(705, "AnyOf::backward", "the cache of a forward pass",
                                           "that of another mixer");
            }
            mixer.backward(own<kind>(parameters), x, *kept, g, dx, own<kind>(gradients), ws);
        });
    }

    /// The mixer of one length.
    class Prepared {
    public:
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            std::visit([&](const auto& mixer) { mixer.evaluate(x, y, ws, sequences); }, mixer_);
        }
        /// Bytes that evaluate takes from its workspace for B sequences.
        std::size_t required_workspace(Index batch = 1) const {
            return std::visit([&](const auto& mixer) { return mixer.required_workspace(batch); }, mixer_);
        }
        /// Bytes held.
        std::size_t state_bytes() const {
            return std::visit([](const auto& mixer) { return mixer.state_bytes(); }, mixer_);
        }
        /// See Normalized.
        bool divides_by_sums() const noexcept {
            return std::visit(
                [](const auto& mixer) {
                    return requires { mixer.divides_by_sums(); };
                },
                mixer_);
        }
        /// The mixer's kernel, n × d: row t is lag t. \throws config_error 761 where it is not causal
        Matrix<Scalar> causal_lags() const requires(HasCausalLags<typename Mixers::Prepared> || ...) {
            return std::visit(
                [&]<class P>(const P& mixer) -> Matrix<Scalar> {
                    if constexpr (HasCausalLags<P>) {
                        return mixer.causal_lags();
                    } else {
                        detail::raise<config_error>(761, "AnyOf",
                                                    "a causal mixer whose operator has kernel_lags",
                                                    names[mixer_.index()]);
                    }
                },
                mixer_);
        }
        /// The mixer's state space, where it is one.
        std::optional<StateSpaceModes<Scalar>> causal_modes() const
            requires(HasCausalModes<typename Mixers::Prepared> || ...) {
            return std::visit(
                []<class P>(const P& mixer) -> std::optional<StateSpaceModes<Scalar>> {
                    if constexpr (HasCausalModes<P>) {
                        return mixer.causal_modes();
                    } else {
                        return {};
                    }
                },
                mixer_);
        }

    private:
        friend AnyOf;
        using Kinds = std::variant<typename Mixers::Prepared...>;
        explicit Prepared(Kinds mixer) : mixer_(std::move(mixer)) {}
        Kinds mixer_;
    };

    Prepared prepare(const Parameters& parameters, Index length) const {
        return prepare_kind<0>(parameters, length);
    }

private:
    using Kinds = std::variant<Mixers...>;

    template <std::size_t kind = 0>
    static Kinds make(const Options& options) {
        if constexpr (kind + 1 < count) {
            if (options.kind.index() != kind) return make<kind + 1>(options);
        }
        auto own = options.kind.template get<kind>();
        own.channels = options.channels;
        return Kinds(std::in_place_index<kind>, own);
    }

    template <std::size_t kind>
    Prepared prepare_kind(const Parameters& parameters, Index length) const {
        if constexpr (kind + 1 < count) {
            if (mixer_.index() != kind) return prepare_kind<kind + 1>(parameters, length);
        }
        return Prepared(typename Prepared::Kinds(
            std::in_place_index<kind>, std::get<kind>(mixer_).prepare(own<kind>(parameters), length)));
    }

    /// f(index of the kind, the mixer)
    template <class F>
    void visit(F&& f) const {
        detail::with_index<count>(mixer_.index(), [&](auto kind) { f(kind, std::get<kind>(mixer_)); });
    }

    /// The mixer's own set.
    template <std::size_t kind, class Set>
    static auto& own(Set& set) {
        auto* const its = std::get_if<kind>(&set.of);
        if (its == nullptr) {
            detail::raise<shape_error>(405, "AnyOf", detail::text("parameters of ", names[kind]),
                                       detail::text("those of ", names[set.of.index()]));
        }
        return *its;
    }

    Kinds mixer_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
