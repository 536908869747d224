// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Defines Calls and ModelCalls; included by the sources that instantiate them alone.

#include <support/nn.hpp>

namespace toeplitz::test {

template <class Module>
auto Calls<Module>::make_parameters(const Module& module, std::uint64_t seed) -> Parameters {
    return module.make_parameters(seed);
}

template <class Module>
void Calls<Module>::forward(const Module& module, const Parameters& parameters, View x,
                            const Sequences& sequences, MatrixView<Scalar> y, Cache& cache, Workspace& ws,
                            [[maybe_unused]] std::uint64_t dropout_seed) {
    if constexpr (requires { module.forward(parameters, x, sequences, y, cache, ws, dropout_seed); }) {
        module.forward(parameters, x, sequences, y, cache, ws, dropout_seed);
    } else {
        module.forward(parameters, x, sequences, y, cache, ws);
    }
}

template <class Module>
void Calls<Module>::backward(const Module& module, const Parameters& parameters, View x, const Cache& cache,
                             View g, MatrixView<Scalar> dx, Parameters& gradients, Workspace& ws) {
    module.backward(parameters, x, cache, g, dx, gradients, ws);
}

template <class Module>
auto Calls<Module>::prepare(const Module& module, const Parameters& parameters, Index length,
                            WeightFormat weights) -> Prepared {
    if constexpr (!requires { module.prepare(parameters, PrepareOptions{}); }) {
        return module.prepare(parameters, length);
    } else {
        return module.prepare(parameters, {.length = length, .weights = weights});
    }
}

template <class Module>
void Calls<Module>::evaluate(const Prepared& prepared, View x, MatrixView<Scalar> y, Workspace& ws,
                             Lengths lengths) {
    prepared.evaluate(x, y, ws, lengths);
}

template <class ModelType>
auto ModelCalls<ModelType>::make_parameters(const ModelType& model, std::uint64_t seed) -> Parameters {
    return model.make_parameters(seed);
}

template <class ModelType>
void ModelCalls<ModelType>::forward(const ModelType& model, const Parameters& parameters, Inputs inputs,
                                    const Sequences& sequences, MatrixView<Scalar> outputs, Cache& cache,
                                    Workspace& ws, std::uint64_t dropout_seed) {
    model.forward(parameters, inputs, sequences, outputs, cache, ws, dropout_seed);
}

template <class ModelType>
void ModelCalls<ModelType>::backward(const ModelType& model, const Parameters& parameters, Inputs inputs,
                                     const Cache& cache, MatrixView<const Scalar> g, Parameters& gradients,
                                     Workspace& ws, const FinishedGradients& finished) {
    model.backward(parameters, inputs, cache, g, gradients, ws, finished);
}

template <class ModelType>
auto ModelCalls<ModelType>::prepare(const ModelType& model, const Parameters& parameters, Index length,
                                    WeightFormat weights) -> Prepared {
    return model.prepare(parameters, {.length = length, .weights = weights});
}

template <class ModelType>
void ModelCalls<ModelType>::evaluate(const Prepared& prepared, Inputs inputs, MatrixView<Scalar> outputs,
                                     Workspace& ws, Lengths lengths) {
    prepared.evaluate(inputs, outputs, ws, lengths);
}

template <class Kernel, class Element>
void KernelCalls<Kernel, Element>::evaluate(const Kernel& kernel, const Parameters& parameters, Index size,
                                            MatrixView<Element> values, Workspace& ws) {
    kernel.evaluate(parameters, size, values, ws);
}

template <class Kernel, class Element>
void KernelCalls<Kernel, Element>::forward(const Kernel& kernel, const Parameters& parameters, Index size,
                                           MatrixView<Element> values, Cache& cache, Workspace& ws) {
    kernel.evaluate(parameters, size, values, ws, &cache);
}

template <class Kernel, class Element>
void KernelCalls<Kernel, Element>::backward(const Kernel& kernel, const Parameters& parameters,
                                            const Cache& cache, MatrixView<const Element> g,
                                            Parameters& gradients, Workspace& ws) {
    kernel.backward(parameters, cache, g, gradients, ws);
}

}  // namespace toeplitz::test
