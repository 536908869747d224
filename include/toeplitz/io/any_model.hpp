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

namespace toeplitz::inline TOEPLITZ_ABI {

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
    static AnyModel load(const TensorFile& file) {
        const detail::ModelDescription description(file);
        description.template require_scalar<Scalar>();
        return AnyModel(load_kind(file, description), description.options);
    }

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
            for (Index l = 0; l < model.options().layers; ++l) {
                if (model.block(l).gtu().mixer().causality() != Causality::causal) {
                    return Causality::bidirectional;
                }
            }
            return Causality::causal;
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
                      const Sequences& sequences = {}) const {
            evaluate_any(tokens, outputs, ws, sequences);
        }
        /// \throws value_error 935 (a model of tokens), and as there
        void evaluate(MatrixView<const Scalar> features, MatrixView<Scalar> outputs, Workspace& ws,
                      const Sequences& sequences = {}) const {
            evaluate_any(features, outputs, ws, sequences);
        }

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
                        constexpr bool takes_tokens = !std::is_same_v<Inputs, std::span<const Token>>;
                        detail::raise<value_error>(935, "AnyModel::Prepared::evaluate",
                                                   takes_tokens ? "tokens, which this model takes"
                                                                : "features, which this model takes",
                                                   takes_tokens ? "features" : "tokens");
                    }
                },
                model_);
        }

        Models model_;
    };

    /// Evaluates the kernels of all layers for sequences of `length`, which need not be that of training.
    /// \throws as Model::prepare
    Prepared prepare(const PrepareOptions& options) const {
        return visit([&](const auto& model, const auto& parameters) {
            return Prepared(model.prepare(parameters, options));
        });
    }
    Prepared prepare(Index length) const { return prepare(PrepareOptions{.length = length}); }

private:
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

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/compiled.hpp>
#endif
