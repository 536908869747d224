// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Compile-time configuration.

#include <toeplitz/core/abi.hpp>

#if !defined(__GNUC__)
#error "toeplitz uses the vector extensions of GCC and Clang; compile it with one of them."
#endif

/// Bytes of the widest vector register of the compile target; TOEPLITZ_SIMD_BYTES overrides it.
#if !defined(TOEPLITZ_SIMD_BYTES)
#if defined(__AVX512F__)
#define TOEPLITZ_SIMD_BYTES 64
#elif defined(__AVX__)
#define TOEPLITZ_SIMD_BYTES 32
#else
#define TOEPLITZ_SIMD_BYTES 16
#endif
#endif

/// Forces inlining where a call would spill vector registers.
#define TOEPLITZ_INLINE [[gnu::always_inline]] inline

/// The same for a lambda, after its parameters.
#define TOEPLITZ_LAMBDA __attribute__((always_inline))
