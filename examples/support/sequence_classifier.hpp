// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Trains a TNN that gives every sequence, image or pair of sequences one of some classes. Its templates are
/// compiled once for each norm.

#include <cmath>
#include <string>

#include <toeplitz/dense/weight_format.hpp>

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
    /// Changes of the mixer's options, on images of those of both axes: see override_options.
    std::string mixer_options{};
    double dropout = 0;
    toeplitz::Precision precision = toeplitz::Precision::exact;  ///< of training
    bool batch_norm = false;                                     ///< instead of a norm of each row
    bool flat = false;           ///< images are sequences of pixels in reading order
    Index validate_every = 100;  ///< steps
    Index time_steps = 0;        ///< so many steps are timed, and nothing is trained to be used; 0: a run
};

/// Knots of ski's tables, per side.
inline constexpr Index ski_knots = 64;

/// λ of the mixer of an axis: where no option says it, kernels reach over all of it.
inline double axis_decay(MixerKind kind, const ClassifierOptions& options, Index length) {
    if (options.decay > 0) return options.decay;
    const double at_the_end = kind == MixerKind::ski ? 1.0 / static_cast<double>(ski_knots) : 0.1;
    return std::pow(at_the_end, 1 / static_cast<double>(length));
}

/// What was timed: medians, and the process's largest memory so far.
struct ClassifierTimes {
    double inference_seconds = 0;  ///< of a batch
    double inference_megabytes = 0;
    double step_seconds = 0;
    double step_megabytes = 0;
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
    ClassifierTimes times{};
};

/// Trains on `train`, watches the accuracy on `validation`, and reports that on `test`, and saves the
/// model. Files are called after the mixer. Or times steps, and reports nothing else.
ClassifierReport train_classifier(MixerKind kind, const ClassifierOptions& options,
                                  const TrainingSettings& settings, const LabelledSequences& train,
                                  const LabelledSequences& validation, const LabelledSequences& test);

/// The same with batch norms: what train_classifier calls where the options say so.
ClassifierReport train_batch_norm_classifier(MixerKind kind, const ClassifierOptions& options,
                                             const TrainingSettings& settings, const LabelledSequences& train,
                                             const LabelledSequences& validation,
                                             const LabelledSequences& test);

}  // namespace examples
