// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Model files that say which network they hold: its mixers, norm, input and scalar, and all options.

#include <algorithm>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include <toeplitz/io/compressed_model.hpp>
#include <toeplitz/io/model_file.hpp>
#include <toeplitz/io/options_json.hpp>
#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/model.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A model from a file, with its parameters.
template <class M>
struct LoadedModel {
    using ModelType = M;
    M model;
    typename M::Parameters parameters;
    std::map<std::string, std::string> metadata;  ///< the user's own
};

namespace detail {

inline constexpr const char* model_format = "toeplitz.model";
inline constexpr const char* model_version = "1";
inline constexpr const char* model_norm = "toeplitz.model.norm";
inline constexpr const char* model_input = "toeplitz.model.input";
inline constexpr const char* model_scalar = "toeplitz.model.scalar";
inline constexpr const char* model_options = "toeplitz.model.options";
inline constexpr const char* model_probe_length = "toeplitz.model.probe_length";

/// What a file says of its model.
struct ModelDescription {
    std::string where;  ///< for messages
    std::string norm;
    std::string input;
    std::string scalar;
    std::string options;     ///< JSON
    Index probe_length = 0;  ///< of the sequences in the probe

    /// \throws io_error 932
    explicit ModelDescription(const TensorFile& file)
        : where(text("load_model: file ", in_quotes(file.source))) {
        const std::string version = find(file, model_format);
        if (version != model_version) fail(text("version ", model_version), in_quotes(version));
        norm = find(file, model_norm);
        input = find(file, model_input);
        scalar = find(file, model_scalar);
        options = find(file, model_options);
        const std::string length = find(file, model_probe_length);
        if (!parse_number(length, probe_length) || probe_length < 1) {
            fail(text("a length as '", model_probe_length, "'"), in_quotes(length));
        }
    }

