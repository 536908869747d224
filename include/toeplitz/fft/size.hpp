// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Transform sizes that FFTW computes fast and with little rounding.

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The smallest even integer ≥ `at_least` whose prime factors are 2, 3, 5 and 7; 2 for 1.
///
/// Large prime factors cost up to forty times the time and twice the rounding of their smooth neighbours.
/// \throws config_error 202 when no such size fits FFTW's int
inline Index smooth_even_size(Index at_least) {
    constexpr Index limit = (std::numeric_limits<int>::max)();
    Index best = limit;
    bool found = false;
    for (Index sevens = 2; sevens <= limit; sevens *= 7) {
        for (Index fives = sevens; fives <= limit; fives *= 5) {
            for (Index threes = fives; threes <= limit; threes *= 3) {
                Index size = threes;
                while (size < at_least && size <= limit) size *= 2;
                if (size >= at_least && size <= best) {
                    best = size;
                    found = true;
                }
            }
        }
    }
    if (!found) {
        detail::raise<config_error>(202, "smooth_even_size", "a transform size below 2^31",
                                    std::to_string(at_least));
    }
    return best;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
