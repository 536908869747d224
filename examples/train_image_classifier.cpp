// SPDX-License-Identifier: MIT
// Fashion-MNIST as sequences: 784 pixels in reading order, 256 grey values as tokens, no notion of a plane.
// Trains the same small TNN with each of the three mixers, and compares test accuracy and time per step.

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "support/idx.hpp"
#include "support/sequence_classifier.hpp"
#include "support/table.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace examples;

const char* const default_data = "/usr/share/datasets/fashion-mnist";
const char* const default_data_package = "dataset-fashion-mnist";

LabelledSequences read_images(const std::string& directory, const std::string& part) {
    const auto read = [&](const std::string& what) {
        const std::string path = directory + "/" + part + what;
        return read_idx(std::filesystem::exists(path) ? path : path + ".gz");
    };
    const IdxFile images = read("-images-idx3-ubyte");
    const IdxFile labels = read("-labels-idx1-ubyte");
    if (images.shape.size() != 3 || labels.shape.size() != 1 || images.shape[0] != labels.shape[0]) {
        throw std::runtime_error("images and labels in '" + directory + "' do not fit together");
    }
    LabelledSequences data{.length = images.shape[1] * images.shape[2], .tokens = {}, .labels = {}};
    const auto append = [](const std::string& bytes, std::vector<Token>& tokens) {
        tokens.reserve(bytes.size());
        for (const char byte : bytes) tokens.push_back(static_cast<unsigned char>(byte));
    };
    append(images.bytes, data.tokens);
    append(labels.bytes, data.labels);
    return data;
}

/// Images of 8 × 8 pixels with a bright row or a bright column, for a first look where no data is installed.
LabelledSequences made_up_images(Index count, std::uint64_t seed) {
    const toeplitz::CounterRandom random(seed);
    LabelledSequences data{.length = 64, .tokens = {}, .labels = {}};
    for (Index i = 0; i < count; ++i) {
        const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(i));
        const Index place = static_cast<Index>(bits >> 1U & 7U);
        const bool is_row = (bits & 1U) != 0;
        for (Index p = 0; p < 64; ++p) data.tokens.push_back((is_row ? p / 8 : p % 8) == place ? 200 : 10);
        data.labels.push_back(is_row ? 1 : 0);
    }
    return data;
}

struct Settings {
    TrainingSettings training{
        .steps = 1200, .minutes = 3, .batch = 16, .rate = 5e-3, .out = "image_classifier_out"};
    ClassifierOptions model{.vocabulary = 256};
    std::string data = default_data;
    std::string mixer = "all";
    Index test = 0;
};

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
    Table table({"mixer", "parameters", "steps", "images seen", "ms/step", "training", "test accuracy"});
    TrainingPlot plot{.title = "Fashion-MNIST, pixel by pixel",
                      .y_label = "accuracy on images kept back",
                      .key = "bottom right"};
    for (const MixerKind kind : kinds) {
        const ClassifierReport report =
            train_classifier(kind, settings.model, settings.training, train, validation, test);
        table.add_row({mixer_name(kind), std::to_string(report.parameters), std::to_string(report.run.steps),
                       std::to_string(report.run.steps * settings.training.batch),
                       fixed(1e3 * report.run.seconds_per_step(), 0), clock_text(report.run.seconds),
                       fixed(100 * report.accuracy, 2) + " %"});
        plot.curves.push_back(
            {std::string(mixer_name(kind)) + "_validation.csv", mixer_name(kind), "linespoints"});
        if (report.run.interrupted) break;
    }
    std::cout << '\n';
    table.print(std::cout);
    std::cout << "\nLogs and checkpoints: " << settings.training.out << '\n';
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
    const int code = run_program(app, argc, argv, settings.training, [&] { run(settings); });
    if (code == 1 && settings.data == default_data && !std::filesystem::exists(settings.data)) {
        std::cerr << "Fashion-MNIST is in the Debian package " << default_data_package << ".\n";
    }
    return code;
}
