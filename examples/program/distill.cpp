// SPDX-License-Identifier: MIT
// toeplitz distill: state spaces of the smallest order within a tolerance, in place of a causal kernel or of
// the mixers of a causal model: O(s) per time step, however long the kernel is, with a proven bound on what
// that costs.
//
// A kernel is a tensor `lags` [n, d], F32 or F64; row t is lag t. --out takes, for channel c, the F64
// tensors `c.poles` [s, 2] and `c.residues` [s, 2] (real, imaginary), `c.direct` [1] and `c.bound` [1]: with
// u = 0 at the start, y_t = direct x_t + Re Σ residue_i u_i and then u_i ← pole_i u_i + x_t are within the
// bound of the kernel's product in the 2-norm, for sequences of n. Prints a line for each channel; one whose
// tolerance takes more than S modes has the best of them, and the program fails then.
//
// Of a model, layers that no state space will do for stay exact. Nothing is proven of its outputs: their
// change is measured, on a text or on tensors, or else on random inputs.

#include <algorithm>
#include <optional>
#include <string>

#include <toeplitz/approximation/state_space_fit.hpp>
#include <toeplitz/nn/distill.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/lags_file.hpp>
#include "models.hpp"

namespace program {
namespace {

struct Settings {
    std::string file{};
    std::string out{};
    std::string text{};
    std::string input{};
    Index length = 512;
    double tolerance = 0;
    bool is_relative = false;
    std::optional<Index> most_modes{};
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

Report distill_kernel(const TensorFile& file, const Settings& settings) {
    if (!settings.text.empty() || !settings.input.empty()) {
        fail("'" + settings.file + "' is no model file: a kernel takes no --text and no --input");
    }
    const StoredTensor& stored = file.at("lags");
    examples::require_lags(stored, settings.file, "(n, d)");
    const Matrix<double> lags = stored.matrix<double>();
    StateSpaceFitOptions options{
        .tolerance = settings.tolerance,
        .kind = settings.is_relative ? ToleranceKind::relative : ToleranceKind::absolute};
    options.most_modes = settings.most_modes.value_or(options.most_modes);
    const StateSpaceFit<double> fit = fit_state_space(lags, options);
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

/// How the outputs change, and what the model makes of a text.
template <class Scalar>
void measure(const AnyModel<Scalar>& exact, const AnyModel<Scalar>& made, const Inputs<Scalar>& inputs,
             const Settings& settings, Report& report) {
    double squares = 0, changes = 0, largest = 0;
    const auto compare = [&](const Matrix<Scalar>& y0, const Matrix<Scalar>& y) {
        const Matrix<double> change = y.template cast<double>() - y0.template cast<double>();
        squares += y0.template cast<double>().squaredNorm();
        changes += change.squaredNorm();
        largest = std::max(largest, change.cwiseAbs().maxCoeff());
    };
    const char* on = settings.input.empty() ? "random inputs" : settings.input.c_str();
    if (!settings.text.empty() && predicts_bytes(exact)) {
        on = settings.text.c_str();
        BitsPerByte before(inputs.tokens), after(inputs.tokens);
        for_each_window(
            inputs.tokens, settings.length,
            [&](Index first, const Matrix<Scalar>& y0, const Matrix<Scalar>& y) {
                before.add(first, y0);
                after.add(first, y);
                compare(y0, y);
            },
            exact, made);
        report.facts["bits_per_byte"] = {{"exact", before.mean()}, {"distilled", after.mean()}};
        print(report.text, "bits per byte: %.6f, exact %.6f\n", after.mean(), before.mean());
    } else {
        compare(evaluate(exact, exact.prepare(inputs.steps), inputs),
                evaluate(made, made.prepare(inputs.steps), inputs));
    }
    const double relative = squares > 0 ? std::sqrt(changes / squares) : std::sqrt(changes);
    report.facts["output_change"] = {{"on", on}, {"relative", relative}, {"largest", largest}};
    print(report.text, "outputs for %s change by %.2g relatively, a single one by %.2g at most\n", on,
          relative, largest);
}

/// The first sequence proves the new file.
template <class M, class Scalar>
auto probe(const Inputs<Scalar>& inputs, Index steps) {
    if constexpr (std::is_same_v<typename M::Inputs, std::span<const Token>>) {
        return std::vector<Token>(inputs.tokens.begin(), inputs.tokens.begin() + steps);
    } else {
        return Matrix<Scalar>(inputs.features.topRows(steps));
    }
}

void describe(const std::vector<DistilledLayer>& layers, Report& report) {
    report.text =
        "layer mixer mean_order median_order largest_order taps modes bound_relative_to_tolerance\n";
    Json all = Json::array();
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const DistilledLayer& layer = layers[l];
        double used = 0;
        for (Index c = 0; c < layer.bounds.size(); ++c) {
            if (layer.bounds(c) > 0) used = std::max(used, layer.bounds(c) / layer.tolerances(c));
        }
        print(report.text, "%zu %s %.2f %td %td %td %td %.3g\n", l, name(layer.outcome), layer.mean_order(),
              layer.order_quantile(0.5), layer.order_quantile(1), layer.taps, layer.modes, used);
        all.push_back({{"layer", l},
                       {"mixer", name(layer.outcome)},
                       {"mean_order", layer.mean_order()},
                       {"median_order", layer.order_quantile(0.5)},
                       {"largest_order", layer.order_quantile(1)},
                       {"taps", layer.taps},
                       {"modes", layer.modes},
                       {"bound_relative_to_tolerance", used}});
    }
    report.facts["layers"] = all;
}

template <class Scalar>
Report distill_model(const AnyModel<Scalar>& model, const Settings& settings) {
    if (model.causality() != Causality::causal) {
        fail("'" + settings.file +
             "': state spaces see the past alone, and this model looks both ways: see toeplitz compress");
    }
    Inputs<Scalar> inputs;
    if (!settings.text.empty()) {
        require_bytes(model);
        inputs.tokens = read_text(settings.text);
        inputs.rows = inputs.steps = static_cast<Index>(inputs.tokens.size());
        if (inputs.rows < 2) fail("'" + settings.text + "': a text of one byte has nothing to predict");
    } else {
        inputs = settings.input.empty() ? random_inputs(model, settings.length)
                                        : read_inputs(model, settings.input);
    }
    DistillOptions options{.tolerance = settings.tolerance, .keep = KeepExact::where_needed};
    options.most_modes = settings.most_modes.value_or(options.most_modes);
    Report report;
    model.visit([&]<class M>(const M& net, const auto& parameters) {
        const auto made = distill(net, parameters, settings.length, options);
        const Index steps = std::min(inputs.steps, settings.length);
        save_model(settings.out, made.module, made.parameters, probe<M>(inputs, steps), steps,
                   model.metadata());
        describe(made.layers, report);
    });
    const auto made = AnyModel<Scalar>::load(settings.out);
    const Index exact_bound = model.stream(settings.length).mixer_step_bound();
    const Index bound = made.stream(settings.length).mixer_step_bound();
    report.facts["operations_of_a_step"] = {{"exact", exact_bound}, {"distilled", bound}};
    print(report.text, "operations of a step: at most %td, exact %td, of %td channels each\n", bound,
          exact_bound, Simd<Scalar>::lanes);
    measure(model, made, inputs, settings, report);
    report.facts["length"] = settings.length;
    report.facts["out"] = settings.out;
    print(report.text, "model: %s\n", settings.out.c_str());
    return report;
}

}  // namespace

Run add_distill(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "Model file; or file with the tensor lags, n x d: row t is lag t")
        ->required();
    app.add_option("--tolerance", settings->tolerance,
                   "Largest error of a channel in the 2-norm; of a model, a fraction of its kernel's")
        ->required()
        ->check(examples::positive_number());
    app.add_flag("--relative", settings->is_relative,
                 "The tolerance of a kernel is a fraction of the channel's own 2-norm, too");
    app.add_option("--most-modes", settings->most_modes,
                   "Modes of a channel at most; by default 64 for a kernel, 32 for a model")
        ->check(CLI::Range(0, 1024));
    app.add_option("--length", settings->length, "For a model: lags of the kernels, and bytes of a window")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    auto* const text = app.add_option("--text", settings->text,
                                      "Text that a model of bytes is measured on; -: standard input");
    app.add_option("--input", settings->input, "File with tokens or x, as run takes it, to measure on")
        ->excludes(text);
    app.add_option("--out", settings->out, "File for the model, or for poles, residues and bounds")
        ->required();
    return [settings](const Context&) {
        const TensorFile file = read_safetensors(settings->file);
        if (file.metadata.count(toeplitz::detail::model_format) == 0) return distill_kernel(file, *settings);
        return with_model(file, [&](const auto& model) { return distill_model(model, *settings); });
    };
}

}  // namespace program
