// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A model whose type only its file knows.

#include <map>
#include <string>
#include <utility>
#include <variant>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/any_mixer.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

[[noreturn]] inline void refuse_inputs(const std::string& where, bool are_tokens) {
    raise<value_error>(935, where,
                       are_tokens ? "features, which this model takes" : "tokens, which this model takes",
                       are_tokens ? "tokens" : "features");
}

}  // namespace detail

/// A model of any mixers, norm and input, for inference.
///
///     const auto model = AnyModel<float>::load("model.safetensors");
///     const auto inference = model.prepare(/*length=*/512);
///     inference.evaluate(tokens, logits, workspace);
///
/// Mixers of your own are further template arguments: AnyModel<float, MyMixer<float>>. Immutable; members may
/// run at the same time.
template <Real ScalarType, class... OwnMixers>
class AnyModel {
    static_assert(detail::require_named<OwnMixers...>());
    template <template <class> class Norm, template <class> class Input>
    using Kind = LoadedModel<Model<AnyMixer<ScalarType, OwnMixers...>, Norm<ScalarType>, Input<ScalarType>>>;
    using Kinds = std::variant<Kind<RowNorm, Embedding>, Kind<RowNorm, Linear>, Kind<BatchNorm, Embedding>,
                               Kind<BatchNorm, Linear>>;

public:
    using Scalar = ScalarType;
    using Mixer = AnyMixer<Scalar, OwnMixers...>;

    /// The model of a file that save_model(path, model, …) wrote, checked by its probe.
    /// \throws as load_model<M>(path); io_error 933 for a norm or an input that is none of the library's
    static AnyModel load(const std::string& path) { return load(read_safetensors(path)); }
    /// The same of a file that was read.
    static AnyModel load(const TensorFile& file);

    /// All options as JSON.
    const std::string& options() const noexcept { return options_; }
    /// The user's own.
    const std::map<std::string, std::string>& metadata() const {
        return std::visit(
            [](const auto& kind) -> const auto& { return kind.metadata; }, kind_);
    }
    Index width() const {
        return visit([](const auto& model, const auto&) { return model.width(); });
    }
    Index layers() const {
        return visit([](const auto& model, const auto&) { return model.options().layers; });
    }
    /// Tokens that there are; 0 for a model of features.
    Index vocabulary() const {
        return visit([](const auto& model, const auto&) -> Index {
            if constexpr (requires { model.options().input.vocabulary; }) {
                return model.options().input.vocabulary;
            } else {
                return 0;
            }
        });
    }
    /// Features per time step; 0 for a model of tokens.
    Index inputs() const {
        return visit([](const auto& model, const auto&) -> Index {
            if constexpr (requires { model.options().input.inputs; }) {
                return model.options().input.inputs;
            } else {
                return 0;
            }
        });
    }
    Index outputs() const {
        return visit([](const auto& model, const auto&) { return model.outputs(); });
    }
    /// Rows of outputs for some rows of time steps.
    Index output_rows(Index rows, Index length) const {
        return visit([&](const auto& model, const auto&) { return model.output_rows(rows, length); });
    }
    /// causal where the mixers of all layers are.
    Causality causality() const {
        return visit([](const auto& model, const auto&) {
            return causal_layers(model) == model.options().layers ? Causality::causal
                                                                  : Causality::bidirectional;
        });
    }

    /// f(model, parameters) with the Model that it is: what this class lacks, for one line of generic code.
    template <class F>
    decltype(auto) visit(F&& f) const {
        return std::visit([&](const auto& kind) -> decltype(auto) { return f(kind.model, kind.parameters); },
                          kind_);
    }

    /// The model at inference, with the kernels of one length. Immutable and shareable.
    class Prepared {
    public:
        Index length() const {
            return std::visit([](const auto& model) { return model.length(); }, model_);
        }

        /// outputs = the model's, as Model::Prepared::evaluate.
        /// \throws value_error 935 (a model of features), and as there
        void evaluate(std::span<const Token> tokens, MatrixView<Scalar> outputs, Workspace& ws,
                      const Sequences& sequences = {}) const;
        /// \throws value_error 935 (a model of tokens), and as there
        void evaluate(MatrixView<const Scalar> features, MatrixView<Scalar> outputs, Workspace& ws,
                      const Sequences& sequences = {}) const;

