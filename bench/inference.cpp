// SPDX-License-Identifier: MIT

/// \file
/// A layer at inference, whose kernel is evaluated, of a few rows, as of a stream. n counts the rows.

#include <toeplitz/nn/tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {

void add_inference(Cases& cases) {
    using Mixer = Tno<float, Causality::causal>;
    for (const Index rows : {1, 16}) {
        for (const int threads : thread_counts()) {
            for (const auto& [word, format] : weight_formats) {
                cases.push_back({"BlockForward/TnoCausal",
                                 {.n = rows, .d = 512, .weights = word, .threads = threads},
                                 [](const Shape& s) {
                                     return block_inference<Mixer>(s, {.mlp = {.width = mlp_width}});
                                 }});
            }
        }
    }
}

}  // namespace toeplitz::bench
