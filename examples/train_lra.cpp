// SPDX-License-Identifier: MIT
// Long Range Arena: six tasks whose answers depend on inputs far apart, for each of the three mixers.
// With --data on the public release; without, on generated data or on Debian packages.

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <toeplitz/nn/fd_tno.hpp>

#include "support/baselines.hpp"
#include "support/lra_data.hpp"
#include "support/pathfinder.hpp"
#include "support/png_file.hpp"
#include "support/table.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace examples;

struct Settings {
    TrainingSettings training{.out = "lra_out"};
    ClassifierOptions model{};
    LraDataOptions data{};
    std::string task;
    std::string mixer;
    std::string preset = "small";
    Index show = 0;
};

/// What a preset says unless the command line does.
constexpr const char* preset_options[] = {"--mixer", "--width", "--layers",  "--inner-width", "--batch",
                                          "--rate",  "--steps", "--minutes", "--dashes"};

std::string percent(double part) { return fixed(100 * part, 2) + " %"; }

void show_examples(const Settings& settings, LraTask task) {
    if (task == LraTask::listops) {
        listops::Generator generator(settings.data.listops, settings.training.seed);
        for (Index i = 0; i < settings.show; ++i) {
            const listops::Expression expression = generator.next();
            std::cout << listops::text(expression) << " = " << listops::value(expression) << '\n';
        }
        return;
    }
    LraDataOptions options = settings.data;
    options.samples = 1;
    options.greys = 256;
    options.test = std::max<Index>(settings.show, 2);
    const LabelledSequences data = load_lra(task, options).test;
    for (Index i = 0; i < std::min(settings.show, data.count()); ++i) {
        const std::string name = settings.training.out + "/" + settings.task + "_" + std::to_string(i);
        const std::string label = std::to_string(data.labels[static_cast<std::size_t>(i)]);
        if (data.image_width > 0) {
            const unsigned char* first = data.sequence(i);
            write_png({data.length / data.image_width, data.image_width, {first, first + data.length}},
                      name + ".png");
            std::cout << name << ".png: " << label << '\n';
            continue;
        }
        for (Index part = i * data.parts; part < (i + 1) * data.parts; ++part) {
            std::cout.write(reinterpret_cast<const char*>(data.sequence(part)),
                            data.lengths[static_cast<std::size_t>(part)]);
            std::cout << "\n--\n";
        }
        std::cout << "class " << label << "\n----\n";
    }
}

void make_tiny(Settings& settings, LraTask task) {
    settings.data.is_quick = true;
    settings.training.steps = task == LraTask::listops ? 300 : 120;
    settings.training.batch = task == LraTask::pathfinder || task == LraTask::pathx ? 8 : 16;
    settings.training.warmup = 0;
    settings.training.rate = 5e-3;
    settings.model.width = 16;
    settings.model.layers = 1;
    settings.model.inner_width = 16;
    settings.model.glu_width = 0;
    settings.model.rank = 8;
    settings.model.taps = task == LraTask::image ? 17 : 9;
    settings.model.dropout = 0;
    settings.model.validate_every = settings.training.steps / 2;
}

