// SPDX-License-Identifier: MIT

/// \file
/// Sparse plus low-rank, the paper's operator, and its backward pass.

#include <toeplitz/operators/sum.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

using BandSki = Sum<Band<float>, Ski<float>>;

BandSki make(const Shape& shape) {
    const Array<float> taps = random_array(shape.taps, shape.d, 3);
    const Array<float> inducing = random_array(2 * shape.rank - 1, shape.d, 4);
    return Band<float>({.length = shape.n, .channels = shape.d, .taps = shape.taps}, taps) +
           Ski<float>({.length = shape.n, .channels = shape.d, .rank = shape.rank}, inducing);
}

Work product(const Shape& shape) { return product_of(make(shape)); }
Work gradient(const Shape& shape) {
    return backward_of(make(shape), BandSki::Kernel{Matrix<float>::Zero(shape.taps, shape.d),
                                                    Matrix<float>::Zero(2 * shape.rank - 1, shape.d)});
}

}  // namespace

void add_band_ski(Cases& cases) {
    for_each_shape([&](Shape shape) {
        shape.taps = default_taps;
        shape.rank = default_rank;
        cases.push_back({"BandSki", shape, product});
        cases.push_back({"BandSkiGradient", shape, gradient});
    });
}

}  // namespace toeplitz::bench
