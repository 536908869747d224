// SPDX-License-Identifier: MIT

/// \file
/// Layers that mix with a kernel given by its frequency response.

#include <toeplitz/nn/fd_tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {

void add_block_fd(Cases& cases) {
    // The network that the authors' code and bench/peers have.
    const auto options = [](const Shape&) {
        return FdTnoOptions{
            .mlp = {.width = mlp_width}, .input = FrequencyInput::cosine, .scale = {}, .pole = {}};
    };
    add_block<FdTno<float, Causality::causal>>(cases, "FdCausal", options);
    add_block<FdTno<float, Causality::bidirectional>>(cases, "FdBidirectional", options);
}

}  // namespace toeplitz::bench
