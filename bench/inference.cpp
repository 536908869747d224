// SPDX-License-Identifier: MIT

/// \file
/// A layer at inference, whose kernel is evaluated: a few rows, and many. n counts the rows.

#include <toeplitz/nn/tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {
namespace {

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
            cases.push_back(
                {"BlockInference/TnoCausal", Shape{.n = rows, .d = 512, .threads = threads}, layer});
        }
    }
}

}  // namespace toeplitz::bench
