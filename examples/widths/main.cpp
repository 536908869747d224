// SPDX-License-Identifier: MIT
// One program for all processors: it asks the one at hand what it has, and computes in the widest vectors.
// Prints what each width that runs here takes, as a table.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "work.hpp"

namespace {

using namespace widths;

struct Choice {
    const char* name;
    bool (*runs_here)();
    Width (*get)();
};

// The widest first. What a width asks for is what its object file is compiled for, no less (CMakeLists.txt).
const Choice choices[] = {
    {"avx512",
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("fma");
     },
     avx512},
    {"avx2", [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }, avx2},
    {"sse2", [] { return true; }, sse2},
};

double seconds(Work& work, const std::vector<float>& x, std::vector<float>& y) {
    const auto start = std::chrono::steady_clock::now();
    work.run(x.data(), y.data());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    const std::ptrdiff_t n = argc > 1 ? std::atol(argv[1]) : 512;
    const std::ptrdiff_t d = argc > 2 ? std::atol(argv[2]) : 64;
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
    if (n < 1 || d < 1 || rounds < 1) {
        std::fprintf(stderr, "usage: widths [n] [d] [rounds]\n");
        return 2;
    }
    const auto count = static_cast<std::size_t>(n * d);
    std::vector<float> x(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));

    struct Row {
        const char* name;
        std::size_t vector_bytes;
        std::unique_ptr<Work> work[2];
        std::vector<float> y[2] = {};
        double best[2] = {HUGE_VAL, HUGE_VAL};
    };
    std::vector<Row> rows;
    for (const Choice& choice : choices) {
        if (!choice.runs_here()) {
            std::printf("%s: not on this processor\n", choice.name);
            continue;
        }
        const Width width = choice.get();
        rows.push_back({choice.name, width.vector_bytes, {width.make_product(n, d), width.make_layer(n, d)}});
        for (std::vector<float>& y : rows.back().y) y.resize(count);
    }
    std::printf("chosen: %s\n", rows.front().name);
    for (int round = 0; round < rounds; ++round) {
        for (Row& row : rows) {
            for (const int i : {0, 1})
                row.best[i] = std::min(row.best[i], seconds(*row.work[i], x, row.y[i]));
        }
    }
    std::printf("width   vectors   ns per element: product     layer   (n = %td, d = %td)\n", n, d);
    const Row& narrowest = rows.back();
    double largest = 0;
    for (const Row& row : rows) {
        std::printf("%-6s %3zu bytes %24.2f %9.2f\n", row.name, row.vector_bytes,
                    row.best[0] * 1e9 / static_cast<double>(count),
                    row.best[1] * 1e9 / static_cast<double>(count));
        for (const int i : {0, 1}) {
            double square = 0;
            double size = 0;
            for (std::size_t j = 0; j < count; ++j) {
                const double expected = static_cast<double>(narrowest.y[i][j]);
                square += std::pow(static_cast<double>(row.y[i][j]) - expected, 2);
                size += expected * expected;
            }
            largest = std::max(largest, std::sqrt(square / size));
        }
    }
    std::printf("results of all widths agree within 1e-5: %s\n", largest < 1e-5 ? "yes" : "no");
    return largest < 1e-5 ? 0 : 1;
}
