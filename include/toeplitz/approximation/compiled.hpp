// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What of bounds and choices toeplitz::compiled holds; see compiled.hpp. Their headers include this one
/// where a program links it.

#include <toeplitz/approximation/choose.hpp>

/// Searches and bounds for one scalar: TOEPLITZ_INSTANTIATE_APPROXIMATION(extern, …) declares them.
#define TOEPLITZ_INSTANTIATE_APPROXIMATION(extern_or_not, Scalar)                                  \
    extern_or_not template class detail::Search<Scalar>;                                           \
    extern_or_not template class detail::BoundEvaluation<Scalar>;                                  \
    extern_or_not template Vector<double> error_bound<Scalar>(                                     \
        std::type_identity_t<MatrixView<const Scalar>>, const Approximation<Scalar>&, ErrorBound); \
    extern_or_not template Approximation<Scalar> detail::choose_group<Scalar>(                     \
        MatrixView<const Scalar>, const detail::Sampler<Scalar>&, const ChooseOptions&);           \
    extern_or_not template std::vector<Approximation<Scalar>> detail::choose_channels<Scalar>(     \
        MatrixView<const Scalar>, const detail::Sampler<Scalar>&, const ChooseOptions&);

#if defined(TOEPLITZ_COMPILED)
namespace toeplitz::inline TOEPLITZ_ABI {
#if defined(TOEPLITZ_COMPILED_float)
TOEPLITZ_INSTANTIATE_APPROXIMATION(extern, float)
#endif
#if defined(TOEPLITZ_COMPILED_double)
TOEPLITZ_INSTANTIATE_APPROXIMATION(extern, double)
#endif
}  // namespace toeplitz::inline TOEPLITZ_ABI
#endif
