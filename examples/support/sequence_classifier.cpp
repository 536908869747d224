// SPDX-License-Identifier: MIT

#include "sequence_classifier_impl.hpp"

namespace examples {

ClassifierReport train_classifier(MixerKind kind, const ClassifierOptions& options,
                                  const TrainingSettings& settings, const LabelledSequences& train,
                                  const LabelledSequences& validation, const LabelledSequences& test) {
    const auto run = options.batch_norm ? train_batch_norm_classifier : run_classifier<RowNorm<float>>;
    return run(kind, options, settings, train, validation, test);
}

}  // namespace examples
