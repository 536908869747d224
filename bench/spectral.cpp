// SPDX-License-Identifier: MIT

/// \file
/// Operators given by their frequency response: the kernel from the response, and the product. With a cached
/// kernel they are Fft and FftCausal.

#include <toeplitz/operators/spectral.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

template <Causality causality>
Work kernel_and_product(const Shape& shape) {
    using Op = Spectral<float, causality>;
    using Response = typename Op::Response;
    struct Data {
        explicit Data(const Shape& s) : op({.length = s.n, .channels = s.d}) {
            constexpr Index reals = sizeof(Response) / sizeof(float);
            numbers = random_array(op.frequencies(), s.d * reals, 3);
            response = {reinterpret_cast<const Response*>(numbers.data()), op.frequencies(), s.d};
            ws.reserve(std::max(op.required_workspace(), op.kernel_workspace()));
        }
        Op op;
        Array<float> numbers;
        MatrixView<const Response> response;
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> y{op.length(), op.channels()};
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(shape);
    return {[data] {
                data->op.set_kernel(data->response, data->ws);
                data->op.apply(data->x, data->y, data->ws);
            },
            data->op.state_bytes(), data->ws.capacity()};
}

}  // namespace

void add_spectral(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"Hilbert", shape, kernel_and_product<Causality::causal>});
        cases.push_back({"SpectralBidirectional", shape, kernel_and_product<Causality::bidirectional>});
    });
}

}  // namespace toeplitz::bench
