// SPDX-License-Identifier: MIT

/// \file
/// Operators given by their frequency response: the kernel from the response, and the product. With a cached
/// kernel they are Fft and FftCausal. And a training step of the response.

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
            data->op.state_bytes(), std::max(data->op.required_workspace(), data->op.kernel_workspace())};
}

/// The response is the parameter.
template <Causality causality>
Work step(const Shape& shape) {
    using Op = Spectral<float, causality>;
    using Response = typename Op::Response;
    constexpr Index reals = sizeof(Response) / sizeof(float);
    Op op({.length = shape.n, .channels = shape.d});
    const Index rows = op.frequencies();
    const auto numbers = std::make_shared<Array<float>>(random_array(rows, shape.d * reals, 3));
    return step_of(
        std::move(op),
        [numbers, rows, d = shape.d](Op& spectral, Workspace& ws) {
            spectral.set_kernel({reinterpret_cast<const Response*>(numbers->data()), rows, d}, ws);
        },
        Array<float>(rows, shape.d * reals),
        [rows, d = shape.d](Array<float>& gradient) {
            return MatrixView<Response>(reinterpret_cast<Response*>(gradient.data()), rows, d);
        });
}

}  // namespace

void add_spectral(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"Hilbert", shape, kernel_and_product<Causality::causal>});
        cases.push_back({"HilbertStep", shape, step<Causality::causal>});
        cases.push_back({"SpectralBidirectional", shape, kernel_and_product<Causality::bidirectional>});
        cases.push_back({"SpectralBidirectionalStep", shape, step<Causality::bidirectional>});
    });
}

}  // namespace toeplitz::bench
