// SPDX-License-Identifier: MIT

/// \file
/// The whole Toeplitz neural operator: its kernel from the position perceptron at every call, and the exact
/// product; and a training step of it, down to the perceptron's parameters.

#include <toeplitz/nn/tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {
namespace {

template <Causality causality>
Tno<float, causality> make(const Shape& shape) {
    return Tno<float, causality>(TnoOptions{.channels = shape.d, .mlp = {.width = mlp_width}});
}

template <Causality causality>
Work kernel_and_product(const Shape& shape) {
    struct Data {
        explicit Data(const Shape& s)
            : tno(make<causality>(s)),
              parameters(tno.make_parameters(1)),
              op({.length = s.n, .channels = s.d}),
              x(random_array(s.n, s.d, 1)),
              y(s.n, s.d) {}
        Tno<float, causality> tno;
        typename Tno<float, causality>::Parameters parameters;
        Fft<float, causality> op;
        Array<float> x;
        Array<float> y;
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(shape);
    const auto run = [data] {
        const Index n = data->op.length();
        Workspace::Scope scope(data->ws);
        const MatrixView<float> kernel = scope.matrix<float>(lag_count(n, causality), data->op.channels());
        data->tno.kernel().evaluate(data->parameters, n, kernel, data->ws);
        data->op.set_kernel(kernel, data->ws);
        data->op.apply(data->x, data->y, data->ws);
    };
    for (int i = 0; i < 2; ++i) run();  // the workspace has its size then
    return {run, data->op.state_bytes(), data->ws.capacity()};
}

template <Causality causality>
Work step(const Shape& shape) {
    using Operator = Tno<float, causality>;
    struct Data {
        explicit Data(const Shape& s)
            : tno(make<causality>(s)),
              parameters(tno.make_parameters(1)),
              gradients(zeros_like(parameters)),
              x(random_array(s.n, s.d, 1)),
              g(random_array(s.n, s.d, 2)),
              y(s.n, s.d),
              dx(s.n, s.d) {}
        Operator tno;
        typename Operator::Parameters parameters;
        typename Operator::Parameters gradients;
        typename Operator::Cache cache;
        Array<float> x;
        Array<float> g;
        Array<float> y;
        Array<float> dx;
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(shape);
    const auto run = [data, n = shape.n] {
        set_zero(data->gradients);
        data->tno.forward(data->parameters, data->x, Sequences{n}, data->y, data->cache, data->ws);
        data->tno.backward(data->parameters, data->x, data->cache, data->g, data->dx, data->gradients,
                           data->ws);
    };
    for (int i = 0; i < 2; ++i) run();  // cache and workspace have their sizes then
    return {run, data->cache.op->state_bytes(), data->ws.capacity()};
}

}  // namespace

void add_tno(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"TnoBidirectional", shape, kernel_and_product<Causality::bidirectional>});
        cases.push_back({"TnoBidirectionalStep", shape, step<Causality::bidirectional>});
        cases.push_back({"TnoCausal", shape, kernel_and_product<Causality::causal>});
        cases.push_back({"TnoCausalStep", shape, step<Causality::causal>});
    });
}

}  // namespace toeplitz::bench
