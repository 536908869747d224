// SPDX-License-Identifier: MIT

/// \file
/// The band alone.

#include <toeplitz/operators/band.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

Work product(const Shape& shape) {
    const Array<float> kernel = random_array(shape.taps, shape.d, 3);
    return product_of(Band<float>({.length = shape.n, .channels = shape.d, .taps = shape.taps}, kernel));
}

}  // namespace

void add_band(Cases& cases) {
    for_each_shape([&](Shape shape) {
        for (const Index taps : {Index{5}, Index{9}, default_taps, Index{65}}) {
            shape.taps = taps;
            if (taps == default_taps || shape.n == 2048) cases.push_back({"Band", shape, product});
        }
    });
}

}  // namespace toeplitz::bench
