// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// TOEPLITZ_ABI: the name of the inline namespace, made of everything that changes the code or the layout of
/// an inline entity. The linker keeps one of several functions of a name; functions of different code have
/// different ones.

#include <toeplitz/version.hpp>

// TOEPLITZ_ABI_IF(flag, word) is the word where the compiler defines the flag as 1, and nothing otherwise:
// the pasted name is a macro that adds an argument in the first case, and no macro in the other.
#define TOEPLITZ_ABI_IF(flag, word) TOEPLITZ_ABI_IF_VALUE(flag, word)
#define TOEPLITZ_ABI_IF_VALUE(value, word) TOEPLITZ_ABI_PICK(TOEPLITZ_ABI_SKIP_##value word, , )
#define TOEPLITZ_ABI_SKIP_1 ,
#define TOEPLITZ_ABI_PICK(...) TOEPLITZ_ABI_SECOND(__VA_ARGS__)
#define TOEPLITZ_ABI_SECOND(first, second, ...) second

#define TOEPLITZ_ABI_JOIN(...) TOEPLITZ_ABI_PASTE(__VA_ARGS__)
#define TOEPLITZ_ABI_PASTE(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h

// Instruction sets, of which each contains those below it.
#if defined(__AVX512F__)
#define TOEPLITZ_ABI_LEVEL _avx512
#elif defined(__AVX2__)
#define TOEPLITZ_ABI_LEVEL _avx2
#elif defined(__AVX__)
#define TOEPLITZ_ABI_LEVEL _avx
#elif defined(__SSE4_2__)
#define TOEPLITZ_ABI_LEVEL _sse42
#elif defined(__SSE4_1__)
#define TOEPLITZ_ABI_LEVEL _sse41
#elif defined(__SSSE3__)
#define TOEPLITZ_ABI_LEVEL _ssse3
#elif defined(__SSE3__)
#define TOEPLITZ_ABI_LEVEL _sse3
#elif defined(__ARM_FEATURE_SVE)
#define TOEPLITZ_ABI_LEVEL TOEPLITZ_ABI_JOIN(_sve, __ARM_FEATURE_SVE_BITS, , , , , , )
#else
#define TOEPLITZ_ABI_LEVEL
#endif

// Those that do not contain one another.
#define TOEPLITZ_ABI_AVX512                                                                       \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_IF(__AVX512CD__, _cd), TOEPLITZ_ABI_IF(__AVX512BW__, _bw),     \
                      TOEPLITZ_ABI_IF(__AVX512DQ__, _dq), TOEPLITZ_ABI_IF(__AVX512VL__, _vl),     \
                      TOEPLITZ_ABI_IF(__AVX512ER__, _er), TOEPLITZ_ABI_IF(__AVX512IFMA__, _ifma), \
                      TOEPLITZ_ABI_IF(__AVX512VBMI__, _vbmi), TOEPLITZ_ABI_IF(__AVX512VBMI2__, _vbmi2))
#define TOEPLITZ_ABI_AVX512_MORE                                                                          \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_IF(__AVX512VNNI__, _vnni), TOEPLITZ_ABI_IF(__AVX512BITALG__, _bitalg), \
                      TOEPLITZ_ABI_IF(__AVX512VPOPCNTDQ__, _vpopcnt),                                     \
                      TOEPLITZ_ABI_IF(__AVX512BF16__, _bf16), TOEPLITZ_ABI_IF(__AVX512FP16__, _fp16),     \
                      TOEPLITZ_ABI_IF(__AVX10_1__, _avx10_1), TOEPLITZ_ABI_IF(__AVX10_2__, _avx10_2),     \
                      TOEPLITZ_ABI_IF(__EVEX512__, _evex512))
#define TOEPLITZ_ABI_AVX                                                                              \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_IF(__FMA__, _fma), TOEPLITZ_ABI_IF(__FMA4__, _fma4),               \
                      TOEPLITZ_ABI_IF(__XOP__, _xop), TOEPLITZ_ABI_IF(__F16C__, _f16c),               \
                      TOEPLITZ_ABI_IF(__AVXVNNI__, _avxvnni), TOEPLITZ_ABI_IF(__AVXIFMA__, _avxifma), \
                      TOEPLITZ_ABI_IF(__SSE4A__, _sse4a), TOEPLITZ_ABI_IF(__GFNI__, _gfni))
