// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// sequence_classifier for a norm.

#include <sys/resource.h>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/ski_tno.hpp>

#include "batches_by_length.hpp"
#include "classifier_model.hpp"
#include "option_overrides.hpp"
#include "pair_head.hpp"
#include "sequence_classifier.hpp"
#include "timing.hpp"

namespace examples {
namespace {

using namespace toeplitz;
using FullSkiTno = SkiTno<float, Causality::bidirectional>;
using FullFdTno = FdTno<float, Causality::bidirectional>;

/// One type for all tasks and mixers, so that layers and models are compiled once.
using AxisMixer = AnyOf<FullTno, FullSkiTno, FullFdTno>;
using TaskMixer = AnyOf<FullTno, FullSkiTno, FullFdTno, SeparableMixer<AxisMixer, AxisMixer>>;

/// The mixer of one axis, as one of a list.
template <class Any>
typename Any::Options axis_options(MixerKind kind, const ClassifierOptions& options, Index length) {
    const auto set_mlp = [&](PositionMlpOptions& mlp) {
        mlp.width = options.mlp_width;
        mlp.layers = options.mlp_layers;
    };
    const auto changed = [&](const auto& mixer) { return override_options(mixer, options.mixer_options); };
    if (kind == MixerKind::tno) {
        TnoOptions tno;
        set_mlp(tno.mlp);
        tno.decay.lambda = axis_decay(kind, options, length);
        return Any::template options<FullTno>(changed(tno));
    }
    if (kind == MixerKind::fd) {
        FdTnoOptions fd;
        set_mlp(fd.mlp);
        fd.longest = length;
        return Any::template options<FullFdTno>(changed(fd));
    }
    FullSkiTno::Options ski{.length = length, .rank = options.rank, .taps = options.taps};
    ski.kernel = {.knots = ski_knots, .decay = {.lambda = axis_decay(kind, options, length)}};
    return Any::template options<FullSkiTno>(changed(ski));
}

TaskMixer::Options mixer_options(MixerKind kind, const ClassifierOptions& options,
                                 const LabelledSequences& data) {
    const Index width = data.image_width;
    if (width == 0 || options.flat) return axis_options<TaskMixer>(kind, options, data.length);
    SeparableMixer<AxisMixer, AxisMixer>::Options images;
    images.image_width = width;
    images.rows = axis_options<AxisMixer>(kind, options, width);
    images.columns = axis_options<AxisMixer>(kind, options, data.length / width);
    return TaskMixer::options<SeparableMixer<AxisMixer, AxisMixer>>(images);
}

/// The largest memory of this process so far.
double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1000;
}

/// The network, and the head of pairs, which is empty where there are none.
template <class M>
struct ClassifierParameters {
    typename M::Parameters model;
    PairHead::Parameters pairs;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        M::Parameters::for_each(toeplitz::detail::under("model", f), sets.model...);
        toeplitz::detail::visit_present_set(toeplitz::detail::under("pairs", f), sets.pairs...);
    }
};

