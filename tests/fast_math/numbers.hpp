// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What tests of -ffast-math need: numbers that are not finite, and which error refuses them.

#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#if !defined(__FAST_MATH__)
#error "This is to be compiled with -ffast-math."
#endif

namespace toeplitz::test {

/// By their bits, as the compiler may think what it likes of NAN.
template <class T>
std::vector<T> non_finite() {
    if constexpr (std::is_same_v<T, float>) {
        return {std::bit_cast<float>(0x7FC00000U), std::bit_cast<float>(0xFF800001U),
                std::bit_cast<float>(0x7F800000U), std::bit_cast<float>(0xFF800000U)};
    } else {
        return {std::bit_cast<double>(0x7FF8000000000000U), std::bit_cast<double>(0xFFF0000000000001U),
                std::bit_cast<double>(0x7FF0000000000000U), std::bit_cast<double>(0xFFF0000000000000U)};
    }
}

/// The id of the error that f throws, 0 where it throws none.
template <class Error, class F>
int error_id(F&& f) {
    try {
        f();
    } catch (const Error& e) {
        return e.id();
    }
    return 0;
}

}  // namespace toeplitz::test