        /// Bytes that evaluate takes from its workspace for B sequences.
        std::size_t required_workspace(Index batch = 1) const {
            return std::visit([&](const auto& model) { return model.required_workspace(batch); }, model_);
        }
        /// Bytes held.
        std::size_t state_bytes() const {
            return std::visit([](const auto& model) { return model.state_bytes(); }, model_);
        }

    private:
        friend AnyModel;
        template <class... Loaded>
        static std::variant<typename Loaded::ModelType::Prepared...> prepared(const std::variant<Loaded...>&);
        using Models = decltype(prepared(std::declval<const Kinds&>()));

        explicit Prepared(Models model) : model_(std::move(model)) {}

        template <class Inputs>
        void evaluate_any(const Inputs& inputs, MatrixView<Scalar> outputs, Workspace& ws,
                          const Sequences& sequences) const {
            std::visit(
                [&](const auto& model) {
                    if constexpr (requires { model.evaluate(inputs, outputs, ws, sequences); }) {
                        model.evaluate(inputs, outputs, ws, sequences);
                    } else {
                        detail::refuse_inputs("AnyModel::Prepared::evaluate",
                                              std::is_same_v<Inputs, std::span<const Token>>);
                    }
                },
                model_);
        }

        Models model_;
    };

    /// Evaluates the kernels of all layers for sequences of `length`, which need not be that of training.
    /// \throws as Model::prepare
    Prepared prepare(const PrepareOptions& options) const;
    Prepared prepare(Index length) const { return prepare(PrepareOptions{.length = length}); }

    /// The plan of a causal model one step at a time, as ModelStream, which says more of each member.
    /// Immutable and shareable; a state is one running sequence, a value.
    ///
    ///     const auto plan = model.stream(/*length=*/512);
    ///     auto state = plan.make_state();
    ///     plan.step({&token, 1}, logits, state);
    ///
    /// Members throw value_error 935 (features where the model takes tokens, or tokens for features) and
    /// shape_error 1002 (a state of another plan).
    class Stream {
        template <class... Loaded>
        static std::variant<ModelStream<typename Loaded::ModelType::Prepared>...> planned(
            const std::variant<Loaded...>&);
        template <class... Plan>
        static std::variant<typename Plan::State...> states(const std::variant<Plan...>&);
        using Plans = decltype(planned(std::declval<const Kinds&>()));

    public:
        class State {
        public:
            /// Steps since the last reset.
            Index time() const noexcept {
                return std::visit([](const auto& state) { return state.time(); }, of_);
            }
            /// Bytes held.
            std::size_t state_bytes() const noexcept {
                return std::visit([](const auto& state) { return state.state_bytes(); }, of_);
            }
            /// Whether the future of both is the same.
            friend bool operator==(const State& a, const State& b) noexcept { return a.of_ == b.of_; }

        private:
            friend Stream;
            using States = decltype(states(std::declval<const Plans&>()));
            explicit State(States state) : of_(std::move(state)) {}
            States of_;
        };

        Index streams() const noexcept {
            return std::visit([](const auto& plan) { return plan.streams(); }, plan_);
        }
        Index max_block() const noexcept {
            return std::visit([](const auto& plan) { return plan.max_block(); }, plan_);
        }
        /// Arithmetic operations that the mixers of a step take at most, those of vectors of channels.
        Index mixer_step_bound() const noexcept {
            return std::visit([](const auto& plan) { return plan.mixer_step_bound(); }, plan_);
        }
        /// Bytes held.
        std::size_t state_bytes() const {
            return std::visit([](const auto& plan) { return plan.state_bytes(); }, plan_);
        }

        /// A state at time 0. \throws std::bad_alloc
        State make_state() const {
            return std::visit([](const auto& plan) { return State(plan.make_state()); }, plan_);
        }

        /// The next step: S tokens or rows of features; outputs S × k.
        /// \throws value_error 711 (a token outside the vocabulary)
        void step(std::span<const Token> tokens, MatrixView<Scalar> outputs, State& state) const;
        void step(MatrixView<const Scalar> features, MatrixView<Scalar> outputs, State& state) const;

