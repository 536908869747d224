// SPDX-License-Identifier: MIT

/// \file
/// What no implementation can beat with the means at hand: FFTW's own transforms, a copy of x to y, and the
/// multiply-adds of a band; and a filter on FFTW, which one can.

#include <chrono>
#include <cstring>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/fft/fftw.hpp>
#include <toeplitz/fft/tree_twiddles.hpp>

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

/// As many multiply-adds as a band takes, in registers: ten sums, so that none waits for another. They have
/// names, as compilers keep an array of them in memory.
[[gnu::noinline]] float multiply_adds(Index count, float seed) {
    using V = Simd<float>;
    const V::Pack a = V::broadcast(seed);
    const V::Pack b = V::broadcast(1 - seed);
    V::Pack s0 = a, s1 = a + 1, s2 = a + 2, s3 = a + 3, s4 = a + 4;
    V::Pack s5 = a + 5, s6 = a + 6, s7 = a + 7, s8 = a + 8, s9 = a + 9;
    for (Index i = 0; i < count; i += 10) {
        s0 = s0 * a + b;
        s1 = s1 * a + b;
        s2 = s2 * a + b;
        s3 = s3 * a + b;
        s4 = s4 * a + b;
        s5 = s5 * a + b;
        s6 = s6 * a + b;
        s7 = s7 * a + b;
        s8 = s8 * a + b;
        s9 = s9 * a + b;
    }
    const V::Pack total = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9;
    return total[0];
}

/// A filter as one would write it by hand: blocks of r2c, product and c2r, channel after channel.
class OverlapSave {
public:
    OverlapSave(Index taps, Index size)
        : taps_(taps),
          size_(size),
          forward_(FftwKind::real_forward, size, PlannerEffort::measure),
          backward_(FftwKind::real_backward, size, PlannerEffort::measure),
          block_(1, size),
          kernel_(1, size / 2 + 1),
          spectrum_(1, size / 2 + 1) {
        const Array<float> h = random_array(1, taps, 3);
        std::fill_n(block_.data(), size, 0.0F);
        for (Index l = 0; l < taps; ++l) block_.data()[l] = h[l] / static_cast<float>(size);
        forward_.execute(block_.data(), kernel_.data());
    }

    void run(const Array<float>& x, Array<float>& y, Index n, Index d) {
        const Index step = size_ - taps_ + 1;
        for (Index c = 0; c < d; ++c) {
            for (Index begin = 0; begin < n; begin += step) {
                float* window = block_.data();
                const Index first = std::max<Index>(begin - (taps_ - 1), 0);
                const Index last = std::min(begin - (taps_ - 1) + size_, n);
                float* from = std::fill_n(window, first - (begin - (taps_ - 1)), 0.0F);
                for (Index t = first; t < last; ++t) from[t - first] = x[t * d + c];
                std::fill(from + (last - first), window + size_, 0.0F);
                forward_.execute(window, spectrum_.data());
                std::complex<float>* a = spectrum_.data();
                const std::complex<float>* b = kernel_.data();
                for (Index k = 0; k <= size_ / 2; ++k) {
                    a[k] = {a[k].real() * b[k].real() - a[k].imag() * b[k].imag(),
                            a[k].real() * b[k].imag() + a[k].imag() * b[k].real()};
                }
                backward_.execute(spectrum_.data(), block_.data());
                const Index end = std::min(begin + step, n);
                for (Index t = begin; t < end; ++t) y.data()[t * d + c] = block_[taps_ - 1 + t - begin];
            }
        }
    }

private:
    Index taps_;
    Index size_;
    FftwPlan<float> forward_;
    FftwPlan<float> backward_;
    Array<float> block_;
    Array<std::complex<float>> kernel_;
    Array<std::complex<float>> spectrum_;
};

// With the block, 4, 5, 6 or 7 times a power of two, that takes least time.
Work overlap_save(const Shape& shape) {
    struct Data {
        Array<float> x;
        Array<float> y;
        std::unique_ptr<OverlapSave> best;
    };
    const auto data = std::make_shared<Data>();
    data->x = random_array(shape.n, shape.d, 1);
    data->y = Array<float>(shape.n, shape.d);
    auto least = std::chrono::steady_clock::duration::max();
    for (Index size = 1024; size <= 16 * shape.taps || size <= 8192; size = detail::tree_size(size + 1)) {
        if (size < 2 * shape.taps) continue;
        auto filter = std::make_unique<OverlapSave>(shape.taps, size);
        auto time = least;
        for (int repeat = 0; repeat < 3; ++repeat) {
            const auto start = std::chrono::steady_clock::now();
            filter->run(data->x, data->y, shape.n, shape.d);
            time = std::min(time, std::chrono::steady_clock::now() - start);
        }
        if (time < least) data->best = std::move(filter);
        least = time;
    }
    return {[data, shape] { data->best->run(data->x, data->y, shape.n, shape.d); }, 0, 0};
}

}  // namespace

Work fma_floor(const Shape& shape) {
    const auto results = std::make_shared<std::vector<float>>(static_cast<std::size_t>(shape.threads) * 64);
    return {[results, shape] {
                const volatile float seed = 0.5F;  // nothing is computed in advance
                const Index packs = shape.n * shape.d * shape.taps / Simd<float>::lanes;
                detail::parallel_chunks(packs, shape.threads, [&](Index begin, Index end, int thread) {
                    (*results)[static_cast<std::size_t>(thread) * 64] = multiply_adds(end - begin, seed);
                });
            },
            0, 0};
}

void add_floors(Cases& cases) {
    for_each_shape([&](Shape shape) {
        cases.push_back({"FloorMemcpy", shape, memcpy});
        cases.push_back({"FloorFftw", shape, fftw});
        for (const Index taps : band_taps(shape.n)) {
            shape.taps = taps;
            cases.push_back({"FloorFma", shape, fma_floor});
        }
    });
    for_each_short_shape([&](const Shape& shape) { cases.push_back({"FloorFftw", shape, fftw}); });
    for_each_narrow_shape([&](const Shape& shape) { cases.push_back({"FloorFftw", shape, fftw}); });
    for_each_filter([&](const Shape& shape) { cases.push_back({"FloorOverlapSave", shape, overlap_save}); });
}

}  // namespace toeplitz::bench
