// SPDX-License-Identifier: MIT
// Convolves a signal with a causal kernel a few steps at a time, exactly or by a state space with a proven
// bound, and says how long the steps took.
//
//   toeplitz-stream FILE.safetensors --input X.safetensors --out Y.safetensors [--block B]
//                   [--state-space --tolerance EPS [--relative] [--most-modes S]]
//
// FILE holds a tensor `lags` [n, d], F32 or F64; row t is lag t. X holds `x` [m, d] of the same type, and Y
// takes `y` [m, d]: y_t = Σ lags_s x_{t−s}. Prints the mean, the 99.9-percentile and the largest time of a
// call of B steps, and the most arithmetic operations that any step can take. With --state-space the steps
// are those of the smallest order whose error is proven to be within the tolerance in the 2-norm, for the
// first n outputs; it goes on beyond them where the kernel ends. Where a channel takes more than S modes it
// has the best of them, and the program ends with status 3.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <toeplitz/approximation/state_space_fit.hpp>
#include <toeplitz/io/safetensors.hpp>
#include <toeplitz/stream/kernel_stream.hpp>
#include <toeplitz/stream/state_space_stream.hpp>

#include "support/command_line.hpp"
#include "support/timing.hpp"

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

/// Whether all channels keep the tolerance.
template <class Scalar>
bool run(const Settings& settings, const TensorFile& kernel) {
    const Matrix<Scalar> lags = read_matrix<Scalar>(kernel, "lags", settings.file);
    Matrix<Scalar> signal = read_matrix<Scalar>(read_safetensors(settings.input), "x", settings.input);
    if (signal.cols() != lags.cols()) {
        throw std::runtime_error("'" + settings.input + "': x has " + std::to_string(signal.cols()) +
                                 " channels, and lags " + std::to_string(lags.cols()));
    }
    std::vector<double> times;
    const auto stream = [&](const auto& plan) {
        std::printf(" channels %td steps %td block %td latency %td\n", plan.channels(), signal.rows(),
                    settings.block, plan.latency());
        times = process(plan, MatrixView<Scalar>(signal), settings.block);
        return plan.step_bound();
    };
    bool meets = true;
    Index operations = 0;
    if (settings.state_space) {
        const StateSpaceFit<Scalar> fit = fit_state_space(lags, settings.fit);
        meets = fit.meets_all();
        Index worst = 0;
        const auto used = [&](Index c) { return fit.bounds(c) > 0 ? fit.bounds(c) / fit.tolerances(c) : 0; };
        for (Index c = 1; c < lags.cols(); ++c) {
            if (used(c) > used(worst)) worst = c;
        }
        std::printf("modes %td channel %td bound %.10g tolerance %.10g%s\n", fit.poles.rows(), worst,
                    fit.bounds(worst), fit.tolerances(worst), meets ? "" : ", which it does not keep");
        std::printf("state space");
        operations = stream(StateSpaceStream<Scalar>(fit.kernel()));
    } else {
        const KernelStream<Scalar> plan(lags);
        std::printf("lags %td", plan.lags());
        operations = stream(plan);
    }
    TensorFile result;
    result.tensors["y"] = make_tensor(MatrixView<const Scalar>(signal));
    write_safetensors(settings.out, result);

    if (!times.empty()) {
        double sum = 0;
        for (const double time : times) sum += time;
        std::sort(times.begin(), times.end());
        std::printf("ns per call: mean %.0f, 99.9 %% below %.0f, largest %.0f\n",
                    sum / static_cast<double>(times.size()), percentile(times, 0.999), times.back());
    }
    std::printf("operations of a step: at most %td, of %td channels each\n", operations, Simd<Scalar>::lanes);
    return meets;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Convolves a signal with a causal kernel a few steps at a time.", "toeplitz-stream");
    app.add_option("file", settings.file, "File with the tensor lags, n x d: row t is lag t")->required();
    app.add_option("--input", settings.input, "File with the tensor x, m x d")->required();
    app.add_option("--out", settings.out, "File for the tensor y, m x d")->required();
    app.add_option("--block", settings.block, "Steps of a call")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    bool relative = false;
    CLI::Option* const state_space =
        app.add_flag("--state-space", settings.state_space, "By a state space within the tolerance");
    CLI::Option* const tolerance =
        app.add_option("--tolerance", settings.fit.tolerance, "Largest error of a channel in the 2-norm")
            ->check(examples::positive_number());
    state_space->needs(tolerance);
    tolerance->needs(state_space);
    app.add_flag("--relative", relative, "The tolerance is a fraction of the channel's own 2-norm")
        ->needs(state_space);
    app.add_option("--most-modes", settings.fit.most_modes, "Modes of a channel at most")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    const auto work = [&] {
        if (relative) settings.fit.kind = ToleranceKind::relative;
        const TensorFile kernel = read_safetensors(settings.file);
        const bool meets = kernel.at("lags").dtype == Dtype::f64 ? run<double>(settings, kernel)
                                                                 : run<float>(settings, kernel);
        return meets ? 0 : 3;
    };
    return examples::run_program(app, argc, argv, work);
}
