// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checks of any option set, which a new field needs no line in.

#include <vector>

#include <gtest/gtest.h>

#include <toeplitz/core/options_text.hpp>

namespace toeplitz::test {

/// Gives every value another one than it has, optional fields a value and sequences two more elements.
struct ChangeOption {
    int changed = 0;

    template <class T>
    void operator()(const char* /*name*/, T& value) {
        if constexpr (OptionSet<T>) {
            for_each_option(*this, value);
        } else if constexpr (OptionChoice<T>) {
            T::for_each_choice([&](const char* name) { value.choose(name); });
            value.visit([this](const char*, auto& its) { for_each_option(*this, its); });
        } else if constexpr (OptionalOption<T>) {
            (*this)("", value.emplace());
        } else if constexpr (OptionSequence<T>) {
            value.resize(2);
            for (int i = 0; i < 2; ++i) (*this)("", value[static_cast<decltype(value.size())>(i)] = {});
        } else if constexpr (std::same_as<T, std::string>) {
            value = detail::text(++changed, " \"quoted\\ \n é=");
        } else if constexpr (std::same_as<T, bool>) {
            value = !value;
        } else if constexpr (Enumeration<T>) {
            value = static_cast<T>((static_cast<std::size_t>(value) + 1) % enumerator_names<T>.size());
        } else if constexpr (std::floating_point<T>) {
            value += static_cast<T>(++changed) / 3;
        } else {
            value += static_cast<T>(++changed);
        }
    }
};

/// Where the fields of a set lie: twice the same one, or one before another, is a wrong line in
/// for_each_option.
template <OptionSet O>
std::vector<const void*> field_addresses(const O& options) {
    std::vector<const void*> addresses;
    for_each_option([&](const char*, const auto& field) { addresses.push_back(&field); }, options);
    return addresses;
}

/// copy(options) keeps every value of a set that has no value at its default.
template <OptionSet O, class Copy>
void expect_round_trip(Copy&& copy) {
    O options{};
    for_each_option(ChangeOption{}, options);
    const OptionList list = list_options(options);
    const std::vector<OptionDifference> differences = option_differences(O{}, options);
    const auto changed = std::count_if(differences.begin(), differences.end(),
                                       [](const OptionDifference& one) { return one.second != "absent"; });
    EXPECT_EQ(static_cast<std::size_t>(changed), list.size());
    EXPECT_EQ(list_options(copy(options)), list);
    EXPECT_EQ(list_options(copy(O{})), list_options(O{}));

    const std::vector<const void*> addresses = field_addresses(options);
    for (std::size_t i = 1; i < addresses.size(); ++i) EXPECT_LT(addresses[i - 1], addresses[i]) << i;
}

}  // namespace toeplitz::test
