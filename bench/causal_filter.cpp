// SPDX-License-Identifier: MIT

/// \file
/// A filter over a signal that is much longer.

#include <toeplitz/operators/causal_filter.hpp>

#include "bench.hpp"

namespace toeplitz::bench {

void add_causal_filter(Cases& cases) {
    for_each_filter([&](const Shape& each) {
        cases.push_back({"CausalFilter", each, [](const Shape& shape) {
                             const Array<float> kernel = random_array(shape.taps, shape.d, 3);
                             return product_of(CausalFilter<float>(
                                 {.length = shape.n, .channels = shape.d, .taps = shape.taps}, kernel));
                         }});
    });
}

}  // namespace toeplitz::bench
