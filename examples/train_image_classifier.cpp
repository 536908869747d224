// SPDX-License-Identifier: MIT
// Fashion-MNIST as sequences: 784 pixels in reading order, 256 grey values as tokens, no notion of a plane.
// Trains the same small TNN with each of the three mixers, and compares test accuracy and time per step.

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "support/images.hpp"
#include "support/sequence_classifier.hpp"
#include "support/table.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace examples;

struct Settings {
    TrainingSettings training{
        .steps = 1200, .minutes = 3, .batch = 16, .rate = 5e-3, .out = "image_classifier_out"};
    ClassifierOptions model{.vocabulary = 256};
    std::string data = fashion_mnist;
    std::string mixer = "all";
    Index test = 0;
};

std::string percent(double part) { return fixed(100 * part, 2) + " %"; }

void run(Settings& settings) {
    std::vector<MixerKind> kinds;
    for (const MixerKind kind : {MixerKind::tno, MixerKind::ski, MixerKind::fd}) {
        if (settings.mixer == "all" || settings.mixer == mixer_name(kind)) kinds.push_back(kind);
    }
    if (kinds.size() > 1 && !settings.training.resume.empty()) {
        throw std::runtime_error("--resume needs the --mixer that the checkpoint is of");
    }
    LabelledSequences train;
    LabelledSequences test;
    if (settings.training.quick) {
        train = made_up_images(200, 1);
        test = made_up_images(50, 2);
        settings.training.steps = 100;
        settings.model.width = 16;
        settings.model.layers = 1;
        settings.model.inner_width = 16;
        settings.model.rank = 8;
        settings.model.taps = 17;
        settings.model.validate_every = 50;
    } else {
        train = read_images(settings.data, "train");
        test = read_images(settings.data, "t10k");
    }
    if (settings.test > 0) test = test.first(settings.test);
    // The last training images are kept back for watching; the test images are looked at once, at the end.
    const Index watched = std::min<Index>(1000, train.count() / 10);
    LabelledSequences validation{.length = train.length, .tokens = {}, .labels = {}};
    const auto cut = [](auto& from, auto& to, Index count) {
        to.assign(from.end() - count, from.end());
        from.resize(from.size() - static_cast<std::size_t>(count));
    };
    cut(train.labels, validation.labels, watched);
    cut(train.tokens, validation.tokens, watched * train.length);

    std::cout << "Data   " << train.count() << " images to train on, " << watched << " to watch, "
              << test.count() << " to test on; n = " << train.length << " pixels each\n"
              << "Model  " << settings.model.layers << " layers of width " << settings.model.width
              << ", mixers of " << settings.model.inner_width << " channels; guessing gets "
              << fixed(100 * test.majority(), 1) << " %\n"
              << std::flush;
    Table table({"mixer", "parameters", "steps", "images seen", "ms/step", "training", "test accuracy",
                 "weights in bf16", "in int8"});
    TrainingPlot plot{.title = "Fashion-MNIST, pixel by pixel",
                      .y_label = "accuracy on images kept back",
                      .key = "bottom right"};
    for (const MixerKind kind : kinds) {
        const ClassifierReport report =
            train_classifier(kind, settings.model, settings.training, train, validation, test);
        table.add_row({mixer_name(kind), std::to_string(report.parameters), std::to_string(report.run.steps),
                       std::to_string(report.run.steps * settings.training.batch),
                       fixed(1e3 * report.run.seconds_per_step(), 0), clock_text(report.run.seconds),
                       percent(report.accuracy), percent(report.bf16_accuracy),
                       percent(report.int8_accuracy)});
        plot.curves.push_back(
            {std::string(mixer_name(kind)) + "_validation.csv", mixer_name(kind), "linespoints"});
        if (report.run.interrupted) break;
    }
    if (!settings.training.all_processes().is_first()) return;
    std::cout << '\n';
    table.print(std::cout);
    std::cout << "\nLogs, checkpoints and models: " << settings.training.out << '\n';
    write_plot(plot, settings.training.out, "image_classifier");
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Classifies Fashion-MNIST as pixel sequences, with each mixer.", "train_image_classifier");
    app.add_option("--data", settings.data,
                   "Directory of the four files of MNIST, Fashion-MNIST or the like, .gz or not")
        ->capture_default_str();
    app.add_option("--mixer", settings.mixer, "Token mixer")
        ->check(CLI::IsMember({"tno", "ski", "fd", "all"}))
        ->capture_default_str();
    add_model_options(app, settings.model);
    app.add_option("--test", settings.test, "Test on the first so many images only; 0: on all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    add_training_options(app, settings.training);
    return run_training_program(app, argc, argv, settings.training, [&] { run(settings); });
}
