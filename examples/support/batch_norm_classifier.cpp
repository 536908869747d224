// SPDX-License-Identifier: MIT

#include "sequence_classifier_impl.hpp"

namespace examples {

ClassifierReport train_batch_norm_classifier(MixerKind kind, const ClassifierOptions& options,
                                             const TrainingSettings& settings, const LabelledSequences& train,
                                             const LabelledSequences& validation,
                                             const LabelledSequences& test) {
    return run_classifier<BatchNorm<float>>(kind, options, settings, train, validation, test);
}

}  // namespace examples
