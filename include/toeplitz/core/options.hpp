// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options are aggregates that are visited field by field, as parameters are tensor by tensor.
///
/// An option set O is an aggregate with one static member
///
///     template <class F, class... Sets>
///     static constexpr void for_each_option(F&& f, Sets&... sets);   // each of Sets is O or const O
///
/// that calls `f("name", field of the first set, field of the second set, …)` for every field. A field is a
/// bool, a number, an enumeration whose enumerators count from 0, a std::string, an option set, one of
/// several option sets (see OptionChoice), a std::optional of those, or a std::vector or Vector of them. One
/// that is left out on purpose is named in
///
///     static constexpr const char* unvisited_options[] = {"name"};
///
/// and one that is forgotten does not compile. Text (core/options_text.hpp) and JSON (io/options_json.hpp)
/// stand on the visit: names of fields and enumerators are what files hold.

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

struct IgnoreOptions {
    template <class... Fields>
    constexpr void operator()(const char* /*name*/, Fields&... /*fields*/) const {}
};

/// Stands for a value of any field in an initialiser that is never evaluated.
struct AnyField {
    template <class T>
    [[noreturn]] operator T() const {  // NOLINT(google-explicit-constructor)
        __builtin_unreachable();
    }
};

/// Fields of an aggregate: as many values as its braces take.
template <class O, class... Values>
consteval std::size_t field_count() {
    if constexpr (requires { O{Values{}..., AnyField{}}; }) {
        return field_count<O, Values..., AnyField>();
    } else {
        return sizeof...(Values);
    }
}

/// Fields that for_each_option visits: without sets it calls f with the names alone.
template <class O>
consteval std::size_t visited_count() {
    std::size_t count = 0;
    O::for_each_option([&count](const char* /*name*/) { ++count; });
    return count;
}

template <class O>
consteval std::size_t unvisited_count() {
    if constexpr (requires { O::unvisited_options; }) {
        // Not its type's extent, which clang does not know before a template's member is used.
        return std::size(O::unvisited_options);
    } else {
        return 0;
    }
}

}  // namespace detail

/// See the comment of this file.
template <class O>
concept OptionSet = std::is_aggregate_v<std::remove_const_t<O>> && requires(O& options) {
    std::remove_const_t<O>::for_each_option(detail::IgnoreOptions{}, options);
};

/// A field that may be absent.
template <class T>
concept OptionalOption = std::same_as<std::remove_const_t<T>, std::optional<typename T::value_type>>;

/// A field of several values: std::vector or Vector.
template <class T>
concept OptionSequence = !std::same_as<T, std::string> && requires(T values) {
    values.resize(values.size());
    values[values.size()];
};

template <class T>
concept OptionVector = std::same_as<T, std::vector<typename T::value_type>>;

/// A field that is one of several option sets, told apart by their names: `visit(f)` calls f(its name, its
/// options), `for_each_choice(f)` calls f(name) for all that there are, and `choose(name)` makes it the one
/// of this name, with defaults.
template <class T>
concept OptionChoice = requires(T& choice) {
    choice.visit([](const char* /*name*/, auto& /*options*/) {});
    std::remove_const_t<T>::for_each_choice([](const char* /*name*/) {});
    std::remove_const_t<T>().choose(std::string_view());
};

/// Calls f(name, fields...) for every field of one or more option sets of the same type, in lockstep and in
/// the order of declaration. Nested sets are fields like others: a visitor that wants theirs calls this
/// again.
template <class F, class O, class... Rest>
requires OptionSet<std::remove_reference_t<O>>
constexpr void for_each_option(F&& f, O&& first, Rest&&... rest) {
    using Options = std::remove_cvref_t<O>;
    static_assert((std::is_same_v<Options, std::remove_cvref_t<Rest>> && ...),
                  "toeplitz: option sets visited together must have the same type.");
    static_assert(
        detail::visited_count<Options>() + detail::unvisited_count<Options>() ==
            detail::field_count<Options>(),
        "toeplitz: an option is forgotten: for_each_option must visit every field of the struct, or "
        "unvisited_options name it.");
    Options::for_each_option(f, first, rest...);
}

namespace detail {

/// Whether copy_options can make a field of type To from one of type From.
template <class From, class To>
consteval bool is_copied() {
    if constexpr (std::same_as<From, To> || (OptionSet<From> && OptionSet<To>) ||
                  (OptionChoice<From> && OptionChoice<To>)) {
        return true;
    } else if constexpr ((OptionalOption<From> && OptionalOption<To>) ||
                         (OptionVector<From> && OptionVector<To>)) {
        return is_copied<typename From::value_type, typename To::value_type>();
    } else {
        return false;
    }
}

template <class From, class To>
void copy_field(const From& from, To& to) {
    if constexpr (std::same_as<From, To>) {
        to = from;
    } else if constexpr (OptionSet<To>) {
        for_each_option(
            [&](std::string_view name, auto& target) {
                for_each_option(
                    [&](std::string_view same_name, const auto& source) {
                        if constexpr (is_copied<std::remove_cvref_t<decltype(source)>,
                                                std::remove_cvref_t<decltype(target)>>()) {
                            if (name == same_name) copy_field(source, target);
                        }
                    },
                    from);
            },
            to);
    } else if constexpr (OptionChoice<To>) {
        from.visit([&](const char* name, const auto& source) {
            to.choose(name);
            to.visit([&](std::string_view same_name, auto& target) {
                if (name == same_name) copy_field(source, target);
            });
        });
    } else if constexpr (OptionalOption<To>) {
        to.reset();
        if (from.has_value()) copy_field(*from, to.emplace());
    } else {
        to.resize(from.size());
        for (std::size_t i = 0; i < from.size(); ++i) copy_field(from[i], to[i]);
    }
}

}  // namespace detail

/// Copies what two sets of different types have in common by name and type; nested sets, and those in
/// optional fields, in vectors and in choices, likewise; a choice stays as it is where it lacks the other's
/// name. The rest of `to` stays as it is.
template <OptionSet From, OptionSet To>
void copy_options(const From& from, To& to) {
    detail::copy_field(from, to);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
