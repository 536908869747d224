// SPDX-License-Identifier: MIT

/// \file
/// Registers the benchmarks with Google Benchmark, times them, and records what they ran on.

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <tuple>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <benchmark/benchmark.h>

#include <toeplitz/fft/fftw.hpp>

#include "bench.hpp"

#if !defined(TOEPLITZ_BENCH_FLAGS)
#define TOEPLITZ_BENCH_FLAGS "unknown"
#endif

namespace toeplitz::bench {
namespace {

std::string name_of(const Case& c) {
    const std::string n = std::to_string(c.shape.n);
    const std::string d = std::to_string(c.shape.d);
    std::string name = c.path;
    if (c.shape.inputs == 0) {
        name += "/n:" + n + "/d:" + d;
    } else {
        name += "/rows:" + n + "/in:" + std::to_string(c.shape.inputs) + "/out:" + d;
    }
    if (c.shape.taps != 0) name += "/taps:" + std::to_string(c.shape.taps);
    if (c.shape.rank != 0) name += "/r:" + std::to_string(c.shape.rank);
    if (c.shape.block != 0) name += "/block:" + std::to_string(c.shape.block);
    if (c.shape.streams != 0) name += "/streams:" + std::to_string(c.shape.streams);
    if (c.shape.weights[0] != 0) name += std::string("/weights:") + c.shape.weights;
    return name + "/threads:" + std::to_string(c.shape.threads);
}

Cases all_cases() {
    Cases cases;
    add_floors(cases);
    add_dense(cases);
    add_fft(cases);
    add_causal_filter(cases);
    add_band(cases);
    add_ski(cases);
    add_band_ski(cases);
    add_spectral(cases);
    add_state_space(cases);
    add_position_mlp(cases);
    add_tno(cases);
    add_images(cases);
    add_block_floor(cases);
    add_block_tno(cases);
    add_block_fd(cases);
    add_block_ski(cases);
    add_linear_rows(cases);
    add_inference(cases);
    add_stream(cases);
    add_generate(cases);
    // Paths and floors of one shape run within seconds of each other, so that their ratio holds on a machine
    // whose speed drifts.
    std::stable_sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) {
        const auto key = [](const Shape& s) { return std::tuple(s.inputs, s.d, s.n, s.threads); };
        return key(a.shape) < key(b.shape);
    });
    return cases;
}

/// Prepares a case at its first call and keeps it for the next ones: Google Benchmark calls once for each
/// trial and each repetition. Only one case is kept, as some take gigabytes.
class Runner {
public:
    void run(benchmark::State& state, const Case& c) {
        try {
            prepare(c);
        } catch (const std::exception& failure) {
            failed_ = true;
            state.SkipWithError(failure.what());
            return;
        }
        // UseRealTime() would append to the name, so the wall clock is read here.
        using Clock = std::chrono::steady_clock;
        std::chrono::duration<double, std::nano> elapsed{};
        while (state.KeepRunningBatch(state.max_iterations)) {
            const Clock::time_point start = Clock::now();
            for (benchmark::IterationCount i = 0; i < state.max_iterations; ++i) {
                work_.run();
                benchmark::ClobberMemory();
            }
            elapsed = Clock::now() - start;
        }
        const double elements = static_cast<double>(c.shape.n * c.shape.d);
        state.counters["ns_per_element"] =
            elapsed.count() / (static_cast<double>(state.max_iterations) * elements);
        state.counters["state_bytes"] = static_cast<double>(work_.state_bytes);
        state.counters["workspace_bytes"] = static_cast<double>(work_.workspace_bytes);
        for (const auto& [name, value] : work_.counters) state.counters[name] = value;
    }

    bool failed() const noexcept { return failed_; }

private:
    void prepare(const Case& c) {
#if defined(_OPENMP)
        omp_set_num_threads(c.shape.threads);
#endif
        if (prepared_ == &c) return;
        prepared_ = nullptr;
        work_ = {};
        work_ = c.prepare(c.shape);
        work_.run();  // touches what is touched for the first time, and starts the threads
        prepared_ = &c;
    }

    const Case* prepared_ = nullptr;
    Work work_;
    bool failed_ = false;
};

double minimum(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

std::string cpu_model() {
    std::ifstream info("/proc/cpuinfo");
    std::string model = "unknown";
    std::string family = "?";
    std::string number = "?";
    for (std::string line; std::getline(info, line) && !line.empty();) {
        const std::size_t colon = line.find(": ");
        if (colon == std::string::npos) continue;
        const std::string value = line.substr(colon + 2);
        if (line.starts_with("model name")) {
            model = value;
        } else if (line.starts_with("cpu family")) {
            family = value;
        } else if (line.starts_with("model\t")) {
            number = value;
        }
    }
    // Virtual machines shorten the name; family and model tell the generation.
    return model + " (family " + family + " model " + number + ")";
}

std::string version_text(int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

void add_context(const std::string& arguments) {
#if defined(__clang__)
    const std::string compiler = std::string("clang++ ") + __clang_version__;
#else
    const std::string compiler = std::string("g++ ") + __VERSION__;
#endif
#if defined(_OPENMP)
    const std::string openmp = std::to_string(_OPENMP);
#else
    const std::string openmp = "off";
#endif
    benchmark::AddCustomContext("cpu_model", cpu_model());
    benchmark::AddCustomContext("compiler", compiler);
    benchmark::AddCustomContext("flags", TOEPLITZ_BENCH_FLAGS);
    benchmark::AddCustomContext("simd_bytes", std::to_string(TOEPLITZ_SIMD_BYTES));
    benchmark::AddCustomContext("fftw", fftwf_version);
    benchmark::AddCustomContext("eigen",
                                version_text(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION));
    benchmark::AddCustomContext("openmp", openmp);
    benchmark::AddCustomContext(
        "toeplitz", version_text(TOEPLITZ_VERSION_MAJOR, TOEPLITZ_VERSION_MINOR, TOEPLITZ_VERSION_PATCH));
    benchmark::AddCustomContext("arguments", arguments);
}

int main(int argc, char** argv) {
    std::string arguments;
    for (int i = 1; i < argc; ++i) arguments.append(i > 1 ? " " : "").append(argv[i]);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    add_context(arguments);

    const Cases cases = all_cases();
    Runner runner;
    for (const Case& c : cases) {
        benchmark::RegisterBenchmark(name_of(c).c_str(), [&runner, &c](benchmark::State& state) {
            runner.run(state, c);
        })->ComputeStatistics("min", minimum);
    }
    const std::size_t ran = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return ran == 0 || runner.failed() ? 1 : 0;
}

}  // namespace
}  // namespace toeplitz::bench

int main(int argc, char** argv) { return toeplitz::bench::main(argc, argv); }