template <class Norm>
ClassifierReport run_classifier(MixerKind kind, const ClassifierOptions& options,
                                const TrainingSettings& settings, const LabelledSequences& data,
                                const LabelledSequences& validation, const LabelledSequences& test) {
    using M = Model<TaskMixer, Norm>;
    using Parameters = ClassifierParameters<M>;
    const bool has_pairs = data.parts == 2;
    typename M::Options network{.input = {.vocabulary = options.vocabulary},
                                .width = options.width,
                                .layers = options.layers,
                                .head = Head::mean_pool,
                                .outputs = has_pairs ? options.width : options.classes};
    network.block.gtu.inner_width = options.inner_width;
    network.block.glu.inner_width = options.glu_width;
    network.block.gtu.mixer = mixer_options(kind, options, data);
    network.block.dropout = network.dropout = options.dropout;
    network.precision = options.precision;
    const M model(network);
    const PairHead pairs(model.outputs(), options.classes);
    Parameters parameters{model.make_parameters(settings.seed), {}};
    if (has_pairs) parameters.pairs = pairs.make_parameters(settings.seed + 1);

    // What one shard works with.
    struct Shard {
        LabelledBatch batch;
        Matrix<float> outputs;
        typename M::Cache cache;
        Workspace ws;
    };
    std::vector<Shard> shards(static_cast<std::size_t>(settings.shards));
    const BatchesByLength batches(data, settings.batch, settings.seed);
    const auto objective = [&](const Parameters& p, const Part& part, Parameters& gradients) {
        Shard& shard = shards[static_cast<std::size_t>(part.shard)];
        const std::vector<Index> samples = batches(part);
        if (samples.empty()) return CrossEntropyLoss{};
        shard.batch.fill(data, samples);
        shard.outputs.resize(static_cast<Index>(samples.size()) * data.parts, model.outputs());
        model.forward(p.model, shard.batch.tokens, sequences_of(data, shard.batch), shard.outputs,
                      shard.cache, shard.ws, part.seed);
        CrossEntropyLoss loss;
        if (has_pairs) {
            Matrix<float> logits = pairs.evaluate(p.pairs, shard.outputs, shard.ws);
            loss = cross_entropy(logits, shard.batch.labels, logits, shard.ws);
            shard.outputs = pairs.backward(p.pairs, shard.outputs, logits, gradients.pairs, shard.ws);
            part.finished(gradients.pairs);
        } else {
            loss = cross_entropy(shard.outputs, shard.batch.labels, shard.outputs, shard.ws);
        }
        model.backward(p.model, shard.batch.tokens, shard.cache, shard.outputs, gradients.model, shard.ws,
                       part.finished);
        return loss;
    };
    Communicator& processes = settings.all_processes();
    if (options.time_steps > 0) {
        ClassifierReport report;
        report.parameters = parameter_count(parameters);
        // The first call of each takes the memory.
        const auto median_of_calls = [&](auto&& call) {
            call();
            std::vector<double> spent;
            for (Index i = 0; i < options.time_steps; ++i) spent.push_back(seconds(call));
            std::sort(spent.begin(), spent.end());
            return percentile(spent, 0.5);
        };
        {
            const auto prepared = model.prepare(parameters.model, data.length);
            LabelledBatch batch;
            batch.fill(data, settings.batch, [](Index j) { return j; });
            Matrix<float> outputs(settings.batch * data.parts, model.outputs());
            Workspace ws;
            report.times.inference_seconds = median_of_calls([&] {
                prepared.evaluate(batch.tokens, outputs, ws, sequences_of(data, batch));
                if (has_pairs) pairs.evaluate(parameters.pairs, outputs, ws);
            });
        }
        report.times.inference_megabytes = peak_megabytes();
        Trainer<Parameters> trainer(parameters, trainer_options(settings), processes);
        report.times.step_seconds = median_of_calls([&] { trainer.step(parameters, objective); });
        report.times.step_megabytes = peak_megabytes();
        return report;
    }
    const auto loss_on = [&](const LabelledSequences& some, const Parameters& p, WeightFormat weights) {
        const auto prepared = model.prepare(p.model, {.length = some.length, .weights = weights});
        return evaluate_prepared(prepared, model.outputs(), some, 16, processes,
                                 [&](const Matrix<float>& outputs, Workspace& ws) {
                                     return has_pairs ? pairs.evaluate(p.pairs, outputs, ws) : outputs;
                                 });
    };

    Index tokens = 0;
    for (Index i = 0; i < data.count(); ++i) tokens += data.parts * data.length_of(i);
    ClassifierReport report;
    report.parameters = parameter_count(parameters);
    report.run = train(parameters, settings,
                       {.name = mixer_name(kind),
                        .tokens_per_step = settings.batch * tokens / data.count(),
                        .input = {{"data", fingerprint(data.tokens, data.lengths, data.labels)},
                                  {"precision", precision_entry(options.precision)}},
                        .validation = "accuracy",
                        .validate_every = options.validate_every},
                       objective, [&](const Parameters& p) {
                           return loss_on(validation, p, WeightFormat::exact).accuracy();
                       });
    CrossEntropyLoss loss;
    report.evaluation_seconds = seconds([&] { loss = loss_on(test, parameters, WeightFormat::exact); });
    report.accuracy = loss.accuracy();
    report.loss = loss.mean();
    report.bf16_accuracy = loss_on(test, parameters, WeightFormat::bf16).accuracy();
    report.int8_accuracy = loss_on(test, parameters, WeightFormat::int8).accuracy();
    if (has_pairs || !processes.is_first()) return report;  // a model's file holds no head of pairs

    report.file = settings.out + "/" + mixer_name(kind) + ".safetensors";
    LabelledBatch probe;
    probe.fill(test, std::min<Index>(2, test.count()), [](Index j) { return j; });
    save_model(report.file, model, parameters.model, probe.tokens, test.length);
    return report;
}

}  // namespace
}  // namespace examples
