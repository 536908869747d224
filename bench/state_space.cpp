// SPDX-License-Identifier: MIT

/// \file
/// State spaces: the product of a whole sequence, and streams of blocks of n steps. A mode takes six
/// multiply-adds, which the floor computes in registers; in a single step it reads six numbers and writes
/// two, which the floor of bytes does.

#include <complex>

#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/stream/state_space_stream.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

using Modes = Matrix<std::complex<float>>;

struct Kernel {
    Modes poles;
    Modes residues;
    Matrix<float> direct;

    Kernel(Index modes, Index channels)
        : poles(modes, channels), residues(modes, channels), direct(1, channels) {
        const CounterRandom random(3);
        for (Index i = 0; i < poles.size(); ++i) {
            const auto draw = static_cast<std::uint64_t>(2 * i);
            poles.data()[i] =
                std::complex<float>(std::polar(0.99 * random.uniform(draw), random.uniform(draw + 1)));
            residues.data()[i] = 1;
        }
        direct.setOnes();
    }
    operator StateSpaceKernel<const float>() const { return {poles, residues, direct}; }
};

Work product(const Shape& shape, Index modes) {
    return product_of(
        StateSpace<float>({.length = shape.n, .channels = shape.d, .modes = modes}, Kernel(modes, shape.d)));
}

Work stream(const Shape& shape, Index modes) {
    struct Data {
        Data(const Shape& s, Index m)
            : plan(Kernel(m, s.d)), state(plan.make_state()), x(random_array(s.n, s.d, 1)), y(s.n, s.d) {}
        StateSpaceStream<float> plan;
        StateSpaceStream<float>::State state;
        Array<float> x;
        Array<float> y;
    };
    const auto data = std::make_shared<Data>(shape, modes);
    return {[data] { data->plan.process(data->x, data->y, data->state); },
            data->plan.state_bytes() + data->state.state_bytes(), 0};
}

Work floor_of(Shape shape, Index modes) {
    shape.taps = 6 * modes;
    return fma_floor(shape);
}

// The numbers of all modes, of which those of the state are written: zeros, as what is written is read again.
Work bytes_of(const Shape& shape, Index modes) {
    using S = Simd<float>;
    const Index count = shape.d / S::lanes * modes;
    const auto coefficients = std::make_shared<Buffer<float>>(count * 4 * S::lanes);
    const auto states = std::make_shared<Buffer<float>>(count * 2 * S::lanes);
    return {[=] {
                const float* c = coefficients->data();
                float* u = states->data();
                for (Index i = 0; i < count; ++i, c += 4 * S::lanes, u += 2 * S::lanes) {
                    S::store(u, S::load(u) + (S::load(c) + S::load(c + S::lanes)));
                    S::store(u + S::lanes,
                             S::load(u + S::lanes) + (S::load(c + 2 * S::lanes) + S::load(c + 3 * S::lanes)));
                }
            },
            static_cast<std::size_t>(6 * count * S::lanes) * sizeof(float), 0};
}

}  // namespace

void add_state_space(Cases& cases) {
    const auto add = [&](const std::string& path, const Shape& shape, Index modes, auto&& prepare) {
        const std::string name = path + "/s" + std::to_string(modes);
        cases.push_back({name, shape, [=](const Shape& s) { return prepare(s, modes); }});
    };
    for_each_shape([&](const Shape& shape) {
        for (const Index modes : {4, 8, 16, 32}) {
            add("FloorModes", shape, modes, floor_of);
            add("StateSpace", shape, modes, product);
        }
    });
    for_each_narrow_shape([&](const Shape& shape) { add("StateSpace", shape, 16, product); });
    for (const Index d : {1, 2, 3, 5, 8}) {
        for (const Index block : {1, 512}) add("StateSpaceStream", {.n = block, .d = d}, 16, stream);
    }
    // Of a stream n is the block.
    for (const Index d : {64, 512}) {
        for (const Index block : {1, 64, 512}) {
            for (const Index modes : {4, 8, 16, 32}) {
                const Shape shape{.n = block, .d = d};
                if (block != 512) add("FloorModes", shape, modes, floor_of);
                if (block == 1) add("FloorBytes", shape, modes, bytes_of);
                add("StateSpaceStream", shape, modes, stream);
            }
        }
    }
}

}  // namespace toeplitz::bench
