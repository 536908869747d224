// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Numbers below the smallest normal one: each operation on them takes some hundred cycles on many
/// processors, and a recurrence that decays in silence meets nothing else.

#include <cstdint>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// While it lives, this thread's results below the smallest normal number are zero, and so are such operands.
/// Nothing happens on processors whose control register is not known here.
///
/// Arithmetic that relies on it belongs into a function that is not inlined: compilers do not know that it
/// depends on this.
class FlushDenormals {
public:
#if defined(__SSE__)
    FlushDenormals() noexcept : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_to_zero | from_zero); }
    ~FlushDenormals() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
    FlushDenormals() noexcept {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" : : "r"(before_ | flush_to_zero));
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#else
    FlushDenormals() noexcept = default;
    ~FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
#if defined(__SSE__)
    static constexpr unsigned flush_to_zero = 0x8000;
    static constexpr unsigned from_zero = 0x0040;
    unsigned before_;
#elif defined(__aarch64__)
    static constexpr std::uint64_t flush_to_zero = std::uint64_t{1} << 24;
    std::uint64_t before_;
#endif
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