#define TOEPLITZ_ABI_BITS                                                                       \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_IF(__POPCNT__, _popcnt), TOEPLITZ_ABI_IF(__LZCNT__, _lzcnt), \
                      TOEPLITZ_ABI_IF(__BMI__, _bmi), TOEPLITZ_ABI_IF(__BMI2__, _bmi2),         \
                      TOEPLITZ_ABI_IF(__TBM__, _tbm), TOEPLITZ_ABI_IF(__MOVBE__, _movbe),       \
                      TOEPLITZ_ABI_IF(__ADX__, _adx), TOEPLITZ_ABI_IF(__APX_F__, _apx))
#define TOEPLITZ_ABI_ARM                                                                                 \
    TOEPLITZ_ABI_JOIN(                                                                                   \
        TOEPLITZ_ABI_IF(__ARM_FEATURE_SVE2, _sve2), TOEPLITZ_ABI_IF(__ARM_FEATURE_DOTPROD, _dotprod),    \
        TOEPLITZ_ABI_IF(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, _fp16),                                    \
        TOEPLITZ_ABI_IF(__ARM_FEATURE_FP16_FML, _fhm), TOEPLITZ_ABI_IF(__ARM_FEATURE_BF16, _bf16),       \
        TOEPLITZ_ABI_IF(__ARM_FEATURE_MATMUL_INT8, _i8mm), TOEPLITZ_ABI_IF(__ARM_FEATURE_ATOMICS, _lse), \
        TOEPLITZ_ABI_IF(__ARM_FEATURE_QRDMX, _rdm))

// What -ffast-math switches on, together or one by one; clang has macros for few of them.
#define TOEPLITZ_ABI_MATH                                                                                  \
    TOEPLITZ_ABI_JOIN(                                                                                     \
        TOEPLITZ_ABI_IF(__FAST_MATH__, _fast), TOEPLITZ_ABI_IF(__FINITE_MATH_ONLY__, _finite),             \
        TOEPLITZ_ABI_IF(__NO_SIGNED_ZEROS__, _unsigned0),                                                  \
        TOEPLITZ_ABI_IF(__ASSOCIATIVE_MATH__, _associative),                                               \
        TOEPLITZ_ABI_IF(__RECIPROCAL_MATH__, _reciprocal), TOEPLITZ_ABI_IF(__NO_TRAPPING_MATH__, _notrap), \
        TOEPLITZ_ABI_IF(__NO_MATH_ERRNO__, _noerrno), TOEPLITZ_ABI_IF(__ROUNDING_MATH__, _rounding))

#if defined(_OPENMP)
#define TOEPLITZ_ABI_THREADS _omp
#else
#define TOEPLITZ_ABI_THREADS _serial
#endif

#if defined(__cpp_exceptions)
#define TOEPLITZ_ABI_ERRORS
#else
#define TOEPLITZ_ABI_ERRORS _noexcept
#endif

#if defined(EIGEN_USE_BLAS)
#define TOEPLITZ_ABI_BLAS _blas
#else
#define TOEPLITZ_ABI_BLAS
#endif

#define TOEPLITZ_ABI_VERSION \
    TOEPLITZ_ABI_JOIN(v, TOEPLITZ_VERSION_MAJOR, _, TOEPLITZ_VERSION_MINOR, _simd, TOEPLITZ_SIMD_BYTES, , )
#define TOEPLITZ_ABI_CPU                                                                                   \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_LEVEL, TOEPLITZ_ABI_AVX512, TOEPLITZ_ABI_AVX512_MORE, TOEPLITZ_ABI_AVX, \
                      TOEPLITZ_ABI_BITS, TOEPLITZ_ABI_IF(__PRFCHW__, _prfchw), TOEPLITZ_ABI_ARM,           \
                      TOEPLITZ_ABI_IF(__AMX_BF16__, _amxbf16))

/// The inline namespace of everything but errors and the state of the process (core/parallel.hpp,
/// fft/fftw.hpp).
#define TOEPLITZ_ABI                                                                                   \
    TOEPLITZ_ABI_JOIN(TOEPLITZ_ABI_VERSION, TOEPLITZ_ABI_CPU, TOEPLITZ_ABI_MATH, TOEPLITZ_ABI_THREADS, \
                      TOEPLITZ_ABI_ERRORS, TOEPLITZ_ABI_BLAS, TOEPLITZ_ABI_IF(_GLIBCXX_DEBUG, _debug), )