    /// \throws io_error 934
    template <Real Scalar>
    void require_scalar() const {
        const char* expected = dtype_name(dtype_of<Scalar>());
        if (scalar != expected) raise<io_error>(934, where, text("a model of ", expected), in_quotes(scalar));
    }

private:
    std::string find(const TensorFile& file, const char* key) const {
        const auto found = file.metadata.find(key);
        if (found == file.metadata.end()) fail(text("metadata '", key, "'"), "none");
        return found->second;
    }
    [[noreturn]] void fail(std::string_view expected, std::string_view got) const {
        raise<io_error>(932, where, expected, got);
    }
};

/// Options of mixers as files have them, those of an AnyOf: the mixer's name is a part of them.
template <class Mixer>
struct FileMixer {
    static_assert(require_named<Mixer>());
    using Any = AnyOf<Mixer>;
    static typename Any::Options stored(const typename Mixer::Options& options) {
        return Any::template options<Mixer>(options);
    }
    static typename Mixer::Options loaded(const typename Any::Options& options) {
        return options.kind.template get<0>();
    }
};
template <class... Mixers>
struct FileMixer<AnyOf<Mixers...>> {
    using Any = AnyOf<Mixers...>;
    static const typename Any::Options& stored(const typename Any::Options& options) { return options; }
    static const typename Any::Options& loaded(const typename Any::Options& options) { return options; }
};

/// Options of a model with those of its mixers converted.
template <OptionSet To, OptionSet From, class Convert>
To with_mixers(const From& from, Convert&& convert) {
    To to;
    copy_options(from, to);
    to.block.gtu.mixer = convert(from.block.gtu.mixer);
    for (std::size_t l = 0; l < from.blocks.size(); ++l) {
        to.blocks[l].gtu.mixer = convert(from.blocks[l].gtu.mixer);
    }
    return to;
}

/// Gives parameters whose shapes are not those of the options the shapes in the file.
template <class P>
void take_shapes(const TensorFile& file, const std::string& prefix, P& parameters) {
    if constexpr (requires { parameters.groups[0].bounds; }) {
        using Scalar = typename decltype(parameters.groups[0].taps)::Scalar;
        parameters = compressed_tno_parameters<Scalar>(file, prefix);
    } else if constexpr (requires { parameters.poles, parameters.bounds; }) {
        const auto found = file.tensors.find(prefix + "bounds");
        if (found != file.tensors.end()) parameters.bounds.setZero(found->second.size());
    } else if constexpr (requires { parameters.of.index(); }) {
        std::visit([&](auto& own) { take_shapes(file, prefix, own); }, parameters.of);
    }
}

/// Gives the weights that the file has in fewer bits their formats.
template <class P>
void take_formats(const TensorFile& file, P& parameters) {
    for_each_weight(
        [&](const ParameterName& name, auto& part) {
            const auto found = file.tensors.find(name.text());
            const WeightFormat format =
                found == file.tensors.end() ? WeightFormat::exact : weight_format(found->second.dtype);
            if (format == WeightFormat::exact) return;
            part.encoded = {part.weight.rows(), part.weight.cols(), format};
            part.weight.resize(0, 0);
        },
        parameters);
}

/// The outputs of a probe, as a function of parameters and input.
template <class M>
auto probe_evaluation(const M& model, Index length) {
    return [&model, length](const typename M::Parameters& parameters, typename M::Inputs input) {
        const auto prepared = model.prepare(parameters, length);  // refuses a length below 1
        Matrix<typename M::Scalar> y(model.output_rows(M::Input::rows(input), length), model.outputs());
        Workspace ws;
        prepared.evaluate(input, y, ws);
        return y;
    };
}

/// A few bytes of options can ask for any number of layers and for a probe of any length. What the file
/// cannot hold is refused before memory is taken for it. \throws io_error 920, 930
inline void require_within(const TensorFile& file, const ModelDescription& description,
                           const OptionList& options) {
    std::size_t bytes = description.options.size();
    for (const auto& [name, tensor] : file.tensors) bytes += tensor.bytes.size();
    for (const OptionValue& option : options) {
        const bool is_of_model = option.name == "layers";
        if (!is_of_model && !option.name.ends_with(".layers")) continue;
        const std::size_t most = is_of_model ? file.tensors.size() : bytes;
        Index layers = 0;
        if (!parse_number(option.text, layers) || std::cmp_less_equal(layers, most)) continue;
        raise<io_error>(920, description.where, text("tensors for '", option.name, "' of ", layers),
                        text(file.tensors.size(), " tensors"));
    }
    const auto input = file.tensors.find(probe_input);
    if (input != file.tensors.end() && description.probe_length > input->second.size()) {
        raise<io_error>(930, description.where,
                        text("a 'probe.input' of sequences of ", description.probe_length, " steps"),
                        text("shape ", shape_text(input->second.shape)));
    }
}

/// \throws as load_model
template <class M>
LoadedModel<M> load_of_enough_memory(const TensorFile& file, const ModelDescription& description) {
    using Mixer = typename M::Mixer;
    using Norm = typename M::BlockType::NormLayer;
    using Input = typename M::Input;
    const auto require = [&](const char* what, const char* expected, const std::string& got) {
        if (got == expected) return;
        raise<io_error>(933, description.where, text("a model with ", what, " '", expected, "'"),
                        in_quotes(got));
    };
    require("norm", Norm::architecture, description.norm);
    require("input", Input::architecture, description.input);
    description.template require_scalar<typename M::Scalar>();

    using Stored = ModelOptions<Block<typename FileMixer<Mixer>::Any, Norm>, Input>;
    const auto stored = parse_options_json<Stored>(description.options, description.where);
    require_within(file, description, list_options(stored));
    LoadedModel<M> loaded{M(with_mixers<typename M::Options>(
                              stored, [](const auto& o) { return FileMixer<Mixer>::loaded(o); })),
                          {},
                          {}};
    loaded.parameters = loaded.model.make_parameters();
    for (std::size_t l = 0; l < loaded.parameters.layers.size(); ++l) {
        take_shapes(file, text("layers.", l, ".self_attn.gtu.toep."), loaded.parameters.layers[l].gtu.toep);
    }
    take_formats(file, loaded.parameters);
    load_model(file, loaded.parameters, probe_evaluation(loaded.model, description.probe_length));
    for (const auto& [key, value] : file.metadata) {
        if (!key.starts_with(own_metadata)) loaded.metadata.emplace(key, value);
    }
    return loaded;
}

/// The same of a file whose options may ask for more memory than there is.
/// \throws io_error 909, and as load_model
template <class M>
LoadedModel<M> load_described(const TensorFile& file, const ModelDescription& description) {
#if defined(__cpp_exceptions)
    try {
#endif
        return load_of_enough_memory<M>(file, description);
#if defined(__cpp_exceptions)
    } catch (const std::bad_alloc&) {
        raise<io_error>(909, description.where, "memory for a model of the options in the file",
                        "too little");
    }
#endif
}

}  // namespace detail

