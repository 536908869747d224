// SPDX-License-Identifier: MIT

/// \file
/// State spaces: the product of a whole sequence, and streams of blocks of n steps. A mode takes six
/// multiply-adds, which the floor computes in registers.

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
    // Of a stream n is the block.
    for (const Index d : {64, 512}) {
        for (const Index block : {1, 64, 512}) {
            for (const Index modes : {4, 8, 16, 32}) {
                const Shape shape{.n = block, .d = d};
                if (block != 512) add("FloorModes", shape, modes, floor_of);
                add("StateSpaceStream", shape, modes, stream);
            }
        }
    }
}

}  // namespace toeplitz::bench
