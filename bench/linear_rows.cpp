// SPDX-License-Identifier: MIT

/// \file
/// Rows through an affine map: with weights that are packed once, and as they are given; reading the weights,
/// and the multiply-adds in registers, which are their floors.

#include <toeplitz/core/simd.hpp>
#include <toeplitz/nn/linear.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

struct Data {
    explicit Data(const Shape& shape)
        : linear({.inputs = shape.inputs, .outputs = shape.d}),
          parameters(linear.make_parameters(1)),
          x(random_array(shape.n, shape.inputs, 2)),
          y(shape.n, shape.d) {}
    Linear<float> linear;
    LinearParameters<float> parameters;
    Array<float> x;
    Array<float> y;
    Workspace ws;
};

Work as_given(const Shape& s) {
    const auto data = std::make_shared<Data>(s);
    return {[data] { data->linear.evaluate(data->parameters, data->x, data->y, data->ws); },
            static_cast<std::size_t>(parameter_count(data->parameters)) * sizeof(float),
            data->linear.required_workspace(1, s.n)};
}

Work packed(const Shape& s) {
    struct Packed : Data {
        explicit Packed(const Shape& shape)
            : Data(shape),
              prepared(linear.prepare(parameters, {.length = shape.n, .weights = weight_format(shape)})) {}
        Linear<float>::Prepared prepared;
    };
    const auto data = std::make_shared<Packed>(s);
    return {[data] { data->prepared.evaluate(data->x, data->y, data->ws); }, data->prepared.state_bytes(),
            data->prepared.required_workspace()};
}

/// Eight sums, so that none waits for another.
[[gnu::noinline]] float read(const float* from, Index count) {
    using V = Simd<float>;
    constexpr Index step = 8 * V::lanes;
    V::Pack sums[8] = {};
    for (Index i = 0; i + step <= count; i += step) {
        detail::unroll<8>([&](auto k)
                              TOEPLITZ_LAMBDA { sums[k] += V::load_unaligned(from + i + k * V::lanes); });
    }
    V::Pack sum{};
    for (const V::Pack& part : sums) sum += part;
    float total = 0;
    for (Index lane = 0; lane < V::lanes; ++lane) total += sum[lane];
    return total;
}

Work read_weights(const Shape& s) {
    struct Bytes {
        explicit Bytes(const Shape& shape)
            : weights(static_cast<Index>(packed(shape).state_bytes / sizeof(float))) {}
        Buffer<float> weights;
        std::vector<float> results = std::vector<float>(64 * 64);
    };
    const auto data = std::make_shared<Bytes>(s);
    return {[data, s] {
        detail::parallel_chunks(data->weights.size(), s.threads, [&](Index begin, Index end, int thread) {
            data->results[static_cast<std::size_t>(thread % 64) * 64] =
                read(data->weights.data() + begin, end - begin);
        });
    }};
}

Work multiply_adds(Shape s) {
    s.taps = s.inputs;
    return fma_floor(s);
}

}  // namespace

void add_linear_rows(Cases& cases) {
    for (const auto& [inputs, outputs] : {std::pair<Index, Index>{512, 1536}, {1536, 512}, {512, 512}}) {
        for (const Index rows : {1, 16, 2048}) {
            for (const int threads : thread_counts()) {
                Shape shape{.n = rows, .d = outputs, .inputs = inputs, .threads = threads};
                cases.push_back({"FloorFma", shape, multiply_adds});
                cases.push_back({"LinearAsGiven", shape, as_given});
                for (const auto& [word, format] : weight_formats) {
                    shape.weights = word;
                    cases.push_back({"FloorBytes", shape, read_weights});
                    cases.push_back({"LinearRows", shape, packed});
                }
            }
        }
    }
}

}  // namespace toeplitz::bench