/// What the preset of the task and of one mixer says, where the command line says nothing.
void take_preset(const CLI::App& app, LraTask task, MixerKind mixer, Settings& settings) {
    const LraPreset preset = lra_preset(task, settings.preset == "official", mixer);
    const auto unless_given = [&app](const char* option, auto& value, const auto& by_default) {
        if (app.get_option(option)->count() == 0) value = by_default;
    };
    const bool flat = settings.model.flat;
    ClassifierOptions model = preset.model;
    unless_given("--width", settings.model.width, model.width);
    unless_given("--layers", settings.model.layers, model.layers);
    unless_given("--inner-width", settings.model.inner_width, model.inner_width);
    model.width = settings.model.width;
    model.layers = settings.model.layers;
    model.inner_width = settings.model.inner_width;
    model.flat = flat;
    model.mixer_options = settings.model.mixer_options;
    model.precision = settings.model.precision;
    model.time_steps = settings.model.time_steps;
    if (flat && settings.preset == "small") {
        model.rank = 32;
        model.taps = 65;
    }
    settings.model = model;
    TrainingSettings& training = settings.training;
    unless_given("--batch", training.batch, preset.batch);
    unless_given("--rate", training.rate, preset.rate);
    unless_given("--steps", training.steps, preset.steps);
    unless_given("--minutes", training.minutes, preset.minutes);
    training.weight_decay = preset.weight_decay;
    if (settings.preset == "official") {
        // Warm-ups are parts of 50 000 steps.
        training.warmup = std::max<Index>(1, preset.warmup * training.steps / preset.steps);
        training.beta2 = 0.999;
        training.clip = 0;
    }
}

/// What was timed, and of which network, as JSON: what bench/peers/lra.py needs to do the same.
void print_times(MixerKind kind, const Settings& settings, const LraData& data,
                 const ClassifierTimes& times) {
    const ClassifierOptions& model = settings.model;
    const LabelledSequences& of = data.train;
    const toeplitz::FdTnoOptions fd;
    const bool has_pairs = of.parts == 2;
    const Index width = model.flat ? 0 : of.image_width;
    const bool is_silu = kind == MixerKind::fd && fd.mlp.activation == toeplitz::Activation::silu;
    const nlohmann::json json = {{"mixer", mixer_name(kind)},
                                 {"length", of.length},
                                 {"image_width", width},
                                 {"causal", false},
                                 {"vocabulary", data.vocabulary},
                                 {"width", model.width},
                                 {"layers", model.layers},
                                 {"inner_width", model.inner_width},
                                 {"glu_width", model.glu_width > 0 ? model.glu_width : model.width},
                                 {"outputs", has_pairs ? model.width : data.classes},
                                 {"per_token", false},
                                 {"pairs", has_pairs ? data.classes : 0},
                                 {"batch_norm", model.batch_norm},
                                 {"dropout", model.dropout},
                                 {"mlp_width", model.mlp_width},
                                 {"mlp_layers", model.mlp_layers},
                                 {"activation", is_silu ? "silu" : "relu"},
                                 {"decay",
                                  {axis_decay(kind, model, width > 0 ? width : of.length),
                                   axis_decay(kind, model, width > 0 ? of.length / width : of.length)}},
                                 {"rank", model.rank},
                                 {"taps", model.taps},
                                 {"knots", ski_knots},
                                 {"log_input", fd.input == toeplitz::FrequencyInput::cosine_and_log},
                                 {"scale", fd.scale.value_or(1)},
                                 {"pole", fd.pole.has_value()},
                                 {"batch", settings.training.batch},
                                 {"rate", settings.training.rate},
                                 {"weight_decay", settings.training.weight_decay},
                                 {"beta2", settings.training.beta2},
                                 {"clip", settings.training.clip},
                                 {"inference_ms", 1e3 * times.inference_seconds},
                                 {"inference_mb", times.inference_megabytes},
                                 {"step_ms", 1e3 * times.step_seconds},
                                 {"step_mb", times.step_megabytes}};
    std::cout << json.dump() << '\n';
}

/// Times each mixer on noise.
void time_mixers(const CLI::App& app, Settings& settings, LraTask task, const std::vector<MixerKind>& kinds) {
    if (!settings.model.mixer_options.empty()) {
        throw std::runtime_error("--time-steps times mixers as they are, without --mixer-options");
    }
    for (const MixerKind kind : kinds) {
        take_preset(app, task, kind, settings);
        settings.data.noise = settings.training.batch;
        const LraData noise = load_lra(task, settings.data);
        settings.model.vocabulary = noise.vocabulary;
        settings.model.classes = noise.classes;
        const ClassifierReport report = train_classifier(kind, settings.model, settings.training, noise.train,
                                                         noise.validation, noise.test);
        print_times(kind, settings, noise, report.times);
    }
}

