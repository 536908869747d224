// SPDX-License-Identifier: MIT

/// \file
/// The exact product with a cached spectrum, its backward pass, and a training step of its kernel.

#include <toeplitz/operators/fft.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

template <Causality causality = Causality::bidirectional>
Fft<float, causality> make(const Shape& shape) {
    const Array<float> kernel = random_array(lag_count(shape.n, causality), shape.d, 3);
    return Fft<float, causality>({.length = shape.n, .channels = shape.d}, kernel);
}

Work bidirectional(const Shape& shape) { return product_of(make(shape)); }
Work causal(const Shape& shape) { return product_of(make<Causality::causal>(shape)); }
Work gradient(const Shape& shape) { return backward_of(make(shape), Array<float>(2 * shape.n - 1, shape.d)); }

Work step(const Shape& shape) {
    const auto kernel = std::make_shared<Array<float>>(random_array(2 * shape.n - 1, shape.d, 3));
    return step_of(
        Fft<float>({.length = shape.n, .channels = shape.d}),
        [kernel](Fft<float>& op, Workspace& ws) { op.set_kernel(*kernel, ws); },
        Array<float>(2 * shape.n - 1, shape.d));
}

}  // namespace

void add_fft(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"Fft", shape, bidirectional});
        cases.push_back({"FftCausal", shape, causal});
        cases.push_back({"FftGradient", shape, gradient});
        cases.push_back({"FftStep", shape, step});
    });
    for_each_short_shape([&](const Shape& shape) {
        cases.push_back({"Fft", shape, bidirectional});
        cases.push_back({"FftCausal", shape, causal});
    });
    for_each_narrow_shape([&](const Shape& shape) { cases.push_back({"Fft", shape, bidirectional}); });
}

}  // namespace toeplitz::bench
