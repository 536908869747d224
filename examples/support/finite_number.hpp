// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checks of numbers on command lines. CLI11's own let a NaN through.

#include <string>

#include <CLI/CLI.hpp>

#include <toeplitz/core/finite.hpp>

namespace examples {

inline CLI::Validator positive_number() {
    const auto check = [](const std::string& text) {
        double value = 0;
        const bool is_right =
            CLI::detail::lexical_cast(text, value) && toeplitz::detail::is_finite(value) && value > 0;
        return is_right ? std::string() : "a number above 0, not " + text;
    };
    return {check, "POSITIVE"};
}

inline CLI::Validator non_negative_number() {
    const auto check = [](const std::string& text) {
        double value = 0;
        const bool is_right =
            CLI::detail::lexical_cast(text, value) && toeplitz::detail::is_finite(value) && value >= 0;
        return is_right ? std::string() : "a number from 0 on, not " + text;
    };
    return {check, "NONNEGATIVE"};
}

}  // namespace examples
