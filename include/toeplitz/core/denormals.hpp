// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Denormal numbers, below the smallest normal one: processors compute with them a hundred times slower, and
/// a recurrence that decays in silence meets nothing else.

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// What computations make of denormal numbers: zeros, or what they are.
enum class Denormals { flush, keep };

/// Denormal operands and results are zeros on this thread, for as long as one of these lives. Then the modes
/// of floating point are as they were; the flags of what happened meanwhile stay raised, as after any
/// arithmetic. Where they are zeros already, nothing is set, which saves a short call tens of nanoseconds.
class FlushDenormals {
public:
#if defined(__SSE2__)
    FlushDenormals() noexcept : before_(_mm_getcsr()) {
        if (is_change()) _mm_setcsr(before_ | modes);
        asm volatile("" ::: "memory");  // no load before this, no store beyond the next
    }
    ~FlushDenormals() {
        asm volatile("" ::: "memory");
        if (is_change()) _mm_setcsr(before_ | (_mm_getcsr() & flags));
    }

private:
    bool is_change() const noexcept { return (before_ & modes) != modes; }

    static constexpr unsigned flags = 0x3F;
    static constexpr unsigned denormals_are_zero = 1U << 6U;
    static constexpr unsigned flush_to_zero = 1U << 15U;
    static constexpr unsigned modes = flush_to_zero | denormals_are_zero;
    unsigned before_;
#elif defined(__aarch64__)
    FlushDenormals() noexcept {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" ::"r"(before_ | flush_to_zero) : "memory");
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_) : "memory"); }

private:
    static constexpr std::uint64_t flush_to_zero = std::uint64_t{1} << 24U;
    std::uint64_t before_;
#else
    FlushDenormals() noexcept {}
    ~FlushDenormals() {}
#endif

public:
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