        /// The next 1 ≤ m ≤ max_block steps: m·S tokens or rows of features.
        /// \throws value_error 711 (a token outside the vocabulary)
        void process(std::span<const Token> tokens, MatrixView<Scalar> outputs, State& state) const;
        void process(MatrixView<const Scalar> features, MatrixView<Scalar> outputs, State& state) const;

        /// The next steps, any number, without their outputs.
        /// \throws value_error 711 (a token outside the vocabulary)
        void prefill(std::span<const Token> tokens, State& state) const;
        void prefill(MatrixView<const Scalar> features, State& state) const;

        /// Back to time 0, whatever was in the state.
        void reset(State& state) const {
            visit("reset", state, [](auto& plan, auto& own) { plan.reset(own); });
        }

        /// Bytes that save writes.
        std::size_t saved_bytes(const State& state) const {
            return visit("saved_bytes", state, [](auto& plan, auto& own) { return plan.saved_bytes(own); });
        }
        /// Writes a state. \throws shape_error 1005
        void save(const State& state, std::span<std::byte> to) const {
            visit("save", state, [&](auto& plan, auto& own) { plan.save(own, to); });
        }
        /// Makes a state what it was when it was saved.
        /// \throws shape_error 1005; value_error 1006, 1007; the state is as before then
        void restore(std::span<const std::byte> from, State& state) const {
            visit("restore", state, [&](auto& plan, auto& own) { plan.restore(from, own); });
        }

    private:
        friend AnyModel;
        explicit Stream(Plans plan) : plan_(std::move(plan)) {}

        /// f(plan, its state)
        template <class AnyState, class F>
        decltype(auto) visit(const char* function, AnyState& state, F&& f) const {
            return std::visit(
                [&]<class Plan>(const Plan& plan) {
                    auto* const own = std::get_if<typename Plan::State>(&state.of_);
                    if (own == nullptr) detail::refuse_state("AnyModel::Stream", function);
                    return f(plan, *own);
                },
                plan_);
        }
        template <class Inputs, class F>
        void feed(const char* function, const Inputs&, State& state, F&& f) const {
            visit(function, state, [&]<class Plan>(const Plan& plan, auto& own) {
                if constexpr (std::is_same_v<typename Plan::Inputs, Inputs>) {
                    f(plan, own);
                } else {
                    detail::refuse_inputs(detail::text("AnyModel::Stream::", function), !Plan::takes_tokens);
                }
            });
        }

        Plans plan_;
    };

    /// Evaluates the kernels of all layers, `length` lags of each, for a stream of any length.
    /// \throws config_error 761 (a model that looks both ways), and as Model::prepare and ModelStream
    Stream stream(const PrepareOptions& options, const StreamOptions& stream_options = {}) const;
    Stream stream(Index length, const StreamOptions& stream_options = {}) const {
        return stream(PrepareOptions{.length = length}, stream_options);
    }

private:
    /// How many there are in front of the first that is not.
    template <class M>
    static Index causal_layers(const M& model) {
        Index layer = 0;
        while (layer < model.options().layers &&
               model.block(layer).gtu().mixer().causality() == Causality::causal) {
            ++layer;
        }
        return layer;
    }

    AnyModel(Kinds kind, std::string options) : kind_(std::move(kind)), options_(std::move(options)) {}

    template <std::size_t i = 0>
    static Kinds load_kind(const TensorFile& file, const detail::ModelDescription& description) {
        if constexpr (i == std::variant_size_v<Kinds>) {
            detail::raise<io_error>(
                933, description.where,
                detail::text("a norm among ", RowNorm<Scalar>::architecture, ", ",
                             BatchNorm<Scalar>::architecture, " and an input among ",
                             Embedding<Scalar>::architecture, ", ", Linear<Scalar>::architecture),
                detail::text(detail::in_quotes(description.norm), " and ",
                             detail::in_quotes(description.input)));
        } else {
            using M = typename std::variant_alternative_t<i, Kinds>::ModelType;
            if (description.norm == M::BlockType::NormLayer::architecture &&
                description.input == M::Input::architecture) {
                return detail::load_described<M>(file, description);
            }
            return load_kind<i + 1>(file, description);
        }
    }

