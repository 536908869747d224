// SPDX-License-Identifier: MIT

/// \file
/// What packing weights once gives to a few rows and to many: an affine map 512 → 1536, and a layer at
/// inference, whose kernel is evaluated. n counts the rows.

#include <toeplitz/nn/linear.hpp>
#include <toeplitz/nn/tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {
namespace {

enum class Weights { as_given, packed };

Work linear(const Shape& s, Weights weights) {
    struct Data {
        explicit Data(const Shape& shape)
            : linear({.inputs = shape.d, .outputs = 3 * shape.d}),
              parameters(linear.make_parameters(1)),
              prepared(linear.prepare(parameters)),
              x(random_array(shape.n, shape.d, 2)),
              y(shape.n, 3 * shape.d) {}
        Linear<float> linear;
        LinearParameters<float> parameters;
        Linear<float>::Prepared prepared;
        Array<float> x;
        Array<float> y;
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(s);
    if (weights == Weights::packed) {
        return {[data] { data->prepared.evaluate(data->x, data->y, data->ws); },
                data->prepared.state_bytes()};
    }
    return {[data] { data->linear.evaluate(data->parameters, data->x, data->y, data->ws); },
            static_cast<std::size_t>(parameter_count(data->parameters)) * sizeof(float),
            data->linear.required_workspace(1, s.n)};
}

Work layer(const Shape& s) {
    using Mixer = Tno<float, Causality::causal>;
    struct Data : BlockData<Mixer> {
        explicit Data(const Shape& shape)
            : BlockData<Mixer>(shape, {.mlp = {.width = mlp_width}}),
              prepared(this->block.prepare(this->parameters, shape.n)) {}
        Block<Mixer>::Prepared prepared;
    };
    const auto data = std::make_shared<Data>(s);
    return {[data] { data->prepared.evaluate(data->x, data->y, data->ws); }, data->prepared.state_bytes(),
            data->prepared.required_workspace()};
}

}  // namespace

void add_inference(Cases& cases) {
    for (const Index rows : {1, 16, 2048}) {
        for (const int threads : thread_counts()) {
            const Shape shape{.n = rows, .d = 512, .threads = threads};
            cases.push_back({"LinearInference/Unpacked", shape,
                             [](const Shape& s) { return linear(s, Weights::as_given); }});
            cases.push_back(
                {"LinearInference/Packed", shape, [](const Shape& s) { return linear(s, Weights::packed); }});
            cases.push_back({"BlockInference/TnoCausal", shape, layer});
        }
    }
}

}  // namespace toeplitz::bench
