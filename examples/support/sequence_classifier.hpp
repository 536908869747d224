// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Trains a TNN that gives every sequence, image or pair of sequences one of some classes. Its templates are
/// compiled once for each norm.

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
    Index glu_width = 0;     ///< features of the gated linear units; 0: the width
    Index mlp_width = 32;    ///< of the perceptrons that make the kernels of tno and fd
    Index mlp_layers = 3;    ///< their hidden layers
    Index rank = 32;         ///< of ski, as
    Index taps = 65;
    double decay = 0;  ///< λ; 0: one that leaves a tenth at the end of a sequence, or of an axis
    double dropout = 0;
    bool batch_norm = false;     ///< instead of a norm of each row
    bool flat = false;           ///< images are sequences of pixels in reading order
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
    std::string file{};  ///< with the model; empty where the classes are of pairs
};

/// Trains on `train`, watches the accuracy on `validation`, and reports that on `test`, and saves the
/// model. Files are called after the mixer.
ClassifierReport train_classifier(MixerKind kind, const ClassifierOptions& options,
                                  const TrainingSettings& settings, const LabelledSequences& train,
                                  const LabelledSequences& validation, const LabelledSequences& test);

/// The same with batch norms: what train_classifier calls where the options say so.
ClassifierReport train_batch_norm_classifier(MixerKind kind, const ClassifierOptions& options,
                                             const TrainingSettings& settings, const LabelledSequences& train,
                                             const LabelledSequences& validation,
                                             const LabelledSequences& test);

}  // namespace examples
