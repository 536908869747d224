// SPDX-License-Identifier: MIT
// Uses what toeplitz::compiled holds as programs do. Never run: instantiated.query looks at what has to be
// compiled for it.

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/io/any_model.hpp>
#include <toeplitz/toeplitz.hpp>

namespace {

using namespace toeplitz;

struct Data {
    std::span<const Token> tokens;
    MatrixView<const float> features;
    MatrixView<float> outputs;
};

void run_a_file(const Data& data, Workspace& ws, AnyModel<float>::Stream::State& state) {
    const auto model = AnyModel<float>::load("model.safetensors");
    const auto prepared = model.prepare(/*length=*/512);
    prepared.evaluate(data.tokens, data.outputs, ws);
    prepared.evaluate(data.features, data.outputs, ws);
    const auto plan = model.stream(/*length=*/512);
    plan.step(data.tokens, data.outputs, state);
    plan.step(data.features, data.outputs, state);
    plan.process(data.tokens, data.outputs, state);
    plan.process(data.features, data.outputs, state);
    plan.prefill(data.tokens, state);
    plan.prefill(data.features, state);
}

template <class Net>
void train_and_run(const Net& net, const Data& data, Workspace& ws) {
    auto parameters = net.make_parameters();
    auto gradients = parameters;
    typename Net::Cache cache;
    net.forward(parameters, data.tokens, {512}, data.outputs, cache, ws);
    net.backward(parameters, data.tokens, cache, data.outputs, gradients, ws);
    net.prepare(parameters, 512).evaluate(data.tokens, data.outputs, ws);
}

}  // namespace

void use_compiled(const Data& data, AnyModel<float>::Stream::State& state) {
    Workspace ws;
    run_a_file(data, ws, state);
    train_and_run(Model<Tno<float, Causality::bidirectional>>({}), data, ws);
    train_and_run(Model<SkiTno<float, Causality::causal>>({}), data, ws);
    train_and_run(Model<FdTno<float, Causality::causal>>({}), data, ws);
    const Approximation<float> chosen = choose(data.features, {.tolerance = 1e-3});
    error_bound(data.features, chosen);
}
