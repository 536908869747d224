// SPDX-License-Identifier: MIT

/// \file
/// The product by its definition, where that is bearable. It uses one thread.

#include <toeplitz/operators/dense.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

Work product(const Shape& shape) {
    const Array<float> kernel = random_array(2 * shape.n - 1, shape.d, 3);
    return product_of(Dense<float>({.length = shape.n, .channels = shape.d}, kernel));
}

}  // namespace

void add_dense(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        if (shape.n <= 2048 && shape.threads == 1) cases.push_back({"Dense", shape, product});
    });
}

}  // namespace toeplitz::bench
