// SPDX-License-Identifier: MIT
// Convolves a signal with a causal kernel a few steps at a time, exactly, and says how long the steps took.
//
//   toeplitz-stream FILE.safetensors --input X.safetensors --out Y.safetensors [--block B]
//
// FILE holds a tensor `lags` [n, d], F32 or F64; row t is lag t. X holds `x` [m, d] of the same type, and Y
// takes `y` [m, d]: y_t = Σ lags_s x_{t−s}. Prints the mean, the 99.9-percentile and the largest time of a
// call of B steps, and the most arithmetic operations that any step can take.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <toeplitz/io/safetensors.hpp>
#include <toeplitz/stream/kernel_stream.hpp>

#include "support/timing.hpp"

namespace {

using namespace toeplitz;
using examples::percentile;

struct Settings {
    std::string file;
    std::string input{};
    std::string out{};
    Index block = 1;
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

template <class Scalar>
void run(const Settings& settings, const TensorFile& kernel) {
    const Matrix<Scalar> lags = read_matrix<Scalar>(kernel, "lags", settings.file);
    Matrix<Scalar> signal = read_matrix<Scalar>(read_safetensors(settings.input), "x", settings.input);
    if (signal.cols() != lags.cols()) {
        throw std::runtime_error("'" + settings.input + "': x has " + std::to_string(signal.cols()) +
                                 " channels, and lags " + std::to_string(lags.cols()));
    }
    const KernelStream<Scalar> plan(lags);
    auto state = plan.make_state();
    const MatrixView<Scalar> rows = signal;
    std::vector<double> times;
    for (Index t = 0; t < rows.rows(); t += settings.block) {
        const MatrixView<Scalar> block = rows.middle_rows(t, std::min(settings.block, rows.rows() - t));
        const auto start = std::chrono::steady_clock::now();
        plan.process(block, block, state);  // in place
        times.push_back(
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    TensorFile result;
    result.tensors["y"] = make_tensor(MatrixView<const Scalar>(signal));
    write_safetensors(settings.out, result);

    std::printf("lags %td channels %td steps %td block %td latency %td\n", plan.lags(), plan.channels(),
                rows.rows(), settings.block, plan.latency());
    if (!times.empty()) {
        double sum = 0;
        for (const double time : times) sum += time;
        std::sort(times.begin(), times.end());
        std::printf("ns per call: mean %.0f, 99.9 %% below %.0f, largest %.0f\n",
                    sum / static_cast<double>(times.size()), percentile(times, 0.999), times.back());
    }
    std::printf("operations of a step: at most %td, of %td channels each\n", plan.step_bound(),
                Simd<Scalar>::lanes);
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Convolves a signal with a causal kernel a few steps at a time, exactly.",
                 "toeplitz-stream");
    app.add_option("file", settings.file, "File with the tensor lags, n x d: row t is lag t")->required();
    app.add_option("--input", settings.input, "File with the tensor x, m x d")->required();
    app.add_option("--out", settings.out, "File for the tensor y, m x d")->required();
    app.add_option("--block", settings.block, "Steps of a call")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        const TensorFile kernel = read_safetensors(settings.file);
        kernel.at("lags").dtype == Dtype::f64 ? run<double>(settings, kernel) : run<float>(settings, kernel);
        return 0;
    } catch (const std::bad_alloc&) {
        std::cerr << "error: out of memory\n";
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
    }
    return 1;
}
