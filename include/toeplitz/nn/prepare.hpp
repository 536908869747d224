// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What modules are prepared for.

#include <toeplitz/core/types.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct PrepareOptions {
    Index length = 0;  ///< of sequences; modules that look at single rows need none
    /// Of affine maps and tables of tokens; exact: as the parameters have them. Kernels, norms and transforms
    /// stay as they are.
    WeightFormat weights = WeightFormat::exact;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("weights", sets.weights...);
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
