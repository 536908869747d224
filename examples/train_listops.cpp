// SPDX-License-Identifier: MIT
// ListOps of Long Range Arena: a TNN reads "[MAX 2 9 [MIN 4 7 ] 0 ]" token by token, and learns to say 9.
// Sequences of different lengths in one batch: padding is masked.

#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "support/listops.hpp"
#include "support/sequence_classifier.hpp"
#include "support/table.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace examples;

struct Settings {
    TrainingSettings training{.steps = 3000, .minutes = 8, .batch = 32, .rate = 3e-3, .out = "listops_out"};
    ClassifierOptions model{.vocabulary = listops::vocabulary,
                            .width = 64,
                            .layers = 3,
                            .inner_width = 128,
                            .mlp_width = 32,
                            .rank = 32,
                            .taps = 33,
                            .validate_every = 250};
    listops::Options data{.min_length = 8, .max_length = 96, .max_depth = 10, .max_arguments = 10};
    std::string mixer = "tno";
    Index samples = 96000;
    Index test = 2000;
    Index show = 0;
};

void show_examples(const Settings& settings) {
    listops::Generator generator(settings.data, settings.training.seed);
    for (Index i = 0; i < settings.show; ++i) {
        const listops::Expression expression = generator.next();
        std::cout << listops::text(expression) << " = " << listops::value(expression) << '\n';
    }
}

void run(Settings& settings) {
    if (settings.data.min_length > settings.data.max_length) {
        throw std::runtime_error("--min-length is greater than --max-length");
    }
    if (settings.show > 0) return show_examples(settings);
    if (settings.training.quick) {
        settings.data.max_length = 32;
        settings.samples = 500;
        settings.test = 100;
        settings.training.steps = 20;
        settings.training.batch = 8;
        settings.model.width = 16;
        settings.model.layers = 1;
        settings.model.inner_width = 16;
        settings.model.rank = 8;
        settings.model.taps = 9;
        settings.model.validate_every = 10;
    }
    const listops::Split data =
        listops::make_data(settings.data, settings.samples, settings.test, settings.training.seed);
    double mean_length = 0;
    for (const Index length : data.test.lengths) {
        mean_length += static_cast<double>(length) / static_cast<double>(data.test.count());
    }
    std::cout << "Data   " << data.train.count() << " expressions to train on, " << data.test.count()
              << " to test on; " << settings.data.min_length << " to " << settings.data.max_length
              << " tokens, " << fixed(mean_length, 0) << " on average; depth up to "
              << settings.data.max_depth << '\n'
              << "Model  " << settings.model.layers << " layers of width " << settings.model.width
              << ", mixers of " << settings.model.inner_width << " channels: " << settings.mixer << '\n'
              << std::flush;

    const MixerKind kind = settings.mixer == "ski"  ? MixerKind::ski
                           : settings.mixer == "fd" ? MixerKind::fd
                                                    : MixerKind::tno;
    const ClassifierReport report = train_classifier(kind, settings.model, settings.training, data.train,
                                                     data.test.first(500), data.test);
    if (!settings.training.all_processes().is_first()) return;
    std::cout << '\n';
    Table table({"", "test accuracy"});
    table.add_row({"guessing", "10.00 %"});
    table.add_row({"the most frequent value", fixed(100 * data.test.majority(), 2) + " %"});
    table.add_row({"TNN, " + settings.mixer, fixed(100 * report.accuracy, 2) + " %"});
    table.print(std::cout);
    std::cout << '\n'
              << report.parameters << " parameters, " << report.run.steps << " steps of "
              << settings.training.batch << " expressions, " << clock_text(report.run.seconds)
              << " of training, " << fixed(1e3 * report.run.seconds_per_step(), 0) << " ms per step\n"
              << "Logs and checkpoint: " << settings.training.out << '\n';
    write_plot({.title = "ListOps",
                .y_label = "accuracy on 500 test expressions",
                .key = "center right",
                .curves = {{settings.mixer + "_validation.csv", settings.mixer, "linespoints"}},
                .levels = {{data.test.majority(), "the most frequent value"}}},
               settings.training.out, "listops");
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Teaches a TNN to evaluate nested list operations.", "train_listops");
    app.add_option("--mixer", settings.mixer, "Token mixer")
        ->check(CLI::IsMember({"tno", "ski", "fd"}))
        ->capture_default_str();
    app.add_option("--min-length", settings.data.min_length, "Fewest tokens of an expression")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    app.add_option("--max-length", settings.data.max_length,
                   "Most tokens, and the n of the model. Long Range Arena: 500 to 2000")
        ->check(CLI::Range(4, 1 << 16))
        ->capture_default_str();
    app.add_option("--max-depth", settings.data.max_depth, "Deepest nesting; a digit alone has depth 1")
        ->check(CLI::Range(2, 100))
        ->capture_default_str();
    app.add_option("--max-arguments", settings.data.max_arguments, "Most arguments of an operator")
        ->check(CLI::Range(2, 100))
        ->capture_default_str();
    app.add_option("--samples", settings.samples, "Expressions to train on")
        ->check(CLI::Range(1, 1 << 28))
        ->capture_default_str();
    app.add_option("--test", settings.test, "Expressions to test on")
        ->check(CLI::Range(1, 1 << 28))
        ->capture_default_str();
    app.add_option("--show", settings.show,
                   "Print so many expressions with their values, and do nothing else");
    add_model_options(app, settings.model);
    add_training_options(app, settings.training);
    return run_training_program(app, argc, argv, settings.training, [&] { run(settings); });
}
