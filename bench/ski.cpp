// SPDX-License-Identifier: MIT

/// \file
/// The low-rank part alone.

#include <toeplitz/operators/ski.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

Work product(const Shape& shape) {
    const Array<float> kernel = random_array(2 * shape.rank - 1, shape.d, 4);
    return product_of(Ski<float>({.length = shape.n, .channels = shape.d, .rank = shape.rank}, kernel));
}

}  // namespace

void add_ski(Cases& cases) {
    for_each_shape([&](Shape shape) {
        for (const Index rank : {default_rank, Index{256}}) {
            shape.rank = rank;
            if (rank == default_rank || shape.n == 2048) cases.push_back({"Ski", shape, product});
        }
    });
}

}  // namespace toeplitz::bench
