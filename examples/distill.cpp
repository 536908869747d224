// SPDX-License-Identifier: MIT
// Replaces every channel of a causal kernel by a state space of the smallest order within a tolerance: O(s)
// per time step, however long the kernel is, with a proven bound on what that costs.
//
//   distill KERNEL.safetensors --tolerance EPS [--relative] [--most-modes S] --out FILE
//
// KERNEL holds a tensor `lags` [n, d], F32 or F64; row t is lag t. --out takes, for channel c, the F64
// tensors `c.poles` [s, 2] and `c.residues` [s, 2] (real, imaginary), `c.direct` [1] and `c.bound` [1]: with
// u = 0 at the start, y_t = direct x_t + Re Σ residue_i u_i and then u_i ← pole_i u_i + x_t are within the
// bound of the kernel's product in the 2-norm, for sequences of n. Prints a line for each channel; one whose
// tolerance takes more than S modes has the best of them, and the program ends with status 3.

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include <toeplitz/approximation/state_space_fit.hpp>
#include <toeplitz/io/safetensors.hpp>

#include "support/command_line.hpp"
#include "support/lags_file.hpp"

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

/// Whether all channels keep the tolerance.
bool run(const Settings& settings) {
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
    std::printf("channel bound true_estimate modes within_tolerance\n");
    for (Index c = 0; c < lags.cols(); ++c) {
        std::printf("%td %.10g %.10g %td %s\n", c, fit.bounds(c), errors(c),
                    fit.modes[static_cast<std::size_t>(c)], fit.meets(c) ? "yes" : "no");
    }
    return fit.meets_all();
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("State spaces within a proven tolerance of a causal kernel.", "distill");
    bool relative = false;
    app.add_option("file", settings.file, "File with the tensor lags, n x d: row t is lag t")->required();
    app.add_option("--tolerance", settings.fit.tolerance, "Largest error of a channel in the 2-norm")
        ->required()
        ->check(examples::positive_number());
    app.add_flag("--relative", relative, "The tolerance is a fraction of the channel's own 2-norm");
    app.add_option("--most-modes", settings.fit.most_modes, "Modes of a channel at most")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    app.add_option("--out", settings.out, "File for poles, residues and bounds")->required();
    const auto work = [&] {
        if (relative) settings.fit.kind = ToleranceKind::relative;
        return run(settings) ? 0 : 3;
    };
    return examples::run_program(app, argc, argv, work);
}
