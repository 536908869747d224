// SPDX-License-Identifier: MIT
// What it costs to sum gradients over processes, beside a copy of the same bytes; the processes wait for each
// other before every sum. Prints the fastest of many.
//
//   mpirun -n 2 toeplitz_processes [repetitions]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <toeplitz/adapt/mpi.hpp>

namespace {

using namespace toeplitz;

/// Gradients in tensors of 64 Ki numbers, and what is left.
struct Gradients {
    std::vector<Vector<float>> tensors;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        const std::size_t count = (std::min)({sets.tensors.size()...});
        for (std::size_t i = 0; i < count; ++i) f(ParameterName("tensor"), sets.tensors[i]...);
    }
};

Gradients make_gradients(Index numbers) {
    Gradients gradients;
    for (Index left = numbers; left > 0; left -= Index{1} << 16) {
        gradients.tensors.push_back(Vector<float>::Zero(std::min(left, Index{1} << 16)));
    }
    return gradients;
}

template <class F>
double microseconds(F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

void measure(MpiCommunicator& processes, Index numbers, int repetitions) {
    const std::vector<Gradients> sets(1, make_gradients(numbers));
    ShardTensors tensors(processes.size(), processes.share(processes.size()));
    tensors.refer_to(sets);
    const std::size_t bytes = static_cast<std::size_t>(numbers) * sizeof(float);
    std::vector<char> from(bytes, 1), to(bytes, 2);
    double wait = 1e30, sum = 1e30, copy = 1e30;
    std::uint64_t sent = 0;
    for (int i = 0; i < repetitions; ++i) {
        processes.any(false);
        wait = std::min(wait, microseconds([&] { processes.any(false); }));
        copy = std::min(copy, microseconds([&] { std::memcpy(to.data(), from.data(), bytes); }));
        from[static_cast<std::size_t>(i) % bytes] = to[bytes / 2];
        processes.any(false);
        sent = processes.bytes_sent();
        sum = std::min(sum, microseconds([&] { processes.sum_shards(tensors); }));
        sent = processes.bytes_sent() - sent;
    }
    if (!processes.is_first()) return;
    std::printf("%9td %10.3f %10.3f %10.1f %10.1f %8.2f %8.1f\n", numbers, static_cast<double>(bytes) / 1e6,
                static_cast<double>(sent) / 1e6, sum, copy, sum / copy, wait);
}

}  // namespace

int main(int argc, char** argv) {
    const MpiSession session;
    MpiCommunicator processes;
    const int repetitions = argc > 1 ? std::atoi(argv[1]) : 30;
    if (processes.is_first()) {
        std::printf("%d processes\n%9s %10s %10s %10s %10s %8s %8s\n", static_cast<int>(processes.size()),
                    "numbers", "MB", "MB sent", "us sum", "us copy", "ratio", "us any()");
    }
    for (const Index numbers : {Index{1000}, Index{330'000}, Index{5'000'000}, Index{50'000'000}}) {
        measure(processes, numbers, repetitions);
    }
    processes.finish();
}
