// SPDX-License-Identifier: MIT
// Takes a language model that train_language_model has trained and replaces its mixers by state spaces within
// several tolerances: the order that each layer needs, what is proven of the error, what the outputs lose,
// and what a token costs. The distilled model goes into a file. Of the model of train_denoiser it prints the
// orders and the cost of a frame.
//
//   distill_model MODEL.safetensors [TEXT...] [--tolerance EPS...] [--length N] [--out FILE --saved EPS]

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

#include "support/bits_per_byte.hpp"
#include "support/table.hpp"
#include "support/text_corpus.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace toeplitz;
using namespace examples;

using CausalTno = Tno<float, Causality::causal>;
using CausalFdTno = FdTno<float, Causality::causal>;
// What distill() makes of such a model is one of them, so that it can be distilled again.
using Net = Model<AnyOf<CausalFdTno, CausalTno, StateSpaceTno<float>>>;
static_assert(std::is_same_v<DistilledModel<Net::Mixer, RowNorm<float>, Embedding<float>>, Net>);
// A model of frames of sound.
using FrameNet = Model<CausalTno, RowNorm<float>, Linear<float>>;

struct Settings {
    TrainingSettings common{.out = "distill_model_out"};  // threads, out and quick of it
    std::string model{};                                  ///< the file of it
    std::vector<std::string> text{};
    std::string extension = ".pod";
    Index validation_bytes = 0;
    Index length = 512;
    std::vector<double> tolerances{1e-2, 1e-3, 1e-4};
    double saved = 1e-3;
    bool is_denoiser = false;
    DistillOptions options{.keep = KeepExact::where_needed};
};

/// Largest bound of a channel, relative to its norm.
double relative_bound(const DistilledLayer& layer, double tolerance) {
    double most = 0;
    for (Index c = 0; c < layer.bounds.size(); ++c) {
        most = std::max(most, layer.bounds(c) / (layer.tolerances(c) / tolerance));
    }
    return most;
}

/// Largest distance of logits of the first windows of a text.
double largest_change(const Net::Prepared& exact, const Net::Prepared& made, std::string_view text) {
    const Index n = exact.length();
    const Index windows = std::min<Index>(16, static_cast<Index>(text.size()) / n);
    std::vector<Token> tokens;
    for (const char byte : text.substr(0, static_cast<std::size_t>(windows * n))) {
        tokens.push_back(token_of(byte));
    }
    if (windows == 0) return 0;
    return output_error<float>(exact, made, tokens, windows * n, 256).largest;
}

/// Saves the model with some text as its probe, and loads it back.
void save(const Distilled<Net>& made, std::string_view text, Index n, const std::string& path) {
    std::vector<Token> probe;
    for (const char byte : text.substr(0, static_cast<std::size_t>(n))) probe.push_back(token_of(byte));
    save_model(path, made.module, made.parameters, probe, static_cast<Index>(probe.size()));
    const auto loaded = load_model<Net>(path);
    bool same = parameter_count(loaded.parameters) == parameter_count(made.parameters);
    for_each_parameter([&](const ParameterName&, const auto& a, const auto& b) { same = same && a == b; },
                       loaded.parameters, made.parameters);
    if (!same) throw std::runtime_error("'" + path + "' holds other numbers than were written");
    std::cout << "Distilled model: " << path << ", loaded again: the same bits\n";
}

