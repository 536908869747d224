// SPDX-License-Identifier: MIT

/// \file
/// Sparse plus low-rank, the paper's operator, its backward pass, and a training step of it.

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
std::pair<Matrix<float>, Matrix<float>> zero_gradient(const Shape& shape) {
    return {Matrix<float>::Zero(shape.taps, shape.d), Matrix<float>::Zero(2 * shape.rank - 1, shape.d)};
}
Work gradient(const Shape& shape) { return backward_of(make(shape), zero_gradient(shape)); }
Work step(const Shape& shape) {
    const auto taps = std::make_shared<Array<float>>(random_array(shape.taps, shape.d, 3));
    const auto inducing = std::make_shared<Array<float>>(random_array(2 * shape.rank - 1, shape.d, 4));
    return step_of(
        make(shape),
        [taps, inducing](BandSki& op, Workspace& ws) {
            op.set_kernel({*taps, *inducing}, ws);
        },
        zero_gradient(shape));
}

}  // namespace

void add_band_ski(Cases& cases) {
    for_each_shape([&](Shape shape) {
        shape.taps = default_taps;
        shape.rank = default_rank;
        cases.push_back({"BandSki", shape, product});
        cases.push_back({"BandSkiGradient", shape, gradient});
        cases.push_back({"BandSkiStep", shape, step});
    });
}

}  // namespace toeplitz::bench
