// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A causal TNN over bytes: training, bits per byte, writing, saving and loading. train_language_model is the
/// program around it.

#include <string>
#include <string_view>

#include <toeplitz/dense/weight_format.hpp>

#include "text_corpus.hpp"
#include "training_run.hpp"

namespace examples {

struct LanguageModelOptions {
    std::string mixer = "fd";  ///< or tno
    Index length = 512;        ///< bytes n of a window
    Index width = 96;
    Index layers = 3;
    Index inner_width = 192;                                     ///< channels of the mixers
    Index mlp_width = 32;                                        ///< of the perceptrons that make the kernels
    toeplitz::Precision precision = toeplitz::Precision::exact;  ///< of training
    Index validate_every = 250;                                  ///< steps

    std::string mixer_options{};  ///< changes of the mixer's options, see override_options

    std::string prompt{};  ///< to go on with; empty: the first bytes of the validation text
    Index generate = 600;  ///< bytes
    double temperature = 0.7;
};

struct LanguageModelReport {
    RunReport run;
    Index parameters = 0;
    double bits_per_byte = 0;         ///< of the validation text
    double loaded_bits_per_byte = 0;  ///< the same of the model that was saved and loaded again
    double bf16_bits_per_byte = 0;    ///< and with weights in fewer bits
    double int8_bits_per_byte = 0;
    std::string file{};           ///< with the model
    std::string mixer_options{};  ///< changes of the mixer's options, see override_options

    std::string prompt{};
    std::string written{};
};

/// Trains, validates, saves, loads and writes. Files are called after the mixer.
LanguageModelReport train_language_model(const LanguageModelOptions& options,
                                         const TrainingSettings& settings, const Corpus& corpus);

}  // namespace examples
