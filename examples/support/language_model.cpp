// SPDX-License-Identifier: MIT

#include "language_model.hpp"

#include <vector>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>
#include <toeplitz/train/batches.hpp>

#include "bits_per_byte.hpp"
#include "option_overrides.hpp"

namespace examples {

namespace {

using namespace toeplitz;
using CausalFdTno = FdTno<float, Causality::causal>;
using CausalTno = Tno<float, Causality::causal>;

void set_mixer(const LanguageModelOptions& options, FdTnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
}
void set_mixer(const LanguageModelOptions& options, TnoOptions& mixer) {
    mixer.mlp.width = options.mlp_width;
    mixer.decay = {.mode = DecayMode::learned, .lambda = 0.9};
}

template <class Mixer>
Model<Mixer> make_model(const LanguageModelOptions& options) {
    typename Model<Mixer>::Options model{
        .input = {.vocabulary = 256}, .width = options.width, .layers = options.layers};
    model.precision = options.precision;
    model.block.gtu.inner_width = options.inner_width;
    set_mixer(options, model.block.gtu.mixer);
    model.block.gtu.mixer = override_options(model.block.gtu.mixer, options.mixer_options);
    return Model<Mixer>(model);
}

/// Draws bytes one after another from what the model predicts after a text, one step of it for each.
template <class M>
std::string continue_text(const M& model, const typename M::Parameters& parameters, std::string_view text,
                          const LanguageModelOptions& options, std::uint64_t seed) {
    if (text.empty() || options.generate == 0) return {};
    const auto plan = stream(model.prepare(parameters, options.length));
    auto state = plan.make_state();
    std::vector<Token> prompt;
    for (const char byte : text) prompt.push_back(token_of(byte));
    Token last = prompt.back();
    prompt.pop_back();
    plan.prefill(prompt, state);

    const CounterRandom random(seed);
    Matrix<float> logits(1, 256);
    std::string written;
    for (Index drawn = 0; drawn < options.generate; ++drawn) {
        plan.step({&last, 1}, logits, state);
        const auto row = logits.row(0).cast<double>().array();
        const Eigen::ArrayXd weights = ((row - row.maxCoeff()) / options.temperature).exp();
        double left = random.uniform(static_cast<std::uint64_t>(drawn)) * weights.sum();
        last = 0;
        while (last < 255 && left >= weights(last)) left -= weights(last++);
        written += static_cast<char>(last);
    }
    return written;
}

template <class Mixer>
LanguageModelReport run(const LanguageModelOptions& options, const TrainingSettings& settings,
                        const Corpus& corpus) {
    using M = Model<Mixer>;
    using Parameters = typename M::Parameters;
    const Index n = options.length;
    const M model = make_model<Mixer>(options);
    Parameters parameters = model.make_parameters(settings.seed);
    Communicator& processes = settings.all_processes();
    LanguageModelReport report;
    report.parameters = parameter_count(parameters);

    // What one shard works with.
    struct Shard {
        std::vector<Token> input;
        std::vector<Token> target;
        Matrix<float> logits;
        typename M::Cache cache;
        Workspace ws;
    };
    std::vector<Shard> shards(static_cast<std::size_t>(settings.shards));
    // A window may begin at any byte. An epoch is as many windows as there are bytes.
    const Batches batches(static_cast<Index>(corpus.train.size()) - n, settings.batch, settings.seed);
    const auto objective = [&](const Parameters& p, const Part& part, Parameters& gradients) {
        Shard& shard = shards[static_cast<std::size_t>(part.shard)];
        shard.input.clear();
        shard.target.clear();
        for (Index j = 0; j < batches.count(part); ++j) {
            const std::string_view window = std::string_view(corpus.train)
                                                .substr(static_cast<std::size_t>(batches.sample(part, j)),
                                                        static_cast<std::size_t>(n) + 1);
            for (std::size_t i = 0; i + 1 < window.size(); ++i) {
                shard.input.push_back(token_of(window[i]));
                shard.target.push_back(token_of(window[i + 1]));
            }
        }
        if (shard.input.empty()) return CrossEntropyLoss{};
        shard.logits.resize(static_cast<Index>(shard.input.size()), 256);
        model.forward(p, shard.input, {n}, shard.logits, shard.cache, shard.ws, part.seed);
        const CrossEntropyLoss loss = cross_entropy(shard.logits, shard.target, shard.logits, shard.ws);
        model.backward(p, shard.input, shard.cache, shard.logits, gradients, shard.ws, part.finished);
        return loss;
    };

    const RunDescription description{.name = options.mixer,
                                     .tokens_per_step = settings.batch * n,
                                     .input = {{"data", fingerprint(corpus.train)},
                                               {"window", std::to_string(n) + " bytes"},
                                               {"mixer options", options.mixer_options},
                                               {"precision", precision_entry(options.precision)}},
                                     .loss_unit = std::numbers::ln2,
                                     .validation = "bits per byte",
                                     .validate_every = options.validate_every};
    const std::string watched = spread_pieces(corpus.validation, 1 << 16, 16);
    report.run = train(parameters, settings, description, objective, [&](const Parameters& p) {
        return bits_per_byte(model, p, watched, n, n, processes);
    });

    std::cerr << "Validation ...\n";
    const auto in_format = [&](WeightFormat weights) {
        return bits_per_byte(model, parameters, corpus.validation, n, n / 2, processes, weights);
    };
    report.bits_per_byte = in_format(WeightFormat::exact);
    report.bf16_bits_per_byte = in_format(WeightFormat::bf16);
    report.int8_bits_per_byte = in_format(WeightFormat::int8);
    if (!processes.is_first()) return report;

    // The file carries the options, and an input with its logits, which are compared when it is loaded.
    report.file = settings.out + "/" + options.mixer + ".safetensors";
    std::vector<Token> probe;
    for (const char byte : corpus.validation.substr(0, static_cast<std::size_t>(n))) {
        probe.push_back(token_of(byte));
    }
    save_model(report.file, model, parameters, probe, static_cast<Index>(probe.size()));
    const LoadedModel<M> loaded = load_model<M>(report.file);
    Communicator alone;
    report.loaded_bits_per_byte =
        bits_per_byte(loaded.model, loaded.parameters, corpus.validation, n, n / 2, alone);

    report.prompt = options.prompt.empty() ? corpus.validation.substr(0, 100) : options.prompt;
    report.written = continue_text(model, parameters, report.prompt, options, settings.seed);
    return report;
}

}  // namespace

LanguageModelReport train_language_model(const LanguageModelOptions& options,
                                         const TrainingSettings& settings, const Corpus& corpus) {
    if (options.mixer == "tno") return run<CausalTno>(options, settings, corpus);
    return run<CausalFdTno>(options, settings, corpus);
}

}  // namespace examples