/// Writes a model as a file that says what it holds: parameters, architecture, options, and the pair of
/// `input` and its outputs that proves the file when it is loaded. The path is replaced completely or not at
/// all. Parameters from convert_weights make a file of half or a quarter of the size.
/// \param input tokens or features of B sequences of `length` time steps
/// \param metadata of your own
/// \throws as prepare and evaluate of the model; io_error 942 (metadata under "toeplitz."), 961 (an option
/// that is not finite), 931 (an output that is not finite), 910 to 912
/// Cost one evaluation and the bytes | heap: the file's content | thread-safe: yes
template <class Mixer, class Norm, class Input>
void save_model(const std::string& path, const Model<Mixer, Norm, Input>& model,
                const typename Model<Mixer, Norm, Input>::Parameters& parameters,
                typename Model<Mixer, Norm, Input>::Inputs input, Index length,
                const std::map<std::string, std::string>& metadata = {}) {
    using Stored = ModelOptions<Block<typename detail::FileMixer<Mixer>::Any, Norm>, Input>;
    std::map<std::string, std::string> all;
    detail::add_metadata(metadata, all, "save_model");
    all[detail::model_format] = detail::model_version;
    all[detail::model_norm] = Norm::architecture;
    all[detail::model_input] = Input::architecture;
    all[detail::model_scalar] = dtype_name(dtype_of<typename Mixer::Scalar>());
    all[detail::model_options] = options_json(detail::with_mixers<Stored>(
        model.options(), [](const auto& options) { return detail::FileMixer<Mixer>::stored(options); }));
    all[detail::model_probe_length] = std::to_string(length);
    save_model(path, parameters, std::move(all), input, detail::probe_evaluation(model, length));
}

/// The model of a file that save_model(path, model, …) wrote, whose type is known; AnyModel
/// (io/any_model.hpp) does without. Weights that the file has in fewer bits stay so (convert_weights).
///
///     const auto loaded = load_model<Model<FdTno<float, Causality::causal>>>("model.safetensors");
///     const auto inference = loaded.model.prepare(loaded.parameters, /*length=*/512);
///
/// \throws io_error 932 (no architecture in the file, as in those of version 0.1, or of another version), 933
///         (another norm or input), 934 (another scalar); config_error 220 (an option that this version does
///         not know), 221 (a missing one), 222, 223, 224, 225 (another mixer), and those of the model;
///         io_error 901 to 909, 913, 920, 930, 931 and 960 as load_model for parameters; 909 and 920 also
///         where the options ask for more memory than there is, or for more layers than the file can hold
/// Cost the bytes and one evaluation | heap: the result, and 3× the parameters | thread-safe: yes
template <class M>
requires requires { typename M::BlockType; }
LoadedModel<M> load_model(const TensorFile& file) {
    return detail::load_described<M>(file, detail::ModelDescription(file));
}
template <class M>
requires requires { typename M::BlockType; }
LoadedModel<M> load_model(const std::string& path) { return load_model<M>(read_safetensors(path)); }

}  // namespace toeplitz::inline TOEPLITZ_ABI
