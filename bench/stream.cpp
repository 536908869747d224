// SPDX-License-Identifier: MIT

/// \file
/// Streams of a causal kernel, n steps in calls of some, for any calls or these alone, and the times of
/// single calls.

#include <chrono>

#include <toeplitz/stream/kernel_stream.hpp>

#include "bench.hpp"
#include "tiled_stream.hpp"

namespace toeplitz::bench {
namespace {

template <class Plan>
class Stream {
public:
    template <class... Options>
    explicit Stream(const Shape& shape, const Options&... options)
        : shape_(shape),
          plan_(MatrixView<const float>(random_array(shape.n, shape.d, 3)), options...),
          state_(plan_.make_state()),
          x_(random_array(shape.n, shape.d, 1)),
          y_(shape.n, shape.d) {}

    const Plan& plan() const noexcept { return plan_; }
    std::size_t state_bytes() const noexcept { return plan_.state_bytes() + state_.state_bytes(); }

    /// n steps.
    void run() {
        const MatrixView<const float> x = x_;
        const MatrixView<float> y = y_;
        for (Index t = 0; t < shape_.n; t += shape_.block) {
            const Index count = std::min(shape_.block, shape_.n - t);
            plan_.process(x.middle_rows(t, count), y.middle_rows(t, count), state_);
        }
    }

    /// Nanoseconds of calls of equal length: at each place the lower median of repeats that begin alike, as
    /// the operating system's pauses are no step's own.
    std::vector<double> call_times() {
        using Clock = std::chrono::steady_clock;
        constexpr std::size_t repeats = 4;
        const Index calls = std::max<Index>(2 * shape_.n / shape_.block, 16);
        const MatrixView<const float> x = x_;
        const MatrixView<float> y = y_;
        std::vector<double> times[repeats];
        for (auto& own : times) {
            plan_.reset(state_);
            for (Index call = 0; call < calls; ++call) {
                const Index first = call * shape_.block % (shape_.n - shape_.block + 1);
                const Clock::time_point start = Clock::now();
                plan_.process(x.middle_rows(first, shape_.block), y.middle_rows(first, shape_.block), state_);
                own.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
            }
        }
        std::vector<double> medians;
        for (std::size_t i = 0; i < times[0].size(); ++i) {
            double at[repeats];
            for (std::size_t r = 0; r < repeats; ++r) at[r] = times[r][i];
            std::sort(at, at + repeats);
            medians.push_back(at[(repeats - 1) / 2]);
        }
        return medians;
    }

private:
    Shape shape_;
    Plan plan_;
    typename Plan::State state_;
    Array<float> x_;
    Array<float> y_;
};

template <class Plan, class... Options>
Work stream(const Shape& shape, const Options&... options) {
    const auto stream = std::make_shared<Stream<Plan>>(shape, options...);
    std::vector<double> times = stream->call_times();
    double sum = 0;
    for (const double time : times) sum += time;
    std::sort(times.begin(), times.end());
    const auto last = static_cast<double>(times.size() - 1);
    Work work{.run = [stream] { stream->run(); },
              .state_bytes = stream->state_bytes(),
              .counters = {{"mean_ns", sum / static_cast<double>(times.size())},
                           {"p999_ns", times[static_cast<std::size_t>(0.999 * last)]},
                           {"worst_ns", times.back()}}};
    if constexpr (requires { stream->plan().step_bound(); }) {
        work.counters.emplace_back("bound_operations", static_cast<double>(stream->plan().step_bound()));
    }
    return work;
}

}  // namespace

void add_stream(Cases& cases) {
    for (const Index d : {1, 2, 3, 5, 8, 16, 64, 512}) {
        for (const Index n : {512, 4096, 16384, 65536}) {
            for (const Index block : {1, 64, 480, 512}) {
                cases.push_back({"Stream", {.n = n, .d = d, .block = block}, stream<KernelStream<float>>});
            }
            for (const Index block : {128, 512}) {
                cases.push_back({"BlockStream", {.n = n, .d = d, .block = block}, [](const Shape& shape) {
                                     return stream<KernelStream<float>>(shape,
                                                                        StreamOptions{.block = shape.block});
                                 }});
            }
            cases.push_back({"StreamTiled", {.n = n, .d = d, .block = 1}, stream<TiledStream>});
        }
    }
}

}  // namespace toeplitz::bench