/// A line for each layer and tolerance; `measure(made, prepared, tolerance)` are more columns of the first
/// layer's.
template <class M, class Measure>
void print_layers(const M& model, const typename M::Parameters& parameters, const Settings& settings,
                  const std::vector<std::string>& measured, Measure&& measure) {
    const Index n = settings.length;
    std::cout
        << "order  eigenvalues of a channel, pairs of conjugates are two; modes of a layer are complex\n"
        << "taps   lags in front of the modes that are exact\n"
        << "bound  of the worst channel, proven, relative to its 2-norm; tolerance likewise\n"
        << "step   vector operations of the mixers for one step, at most; exact: "
        << stream(model.prepare(parameters, n)).mixer_step_bound() << "\n\n";
    std::vector<std::string> columns{"tolerance",     "layer", "mixer", "mean",  "median",
                                     "largest order", "taps",  "modes", "bound", "step"};
    columns.insert(columns.end(), measured.begin(), measured.end());
    Table table(columns);
    for (const double tolerance : settings.tolerances) {
        DistillOptions options = settings.options;
        options.tolerance = tolerance;
        const auto made = distill(model, parameters, n, options);
        const auto prepared = made.module.prepare(made.parameters, n);
        for (std::size_t l = 0; l < made.layers.size(); ++l) {
            const DistilledLayer& layer = made.layers[l];
            std::vector<std::string> row{l == 0 ? scientific(tolerance, 0) : "",
                                         std::to_string(l),
                                         name(layer.outcome),
                                         fixed(layer.mean_order(), 2),
                                         std::to_string(layer.order_quantile(0.5)),
                                         std::to_string(layer.order_quantile(1)),
                                         std::to_string(layer.taps),
                                         std::to_string(layer.modes),
                                         scientific(relative_bound(layer, tolerance), 1)};
            if (l == 0) {
                row.push_back(std::to_string(stream(prepared).mixer_step_bound()));
                for (const std::string& value : measure(made, prepared, tolerance)) row.push_back(value);
            }
            table.add_row(row);
        }
    }
    table.print(std::cout);
}

void run_denoiser(const Settings& settings) {
    const auto loaded = load_model<FrameNet>(settings.model);
    std::cout << "Model  " << loaded.model.options().layers << " layers of width " << loaded.model.width()
              << ", kernels of n = " << settings.length << " frames\n";
    print_layers(loaded.model, loaded.parameters, settings, {},
                 [](const auto&, const auto&, double) { return std::vector<std::string>(); });
}

void run(const Settings& settings) {
    if (settings.is_denoiser) return run_denoiser(settings);
    const auto loaded = load_model<Net>(settings.model);
    const std::string validation =
        split_corpus(
            read_all(list_files(settings.text.empty() ? default_text() : settings.text, settings.extension)),
            settings.validation_bytes)
            .validation;
    const Index n = settings.length;
    if (validation.size() < 2) throw std::runtime_error("the text is too short");
    const Net& model = loaded.model;
    const Net::Prepared exact = model.prepare(loaded.parameters, n);
    Communicator alone;
    const double before =
        bits_per_byte(model, loaded.parameters, validation, n, std::max<Index>(n / 2, 1), alone);
    std::cout << "Model  " << model.options().layers << " layers of width " << model.width()
              << ", kernels of n = " << n << " lags: " << fixed(before, 4) << " bits per byte of "
              << validation.size() << " bytes of text\n";
    print_layers(
        model, loaded.parameters, settings, {"bits per byte", "largest logit change"},
        [&](const Distilled<Net>& made, const Net::Prepared& prepared, double tolerance) {
            const double after =
                bits_per_byte(made.module, made.parameters, validation, n, std::max<Index>(n / 2, 1), alone);
            if (tolerance == settings.saved) {
                save(made, validation, n, settings.common.out + "/distilled.safetensors");
            }
            return std::vector<std::string>{(after < before ? "-" : "+") + fixed(std::abs(after - before), 6),
                                            scientific(largest_change(exact, prepared, validation), 1)};
        });
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("State spaces in place of the mixers of a trained language model, with proven bounds.",
                 "distill_model");
    app.add_option("model", settings.model, "Model of train_language_model, or of train_denoiser")
        ->required();
    app.add_flag("--denoiser", settings.is_denoiser, "It is one of train_denoiser: only print the orders");
    app.add_option("text", settings.text,
                   "What it was trained on: files, or directories of files; without: Perl's documentation");
    app.add_option("--extension", settings.extension, "Which files of directories")->capture_default_str();
    app.add_option("--validation-bytes", settings.validation_bytes,
                   "How much of the documents that are held back to measure on; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--length", settings.length, "Lags of the kernels, and bytes of a window")
        ->check(CLI::Range(2, 1 << 20))
        ->capture_default_str();
    app.add_option("--tolerance", settings.tolerances, "Tolerances, relative to each channel's 2-norm")
        ->check(positive_number())
        ->capture_default_str();
    app.add_option("--most-modes", settings.options.most_modes, "Complex modes of a channel at most")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_option("--saved", settings.saved, "The tolerance whose model is saved")->capture_default_str();
    add_threads_option(app, settings.common.threads);
    app.add_option("--out", settings.common.out, "Directory of the distilled model")->capture_default_str();
    return run_program(app, argc, argv, settings.common, [&] { run(settings); });
}
