// SPDX-License-Identifier: MIT

/// \file
/// The band alone, and a training step of it.

#include <toeplitz/operators/band.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

Work product(const Shape& shape) {
    const Array<float> kernel = random_array(shape.taps, shape.d, 3);
    return product_of(Band<float>({.length = shape.n, .channels = shape.d, .taps = shape.taps}, kernel));
}

Work step(const Shape& shape) {
    const auto kernel = std::make_shared<Array<float>>(random_array(shape.taps, shape.d, 3));
    return step_of(
        Band<float>({.length = shape.n, .channels = shape.d, .taps = shape.taps}, *kernel),
        [kernel](Band<float>& op, Workspace&) { op.set_kernel(*kernel); }, Array<float>(shape.taps, shape.d));
}

}  // namespace

void add_band(Cases& cases) {
    for_each_shape([&](Shape shape) {
        for (const Index taps : band_taps(shape.n)) {
            shape.taps = taps;
            cases.push_back({"Band", shape, product});
            if (taps == default_taps) cases.push_back({"BandStep", shape, step});
        }
    });
    for_each_narrow_shape([&](Shape shape) {
        shape.taps = default_taps;
        cases.push_back({"Band", shape, product});
    });
}

}  // namespace toeplitz::bench
