// SPDX-License-Identifier: MIT
// A causal language model of bytes. Trains it on any text, compares the bits per byte it needs for text it
// has not seen with those of n-grams and of compressors, lets it write, saves it and loads it again.

#include <cmath>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "support/compressor.hpp"
#include "support/language_model.hpp"
#include "support/ngram.hpp"
#include "support/table.hpp"
#include "support/text_corpus.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace examples;

struct Settings {
    TrainingSettings training{
        .steps = 2000, .minutes = 8, .batch = 8, .rate = 3e-3, .out = "language_model_out"};
    LanguageModelOptions model{};
    std::vector<std::string> text{};
    std::string extension = ".pod";
    Index validation_bytes = 0;
};

/// Bytes as a terminal may see them.
std::string printable(std::string text) {
    for (char& c : text) {
        if (c != '\n' && c != '\t' && (c < ' ' || c > '~')) c = '?';
    }
    return text;
}

std::string change(double by) { return (by < 0 ? "-" : "+") + fixed(std::abs(by), 4); }

void add_baselines(const Corpus& corpus, const std::string& out, Table& table, TrainingPlot& plot) {
    const auto add = [&](const std::string& name, double bits, const std::string& knows) {
        table.add_row({name, fixed(bits, 3), knows});
        if (knows != "nothing") plot.levels.push_back({bits, name});
    };
    std::cerr << "n-grams ...\n";
    for (const int order : {1, 5}) {
        add(order == 1 ? "frequencies of bytes" : "5-gram, Witten-Bell",
            NgramModel(corpus.train, order).bits_per_byte(corpus.validation), "training text");
    }
    const std::string scratch = out + "/text.tmp";
    const std::string both = corpus.train + corpus.validation;
    for (const std::string command : {"gzip -9", "xz -9"}) {
        if (!has_program(command.substr(0, command.find(' ')))) {
            std::cerr << command << " is not installed: left out.\n";
            continue;
        }
        std::cerr << command << " ...\n";
        const double bits = 8 / static_cast<double>(corpus.validation.size());
        add(command, bits * compressed_bytes(command, corpus.validation, scratch), "nothing");
        const double primed =
            compressed_bytes(command, both, scratch) - compressed_bytes(command, corpus.train, scratch);
        add(command, bits * primed, "training text, adapts");
    }
}

void run(Settings& settings) {
    const std::vector<std::string> files =
        list_files(settings.text.empty() ? default_text() : settings.text, settings.extension);
    if (settings.training.quick) {
        settings.training.steps = 100;
        settings.model.validate_every = 50;
        settings.model.length = 64;
        settings.model.width = 16;
        settings.model.layers = 1;
        settings.model.inner_width = 16;
        settings.validation_bytes = 2000;
        settings.model.generate = 40;
    }
    const Corpus corpus = split_corpus(read_all(files), settings.validation_bytes);
    if (settings.validation_bytes == 1) {
        throw std::runtime_error("--validation-bytes: at least 2, as the first byte is not predicted");
    }
    if (corpus.validation.size() < 2 || static_cast<Index>(corpus.train.size()) <= settings.model.length) {
        throw std::runtime_error("the text is too short: " + std::to_string(corpus.train.size()) +
                                 " bytes are to train on, which must be more than a window of " +
                                 std::to_string(settings.model.length) + ", and " +
                                 std::to_string(corpus.validation.size()) +
                                 " to validate on, which must be 2 or more");
    }
    const TrainingSettings& training = settings.training;
    const LanguageModelOptions& model = settings.model;
    std::cout << "Text   " << files.size() << " files: " << corpus.train.size() << " bytes to train on, "
              << corpus.validation.size() << " of other documents to validate on\n"
              << "Model  " << model.layers << " layers of width " << model.width << ", mixers of "
              << model.inner_width << " channels: " << model.mixer << "; windows of n = " << model.length
              << '\n'
              << std::flush;
    const LanguageModelReport report = train_language_model(model, training, corpus);
    if (!training.all_processes().is_first()) return;

    Table table({"bits per byte of the validation text", "", "knows"});
    TrainingPlot plot{.title = "Byte language model",
                      .y_label = "bits per byte",
                      .curves = {{model.mixer + "_log.csv", model.mixer + ", training"},
                                 {model.mixer + "_validation.csv", "validation", "linespoints"}}};
    add_baselines(corpus, training.out, table, plot);
    const Index bytes_read = report.run.steps * training.batch * model.length;
    table.add_row({"TNN, " + model.mixer, fixed(report.bits_per_byte, 3),
                   fixed(static_cast<double>(bytes_read) / 1e6, 1) + " MB of training text"});
    table.add_row({"TNN, weights in bf16", fixed(report.bf16_bits_per_byte, 4),
                   change(report.bf16_bits_per_byte - report.bits_per_byte)});
    table.add_row({"TNN, weights in int8", fixed(report.int8_bits_per_byte, 4),
                   change(report.int8_bits_per_byte - report.bits_per_byte)});
    std::cout << '\n';
    table.print(std::cout);
    const bool same = report.loaded_bits_per_byte == report.bits_per_byte;
    std::cout << '\n'
              << report.parameters << " parameters, " << report.run.steps << " steps of " << training.batch
              << " windows, " << clock_text(report.run.seconds) << " of training, "
              << fixed(1e3 * report.run.seconds_per_step(), 0) << " ms per step\n"
              << "Saved as " << report.file << "; loaded again: " << fixed(report.loaded_bits_per_byte, 3)
              << " bits per byte, " << (same ? "the same bits" : "NOT THE SAME") << '\n';
    write_plot(plot, training.out, model.mixer);
    if (model.generate > 0) {
        std::cout << "\nIt goes on with a text, at temperature " << fixed(model.temperature, 2) << ":\n--- "
                  << printable(report.prompt) << " --->\n"
                  << printable(report.written) << "\n---\n";
    }
    if (!same) throw std::runtime_error("the loaded model is not the saved one");
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Trains a language model of bytes.", "train_language_model");
    app.add_option("text", settings.text,
                   "Files, or directories of files; without: Perl's documentation, as installed");
    app.add_option("--extension", settings.extension, "Which files of directories")->capture_default_str();
    app.add_option("--mixer", settings.model.mixer, "Token mixer")
        ->check(CLI::IsMember({"fd", "tno"}))
        ->capture_default_str();
    app.add_option("--length", settings.model.length, "Bytes n of a window")
        ->check(CLI::Range(2, 1 << 20))
        ->capture_default_str();
    add_model_options(app, settings.model);
    add_precision_option(app, settings.model.precision);
    app.add_option("--mixer-options", settings.model.mixer_options,
                   "Changed options of the mixer, such as \"input=cosine scale=2 pole=absent\"");
    app.add_option("--validation-bytes", settings.validation_bytes,
                   "Bytes of the held-back documents to validate on; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--prompt", settings.model.prompt,
                   "Text to continue; by default the first bytes of the validation text");
    app.add_option("--generate", settings.model.generate, "Bytes to write")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--temperature", settings.model.temperature, "Below 1: likely bytes become likelier")
        ->check(positive_number())
        ->capture_default_str();
    add_training_options(app, settings.training);
    return run_training_program(app, argc, argv, settings.training, [&] { run(settings); });
}
