// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Parameters whose weights are in fewer bits: what bf16 and int8 files hold, for inference.

#include <utility>

#include <toeplitz/core/enumerator.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/dense/encoded_matrix.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The parameters with the weights of affine maps and tables of tokens in another format, which are those
/// that prepare() packs; all else is as it was.
///
///     const auto small = convert_weights(parameters, WeightFormat::int8);
///     save_model("small.safetensors", model, small, tokens, length);
///
/// What is prepared of them has the bits that `prepare(parameters, {.weights = format})` has. Only exact
/// weights can be trained. From one of bf16 and int8 to another format the way leads over rounded numbers.
/// \param parameters of a model, a layer, a map or a table; moved in, each weight is freed in turn
/// Cost O(parameters) | heap: the result | thread-safe: yes
template <ParameterSet P>
P convert_weights(P parameters, WeightFormat format) {
    static_assert(
        requires { P::for_each_weight(detail::IgnoreTensors{}, parameters); },
        "toeplitz: convert_weights() takes parameters that say where their weights are, as those of "
        "models, layers, Linear and Embedding do; a set of your own needs for_each_weight.");
    detail::for_each_weight(
        [&](const ParameterName&, auto& part) {
            if (!part.encoded.empty() && part.encoded.format() != format) {
                part.weight = part.encoded.decoded();
                part.encoded = {};
            }
            if (format == WeightFormat::exact || part.weight.size() == 0) return;
            part.encoded = {part.weight, format};
            part.weight.resize(0, 0);
        },
        parameters);
    return parameters;
}

namespace detail {

enum class Use { training, inference };

/// Rows and columns of a weight, as numbers or in fewer bits.
/// \throws config_error 743 where one in fewer bits is to be trained
template <class Part>
std::pair<Index, Index> weight_shape(const Part& part, const char* where, Use use) {
    if (part.encoded.empty()) return {part.weight.rows(), part.weight.cols()};
    if (use == Use::training) {
        raise<config_error>(743, where,
                            "weights that can be trained: convert_weights(parameters, WeightFormat::exact) "
                            "makes such, rounded as they are",
                            text("weights in ", enumerator_name(part.encoded.format()), ", for inference"));
    }
    return {part.encoded.rows(), part.encoded.cols()};
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
