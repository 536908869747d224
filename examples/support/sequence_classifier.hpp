// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Trains a TNN that gives every sequence one of some classes. train_image_classifier and train_listops share
/// it, and its templates are compiled once.

#include <string>

#include "labelled_sequences.hpp"
#include "training_run.hpp"

namespace examples {

/// All bidirectional.
enum class MixerKind { tno, ski, fd };

inline const char* mixer_name(MixerKind kind) {
    const char* const names[] = {"tno", "ski", "fd"};
    return names[static_cast<int>(kind)];
}

struct ClassifierOptions {
    Index vocabulary = 0;
    Index classes = 10;
    Index width = 32;
    Index layers = 2;
    Index inner_width = 64;  ///< channels of the mixers
    Index mlp_width = 32;    ///< of the perceptrons that make the kernels of tno and fd
    Index rank = 32;         ///< of ski, as
    Index taps = 65;
    Index validate_every = 100;  ///< steps
};

struct ClassifierReport {
    RunReport run;
    Index parameters = 0;
    double accuracy = 0;       ///< on all test sequences
    double bf16_accuracy = 0;  ///< with weights in fewer bits
    double int8_accuracy = 0;
    double loss = 0;  ///< on these, in nats
    double evaluation_seconds = 0;
    std::string file{};  ///< with the model
};

/// Trains on `train`, watches the accuracy on `validation`, and reports that on `test`, and saves the
/// model. Files are called after the mixer.
ClassifierReport train_classifier(MixerKind kind, const ClassifierOptions& options,
                                  const TrainingSettings& settings, const LabelledSequences& train,
                                  const LabelledSequences& validation, const LabelledSequences& test);

}  // namespace examples
