// SPDX-License-Identifier: MIT
// toeplitz stream: convolves a signal with a causal kernel a few steps at a time, exactly or by a state space
// with a proven bound, and says how long the steps took.
//
// FILE holds a tensor `lags` [n, d], F32 or F64; row t is lag t. X holds `x` [m, d] of the same type, and Y
// takes `y` [m, d]: y_t = Σ lags_s x_{t−s}. Prints the mean, the 99.9-percentile and the largest time of a
// call of B steps, and the most arithmetic operations that any step can take. With --state-space the steps
// are those of the smallest order whose error is proven to be within the tolerance in the 2-norm, for the
// first n outputs; it goes on beyond them where the kernel ends. Where a channel takes more than S modes it
// has the best of them, and the program fails in the end.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <toeplitz/approximation/state_space_fit.hpp>
#include <toeplitz/io/safetensors.hpp>
#include <toeplitz/stream/kernel_stream.hpp>
#include <toeplitz/stream/state_space_stream.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/timing.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;
using examples::percentile;

struct Settings {
    std::string file;
    std::string input{};
    std::string out{};
    Index block = 1;
    bool state_space = false;
    StateSpaceFitOptions fit{};
};

/// A matrix of a file. \throws std::runtime_error for what is none
template <class Scalar>
Matrix<Scalar> read_matrix(const TensorFile& file, const std::string& name, const std::string& path) {
    const StoredTensor& tensor = file.at(name);
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("'" + path + "': " + name + " of shape " +
                                 toeplitz::detail::shape_text(tensor.shape) + ": " + why);
    };
    if (tensor.dtype != (std::is_same_v<Scalar, float> ? Dtype::f32 : Dtype::f64)) {
        fail("lags and x are both F32 or both F64, and not " + std::string(dtype_name(tensor.dtype)));
    }
    if (tensor.shape.size() != 2) fail("the shape is (steps, channels)");
    return tensor.matrix<Scalar>();
}

/// The plan's outputs in place of the signal, and what the calls took.
template <class Plan, class Scalar>
std::vector<double> process(const Plan& plan, MatrixView<Scalar> signal, Index steps) {
    auto state = plan.make_state();
    std::vector<double> times;
    for (Index t = 0; t < signal.rows(); t += steps) {
        const MatrixView<Scalar> block = signal.middle_rows(t, std::min(steps, signal.rows() - t));
        const auto start = std::chrono::steady_clock::now();
        plan.process(block, block, state);
        times.push_back(
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    return times;
}

template <class Scalar>
Report convolve(const Settings& settings, const TensorFile& kernel) {
    const Matrix<Scalar> lags = read_matrix<Scalar>(kernel, "lags", settings.file);
    Matrix<Scalar> signal = read_matrix<Scalar>(read_safetensors(settings.input), "x", settings.input);
    if (signal.cols() != lags.cols()) {
        throw std::runtime_error("'" + settings.input + "': x has " + std::to_string(signal.cols()) +
                                 " channels, and lags " + std::to_string(lags.cols()));
    }
    Report report;
    Json& facts = report.facts;
    std::vector<double> times;
    Index operations = 0;
    const auto stream = [&](const auto& plan) {
        print(report.text, " channels %td steps %td block %td latency %td\n", plan.channels(), signal.rows(),
              settings.block, plan.latency());
        facts["channels"] = plan.channels();
        facts["steps"] = signal.rows();
        facts["block"] = settings.block;
        facts["latency"] = plan.latency();
        times = process(plan, MatrixView<Scalar>(signal), settings.block);
        operations = plan.step_bound();
    };
    if (settings.state_space) {
        const StateSpaceFit<Scalar> fit = fit_state_space(lags, settings.fit);
        report.is_met = fit.meets_all();
        Index worst = 0;
        const auto used = [&](Index c) { return fit.bounds(c) > 0 ? fit.bounds(c) / fit.tolerances(c) : 0; };
        for (Index c = 1; c < lags.cols(); ++c) {
            if (used(c) > used(worst)) worst = c;
        }
        print(report.text, "modes %td channel %td bound %.10g tolerance %.10g%s\nstate space",
              fit.poles.rows(), worst, fit.bounds(worst), fit.tolerances(worst),
              report.is_met ? "" : ", which it does not keep");
        facts["modes"] = fit.poles.rows();
        facts["worst_channel"] = worst;
        facts["bound"] = fit.bounds(worst);
        facts["tolerance"] = fit.tolerances(worst);
        facts["within_tolerance"] = report.is_met;
        stream(StateSpaceStream<Scalar>(fit.kernel()));
    } else {
        const KernelStream<Scalar> plan(lags);
        print(report.text, "lags %td", plan.lags());
        facts["lags"] = plan.lags();
        stream(plan);
    }
    TensorFile result;
    result.tensors["y"] = make_tensor(MatrixView<const Scalar>(signal));
    write_safetensors(settings.out, result);

    if (!times.empty()) {
        double sum = 0;
        for (const double time : times) sum += time;
        std::sort(times.begin(), times.end());
        const double mean = sum / static_cast<double>(times.size());
        print(report.text, "ns per call: mean %.0f, 99.9 %% below %.0f, largest %.0f\n", mean,
              percentile(times, 0.999), times.back());
        facts["ns_per_call"] = {
            {"mean", mean}, {"quantile_999", percentile(times, 0.999)}, {"largest", times.back()}};
    }
    print(report.text, "operations of a step: at most %td, of %td channels each\n", operations,
          Simd<Scalar>::lanes);
    facts["operations_of_a_step"] = operations;
    facts["channels_of_an_operation"] = Simd<Scalar>::lanes;
    facts["out"] = settings.out;
    return report;
}

}  // namespace

Run add_stream(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "File with the tensor lags, n x d: row t is lag t")->required();
    app.add_option("--input", settings->input, "File with the tensor x, m x d")->required();
    app.add_option("--out", settings->out, "File for the tensor y, m x d")->required();
    app.add_option("--block", settings->block, "Steps of a call")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    CLI::Option* const state_space =
        app.add_flag("--state-space", settings->state_space, "By a state space within the tolerance");
    CLI::Option* const tolerance =
        app.add_option("--tolerance", settings->fit.tolerance, "Largest error of a channel in the 2-norm")
            ->check(examples::positive_number());
    state_space->needs(tolerance);
    tolerance->needs(state_space);
    app.add_flag_callback(
           "--relative", [settings] { settings->fit.kind = ToleranceKind::relative; },
           "The tolerance is a fraction of the channel's own 2-norm")
        ->needs(state_space);
    app.add_option("--most-modes", settings->fit.most_modes, "Modes of a channel at most")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    return [settings](const Context&) {
        const TensorFile kernel = read_safetensors(settings->file);
        return kernel.at("lags").dtype == Dtype::f64 ? convolve<double>(*settings, kernel)
                                                     : convolve<float>(*settings, kernel);
    };
}

}  // namespace program
