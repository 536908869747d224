// SPDX-License-Identifier: MIT

#include "sequence_classifier.hpp"

#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/train/batches.hpp>

#include "parallel_for.hpp"
#include "timing.hpp"

namespace examples {

namespace {

using namespace toeplitz;
using FullTno = Tno<float, Causality::bidirectional>;
using FullSkiTno = SkiTno<float, Causality::bidirectional>;
using FullFdTno = FdTno<float, Causality::bidirectional>;

// What the mixers differ in. Kernels reach over the whole sequence: λⁿ is 0.1 at its end.

double decay_for(Index length) { return std::pow(0.1, 1 / static_cast<double>(length)); }

void set_mixer(const ClassifierOptions& options, Index length, TnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
    mixer.decay.lambda = decay_for(length);
}
void set_mixer(const ClassifierOptions& options, Index length, FullSkiTno::Options& mixer) {
    mixer.length = length;
    mixer.rank = options.rank;
    mixer.taps = options.taps;
    mixer.kernel.decay.lambda =
        std::pow(1.0 / static_cast<double>(mixer.kernel.knots), 1 / static_cast<double>(length));
}
void set_mixer(const ClassifierOptions& options, Index /*length*/, FdTnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
}

template <class Mixer>
Model<Mixer> make_model(const ClassifierOptions& options, Index length) {
    typename Model<Mixer>::Options model{.input = {.vocabulary = options.vocabulary},
                                         .width = options.width,
                                         .layers = options.layers,
                                         .head = Head::mean_pool,
                                         .outputs = options.classes};
    model.block.gtu.inner_width = options.inner_width;
    set_mixer(options, length, model.block.gtu.mixer);
    return Model<Mixer>(model);
}

/// Loss and accuracy at inference.
template <class M>
CrossEntropyLoss evaluate(const M& model, const typename M::Parameters& parameters,
                          const LabelledSequences& data, Index batch) {
    const typename M::Prepared prepared = model.prepare(parameters, data.length);
    const Index batches = (data.count() + batch - 1) / batch;
    std::vector<CrossEntropyLoss> losses(static_cast<std::size_t>(batches));
    std::vector<Workspace> workspaces(static_cast<std::size_t>(parallel_threads()));
    parallel_for(batches, [&](Index b, int thread) {
        Workspace& ws = workspaces[static_cast<std::size_t>(thread)];
        const Index count = std::min(batch, data.count() - b * batch);
        LabelledBatch part;
        part.fill(data, count, [&](Index j) { return b * batch + j; });
        Matrix<float> logits(count, model.outputs());
        prepared.evaluate(part.tokens, logits, ws, part.lengths);
        losses[static_cast<std::size_t>(b)] = cross_entropy<float>(logits, part.labels, ws);
    });
    CrossEntropyLoss all;
    for (const CrossEntropyLoss& loss : losses) {
        all.sum += loss.sum;
        all.count += loss.count;
        all.correct += loss.correct;
    }
    return all;
}

template <class Mixer>
ClassifierReport run(MixerKind kind, const ClassifierOptions& options, const TrainingSettings& settings,
                     const LabelledSequences& data, const LabelledSequences& validation,
                     const LabelledSequences& test) {
    using M = Model<Mixer>;
    const M model = make_model<Mixer>(options, data.length);
    typename M::Parameters parameters = model.make_parameters(settings.seed);

    // What one shard works with.
    struct Shard {
        LabelledBatch batch;
        Matrix<float> logits;
        typename M::Cache cache;
        Workspace ws;
    };
    std::vector<Shard> shards(static_cast<std::size_t>(settings.shards));
    const Batches batches(data.count(), settings.batch, settings.seed);
    const auto objective = [&](const typename M::Parameters& p, const Part& part,
                               typename M::Parameters& gradients) {
        Shard& shard = shards[static_cast<std::size_t>(part.shard)];
        const Index count = batches.count(part);
        if (count == 0) return CrossEntropyLoss{};
        shard.batch.fill(data, count, [&](Index j) { return batches.sample(part, j); });
        shard.logits.resize(count, model.outputs());
        const Sequences sequences{data.length, shard.batch.lengths};
        model.forward(p, shard.batch.tokens, sequences, shard.logits, shard.cache, shard.ws, part.seed);
        const CrossEntropyLoss loss =
            cross_entropy<float>(shard.logits, shard.batch.labels, shard.logits, shard.ws);
        model.backward(p, shard.batch.tokens, shard.cache, shard.logits, gradients, shard.ws);
        return loss;
    };

    ClassifierReport report;
    report.parameters = parameter_count(parameters);
    report.run = train(parameters, settings,
                       {.name = mixer_name(kind),
                        .tokens_per_step = settings.batch * data.length,
                        .validation = "accuracy",
                        .validate_every = options.validate_every},
                       objective, [&](const typename M::Parameters& p) {
                           return evaluate(model, p, validation, 16).accuracy();
                       });
    CrossEntropyLoss loss;
    report.evaluation_seconds = seconds([&] { loss = evaluate(model, parameters, test, 16); });
    report.accuracy = loss.accuracy();
    report.loss = loss.mean();
    return report;
}

}  // namespace

ClassifierReport train_classifier(MixerKind kind, const ClassifierOptions& options,
                                  const TrainingSettings& settings, const LabelledSequences& train,
                                  const LabelledSequences& validation, const LabelledSequences& test) {
    switch (kind) {
        case MixerKind::tno:
            return run<FullTno>(kind, options, settings, train, validation, test);
        case MixerKind::ski:
            return run<FullSkiTno>(kind, options, settings, train, validation, test);
        default:
            return run<FullFdTno>(kind, options, settings, train, validation, test);
    }
}

}  // namespace examples
