// SPDX-License-Identifier: MIT
// Takes a language model that train_language_model has trained and replaces its mixers by state spaces within
// several tolerances: the order that each layer needs, what is proven of the error, what the outputs lose,
// and what a token costs. The distilled model goes into a file.
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

struct Settings {
    TrainingSettings common{.out = "distill_model_out"};  // threads, out and quick of it
    std::string model{};                                  ///< the file of it
    std::vector<std::string> text{};
    std::string extension = ".pod";
    Index validation_bytes = 0;
    Index length = 512;
    std::vector<double> tolerances{1e-2, 1e-3, 1e-4};
    double saved = 1e-3;
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

void run(const Settings& settings) {
    const auto loaded = load_model<Net>(settings.model);
    const std::string text =
        read_all(list_files(settings.text.empty() ? default_text() : settings.text, settings.extension));
    const std::string_view validation = split_corpus(text, settings.validation_bytes).validation;
    const Index n = settings.length;
    if (validation.size() < 2) throw std::runtime_error("the text is too short");
    const Net& model = loaded.model;
    const Net::Prepared exact = model.prepare(loaded.parameters, n);
    const auto exact_plan = stream(exact);
    const double before = bits_per_byte(model, loaded.parameters, validation, n, std::max<Index>(n / 2, 1));
    std::cout
        << "Model  " << model.options().layers << " layers of width " << model.width()
        << ", kernels of n = " << n << " lags: " << fixed(before, 4) << " bits per byte of "
        << validation.size() << " bytes of text\n"
        << "order  eigenvalues of a channel, pairs of conjugates are two; modes of a layer are complex\n"
        << "bound  of the worst channel, proven, relative to its 2-norm; tolerance likewise\n"
        << "step   vector operations of the mixers for one token, at most; exact: "
        << exact_plan.mixer_step_bound() << "\n\n";
    Table table({"tolerance", "layer", "mixer", "mean", "median", "largest order", "modes", "bound", "step",
                 "bits per byte", "largest logit change"});
    for (const double tolerance : settings.tolerances) {
        DistillOptions options = settings.options;
        options.tolerance = tolerance;
        const Distilled<Net> made = distill(model, loaded.parameters, n, options);
        const Net::Prepared prepared = made.module.prepare(made.parameters, n);
        for (std::size_t l = 0; l < made.layers.size(); ++l) {
            const DistilledLayer& layer = made.layers[l];
            std::vector<std::string> row{l == 0 ? scientific(tolerance, 0) : "",
                                         std::to_string(l),
                                         name(layer.outcome),
                                         fixed(layer.mean_order(), 2),
                                         std::to_string(layer.order_quantile(0.5)),
                                         std::to_string(layer.order_quantile(1)),
                                         std::to_string(layer.modes),
                                         scientific(relative_bound(layer, tolerance), 1)};
            if (l == 0) {
                const double after =
                    bits_per_byte(made.module, made.parameters, validation, n, std::max<Index>(n / 2, 1));
                row.push_back(std::to_string(stream(prepared).mixer_step_bound()));
                row.push_back((after < before ? "-" : "+") + fixed(std::abs(after - before), 6));
                row.push_back(scientific(largest_change(exact, prepared, validation), 1));
            }
            table.add_row(row);
        }
        if (tolerance == settings.saved) {
            save(made, validation, n, settings.common.out + "/distilled.safetensors");
        }
    }
    table.print(std::cout);
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("State spaces in place of the mixers of a trained language model, with proven bounds.",
                 "distill_model");
    app.add_option("model", settings.model, "Model of train_language_model")->required();
    app.add_option("text", settings.text,
                   "What it was trained on: files, or directories of files; without: Perl's documentation");
    app.add_option("--extension", settings.extension, "Which files of directories")->capture_default_str();
    app.add_option("--validation-bytes", settings.validation_bytes,
                   "How much of the last 5 % to measure on; 0: all")
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
