// SPDX-License-Identifier: MIT

#include "sequence_classifier.hpp"

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/train/batches.hpp>

#include "classifier_model.hpp"
#include "timing.hpp"

namespace examples {

using namespace toeplitz;
using FullSkiTno = SkiTno<float, Causality::bidirectional>;
using FullFdTno = FdTno<float, Causality::bidirectional>;

// What the mixers differ in; make_model() finds these by their arguments.

static void set_mixer(const ClassifierOptions& options, Index length, FullSkiTno::Options& mixer) {
    mixer.length = length;
    mixer.rank = options.rank;
    mixer.taps = options.taps;
    mixer.kernel.decay.lambda =
        std::pow(1.0 / static_cast<double>(mixer.kernel.knots), 1 / static_cast<double>(length));
}
static void set_mixer(const ClassifierOptions& options, Index /*length*/, FdTnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
}

namespace {

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
        const CrossEntropyLoss loss = cross_entropy(shard.logits, shard.batch.labels, shard.logits, shard.ws);
        model.backward(p, shard.batch.tokens, shard.cache, shard.logits, gradients, shard.ws);
        return loss;
    };

    Communicator& processes = settings.all_processes();
    ClassifierReport report;
    report.parameters = parameter_count(parameters);
    report.run = train(parameters, settings,
                       {.name = mixer_name(kind),
                        .tokens_per_step = settings.batch * data.length,
                        .input = {{"data", fingerprint(data.tokens, data.lengths, data.labels)}},
                        .validation = "accuracy",
                        .validate_every = options.validate_every},
                       objective, [&](const typename M::Parameters& p) {
                           return evaluate(model, p, validation, 16, processes).accuracy();
                       });
    CrossEntropyLoss loss;
    report.evaluation_seconds = seconds([&] { loss = evaluate(model, parameters, test, 16, processes); });
    report.accuracy = loss.accuracy();
    report.loss = loss.mean();
    const auto in_format = [&](WeightFormat weights) {
        return evaluate(model, parameters, test, 16, processes, weights).accuracy();
    };
    report.bf16_accuracy = in_format(WeightFormat::bf16);
    report.int8_accuracy = in_format(WeightFormat::int8);
    if (!processes.is_first()) return report;

    report.file = settings.out + "/" + mixer_name(kind) + ".safetensors";
    LabelledBatch probe;
    probe.fill(test, std::min<Index>(2, test.count()), [](Index j) { return j; });
    save_model(report.file, model, parameters, probe.tokens, test.length);
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
