// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Says whether a sanitizer replaces the allocation functions: it refuses what they would only fail at. Its
/// builds are not optimised, and take many times as long.

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TOEPLITZ_TEST_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOEPLITZ_TEST_SANITIZED
#endif

namespace toeplitz::test {

#if defined(TOEPLITZ_TEST_SANITIZED)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace toeplitz::test
