// SPDX-License-Identifier: MIT

/// \file
/// Layers that mix with a band and a low-rank part.

#include <toeplitz/nn/ski_tno.hpp>

#include "block.hpp"

namespace toeplitz::bench {

void add_block_ski(Cases& cases) {
    add_block<SkiTno<float, Causality::bidirectional>>(cases, "Ski", [](const Shape& s) {
        SkiTnoOptions<> options{.length = s.n, .rank = default_rank, .taps = default_taps};
        options.kernel = {.knots = default_rank, .decay = {.lambda = 0.99}};
        return options;
    });
}

}  // namespace toeplitz::bench
