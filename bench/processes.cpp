// SPDX-License-Identifier: MIT
// What it costs to sum gradients over processes, beside a copy of the same bytes; the processes wait for each
// other before every sum. Prints the fastest of many. Then steps of a model that computes little for its
// size, with sums that begin when all gradients are there, and while others are computed: medians of steps
// that alternate.
//
//   mpirun -n 2 toeplitz_processes [repetitions] [steps] [megabytes of a bucket]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/resource.h>

#include <toeplitz/adapt/mpi.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/train/trainer.hpp>

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

/// Milliseconds of both cores that this process has used.
double processor_time() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto ms = [](const timeval& t) {
        return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
    };
    return ms(used.ru_utime) + ms(used.ru_stime);
}

double median(std::vector<double> numbers) {
    std::sort(numbers.begin(), numbers.end());
    return numbers[numbers.size() / 2];
}

void measure_steps(MpiCommunicator& processes, int steps) {
    using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;
    constexpr Index n = 64;
    const Net net({.input = {.inputs = 1}, .width = 256, .layers = 8, .outputs = 1});
    Net::Parameters parameters = net.make_parameters(1);
    Trainer<Net::Parameters> trainer(parameters, {.shards = processes.size()}, processes);
    Net::Cache cache;
    Workspace ws;
    const Matrix<float> x = Matrix<float>::Random(n, 1);
    Matrix<float> y(n, 1);
    std::vector<double> times[2], processor[2];
    double early[2] = {}, sent = 0;
    for (int i = -2; i < 2 * steps; ++i) {
        const bool overlaps = i % 2 != 0;
        StepReport report;
        processes.any(false);
        const double before = processor_time();
        const double time = microseconds([&] {
            report = trainer.step(parameters, [&](const auto& p, const Part& part, auto& gradients) {
                net.forward(p, x, n, y, cache, ws);
                const auto loss = squared_error(y, x, y, ws);
                net.backward(p, x, cache, y, gradients, ws, overlaps ? part.finished : FinishedGradients());
                return loss;
            });
        });
        if (i < 0) continue;
        times[overlaps].push_back(time / 1e3);
        processor[overlaps].push_back(processor_time() - before);
        early[overlaps] = static_cast<double>(report.bytes_sent_early) / 1e6;
        sent = static_cast<double>(report.bytes_sent) / 1e6;
    }
    if (!processes.is_first()) return;
    std::printf("\n%s %8s %8s %8s %8s\n", "step: the sum begins", "ms", "CPU ms", "MB early", "MB sent");
    for (const int overlaps : {0, 1}) {
        std::printf("%-20s %8.1f %8.1f %8.1f %8.1f\n",
                    overlaps == 0 ? "afterwards" : "while others are computed", median(times[overlaps]),
                    median(processor[overlaps]), early[overlaps], sent);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const MpiSession session;
    const Index megabytes = argc > 3 ? std::atol(argv[3]) : 4;
    MpiCommunicator processes(MPI_COMM_WORLD, {.bucket_bytes = megabytes << 20});
    const int repetitions = argc > 1 ? std::atoi(argv[1]) : 30;
    const int steps = argc > 2 ? std::atoi(argv[2]) : 20;
    if (processes.is_first()) {
        std::printf("%d processes\n%9s %10s %10s %10s %10s %8s %8s\n", static_cast<int>(processes.size()),
                    "numbers", "MB", "MB sent", "us sum", "us copy", "ratio", "us any()");
    }
    for (const Index numbers : {Index{1000}, Index{330'000}, Index{5'000'000}, Index{50'000'000}}) {
        measure(processes, numbers, repetitions);
    }
    measure_steps(processes, steps);
    processes.finish();
}
