// SPDX-License-Identifier: MIT
// Takes the classifier that `train_lra --task image --flat` has trained and replaces its exact mixers by
// band and low rank within several tolerances: what is proven of the error, what the error is, what it does
// to the accuracy, and how much time it saves. A table, a CSV file, a plot, and the compressed model as a
// file.

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/compress.hpp>

#include "support/classifier_model.hpp"
#include "support/cost_model_file.hpp"
#include "support/csv.hpp"
#include "support/gnuplot.hpp"
#include "support/images.hpp"
#include "support/table.hpp"
#include "support/timing.hpp"
#include "support/training_settings.hpp"

namespace {

using namespace toeplitz;
using namespace examples;

using ExactModel = Model<FullTno>;
using CompressedClassifier = Compressed<Model<CompressedTno<float>>>;

struct Settings {
    TrainingSettings common{.out = "compress_model_out"};  // threads, out and quick of it
    std::string model{};                                   ///< the file of it
    std::string data = fashion_mnist;
    std::string cost_model{};
    std::vector<double> tolerances{0.001, 0.003, 0.01, 0.03, 0.1};
    double saved = 0.01;
    Index length = 0;
    std::vector<Index> kernel_lengths{};
    Index most_modes = 0;
    Index test = 0;
};

/// Taps of a band / r; of state spaces taps + modes, of both directions of time.
std::string sizes_of(const Approximation<float>& made) {
    const bool has_modes = made.method() == Method::state_space || made.method() == Method::two_sided;
    return std::to_string(made.tap_count()) + (has_modes ? "+" : "/") +
           std::to_string(has_modes ? made.modes() : made.rank());
}

/// What a layer of a compressed model is, and how far from the exact one.
struct LayerReport {
    std::string groups;  ///< sizes and channels
    double bound = 0;    ///< largest of a channel, relative to its norm
    double error = 0;    ///< likewise, estimated
    double cost = 1;
    double speedup = 1;  ///< of a product with a batch
};

constexpr Index timed_batch = 16;

/// Seconds of two functions, the fastest of many calls taken in turns: what disturbs a call makes it slower.
template <class F, class G>
std::pair<double, double> fastest(F&& f, G&& g) {
    std::pair<double, double> best{1e300, 1e300};
    for (int i = 0; i < 40; ++i) {
        best.first = std::min(best.first, seconds(f));
        best.second = std::min(best.second, seconds(g));
    }
    return best;
}

LayerReport report_layer(const ExactModel& exact, const FullTno::Parameters& parameters,
                         const CompressedTno<float>& mixer, const CompressedTnoParameters<float>& made,
                         double tolerance) {
    const Index n = mixer.options().length;
    const FullTno& tno = exact.block(0).gtu().mixer();
    const Matrix<float> lags = tno.kernel_lags(parameters, n);
    const auto prepared = mixer.prepare(made, n);
    LayerReport report;
    Index next = 0;
    for (std::size_t g = 0; g < made.groups.size(); ++g) {
        const Approximation<float>& group = made.groups[g];
        const Index first = std::exchange(next, next + group.channels());
        report.groups += (g == 0 ? "" : " ") + sizes_of(group) +
                         (made.groups.size() > 1 ? "×" + std::to_string(group.channels()) : "");
        if (group.method() == Method::fft) continue;
        const Matrix<float> part = lags.middleCols(first, group.channels());
        const Fft<float> product({.length = n, .channels = group.channels()}, part);
        const Vector<double> errors = norm_estimate(Difference(product, prepared.ops()[g]));
        for (Index c = 0; c < group.channels(); ++c) {
            const double norm = group.tolerances(c) / tolerance;
            report.bound = std::max(report.bound, group.bounds(c) / norm);
            report.error = std::max(report.error, errors(c) / norm);
        }
    }
    report.cost = made.cost_ratio();

    const Matrix<float> x = Matrix<float>::Ones(timed_batch * n, lags.cols());
    Matrix<float> y(x.rows(), x.cols());
    Workspace ws;
    const auto whole = tno.prepare(parameters, n);
    const auto [before, after] =
        fastest([&] { whole.evaluate(x, y, ws); }, [&] { prepared.evaluate(x, y, ws); });
    report.speedup = before / after;
    return report;
}

/// Saves the compressed model with some images as its probe, and loads it back. Whether it still is the same.
bool survives_a_file(const CompressedClassifier& made, std::span<const Token> tokens, Index n,
                     const std::string& path) {
    save_model(path, made.module, made.parameters, tokens, n);
    const auto loaded = load_model<Model<CompressedTno<float>>>(path);
    bool same = true;
    for_each_parameter([&](const ParameterName&, const auto& a, const auto& b) { same = same && a == b; },
                       loaded.parameters, made.parameters);
    return same;
}

Approximation<float> with_a_band(const Matrix<float>& lags, Index rank) {
    return approximate(lags, {.half_width = std::min<Index>(4, (lags.rows() - 1) / 2),
                              .rank = rank,
                              .mode = InducingMode::balanced_bridge});
}

/// The channels with the smallest, the middle and the largest relative bound at one rank.
std::vector<Index> typical_channels(const Matrix<float>& lags) {
    const Index n = (lags.rows() + 1) / 2;
    const Vector<double> bounds = error_bound<float>(lags, with_a_band(lags, (n + 7) / 8));
    const Vector<double> norms = norm_estimate(Fft<float>({.length = n, .channels = lags.cols()}, lags));
    std::vector<Index> order(static_cast<std::size_t>(lags.cols()));
    for (std::size_t c = 0; c < order.size(); ++c) order[c] = static_cast<Index>(c);
    std::sort(order.begin(), order.end(),
              [&](Index a, Index b) { return bounds(a) * norms(b) < bounds(b) * norms(a); });
    return {order.front(), order[order.size() / 2], order.back()};
}

/// Bound and error of some channels of a kernel for a band of 9 taps and growing rank, relative to the norm.
void write_curves(const Matrix<float>& lags, const std::string& directory) {
    const Index n = (lags.rows() + 1) / 2;
    const std::vector<Index> channels = typical_channels(lags);
    CsvWriter csv(directory + "/bound_by_rank.csv");
    std::vector<std::string> header{"r"};
    Matrix<float> kernel(lags.rows(), static_cast<Index>(channels.size()));
    for (std::size_t j = 0; j < channels.size(); ++j) {
        kernel.col(static_cast<Index>(j)) = lags.col(channels[j]);
        header.push_back("bound_" + std::to_string(channels[j]));
        header.push_back("error_" + std::to_string(channels[j]));
    }
    csv.write_row(header);
    const Fft<float> exact({.length = n, .channels = kernel.cols()}, kernel);
    const Vector<double> norms = norm_estimate(exact);
    for (double next = 4; next < static_cast<double>(n); next *= 1.25) {
        const Index rank = static_cast<Index>(next);
        const auto made = with_a_band(kernel, rank);
        const Vector<double> bounds = error_bound<float>(kernel, made);
        const Vector<double> errors = norm_estimate(Difference(exact, made.make_operator(n)));
        std::vector<std::string> row{std::to_string(rank)};
        for (Index c = 0; c < kernel.cols(); ++c) {
            row.push_back(scientific(bounds(c) / norms(c), 4));
            row.push_back(scientific(errors(c) / norms(c), 4));
        }
        csv.write_row(row);
    }
    const char* const colors[] = {"#0072b2", "#d55e00", "#009e73"};
    std::ofstream script(directory + "/bound_by_rank.gp");
    script << "set terminal svg size 760,420 dynamic enhanced background '#ffffff' font 'DejaVu Sans,12'\n"
           << "set output 'bound_by_rank.svg'\nset encoding utf8\nset datafile separator ','\n"
           << "set border 3 lc '#444444'\nset tics nomirror out\nset grid y lc '#e4e4e4' lt 1\n"
           << "set logscale xy\nset xrange [3:]\nset format y '10^{%T}'\n"
           << "set title 'A trained kernel of length " << n << ": band of 9 taps and rank r'\n"
           << "set xlabel 'inducing points r'\nset ylabel 'error relative to the 2-norm'\n"
           << "set key bottom left Left reverse samplen 2\nplot ";
    for (std::size_t j = 0; j < channels.size(); ++j) {
        const std::string channel = std::to_string(channels[j]);
        script << (j == 0 ? "" : ", \\\n     ") << "'bound_by_rank.csv' every ::1 using 1:" << 2 * j + 2
               << " with lines lc '" << colors[j] << "' lw 2 title 'channel " << channel
               << ": proven bound', "
               << "'' every ::1 using 1:" << 2 * j + 3 << " with points pt 7 ps 0.5 lc '" << colors[j]
               << "' title 'error itself'";
    }
    script << '\n' << std::flush;
    if (!script) throw std::runtime_error("cannot write into '" + directory + "'");
    if (has_gnuplot() && run_gnuplot(directory, "bound_by_rank.gp")) {
        std::cout << "Plot: " << directory << "/bound_by_rank.svg\n";
    } else {
        std::cerr << "No plot without gnuplot. Later: cd " << directory << " && gnuplot bound_by_rank.gp\n";
    }
}

/// Certificates of the kernels of train_language_model --mixer tno. They are not replaced: W A Wᵀ is never
/// causal. The numbers say how near a causal kernel, 0 at t < 0, is to band and low rank.
void print_causal_kernels(const Settings& settings) {
    using CausalTno = Tno<float, Causality::causal>;
    const auto [model, parameters, metadata] = load_model<Model<CausalTno>>(settings.model);
    std::cout << "Causal kernels, n = " << settings.length
              << ": taps and r of the medians of all channels, exact channels aside\n\n";
    Table table({"tolerance", "layer", "fft", "band", "ski", "band+ski", "taps", "r", "cost"});
    for (const double tolerance : settings.tolerances) {
        for (Index l = 0; l < model.options().layers; ++l) {
            const CausalTno& tno = model.block(l).gtu().mixer();
            const auto& kernel = parameters.layers[static_cast<std::size_t>(l)].gtu.toep;
            const auto choices = choose_each(tno.kernel_lags(kernel, settings.length),
                                             {.tolerance = tolerance,
                                              .kind = ToleranceKind::relative,
                                              .cost = read_cost_model(settings.cost_model),
                                              .most_modes = 0});
            std::vector<Index> counts(4);
            std::vector<Index> taps;
            std::vector<Index> ranks;
            double cost = 0;
            for (const Approximation<float>& choice : choices) {
                ++counts[static_cast<std::size_t>(choice.method())];
                cost += choice.cost_ratio() / static_cast<double>(choices.size());
                if (choice.method() == Method::fft) continue;
                taps.push_back(choice.tap_count());
                ranks.push_back(choice.rank());
            }
            std::vector<std::string> row{l == 0 ? scientific(tolerance, 0) : "", std::to_string(l)};
            for (const Index count : counts) row.push_back(std::to_string(count));
            for (std::vector<Index>* values : {&taps, &ranks}) {
                std::sort(values->begin(), values->end());
                row.push_back(values->empty() ? "" : std::to_string((*values)[values->size() / 2]));
            }
            row.push_back(fixed(cost, 2));
            table.add_row(row);
        }
    }
    table.print(std::cout);
}

/// What the kernels of train_lra --task image --flat become at other lengths, by band and low rank
/// alone, and where state spaces are allowed.
void print_lengths(const Settings& settings) {
    const auto [model, parameters, metadata] = load_model<ExactModel>(settings.model);
    std::cout << "Costs by the model, of the exact product: band and low rank alone / with up to "
              << settings.most_modes << " modes\n\n";
    Table table({"n", "layer", "tolerance", "alone", "cost", "with modes", "cost"});
    for (const Index n : settings.kernel_lengths) {
        for (Index l = 0; l < model.options().layers; ++l) {
            const auto& kernel = parameters.layers[static_cast<std::size_t>(l)].gtu.toep;
            const Matrix<float> lags = model.block(l).gtu().mixer().kernel_lags(kernel, n);
            for (const double tolerance : settings.tolerances) {
                std::vector<std::string> row{std::to_string(n), std::to_string(l), scientific(tolerance, 0)};
                for (const Index modes : {Index{0}, settings.most_modes}) {
                    const auto made =
                        compress_lags<float>(lags, {.tolerance = tolerance,
                                                    .kind = ToleranceKind::relative,
                                                    .cost = read_cost_model(settings.cost_model),
                                                    .most_modes = modes});
                    std::string groups;
                    for (const Approximation<float>& group : made.parameters.groups) {
                        groups += sizes_of(group) + "×" + std::to_string(group.channels()) + " ";
                    }
                    row.push_back(groups);
                    row.push_back(fixed(made.parameters.cost_ratio(), 2));
                }
                table.add_row(row);
            }
        }
    }
    table.print(std::cout);
}

void run(Settings& settings) {
    if (settings.length > 0) return print_causal_kernels(settings);
    if (!settings.kernel_lengths.empty()) return print_lengths(settings);
    const auto loaded = load_model<ExactModel>(settings.model);
    LabelledSequences test =
        settings.common.quick ? made_up_images(50, 2) : read_images(settings.data, "t10k");
    if (settings.test > 0) test = test.first(settings.test);
    const Index n = test.length;
    const ExactModel& model = loaded.model;
    const ExactModel::Parameters& parameters = loaded.parameters;
    const auto prepared = model.prepare(parameters, n);
    Communicator alone;
    const CrossEntropyLoss before = evaluate(model, parameters, test, timed_batch, alone);
    LabelledBatch batch;
    batch.fill(test, std::min(timed_batch, test.count()), [](Index j) { return j; });
    const std::span<const Token> tokens(batch.tokens);
    const Index images = static_cast<Index>(batch.labels.size());
    Matrix<float> logits(images, model.outputs());

    std::cout
        << "Model  " << model.options().layers << " layers of width " << model.width() << ", n = " << n
        << "; accuracy with the exact mixers " << fixed(100 * before.accuracy(), 2) << " % of "
        << test.count() << " test images\n"
        << "Bound, error   of the worst channel, relative to its 2-norm; tolerance likewise\n"
        << "taps/r         of all channels, or of groups of channels (×); 0/0 is the exact FFT, taps+modes "
           "are state spaces\n"
        << "Cost           of the mixer by the cost model; speed-up as measured, " << images
        << " images at a time\n\n";
    Table table({"tolerance", "layer", "taps/r", "bound", "error", "cost", "mixer", "model", "output error",
                 "accuracy"});
    const CostModel cost = read_cost_model(settings.cost_model);
    bool saved = false;
    for (const double tolerance : settings.tolerances) {
        const CompressedClassifier made = compress(model, parameters, n,
                                                   {.tolerance = tolerance,
                                                    .kind = ToleranceKind::relative,
                                                    .cost = cost,
                                                    .most_modes = settings.most_modes});
        const auto other = made.module.prepare(made.parameters, n);
        const OutputError error = output_error<float>(prepared, other, tokens, images, model.outputs());
        const CrossEntropyLoss after = evaluate(made.module, made.parameters, test, timed_batch, alone);
        Workspace ws;
        const auto [exact_seconds, seconds] = fastest([&] { prepared.evaluate(tokens, logits, ws); },
                                                      [&] { other.evaluate(tokens, logits, ws); });
        for (std::size_t l = 0; l < parameters.layers.size(); ++l) {
            const LayerReport layer = report_layer(model, parameters.layers[l].gtu.toep,
                                                   made.module.block(static_cast<Index>(l)).gtu().mixer(),
                                                   made.parameters.layers[l].gtu.toep, tolerance);
            std::vector<std::string> row{"",
                                         std::to_string(l),
                                         layer.groups,
                                         scientific(layer.bound, 1),
                                         scientific(layer.error, 1),
                                         fixed(layer.cost, 2),
                                         fixed(layer.speedup, 2) + "x"};
            if (l == 0) {
                row[0] = scientific(tolerance, 0);
                row.push_back(fixed(exact_seconds / seconds, 2) + "x");
                row.push_back(scientific(error.relative, 1));
                row.push_back(fixed(100 * (after.accuracy() - before.accuracy()), 2) + " %");
            }
            table.add_row(row);
        }
        if (!saved && tolerance >= settings.saved) {
            const std::string path = settings.common.out + "/compressed.safetensors";
            saved = survives_a_file(made, tokens, n, path);
            if (!saved) throw std::runtime_error("'" + path + "' holds other numbers than were written");
        }
    }
    table.print(std::cout);
    std::cout << '\n';
    if (saved) {
        std::cout << "Compressed model: " << settings.common.out
                  << "/compressed.safetensors, loaded again: the same bits\n";
    }
    write_curves(model.block(0).gtu().mixer().kernel_lags(parameters.layers[0].gtu.toep, n),
                 settings.common.out);
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Compresses a trained classifier with proven error bounds.", "compress_model");
    app.add_option("model", settings.model, "Model of train_lra --task image --flat")->required();
    app.add_option("--data", settings.data, "Directory of the files of MNIST, Fashion-MNIST or the like")
        ->capture_default_str();
    app.add_option("--tolerance", settings.tolerances, "Tolerances, relative to each channel's 2-norm")
        ->check(positive_number())
        ->capture_default_str();
    app.add_option("--cost-model", settings.cost_model, "What toeplitz_cost_model prints on this machine");
    app.add_option("--test", settings.test, "Test on the first so many images only; 0: on all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    add_threads_option(app, settings.common.threads);
    app.add_option("--out", settings.common.out, "Directory of the compressed model and the plot")
        ->capture_default_str();
    app.add_option(
           "--causal-kernels", settings.length,
           "Only print certificates of the kernels of a model of train_language_model --mixer tno, at "
           "this length")
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--most-modes", settings.most_modes, "Modes of state spaces at most; 0: none")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--kernel-lengths", settings.kernel_lengths,
                   "Only print what becomes of the kernels at these lengths, without modes and with them")
        ->check(CLI::Range(2, 1 << 20));
    app.add_flag("--quick", settings.common.quick, "The images of train_lra --quick");
    return run_program(app, argc, argv, settings.common, [&] { run(settings); });
}
