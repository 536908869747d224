// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Both kinds of causality, for tests of types that have it as an argument.

#include <type_traits>

#include <toeplitz/core/types.hpp>

namespace toeplitz::test {

/// Calls f(kind) with a constant for each kind.
template <class F>
void for_each_kind(F&& f) {
    f(std::integral_constant<Causality, Causality::bidirectional>{});
    f(std::integral_constant<Causality, Causality::causal>{});
}

}  // namespace toeplitz::test
