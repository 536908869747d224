// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Tiny models of any mixers in files, compiled once. The mixers are the library's, and a user's.

#include <string>
#include <vector>

#include <support/nn.hpp>

#include <toeplitz/io/any_model.hpp>

namespace toeplitz::test {
using Any = AnyModel<float, PlainMixer<float>>;
}

// What takes long to compile, in three sources: any_model.cpp, any_model_load.cpp, any_model_stream.cpp.
namespace toeplitz {
extern template test::Any AnyModel<float, test::PlainMixer<float>>::load(const TensorFile&);
extern template class AnyModel<float, test::PlainMixer<float>>::Prepared;
extern template test::Any::Prepared AnyModel<float, test::PlainMixer<float>>::prepare(
    const PrepareOptions&) const;
extern template class AnyModel<float, test::PlainMixer<float>>::Stream;
extern template test::Any::Stream AnyModel<float, test::PlainMixer<float>>::stream(
    const PrepareOptions&, const StreamOptions&) const;
}  // namespace toeplitz

namespace toeplitz::test {

struct TinyModel {
    std::vector<Any::Mixer::Options> mixers;  ///< of the layers
    bool has_batch_norm = false;
    bool takes_features = false;
    WeightFormat weights = WeightFormat::exact;
    OutputWeights output_weights = OutputWeights::separate;
};

inline constexpr Index tiny_length = 6;
inline constexpr Index tiny_outputs = 5;
inline const std::vector<Token> tiny_tokens = {3, 1, 4, 1, 0, 2, 2, 0, 4, 3, 1, 1};
/// As many rows of two features.
Matrix<float> tiny_features();

/// Saves the model with the probe of two sequences. Returns their outputs, those of exact parameters that are
/// prepared in the format.
Matrix<float> save_tiny(const std::string& path, const TinyModel& tiny,
                        const std::map<std::string, std::string>& metadata = {});

/// Saves what was loaded, with the same probe.
void save_again(const std::string& path, const Any& model);

/// Options of a mixer of one architecture.
Any::Mixer::Options tiny_mixer(const std::string& architecture);

/// Outputs for the inputs of the probe.
Matrix<float> evaluate_tiny(const Any& model);

}  // namespace toeplitz::test
