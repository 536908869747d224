// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The streams that toeplitz::compiled holds; see compiled.hpp. Their headers include this one where a
/// program links it.

#include <toeplitz/stream/kernel_stream.hpp>
#include <toeplitz/stream/state_space_stream.hpp>

/// Streams for one scalar: TOEPLITZ_INSTANTIATE_STREAM(extern, …) declares them.
#define TOEPLITZ_INSTANTIATE_STREAM(extern_or_not, Scalar) \
    extern_or_not template class KernelStream<Scalar>;     \
    extern_or_not template class StateSpaceStream<Scalar>;

#if defined(TOEPLITZ_COMPILED)
namespace toeplitz::inline TOEPLITZ_ABI {
#if defined(TOEPLITZ_COMPILED_float)
TOEPLITZ_INSTANTIATE_STREAM(extern, float)
#endif
#if defined(TOEPLITZ_COMPILED_double)
TOEPLITZ_INSTANTIATE_STREAM(extern, double)
#endif
}  // namespace toeplitz::inline TOEPLITZ_ABI
#endif
