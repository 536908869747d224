// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What of state spaces toeplitz::compiled holds; see compiled.hpp. Their header includes this one where a
/// program links it.

#include <toeplitz/approximation/state_space_fit.hpp>

/// Fits for one scalar: TOEPLITZ_INSTANTIATE_FIT(extern, …) declares them.
#define TOEPLITZ_INSTANTIATE_FIT(extern_or_not, Scalar)                           \
    extern_or_not template StateSpaceFit<Scalar> detail::fit_state_space<Scalar>( \
        MatrixView<const Scalar>, const Vector<double>&, const StateSpaceFitOptions&, Index);

#if defined(TOEPLITZ_COMPILED)
namespace toeplitz::inline TOEPLITZ_ABI {
#if defined(TOEPLITZ_COMPILED_float)
TOEPLITZ_INSTANTIATE_FIT(extern, float)
#endif
#if defined(TOEPLITZ_COMPILED_double)
TOEPLITZ_INSTANTIATE_FIT(extern, double)
#endif
}  // namespace toeplitz::inline TOEPLITZ_ABI
#endif
