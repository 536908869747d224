// SPDX-License-Identifier: MIT
#include "path_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <toeplitz/approximation/approximate.hpp>
#include <toeplitz/toeplitz.hpp>

#include "command_line.hpp"
#include "csv.hpp"
#include "gnuplot.hpp"
#include "kernels.hpp"
#include "table.hpp"
#include "text.hpp"
#include "timing.hpp"

namespace examples {
namespace {

using namespace toeplitz;
using Settings = PathSettings;
using Result = PathResult;

// --- References --------------------------------------------------------------------------------------------

/// Some rows of y = T x in double, and how long all of them would take.
struct Reference {
    std::vector<Index> rows;
    Matrix<double> y;
    double seconds = 0;
    bool extrapolated = false;
};

constexpr Index longest_full_reference = 1024;
constexpr Index sampled_rows = 256;

/// All rows, by the library's operator for that.
template <Causality kind>
Reference full_reference(const Matrix<float>& lags, MatrixView<const float> x) {
    const Index n = x.rows();
    const Matrix<double> x_double = x.eigen().cast<double>();
    const Matrix<double> kernel = lags.bottomRows(lag_count(n, kind)).cast<double>();
    const Dense<double, kind> op({.length = n, .channels = x.cols()}, kernel);
    Reference reference;
    reference.rows.resize(static_cast<std::size_t>(n));
    reference.y.resize(n, x.cols());
    std::iota(reference.rows.begin(), reference.rows.end(), Index{0});
    Workspace ws;
    reference.seconds = seconds([&] { op.apply(x_double, reference.y, ws); });
    return reference;
}

/// The first row, the last one, and random ones between them, by definition.
Reference sampled_reference(const Matrix<float>& lags, MatrixView<const float> x, Causality causality,
                            std::uint64_t seed) {
    const Index n = x.rows();
    const Index d = x.cols();
    const CounterRandom random(seed);
    Reference reference;
    reference.rows = {0, n - 1};
    reference.y.setZero(sampled_rows, d);
    reference.extrapolated = true;
    for (std::uint64_t i = 2; i < sampled_rows; ++i) {
        reference.rows.push_back(static_cast<Index>(random.uniform(i) * static_cast<double>(n)));
    }
    const double time = seconds([&] {
#if defined(_OPENMP)
#pragma omp parallel for
#endif
        for (Index s = 0; s < sampled_rows; ++s) {
            const Index i = reference.rows[static_cast<std::size_t>(s)];
            double* sum = reference.y.row(s).data();
            for (Index j = 0; j < (causality == Causality::causal ? i + 1 : n); ++j) {
                const float* k = lags.row(i - j + n - 1).data();
                const float* xj = x.row(j);
                for (Index c = 0; c < d; ++c)
                    sum[c] += static_cast<double>(k[c]) * static_cast<double>(xj[c]);
            }
        }
    });
    reference.seconds = time * static_cast<double>(n) / sampled_rows;
    return reference;
}

Reference make_reference(const Matrix<float>& lags, MatrixView<const float> x, Causality causality,
                         std::uint64_t seed) {
    if (x.rows() > longest_full_reference) return sampled_reference(lags, x, causality, seed);
    return causality == Causality::causal ? full_reference<Causality::causal>(lags, x)
                                          : full_reference<Causality::bidirectional>(lags, x);
}

double relative_error(const Matrix<float>& y, const Reference& reference) {
    double square = 0;
    for (std::size_t s = 0; s < reference.rows.size(); ++s) {
        square +=
            (y.row(reference.rows[s]).cast<double>() - reference.y.row(static_cast<Index>(s))).squaredNorm();
    }
    return std::sqrt(square) / reference.y.norm();
}

// --- Comparison --------------------------------------------------------------------------------------------

// Names of the paths, in the order of the table.
const char* const dense_path = "dense";
const char* const exact_path = "FFT";
const char* const ski_path = "SKI";
const char* const band_part = "  its band";
const char* const low_rank_part = "  its low rank";
const char* const fine_ski_path = "SKI, r ∝ n";
const char* const frequency_path = "Frequency";
const char* const causal_exact_path = "FFT, causal";
const char* const hilbert_path = "Hilbert, causal";

/// Every path on the first n time steps of the text.
std::vector<Result> compare(const KernelFamily& family, MatrixView<const float> x, const Settings& settings) {
    const Index n = x.rows();
    const Index d = x.cols();
    const Index half_width = settings.taps / 2;
    const Kernel kernel = family.make(n);
    const Matrix<float> lags = kernel(inducing_lags(n, n));  // with n inducing points: every lag
    const Reference reference = make_reference(lags, x, Causality::bidirectional, settings.seed);

    std::vector<Result> results;
    results.push_back({family.name, dense_path, "T", n, 0, 0, reference.seconds, reference.extrapolated, 0,
                       static_cast<std::size_t>(lags.size()) * sizeof(double)});
    const auto add = [&](const char* path, const char* paper, Index rank, Index taps, const auto& op,
                         const Reference& target) {
        Matrix<float> y(n, d);
        Workspace ws(op.required_workspace());
        const double seconds = median_seconds([&] { op.apply(x, y, ws); });
        results.push_back({family.name, path, paper, n, rank, taps, seconds, false, relative_error(y, target),
                           op.state_bytes()});
    };

    add(exact_path, "TNO", 0, 0, Fft<float>({.length = n, .channels = d}, lags), reference);

    const BandOptions band_options{.length = n, .channels = d, .taps = settings.taps};
    const Matrix<float> near = kernel(Vector<double>::LinSpaced(
        settings.taps, -static_cast<double>(half_width), static_cast<double>(half_width)));
    const auto add_ski = [&](const char* path, Index rank, bool with_parts) {
        // A spike among the inducing values would be smeared over their spacing: it is the band's.
        const Matrix<float> inducing = adjust_inducing<float>(
            kernel(inducing_lags(n, rank)), n, std::min(half_width, n - 1), InducingMode::bridge);
        const Matrix<float> taps = near - interpolated(inducing, n, half_width);
        const Ski<float> ski({.length = n, .channels = d, .rank = rank}, inducing);
        const Band<float> band(band_options, taps);
        add(path, "SKI-TNO", ski.rank(), settings.taps, band + ski, reference);
        if (!with_parts) return;
        add(band_part, "", 0, settings.taps, band, reference);
        add(low_rank_part, "", ski.rank(), 0, ski, reference);
    };
    add_ski(ski_path, settings.rank, true);
    // Inducing points half as far apart as the band reaches.
    const Index fine_rank = (n - 1) / std::max<Index>(half_width / 2, 2) + 1;
    if (fine_rank > settings.rank) add_ski(fine_ski_path, fine_rank, false);

    const Matrix<std::complex<float>> response = frequency_response(lags, n, Causality::bidirectional);
    add(frequency_path, "FD-TNO", 0, 0, BidirectionalSpectral<float>({.length = n, .channels = d}, response),
        reference);

    const Reference causal = make_reference(lags, x, Causality::causal, settings.seed);
    add(causal_exact_path, "TNO", 0, 0,
        Fft<float, Causality::causal>({.length = n, .channels = d}, lags.bottomRows(n)), causal);
    const Matrix<float> real_part = frequency_response(lags, n, Causality::causal).real();
    add(hilbert_path, "FD-TNO", 0, 0, CausalSpectral<float>({.length = n, .channels = d}, real_part), causal);
    return results;
}

/// 1024, 4096, 16384, … and the longest length itself.
std::vector<Index> lengths_up_to(Index longest) {
    std::vector<Index> lengths;
    for (Index n = 1024; n < longest; n *= 4) lengths.push_back(n);
    lengths.push_back(longest);
    return lengths;
}

// --- Output ------------------------------------------------------------------------------------------------

void print_table(const std::vector<Result>& results, const Settings& settings, std::ostream& out) {
    Table table(
        {"path", "in the paper", "n", "d", "r", "taps", "time/ms", "ns/element", "relative error", "state"});
    const auto size = [](Index value) { return value == 0 ? std::string("-") : std::to_string(value); };
    Index n = results.front().n;
    for (const Result& result : results) {
        if (result.n != n) table.add_gap();
        n = result.n;
        const std::string about = result.extrapolated ? "~" : "";
        const bool is_part = result.paper.empty();
        table.add_row({result.path, is_part ? "-" : result.paper, std::to_string(n),
                       std::to_string(settings.channels), size(result.rank), size(result.taps),
                       about + fixed(result.seconds * 1e3, 3),
                       about + fixed(nanoseconds_per_element(result, settings.channels), 3),
                       result.path == dense_path ? "-"
                       : is_part                 ? "a part"
                                                 : scientific(result.error, 1),
                       byte_text(result.bytes)});
    }
    table.print(out);
}

/// What was seen at the longest length, in a sentence.
std::string summary(const std::vector<Result>& results, const std::vector<KernelFamily>& families,
                    Index longest) {
    const auto find = [&](const std::string& kernel, const char* path) {
        return *std::find_if(results.begin(), results.end(), [&](const Result& result) {
            return result.kernel == kernel && result.path == path && result.n == longest;
        });
    };
    const auto times = [](double ratio) { return fixed(ratio, ratio < 10 ? 1 : 0); };
    const std::string& first = families.front().name;
    const Result fft = find(first, exact_path);
    const Result hilbert = find(first, hilbert_path);
    std::string text =
        "Seen at n = " + std::to_string(longest) + ": FFT is exact to " + scientific(fft.error, 0) + " and " +
        times(find(first, dense_path).seconds / fft.seconds) + " times as fast as dense; SKI is " +
        times(fft.seconds / find(first, ski_path).seconds) + " times as fast as FFT, with an error of ";
    for (const KernelFamily& family : families) {
        text += (family.name == first ? "" : " and ") + scientific(find(family.name, ski_path).error, 0) +
                " (" + family.name + ")";
    }
    return text + "; Hilbert gives what the causal FFT gives, to " + scientific(hilbert.error, 0) + ", in " +
           times(hilbert.seconds / find(first, causal_exact_path).seconds) + " times its time.";
}

void write_results(CsvWriter& csv, const std::vector<Result>& results, const Settings& settings) {
    const auto size = [](Index value) { return value == 0 ? std::string() : std::to_string(value); };
    for (const Result& result : results) {
        csv.write_row(
            {result.kernel, result.path.substr(result.path.find_first_not_of(' ')), result.paper,
             std::to_string(result.n), std::to_string(settings.channels), size(result.rank),
             size(result.taps), std::to_string(settings.threads), scientific(result.seconds * 1e3, 5),
             scientific(nanoseconds_per_element(result, settings.channels), 5),
             result.extrapolated ? "yes" : "no", scientific(result.error, 5), std::to_string(result.bytes)});
    }
}

/// A script of gnuplot with its data: time on the left, and the error of each kernel.
std::string plot_script(const std::vector<Result>& results, const std::vector<KernelFamily>& families,
                        const Settings& settings) {
    struct Style {
        const char* path;
        const char* color;
        int point;
    };
    const Style styles[] = {{exact_path, "#0072b2", 7},   {causal_exact_path, "#56b4e9", 6},
                            {hilbert_path, "#cc79a7", 8}, {frequency_path, "#999999", 5},
                            {ski_path, "#d55e00", 11},    {fine_ski_path, "#009e73", 13}};
    std::ostringstream script;
    script << "# Time and error of every path; made by compare_paths.\n"
              "set terminal svg size 1180,500 dynamic enhanced background '#ffffff' font 'DejaVu Sans,12'\n"
              "set output 'compare_paths.svg'\n"
              "set encoding utf8\n";
    const auto block = [](std::size_t family, std::size_t style) {
        return "$data_" + std::to_string(family) + "_" + std::to_string(style);
    };
    for (std::size_t f = 0; f < families.size(); ++f) {
        for (std::size_t s = 0; s < std::size(styles); ++s) {
            script << block(f, s) << " << EOD\n# n  ns/element  relative error\n";
            for (const Result& result : results) {
                if (result.kernel != families[f].name || result.path != styles[s].path) continue;
                script << result.n << ' ' << nanoseconds_per_element(result, settings.channels) << ' '
                       << result.error << '\n';
            }
            script << "EOD\n";
        }
    }
    const auto plot = [&](auto&& curve) {
        const char* separator = "plot ";
        for (std::size_t s = 0; s < std::size(styles); ++s) {
            const Style& style = styles[s];
            const auto is_drawn = [&](const Result& result) { return result.path == style.path; };
            if (std::none_of(results.begin(), results.end(), is_drawn)) continue;
            script << separator << curve(s) << " with linespoints lc '" << style.color << "' lw 2 pt "
                   << style.point << " ps 0.8 title '" << style.path << "'";
            separator = ", \\\n     ";
        }
        script << '\n';
    };
    const auto panel = [&](double left, const std::string& title, std::size_t family, const char* column) {
        script << "set lmargin at screen " << left << "\nset rmargin at screen " << left + 0.27
               << "\nset title '" << title << "'\n";
        plot([&](std::size_t s) { return block(family, s) + " using 1:" + column; });
    };
    script << "set multiplot\n"
              "set xrange ["
           << 0.8 * static_cast<double>(results.front().n) << ":"
           << 1.25 * static_cast<double>(results.back().n)
           << "]\n"
              "set border 3 lc '#444444'\nset tics nomirror out\nset mytics 1\nset grid y lc '#e4e4e4' lt 1\n"
              "set logscale x 2\nset logscale y\nset xlabel 'n' offset 0,0.5\n"
              "set format x '%.0f'\nset xtics 1024,4\nset format y '10^{%T}'\n"
              "set tmargin at screen 0.91\nset bmargin at screen 0.29\nunset key\n";
    panel(0.05,
          "Time per element, ns (d = " + std::to_string(settings.channels) +
              ", threads: " + std::to_string(settings.threads) + ")",
          0, "2");
    script << "set yrange [1e-8:*]\n";
    for (std::size_t f = 0; f < families.size(); ++f) {
        panel(0.38 + 0.33 * static_cast<double>(f), "Relative error: " + families[f].name, f, "3");
    }
    script << "# The legend, a plot without axes.\n"
              "reset\nunset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\n"
              "set lmargin at screen 0.02\nset rmargin at screen 0.98\n"
              "set tmargin at screen 0.18\nset bmargin at screen 0.01\n"
              "set key center center vertical maxrows 2 samplen 2 Left reverse width -6\n";
    plot([](std::size_t) { return std::string("NaN"); });
    script << "unset multiplot\n";
    return script.str();
}

void write_plot(const std::string& script, const Settings& settings, std::ostream& out) {
    const std::string path = settings.out + "/compare_paths.gp";
    std::ofstream file(path);
    file << script << std::flush;
    if (!file) throw std::runtime_error("cannot write '" + path + "'");
    if (!has_gnuplot()) {
        std::cerr << "gnuplot is not installed: no plot. Later: cd " << settings.out
                  << " && gnuplot compare_paths.gp\n";
    } else if (run_gnuplot(settings.out, "compare_paths.gp")) {
        out << "Plot: " << settings.out << "/compare_paths.svg\n";
    } else {
        std::cerr << "gnuplot failed: no plot. Its script is " << path << '\n';
    }
}

/// Bytes that are no text.
std::string random_bytes(Index count, std::uint64_t seed) {
    const CounterRandom random(seed);
    std::string bytes;
    for (Index i = 0; i < count; ++i)
        bytes.push_back(static_cast<char>(random.bits(static_cast<std::uint64_t>(i)) & 0xff));
    return bytes;
}

}  // namespace

double nanoseconds_per_element(const PathResult& result, Index channels) {
    return result.seconds * 1e9 / static_cast<double>(result.n * channels);
}

void add_path_options(CLI::App& app, PathSettings& settings) {
    const auto odd = [](const std::string& text) {
        const char last = text.empty() ? '0' : text.back();
        return (last - '0') % 2 == 1 ? std::string() : "a centred band has an odd number of taps";
    };
    app.add_option("--threads", settings.threads, "Threads; more than there are idle cores distort the times")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_option("--channels", settings.channels, "Channels d of the embedding")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    app.add_option("--rank", settings.rank, "Inducing points r of SKI")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_option("--taps", settings.taps, "Taps of the band, odd")
        ->check(CLI::Range(1, 65535))
        ->check(CLI::Validator(odd, "ODD"))
        ->capture_default_str();
    app.add_option("--max-n", settings.max_n, "Longest sequence")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    app.add_option("--out", settings.out, "Directory for the CSV file and the plot")->capture_default_str();
    app.add_option("--seed", settings.seed, "Seed of the embedding and of the kernels")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
}

std::vector<PathResult> compare_paths(PathSettings& settings, std::ostream& out) {
    settings.threads = use_threads(settings.threads);
    const std::string bytes = settings.text.empty() ? random_bytes(settings.max_n, settings.seed)
                                                    : read_bytes(settings.text, settings.max_n);
    const Index longest = static_cast<Index>(bytes.size());
    if (longest < settings.max_n) {
        std::cerr << settings.text << " has " << longest << " bytes: the longest sequence is n = " << longest
                  << ", not " << settings.max_n << ".\n";
    }
    std::optional<CsvWriter> csv;
    if (!settings.out.empty()) {
        make_directory(settings.out);
        csv.emplace(settings.out + "/compare_paths.csv");
        csv->write_row({"kernel", "path", "paper", "n", "channels", "rank", "taps", "threads", "time_ms",
                        "ns_per_element", "time_extrapolated", "relative_error", "state_bytes"});
    }

    const Matrix<float> x = embed_bytes(bytes, settings.channels, settings.seed);
    out << "Text   " << (settings.text.empty() ? "" : "the first ") << longest
        << (settings.text.empty() ? " random bytes" : " bytes of " + settings.text)
        << ", each byte a random vector of " << settings.channels << " channels; float\n"
        << "Time   median of one product, its kernel prepared; threads: " << settings.threads << "; ~ from "
        << sampled_rows << " rows\n"
        << "Error  ‖y − y_dense‖/‖y_dense‖, dense in double; on all rows up to n = " << longest_full_reference
        << ", on " << sampled_rows << " random ones beyond\n"
        << "State  what the operator holds\n"
        << "Rows   FFT, Frequency and Hilbert are exact, to the rounding of float. SKI is an approximation: "
           "a band\n"
        << "       of some taps, which takes the peak of the kernel, plus a low rank part, interpolated from "
           "r\n"
        << "       points. Neither part is meant to be used alone, so they have times and no errors. The "
           "causal\n"
        << "       paths have the lags t ≥ 0 alone, and are compared with the dense product of those.\n";

    const std::vector<KernelFamily> families{position_mlp(settings.channels, settings.seed),
                                             spiky_plus_smooth(settings.channels, settings.seed)};
    std::vector<Result> all;
    for (const KernelFamily& family : families) {
        std::vector<Result> results;
        for (const Index n : lengths_up_to(longest)) {
            std::cerr << family.name << ", n = " << n << " ...\n";
            const std::vector<Result> more =
                compare(family, MatrixView<const float>(x).middle_rows(0, n), settings);
            if (csv) write_results(*csv, more, settings);
            results.insert(results.end(), more.begin(), more.end());
        }
        out << "\nKernel \"" << family.name << "\": " << family.formula << "\n\n";
        print_table(results, settings, out);
        out << std::flush;
        all.insert(all.end(), results.begin(), results.end());
    }
    out << '\n' << summary(all, families, longest) << '\n';
    if (!settings.out.empty()) {
        out << "\nTable as CSV: " << settings.out << "/compare_paths.csv\n";
        write_plot(plot_script(all, families, settings), settings, out);
    }
    return all;
}

}  // namespace examples
