// SPDX-License-Identifier: MIT
// toeplitz doctor: what this program was compiled for, what the machine has, and what of it makes things
// slow.

#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include <toeplitz/operators/fft.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/timing.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;

/// The first line of a file, or nothing.
std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// What /proc/cpuinfo says behind the first "key : ".
std::string processor(const std::string& key) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        const std::size_t colon = line.find(": ");
        if (colon != std::string::npos) return line.substr(colon + 2);
    }
    return {};
}

bool has_word(const std::string& words, const std::string& word) {
    return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

/// Instruction sets that products gain from, widest last, in the words of /proc/cpuinfo.
struct InstructionSet {
    const char* name;
    bool compiled;
};
constexpr InstructionSet instruction_sets[] = {
#if defined(__x86_64__)
    {"avx2",
#if defined(__AVX2__)
     true
#else
     false
#endif
    },
    {"avx512f",
#if defined(__AVX512F__)
     true
#else
     false
#endif
    },
    {"avx512_vnni",
#if defined(__AVX512VNNI__)
     true
#else
     false
#endif
    },
    {"avx512_bf16",
#if defined(__AVX512BF16__)
     true
#else
     false
#endif
    },
#endif
};

constexpr bool is_optimised =
#if defined(__OPTIMIZE__)
    true;
#else
    false;
#endif
constexpr bool has_openmp =
#if defined(_OPENMP)
    true;
#else
    false;
#endif

/// Processors that this process may use.
int usable_processors() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
}

/// Processors that the container's limit amounts to; 0: no limit.
double processor_limit() {
    std::istringstream line(first_line("/sys/fs/cgroup/cpu.max"));
    std::string quota;
    double period = 0;
    if (!(line >> quota >> period) || quota == "max" || period <= 0) return 0;
    return std::stod(quota) / period;
}

/// Nanoseconds for each number of an exact product, and of a copy of the same memory.
struct Speed {
    double product = 0;
    double copy = 0;
};
Speed measure() {
    const Index n = 4096, d = 64;
    Matrix<float> lags(2 * n - 1, d);
    for (Index t = 0; t < lags.rows(); ++t)
        lags.row(t).setConstant(1.0F / static_cast<float>(1 + std::abs(t - n + 1)));
    const Fft<float> op({.length = n, .channels = d}, lags);
    const Matrix<float> x = Matrix<float>::Ones(n, d);
    Matrix<float> y(n, d);
    Workspace ws(op.required_workspace());
    const auto per_number = [&](double seconds) { return 1e9 * seconds / static_cast<double>(n * d); };
    return {per_number(examples::median_seconds([&] { op.apply(x, y, ws); })),
            per_number(examples::median_seconds([&] {
                std::memcpy(y.data(), x.data(), sizeof(float) * static_cast<std::size_t>(x.size()));
            }))};
}

Report diagnose(int threads) {
    Report report;
    Json advice = Json::array();
    const auto advise = [&](const std::string& what, const std::string& remedy) {
        advice.push_back({{"what", what}, {"remedy", remedy}});
    };
    const auto say = [&](const char* key, const Json& value) {
        report.facts[key] = value;
        print(report.text, "%-22s %s\n", key,
              value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
    };
    say("version", TOEPLITZ_PROGRAM_VERSION);
    say("compiler", std::string(
#if defined(__clang__)
                        "clang++ "
#else
                        "g++ "
#endif
                        __VERSION__));
    say("flags", TOEPLITZ_PROGRAM_FLAGS);
    say("optimised", is_optimised);
    if (!is_optimised)
        advise("compiled without optimisation: many times slower", "-D CMAKE_BUILD_TYPE=Release");
    const std::string name = processor("model name");
    say("processor", name.empty() ? "unknown" : name);
    const std::string flags = processor("flags");
    say("vector_bytes", Simd<float>::lanes * static_cast<Index>(sizeof(float)));
    std::string compiled, missing;
    for (const InstructionSet& set : instruction_sets) {
        if (set.compiled) compiled += std::string(compiled.empty() ? "" : " ") + set.name;
        if (!set.compiled && has_word(flags, set.name))
            missing += std::string(missing.empty() ? "" : " ") + set.name;
    }
    say("instructions_used", compiled.empty() ? "those of every processor" : compiled);
    say("instructions_unused", flags.empty() ? "unknown" : missing.empty() ? "none" : missing);
    if (!missing.empty()) {
        advise("the processor has " + missing + ", which this program does not use",
               "compile with -march=native: -D CMAKE_CXX_FLAGS=-march=native");
    }
    const int usable = usable_processors();
    say("threads", threads);
    say("openmp", has_openmp);
    say("processors", usable);
    if (!has_openmp && usable > 1)
        advise("compiled without OpenMP: one thread",
               "install the compiler's OpenMP, or -D TOEPLITZ_OPENMP=ON");
    const double limit = processor_limit();
    say("processor_limit", limit > 0 ? Json(limit) : Json("none"));
    if (threads > usable || (limit > 0 && threads > limit + 0.5)) {
        advise("more threads than processors for them: they wait for each other",
               "--threads, or OMP_NUM_THREADS");
    }
    double load = 0;
    std::istringstream(first_line("/proc/loadavg")) >> load;
    say("load", load);
    if (load > usable - threads + 0.5) {
        advise(
            "others use the processors: times are larger than they need be, and threads wait for each other",
            "wait until the machine is idle, or take fewer threads");
    }
    const std::string pages = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
    say("huge_pages", pages.empty() ? "unknown" : pages);
    if (pages.find("[never]") != std::string::npos) {
        advise("no huge pages: long sequences miss the cache of addresses",
               "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    }
    const Speed speed = measure();
    const auto rounded = [](double value) { return std::round(100 * value) / 100; };
    say("product_ns", rounded(speed.product));
    say("copy_ns", rounded(speed.copy));
    report.text +=
        "product_ns: of each number of an exact product, n = 4096, 64 channels, float; copy_ns: of a copy\n";
    report.facts["advice"] = advice;
    if (advice.empty()) report.text += "nothing is in the way\n";
    for (const Json& item : advice) {
        report.text += "slow: " + item["what"].get<std::string>() + "\n      " +
                       item["remedy"].get<std::string>() + "\n";
    }
    return report;
}

}  // namespace

Run add_doctor(CLI::App&) {
    return [](const Context&) { return diagnose(examples::use_threads(0)); };
}

}  // namespace program
