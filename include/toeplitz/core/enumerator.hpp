// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Enumerators by the names that they have in the source: one that is added has its word from the start, and
/// to rename one changes what files hold.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// An `enum class`, or an enumeration whose underlying type is given. What follows knows its enumerators from
/// 0 up to the first gap.
template <class E>
concept Enumeration = std::is_enum_v<E> && requires {
    E{0};
};

namespace detail {

/// Both compilers end this function's name with "value = space::Enum::name]", or "value = (space::Enum)7]"
/// where no enumerator has the value. Not std::string_view as the result: g++ would append what that stands
/// for.
template <auto value>
constexpr auto name_of_enumerator() {
    const std::string_view text = __PRETTY_FUNCTION__;
    const std::size_t before = text.find_last_of(":)");
    return text[before] == ')' ? std::string_view() : text.substr(before + 1, text.size() - before - 2);
}

template <Enumeration E, std::size_t count = 0>
consteval std::size_t count_enumerators() {
    if constexpr (name_of_enumerator<static_cast<E>(count)>().empty()) {
        static_assert(count > 0, "toeplitz: the enumerators of an option count from 0.");
        return count;
    } else {
        return count_enumerators<E, count + 1>();
    }
}

template <Enumeration E, std::size_t... i>
consteval auto list_enumerators(std::index_sequence<i...>) {
    return std::array{name_of_enumerator<static_cast<E>(i)>()...};
}

}  // namespace detail

/// {"bidirectional", "causal"} for Causality.
template <Enumeration E>
inline constexpr auto enumerator_names =
    detail::list_enumerators<E>(std::make_index_sequence<detail::count_enumerators<E>()>());

/// "causal" for Causality::causal; empty for a value that has no name.
template <Enumeration E>
constexpr std::string_view enumerator_name(E value) noexcept {
    const auto i = static_cast<std::size_t>(value);
    return i < enumerator_names<E>.size() ? enumerator_names<E>[i] : std::string_view();
}

/// Causality::causal for "causal"; none for what names no enumerator.
template <Enumeration E>
constexpr std::optional<E> parse_enumerator(std::string_view name) noexcept {
    const auto& names = enumerator_names<E>;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<E>(found - names.begin());
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