void run(const CLI::App& app, Settings& settings) {
    const LraTask task = lra_task(settings.task);
    if (settings.data.listops.min_length > settings.data.listops.max_length) {
        throw std::runtime_error("--min-length is greater than --max-length");
    }
    if (settings.mixer.empty()) settings.mixer = mixer_name(lra_mixer(task));
    std::vector<MixerKind> kinds;
    for (const MixerKind kind : {MixerKind::tno, MixerKind::ski, MixerKind::fd}) {
        if (settings.mixer == "all" || settings.mixer == mixer_name(kind)) kinds.push_back(kind);
    }
    if (kinds.size() > 1 && !settings.training.resume.empty()) {
        throw std::runtime_error("--resume needs the --mixer that the checkpoint is of");
    }
    settings.data.seed = settings.training.seed;
    settings.data.is_quick = settings.training.quick;
    const bool is_official = settings.preset == "official";
    settings.data.as_tested = settings.data.as_tested || is_official;
    const LraPreset preset = lra_preset(task, is_official, kinds.front());
    // Few pictures are learnt by heart from all grey values.
    if (!settings.data.is_quick) settings.data.greys = preset.greys;
    if (app.get_option("--dashes")->count() == 0) settings.data.dashes = preset.dashes;
    if (settings.show > 0) return show_examples(settings, task);
    if (settings.model.time_steps > 0) return time_mixers(app, settings, task, kinds);
    const LraData data = load_lra(task, settings.data);
    const LabelledSequences& train = data.train;
    std::cout << "Data   " << data.source << ": " << train.count() << " to train on, "
              << data.validation.count() << " to watch, " << data.test.count()
              << " to test on; n = " << train.length;
    if (train.image_width > 0 && !settings.model.flat) {
        std::cout << " = " << train.length / train.image_width << " × " << train.image_width;
    }
    std::cout << (train.parts > 1 ? ", pairs" : "") << '\n';

    Table table(
        {"", "parameters", "steps", "ms/step", "training", "test accuracy", "weights in bf16", "in int8"});
    const auto add_baseline = [&table](const std::string& name, double accuracy) {
        table.add_row({name, "", "", "", "", percent(accuracy)});
    };
    add_baseline("guessing", 1 / static_cast<double>(data.classes));
    add_baseline("the most frequent class", data.test.majority());
    if (task == LraTask::text) {
        add_baseline("frequencies of bytes", ngram_accuracy(train, data.test, 1));
        add_baseline("frequencies of 5-grams", ngram_accuracy(train, data.test, 5));
    }
    if (task == LraTask::retrieval) {
        add_baseline("bytes alike", similarity_accuracy(train, data.test, 1));
        add_baseline("5-grams alike", similarity_accuracy(train, data.test, 5));
    }
    if (task == LraTask::listops) add_baseline("the first token", first_token_accuracy(train, data.test));
    TrainingPlot plot{.title = "Long Range Arena: " + settings.task,
                      .y_label = "accuracy on data kept back",
                      .key = "bottom right",
                      .levels = {{data.validation.majority(), "the most frequent class"}}};
    for (const MixerKind kind : kinds) {
        take_preset(app, task, kind, settings);
        if (settings.training.quick) make_tiny(settings, task);
        settings.model.vocabulary = data.vocabulary;
        settings.model.classes = data.classes;
        std::cout << "Model  " << mixer_name(kind) << ": " << settings.model.layers << " layers of width "
                  << settings.model.width << ", mixers of " << settings.model.inner_width << " channels, "
                  << settings.training.batch << " a step\n"
                  << std::flush;
        const ClassifierReport report =
            train_classifier(kind, settings.model, settings.training, train, data.validation, data.test);
        table.add_row({std::string("TNN, ") + mixer_name(kind), std::to_string(report.parameters),
                       std::to_string(report.run.steps), fixed(1e3 * report.run.seconds_per_step(), 0),
                       clock_text(report.run.seconds), percent(report.accuracy),
                       percent(report.bf16_accuracy), percent(report.int8_accuracy)});
        plot.curves.push_back(
            {std::string(mixer_name(kind)) + "_validation.csv", mixer_name(kind), "linespoints"});
        if (report.run.interrupted) break;
    }
    if (!settings.training.all_processes().is_first()) return;
    std::cout << '\n';
    table.print(std::cout);
    std::cout << "\nLogs, checkpoints and models: " << settings.training.out << '\n';
    write_plot(plot, settings.training.out, settings.task);
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Trains TNNs on the tasks of Long Range Arena.", "train_lra");
    app.add_option("--task", settings.task, "Task")
        ->required()
        ->check(CLI::IsMember(std::vector<std::string>(lra_tasks.begin(), lra_tasks.end())));
    app.add_option("--mixer", settings.mixer, "Token mixer")
        ->check(CLI::IsMember({"tno", "ski", "fd", "all"}));
    app.add_option("--preset", settings.preset,
                   "Defaults of the other options: small models for minutes, or those of the paper")
        ->check(CLI::IsMember({"small", "official"}))
        ->capture_default_str();
    app.add_option(
        "--data", settings.data.directory,
        "Directory of the task's files as Long Range Arena has them; of images in IDX files, as MNIST; "
        "or of manual pages");
    app.add_flag("--flat", settings.model.flat, "Images are sequences of pixels in reading order");
    app.add_option("--min-length", settings.data.listops.min_length,
                   "Fewest tokens of a generated list operation")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    app.add_option("--max-length", settings.data.listops.max_length, "Most tokens, and the n of the model")
        ->check(CLI::Range(4, 1 << 16))
        ->capture_default_str();
    app.add_option("--max-depth", settings.data.listops.max_depth,
                   "Deepest nesting; a digit alone has depth 1")
        ->check(CLI::Range(2, 100))
        ->capture_default_str();
    app.add_option("--max-arguments", settings.data.listops.max_arguments, "Most arguments of an operator")
        ->check(CLI::Range(2, 100))
        ->capture_default_str();
    app.add_flag("--as-tested", settings.data.as_tested,
                 "Train on data like the test data, without shorter expressions and paths");
    app.add_option("--dashes", settings.data.dashes, "Dashes of the long paths of generated pictures")
        ->check(CLI::Range(4, 14));
    app.add_option("--length", settings.data.length,
                   "Bytes of a text, tokens of a list operation read; 0: the task's")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    app.add_option("--samples", settings.data.samples,
                   "Samples to train on, if they are generated; 0: the task's")
        ->check(CLI::Range(0, 1 << 28))
        ->capture_default_str();
    app.add_option("--test", settings.data.test, "Samples to test on; 0: all")
        ->check(CLI::Range(0, 1 << 28))
        ->capture_default_str();
    app.add_option("--show", settings.show,
                   "Print or draw so many samples, with their classes, and do nothing else");
    add_model_options(app, settings.model);
    add_precision_option(app, settings.model.precision);
    app.add_option("--mixer-options", settings.model.mixer_options,
                   "Changed options of the mixer, such as \"input=cosine scale=2 pole=absent\"; on images, "
                   "of both axes");
    app.add_option("--time-steps", settings.model.time_steps,
                   "Time so many steps on noise in the shape of the task's data, and as many batches of "
                   "inference, print the medians and the largest memory as JSON, and do nothing else")
        ->check(CLI::Range(1, 1 << 20));
    add_training_options(app, settings.training);
    for (const char* option : preset_options) app.get_option(option)->default_str("the preset's");
    return run_training_program(app, argc, argv, settings.training, [&] { run(app, settings); });
}
