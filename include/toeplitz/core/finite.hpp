// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Whether numbers are finite, asked of their bits: -ffast-math and -Ofast remove the comparisons that only a
/// NaN or an infinity fails.

#include <cfloat>
#include <complex>
#include <cstdint>
#include <cstring>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The word that holds sign and exponent, where it lies, the exponent of infinities and NaNs, and its lowest
/// bit.
template <std::size_t size>
struct ExponentWord;
template <>
struct ExponentWord<sizeof(float)> {
    using Word = std::uint32_t;
    static constexpr std::size_t offset = 0;
    static constexpr Word exponent = 0x7F800000U;
    static constexpr Word lowest = 0x00800000U;
};
template <>
struct ExponentWord<sizeof(double)> {
    using Word = std::uint64_t;
    static constexpr std::size_t offset = 0;
    static constexpr Word exponent = 0x7FF0000000000000U;
    static constexpr Word lowest = 0x0010000000000000U;
};
/// long double: the 80 bits of x87, or 128.
template <>
struct ExponentWord<16> {
    using Word = std::uint16_t;
    static constexpr std::size_t offset = LDBL_MANT_DIG == 64 ? 8 : 14;
    static constexpr Word exponent = 0x7FFF;
    static constexpr Word lowest = 1;
};

/// Whether all of `count` numbers are finite. Reads them once, without a branch.
template <std::floating_point T>
bool all_finite(const T* data, Index count) noexcept {
    using Bits = ExponentWord<sizeof(T)>;
    using Unsigned = typename Bits::Word;
    // What the compiler was told about the numbers ends here.
    const char* p = reinterpret_cast<const char*>(data) + Bits::offset;
    asm("" : "+r"(p));
    Unsigned signs = 0;
    for (Index i = 0; i < count; ++i) {
        Unsigned word;
        std::memcpy(&word, p + static_cast<std::size_t>(i) * sizeof(T), sizeof(Unsigned));
        // Of all exponents the last one alone carries into the sign.
        signs = static_cast<Unsigned>(signs | ((word & Bits::exponent) + Bits::lowest));
    }
    return signs >> (8 * sizeof(Unsigned) - 1) == 0;
}
template <std::floating_point T>
bool all_finite(const std::complex<T>* data, Index count) noexcept {
    return all_finite(reinterpret_cast<const T*>(data), 2 * count);
}

/// Of one number, real or complex.
template <class T>
bool is_finite(const T& value) noexcept {
    return all_finite(&value, 1);
}

inline bool is_nan(const double& value) noexcept {
    const double* p = &value;
    asm("" : "+r"(p));
    std::uint64_t bits = 0;
    std::memcpy(&bits, p, sizeof bits);
    return bits << 1U > ExponentWord<sizeof(double)>::exponent << 1U;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