    Kinds kind_;
    std::string options_;
};

// Not in the class, where they would be inline: what toeplitz::compiled holds would be compiled again by
// every unit.

template <Real ScalarType, class... OwnMixers>
AnyModel<ScalarType, OwnMixers...> AnyModel<ScalarType, OwnMixers...>::load(const TensorFile& file) {
    const detail::ModelDescription description(file);
    description.template require_scalar<Scalar>();
    return AnyModel(load_kind(file, description), description.options);
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Prepared::evaluate(std::span<const Token> tokens,
                                                            MatrixView<Scalar> outputs, Workspace& ws,
                                                            const Sequences& sequences) const {
    evaluate_any(tokens, outputs, ws, sequences);
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Prepared::evaluate(MatrixView<const Scalar> features,
                                                            MatrixView<Scalar> outputs, Workspace& ws,
                                                            const Sequences& sequences) const {
    evaluate_any(features, outputs, ws, sequences);
}

template <Real ScalarType, class... OwnMixers>
auto AnyModel<ScalarType, OwnMixers...>::prepare(const PrepareOptions& options) const -> Prepared {
    return visit([&](const auto& model, const auto& parameters) {
        return Prepared(model.prepare(parameters, options));
    });
}

template <Real ScalarType, class... OwnMixers>
auto AnyModel<ScalarType, OwnMixers...>::stream(const PrepareOptions& options,
                                                const StreamOptions& stream_options) const -> Stream {
    return visit([&]<class M>(const M& model, const auto& parameters) {
        const Index layer = causal_layers(model);
        if (layer < model.options().layers) {
            detail::raise<config_error>(
                761, "AnyModel::stream", "a causal model, as others need inputs that are not there yet",
                detail::text("the mixer ", model.block(layer).gtu().mixer().architecture(), " in layer ",
                             layer));
        }
        return Stream(ModelStream<typename M::Prepared>(model.prepare(parameters, options), stream_options));
    });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::step(std::span<const Token> tokens,
                                                      MatrixView<Scalar> outputs, State& state) const {
    feed("step", tokens, state, [&](auto& plan, auto& own) { plan.step(tokens, outputs, own); });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::step(MatrixView<const Scalar> features,
                                                      MatrixView<Scalar> outputs, State& state) const {
    feed("step", features, state, [&](auto& plan, auto& own) { plan.step(features, outputs, own); });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::process(std::span<const Token> tokens,
                                                         MatrixView<Scalar> outputs, State& state) const {
    feed("process", tokens, state, [&](auto& plan, auto& own) { plan.process(tokens, outputs, own); });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::process(MatrixView<const Scalar> features,
                                                         MatrixView<Scalar> outputs, State& state) const {
    feed("process", features, state, [&](auto& plan, auto& own) { plan.process(features, outputs, own); });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::prefill(std::span<const Token> tokens, State& state) const {
    feed("prefill", tokens, state, [&](auto& plan, auto& own) { plan.prefill(tokens, own); });
}

template <Real ScalarType, class... OwnMixers>
void AnyModel<ScalarType, OwnMixers...>::Stream::prefill(MatrixView<const Scalar> features,
                                                         State& state) const {
    feed("prefill", features, state, [&](auto& plan, auto& own) { plan.prefill(features, own); });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/compiled.hpp>
#endif

/// All of a scalar's AnyModel; TOEPLITZ_INSTANTIATE_ANY_MODEL(extern, …) declares that toeplitz::compiled has
/// it.
#define TOEPLITZ_INSTANTIATE_ANY_MODEL(extern_or_not, Scalar) extern_or_not template class AnyModel<Scalar>;

#if defined(TOEPLITZ_COMPILED_IO)
namespace toeplitz::inline TOEPLITZ_ABI {
#if defined(TOEPLITZ_COMPILED_float)
TOEPLITZ_INSTANTIATE_ANY_MODEL(extern, float)
#endif
#if defined(TOEPLITZ_COMPILED_double)
TOEPLITZ_INSTANTIATE_ANY_MODEL(extern, double)
#endif
}  // namespace toeplitz::inline TOEPLITZ_ABI
#endif
