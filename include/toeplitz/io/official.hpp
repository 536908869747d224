// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// State dicts of official language models: fairseq's TransformerDecoder with TNN layers.

#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/kernels/decay.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a fairseq decoder calls the tensors of a Model; those of the layers have the same names.
struct DecoderNames {
    std::string operator()(const std::string& name) const {
        constexpr std::pair<std::string_view, std::string_view> parts[] = {
            {"embed.", "embed_tokens."}, {"norm.", "layer_norm."}, {"out.", "output_projection."}};
        for (const auto& [ours, theirs] : parts) {
            if (name.starts_with(ours)) return detail::text(theirs, name.substr(ours.size()));
        }
        return name;
    }
};

/// What official modules on images call the tensors of a SeparableMixer: toep1 mixes rows, toep2 columns.
struct OfficialImageNames {
    std::string operator()(const std::string& name) const {
        constexpr std::pair<std::string_view, std::string_view> parts[] = {{"toep.rows.", "toep1."},
                                                                           {"toep.columns.", "toep2."}};
        for (const auto& [ours, theirs] : parts) {
            const std::size_t at = name.find(ours);
            if (at != std::string::npos) return std::string(name).replace(at, ours.size(), theirs);
        }
        return name;
    }
};

/// λ of a fixed decay as official modules save it: a buffer `gamma` per layer, one number per channel.
///
/// A model has one decay for all layers, so the file's must agree.
/// \param prefix of the decoder or module in the file
/// \throws io_error 921 where there is none, or layers differ; config_error 410 (λ outside (0, 1])
inline DecayOptions fixed_decay(const TensorFile& file, const std::string& prefix) {
    const char* where = "fixed_decay";
    DecayOptions decay{.mode = DecayMode::fixed};
    std::string first;
    for (auto at = file.tensors.lower_bound(prefix);
         at != file.tensors.end() && at->first.starts_with(prefix); ++at) {
        const std::string& name = at->first;
        if (name.substr(prefix.size()) != "gamma" && !name.ends_with(".gamma")) continue;
        Vector<double> rates(at->second.size());
        at->second.copy_to(std::span(rates.data(), static_cast<std::size_t>(rates.size())));
        if (first.empty()) {
            first = name;
            decay.per_channel = rates;
        } else if (rates.size() != decay.per_channel.size() || rates != decay.per_channel) {
            detail::raise<io_error>(921, where, detail::text("the decay of ", first), name);
        }
    }
    if (first.empty()) {
        detail::raise<io_error>(921, where, detail::text("tensors gamma under \"", prefix, "\""), "none");
    }
    return decay;
}

/// Fills the parameters of a language model from the state dict of an official one.
///
/// The model is built with the options of the official architecture: see docs/import.md. Buffers that are
/// options here (gamma of a fixed decay, inducing, version) may be in the file.
/// \param prefix of the decoder in the file, with its dot
/// \throws io_error 920: all mismatches; the parameters are as they were
template <ParameterSet P>
void import_language_model(const TensorFile& file, P& parameters, const std::string& prefix = "decoder.") {
    load_parameters(
        file, parameters,
        {.prefix = prefix, .ignorable = {"gamma", "inducing", "version", "embed_positions._float_tensor"}},
        DecoderNames{});
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
