// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How good a classifier is.

#include <algorithm>
#include <vector>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>

#include "labelled_sequences.hpp"
#include "parallel_for.hpp"

namespace examples {

using FullTno = toeplitz::Tno<float, toeplitz::Causality::bidirectional>;

/// What the rows of a batch are.
inline toeplitz::Sequences sequences_of(const LabelledSequences& data, const LabelledBatch& batch) {
    if (data.image_width == 0) return {batch.length, batch.lengths};
    return toeplitz::Sequences::images(data.length / data.image_width, data.image_width);
}

/// Loss and accuracy on data that processes share out, where `logits_of(outputs, ws)` are those of a prepared
/// model's outputs.
template <class Prepared, class LogitsOf>
toeplitz::CrossEntropyLoss evaluate_prepared(const Prepared& prepared, Index outputs,
                                             const LabelledSequences& data, Index batch,
                                             toeplitz::Communicator& processes, LogitsOf&& logits_of) {
    const Index batches = (data.count() + batch - 1) / batch;
    std::vector<toeplitz::Workspace> workspaces(static_cast<std::size_t>(parallel_threads()));
    const auto losses = parallel_map(batches, processes, [&](Index b, int thread) {
        toeplitz::Workspace& ws = workspaces[static_cast<std::size_t>(thread)];
        const Index count = std::min(batch, data.count() - b * batch);
        LabelledBatch part;
        part.fill(data, count, [&](Index j) { return b * batch + j; });
        toeplitz::Matrix<float> out(count * data.parts, outputs);
        prepared.evaluate(part.tokens, out, ws, sequences_of(data, part));
        return toeplitz::cross_entropy(logits_of(out, ws), part.labels, ws);
    });
    toeplitz::CrossEntropyLoss all;
    for (const toeplitz::CrossEntropyLoss& loss : losses) all += loss;
    return all;
}

/// Loss and accuracy at inference, with weights in a format.
template <class M>
toeplitz::CrossEntropyLoss evaluate(const M& model, const typename M::Parameters& parameters,
                                    const LabelledSequences& data, Index batch,
                                    toeplitz::Communicator& processes,
                                    toeplitz::WeightFormat weights = toeplitz::WeightFormat::exact) {
    const typename M::Prepared prepared =
        model.prepare(parameters, {.length = data.length, .weights = weights});
    return evaluate_prepared(
        prepared, model.outputs(), data, batch, processes,
        [](const auto& outputs, toeplitz::Workspace&) -> const auto& { return outputs; });
}

}  // namespace examples
