// SPDX-License-Identifier: MIT

/// \file
/// What no implementation can beat with the means at hand: FFTW's own transforms, and a copy of x to y.

#include <cstring>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/fft/fftw.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

// The transforms of an exact product by padding to 2n, one forward and one backward per channel, and nothing
// else: no multiplication, no change of layout. Each thread's channels share one set of buffers, as channels
// processed one after the other would.
Work fftw(const Shape& shape) {
    struct Data {
        explicit Data(const Shape& s)
            : forward(FftwKind::real_forward, 2 * s.n, PlannerEffort::measure),
              backward(FftwKind::real_backward, 2 * s.n, PlannerEffort::measure) {
            for (int t = 0; t < s.threads; ++t) {
                x.push_back(random_array(1, 2 * s.n, static_cast<std::uint64_t>(t)));
                spectrum.emplace_back(1, s.n + 1);
                y.emplace_back(1, 2 * s.n);
            }
        }
        FftwPlan<float> forward;
        FftwPlan<float> backward;
        std::vector<Array<float>> x;
        std::vector<Array<std::complex<float>>> spectrum;
        std::vector<Array<float>> y;
    };
    const auto data = std::make_shared<Data>(shape);
    return {[data, shape] {
                detail::parallel_chunks(shape.d, shape.threads, [&](Index begin, Index end, int thread) {
                    const auto t = static_cast<std::size_t>(thread);
                    for (Index c = begin; c < end; ++c) {
                        data->forward.execute(data->x[t].data(), data->spectrum[t].data());
                        data->backward.execute(data->spectrum[t].data(), data->y[t].data());
                    }
                });
            },
            0, 0};
}

Work memcpy(const Shape& shape) {
    struct Data {
        Array<float> x;
        Array<float> y;
    };
    const auto data = std::make_shared<Data>(
        Data{.x = random_array(shape.n, shape.d, 1), .y = Array<float>(shape.n, shape.d)});
    return {[data, shape] {
                detail::parallel_chunks(data->x.size(), shape.threads, [&](Index begin, Index end, int) {
                    std::memcpy(data->y.data() + begin, data->x.data() + begin,
                                static_cast<std::size_t>(end - begin) * sizeof(float));
                });
            },
            0, 0};
}

}  // namespace

void add_floors(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"FloorMemcpy", shape, memcpy});
        cases.push_back({"FloorFftw", shape, fftw});
    });
}

}  // namespace toeplitz::bench
