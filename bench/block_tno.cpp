// SPDX-License-Identifier: MIT

/// \file
/// Layers that mix with the exact product and a position perceptron.

#include <toeplitz/nn/tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {

void add_block_tno(Cases& cases) {
    const auto options = [](const Shape&) { return TnoOptions{.mlp = {.width = mlp_width}}; };
    add_block<Tno<float, Causality::bidirectional>>(cases, "TnoBidirectional", options);
    add_block<Tno<float, Causality::causal>>(cases, "TnoCausal", options);
}

}  // namespace toeplitz::bench
