// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Compile-time configuration, and the inline namespace that encodes it.
///
/// Two translation units may see different instruction sets, OpenMP or BLAS settings. Whatever changes
/// the body or the layout of an inline entity is part of the namespace's name, so that such units
/// link together without violating the one-definition rule.

#include <toeplitz/version.hpp>

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

#if defined(_OPENMP)
#define TOEPLITZ_ABI_THREADS _omp
#else
#define TOEPLITZ_ABI_THREADS _serial
#endif

#if defined(__FMA__)
#define TOEPLITZ_ABI_FMA _fma
#else
#define TOEPLITZ_ABI_FMA
#endif

#if defined(EIGEN_USE_BLAS)
#define TOEPLITZ_ABI_BLAS _blas
#else
#define TOEPLITZ_ABI_BLAS
#endif

#define TOEPLITZ_ABI_PASTE(major, minor, bytes, fma, threads, blas) \
    v##major##_##minor##_simd##bytes##fma##threads##blas
#define TOEPLITZ_ABI_EXPAND(major, minor, bytes, fma, threads, blas) \
    TOEPLITZ_ABI_PASTE(major, minor, bytes, fma, threads, blas)

/// The inline namespace of everything but the process-wide state (fft/fftw.hpp).
#define TOEPLITZ_ABI                                                                         \
    TOEPLITZ_ABI_EXPAND(TOEPLITZ_VERSION_MAJOR, TOEPLITZ_VERSION_MINOR, TOEPLITZ_SIMD_BYTES, \
                        TOEPLITZ_ABI_FMA, TOEPLITZ_ABI_THREADS, TOEPLITZ_ABI_BLAS)

/// Forces inlining where a call would spill vector registers.
#define TOEPLITZ_INLINE [[gnu::always_inline]] inline

/// The same for a lambda, after its parameters.
#define TOEPLITZ_LAMBDA __attribute__((always_inline))
