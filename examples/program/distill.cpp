// SPDX-License-Identifier: MIT
// toeplitz distill: replaces every channel of a causal kernel by a state space of the smallest order within a
// tolerance: O(s) per time step, however long the kernel is, with a proven bound on what that costs.
//
// FILE holds a tensor `lags` [n, d], F32 or F64; row t is lag t. --out takes, for channel c, the F64
// tensors `c.poles` [s, 2] and `c.residues` [s, 2] (real, imaginary), `c.direct` [1] and `c.bound` [1]: with
// u = 0 at the start, y_t = direct x_t + Re Σ residue_i u_i and then u_i ← pole_i u_i + x_t are within the
// bound of the kernel's product in the 2-norm, for sequences of n. Prints a line for each channel; one whose
// tolerance takes more than S modes has the best of them, and the program fails then.

#include <string>

#include <toeplitz/approximation/state_space_fit.hpp>
#include <toeplitz/io/safetensors.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/lags_file.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;

struct Settings {
    std::string file;
    std::string out{};
    StateSpaceFitOptions fit{};
};

/// The first `modes` numbers of channel c, real and imaginary parts side by side.
StoredTensor complex_tensor(const Matrix<std::complex<double>>& numbers, Index modes, Index c) {
    Matrix<double> parts(modes, 2);
    for (Index i = 0; i < modes; ++i) parts.row(i) << numbers(i, c).real(), numbers(i, c).imag();
    return make_tensor(MatrixView<const double>(parts));
}

StoredTensor number_tensor(double number) { return make_tensor(std::span<const double>(&number, 1), {1}); }

TensorFile make_file(const StateSpaceFit<double>& fit) {
    TensorFile file;
    for (Index c = 0; c < fit.direct.cols(); ++c) {
        const std::string channel = std::to_string(c) + ".";
        const Index modes = fit.modes[static_cast<std::size_t>(c)];
        file.tensors[channel + "poles"] = complex_tensor(fit.poles, modes, c);
        file.tensors[channel + "residues"] = complex_tensor(fit.residues, modes, c);
        file.tensors[channel + "direct"] = number_tensor(fit.direct(0, c));
        file.tensors[channel + "bound"] = number_tensor(fit.bounds(c));
    }
    return file;
}

Report distill_kernel(const Settings& settings) {
    const TensorFile file = read_safetensors(settings.file);
    const StoredTensor& stored = file.at("lags");
    examples::require_lags(stored, settings.file, "(n, d)");
    const Matrix<double> lags = stored.matrix<double>();
    const StateSpaceFit<double> fit = fit_state_space(lags, settings.fit);
    write_safetensors(settings.out, make_file(fit));

    const Index n = lags.rows();
    const Fft<double, Causality::causal> exact({.length = n, .channels = lags.cols()}, lags);
    const StateSpace<double> op = fit.make_operator(n);
    const Vector<double> errors = norm_estimate(Difference(exact, op));
    Report report;
    report.is_met = fit.meets_all();
    report.text = "channel bound true_estimate modes within_tolerance\n";
    Json channels = Json::array();
    for (Index c = 0; c < lags.cols(); ++c) {
        const Index modes = fit.modes[static_cast<std::size_t>(c)];
        print(report.text, "%td %.10g %.10g %td %s\n", c, fit.bounds(c), errors(c), modes,
              fit.meets(c) ? "yes" : "no");
        channels.push_back({{"channel", c},
                            {"bound", fit.bounds(c)},
                            {"true_estimate", errors(c)},
                            {"modes", modes},
                            {"within_tolerance", fit.meets(c)}});
    }
    report.facts = {{"file", settings.file}, {"out", settings.out}, {"channels", channels}};
    return report;
}

}  // namespace

Run add_distill(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "File with the tensor lags, n x d: row t is lag t")->required();
    app.add_option("--tolerance", settings->fit.tolerance, "Largest error of a channel in the 2-norm")
        ->required()
        ->check(examples::positive_number());
    app.add_flag_callback(
        "--relative", [settings] { settings->fit.kind = ToleranceKind::relative; },
        "The tolerance is a fraction of the channel's own 2-norm");
    app.add_option("--most-modes", settings->fit.most_modes, "Modes of a channel at most")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--out", settings->out, "File for poles, residues and bounds")->required();
    return [settings](const Context&) { return distill_kernel(*settings); };
}

}  // namespace program
