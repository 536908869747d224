// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The model of sequence_classifier for any mixer, and how good it is.

#include <algorithm>
#include <cmath>
#include <vector>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>

#include "labelled_sequences.hpp"
#include "parallel_for.hpp"
#include "sequence_classifier.hpp"

namespace examples {

using FullTno = toeplitz::Tno<float, toeplitz::Causality::bidirectional>;

/// Kernels reach over the whole sequence: λⁿ is 0.1 at its end.
inline double decay_for(Index length) { return std::pow(0.1, 1 / static_cast<double>(length)); }

inline void set_mixer(const ClassifierOptions& options, Index length, toeplitz::TnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
    mixer.decay.lambda = decay_for(length);
}
template <class Mixer>
toeplitz::Model<Mixer> make_model(const ClassifierOptions& options, Index length) {
    typename toeplitz::Model<Mixer>::Options model{.input = {.vocabulary = options.vocabulary},
                                                   .width = options.width,
                                                   .layers = options.layers,
                                                   .head = toeplitz::Head::mean_pool,
                                                   .outputs = options.classes};
    model.block.gtu.inner_width = options.inner_width;
    set_mixer(options, length, model.block.gtu.mixer);
    return toeplitz::Model<Mixer>(model);
}

/// Loss and accuracy at inference, with weights in a format. Processes share the data.
template <class M>
toeplitz::CrossEntropyLoss evaluate(const M& model, const typename M::Parameters& parameters,
                                    const LabelledSequences& data, Index batch,
                                    toeplitz::Communicator& processes,
                                    toeplitz::WeightFormat weights = toeplitz::WeightFormat::exact) {
    const typename M::Prepared prepared =
        model.prepare(parameters, {.length = data.length, .weights = weights});
    const Index batches = (data.count() + batch - 1) / batch;
    std::vector<toeplitz::Workspace> workspaces(static_cast<std::size_t>(parallel_threads()));
    const auto losses = parallel_map(batches, processes, [&](Index b, int thread) {
        toeplitz::Workspace& ws = workspaces[static_cast<std::size_t>(thread)];
        const Index count = std::min(batch, data.count() - b * batch);
        LabelledBatch part;
        part.fill(data, count, [&](Index j) { return b * batch + j; });
        toeplitz::Matrix<float> logits(count, model.outputs());
        prepared.evaluate(part.tokens, logits, ws, part.lengths);
        return toeplitz::cross_entropy(logits, part.labels, ws);
    });
    toeplitz::CrossEntropyLoss all;
    for (const toeplitz::CrossEntropyLoss& loss : losses) all += loss;
    return all;
}

}  // namespace examples
