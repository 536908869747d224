// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options as one line of text, `channels=64 mlp.layers=3 decay.mode=fixed …`, and compared by it.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <toeplitz/core/enumerator.hpp>
#include <toeplitz/core/error.hpp>
#include <toeplitz/core/options.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// One value of a set. A sequence is the number of its elements under its name, and then the elements as
/// name.0, name.1, …; one of several sets has its own name in the names of its values; an optional field that
/// is absent is not listed.
struct OptionValue {
    std::string name;        ///< with the names of the sets around it: "block.gtu.activation"
    std::string text;        ///< a number, true, false, an enumerator, or a string as it is
    bool is_string = false;  ///< in quotes where it is written

    bool operator==(const OptionValue&) const = default;
};

using OptionList = std::vector<OptionValue>;

/// A value in which two sets differ.
struct OptionDifference {
    std::string name;
    std::string first;   ///< the value as text; "absent" where the first set has none
    std::string second;  ///< likewise

    /// "layers: 4 and 6"
    std::string text() const { return detail::text(name, ": ", first, " and ", second); }
};

namespace detail {

/// The shortest text that reads back as the same number, whatever the locale.
template <class Number>
std::string exact_text(Number number) {
    char digits[64];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), number);
    return std::string(digits, end.ptr);
}

/// The whole text as a number; false where it is none.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const char* const end = text.data() + text.size();
    const std::from_chars_result result = std::from_chars(text.data(), end, number);
    return !text.empty() && result.ec == std::errc() && result.ptr == end;
}

inline std::string option_name(const std::string& set, std::string_view field) {
    return set.empty() ? std::string(field) : text(set, ".", field);
}

template <Enumeration E>
[[noreturn]] void refuse_enumerator(std::string_view where, const std::string& name, std::string_view got) {
    std::string names;
    for (const std::string_view one : enumerator_names<E>)
        names.append(names.empty() ? "" : ", ").append(one);
    raise<config_error>(222, where, text(name, " as one of ", names), in_quotes(got));
}

/// Name of an enumerator. \throws config_error 222 for a value that has none
template <Enumeration E>
std::string_view option_word(E value, const std::string& name, std::string_view where) {
    const std::string_view word = enumerator_name(value);
    if (word.empty()) refuse_enumerator<E>(where, name, std::to_string(static_cast<std::int64_t>(value)));
    return word;
}

template <class T>
void list_value(const std::string& name, const T& value, OptionList& list) {
    if constexpr (OptionSet<T>) {
        for_each_option(
            [&](const char* field, const auto& its) { list_value(option_name(name, field), its, list); },
            value);
    } else if constexpr (OptionChoice<T>) {
        value.visit(
            [&](const char* choice, const auto& its) { list_value(option_name(name, choice), its, list); });
    } else if constexpr (OptionalOption<T>) {
        if (value.has_value()) list_value(name, *value, list);
    } else if constexpr (OptionSequence<T>) {
        list.push_back({name, exact_text(value.size())});
        for (decltype(value.size()) i = 0; i < value.size(); ++i) {
            list_value(option_name(name, exact_text(i)), value[i], list);
        }
    } else if constexpr (std::same_as<T, std::string>) {
        list.push_back({name, value, true});
    } else if constexpr (std::same_as<T, bool>) {
        list.push_back({name, value ? "true" : "false"});
    } else if constexpr (Enumeration<T>) {
        list.push_back({name, std::string(option_word(value, name, "list_options"))});
    } else {
        static_assert(
            std::is_arithmetic_v<T>,
            "toeplitz: no field of options, or a struct without for_each_option: see core/options.hpp.");
        list.push_back({name, exact_text(value)});
    }
}

/// Fills options from a list, and knows in the end what none of them has asked for.
class OptionReader {
public:
    /// \throws config_error 224 (a name twice)
    OptionReader(const OptionList& list, std::string_view where) : where_(where), size_(list.size()) {
        for (const OptionValue& value : list) {
            if (!left_.emplace(value.name, &value).second) {
                raise<config_error>(224, where_, "every option once", text(in_quotes(value.name), " twice"));
            }
        }
    }

    /// \throws config_error 221, 222, 223, 225
    template <class T>
    void read(const std::string& name, T& value) {
        if constexpr (OptionSet<T>) {
            for_each_option([&](const char* field, auto& its) { read(option_name(name, field), its); },
                            value);
        } else if constexpr (OptionChoice<T>) {
            const std::string choice = chosen<T>(name);
            value.choose(choice);
            value.visit([&](const char*, auto& its) { read(option_name(name, choice), its); });
        } else if constexpr (OptionalOption<T>) {
            value.reset();
            if (has(name)) read(name, value.emplace());
        } else if constexpr (OptionSequence<T>) {
            std::size_t size = 0;
            // Bounded by what the list holds: a wrong number cannot ask for all memory.
            take(name, "a number of elements",
                 [&](const OptionValue& from) { return parse_number(from.text, size) && size <= size_; });
            value.resize(static_cast<decltype(value.size())>(size));
            for (decltype(value.size()) i = 0; i < value.size(); ++i) {
                read(option_name(name, exact_text(i)), value[i]);
            }
        } else if constexpr (std::same_as<T, std::string>) {
            take(name, "a string in quotes", [&](const OptionValue& from) {
                value = from.text;
                return from.is_string;
            });
        } else if constexpr (std::same_as<T, bool>) {
            take(name, "true or false", [&](const OptionValue& from) {
                value = from.text == "true";
                return !from.is_string && (value || from.text == "false");
            });
        } else if constexpr (Enumeration<T>) {
            const OptionValue& from = take(name);
            const std::optional<T> parsed = parse_enumerator<T>(from.text);
            if (!parsed) refuse_enumerator<T>(where_, name, from.text);
            value = *parsed;
        } else {
            take(name, std::integral<T> ? "a whole number" : "a number",
                 [&](const OptionValue& from) { return !from.is_string && parse_number(from.text, value); });
        }
    }

    /// \throws config_error 220 unless all values have been read
    void finish() const {
        if (left_.empty()) return;
        raise<config_error>(220, where_, "options that this version knows", in_quotes(left_.begin()->first));
    }

private:
    /// What follows the name of a set in the first name of its values; empty where it has none.
    std::string_view first_inside(const std::string& name) const {
        const std::string inside = text(name, ".");
        const auto found = left_.lower_bound(inside);
        const bool is_inside = found != left_.end() && found->first.starts_with(inside);
        return is_inside ? found->first.substr(inside.size()) : std::string_view();
    }
    /// Whether there is a value of this name, or a set with one.
    bool has(const std::string& name) const { return left_.count(name) != 0 || !first_inside(name).empty(); }

    /// Which of several sets the list has values of.
    template <OptionChoice T>
    std::string chosen(const std::string& name) const {
        std::string choice;
        std::string all;
        T::for_each_choice([&](const char* one) {
            all.append(all.empty() ? "" : ", ").append(one);
            if (has(option_name(name, one))) choice = one;
        });
        if (choice.empty()) {
            std::string_view other = first_inside(name);
            other = other.substr(0, other.find('.'));
            raise<config_error>(225, where_, text(name, " as one of ", all),
                                other.empty() ? "none" : in_quotes(other));
        }
        return choice;
    }

    const OptionValue& take(const std::string& name) {
        const auto node = left_.extract(name);
        if (node.empty()) raise<config_error>(221, where_, text("an option ", in_quotes(name)), "none");
        return *node.mapped();
    }
    template <class Parse>
    void take(const std::string& name, const char* expected, Parse&& parse) {
        const OptionValue& from = take(name);
        if (!parse(from))
            raise<config_error>(223, where_, text(name, " as ", expected), in_quotes(from.text));
    }

    std::string_view where_;
    std::size_t size_;
    std::map<std::string_view, const OptionValue*> left_;
};

/// A set of options from all values of a list, none missing, none left over. What for_each_option does not
/// visit has its default. \throws config_error 220 to 225
template <OptionSet O>
O options_from(const OptionList& list, std::string_view where) {
    O options{};
    OptionReader reader(list, where);
    reader.read(std::string(), options);
    reader.finish();
    return options;
}

/// The line as a list.
/// \throws config_error 224
inline OptionList split_options(std::string_view line, std::string_view where) {
    OptionList list;
    std::size_t at = 0;
    while ((at = line.find_first_not_of(' ', at)) < line.size()) {
        const std::size_t begin = at;
        const auto require = [&](bool ok) {
            if (ok) return;
            const std::string_view rest = line.substr(begin, line.find(' ', at) - begin);
            raise<config_error>(224, where, "name=value and spaces between", in_quotes(rest));
        };
        at = (std::min)(line.find_first_of("= ", at), line.size());
        require(at > begin && at < line.size() && line[at] == '=');
        OptionValue& value = list.emplace_back();
        value.name = line.substr(begin, at - begin);
        value.is_string = ++at < line.size() && line[at] == '"';
        if (value.is_string) {
            while (++at < line.size() && line[at] != '"') {
                const bool escaped = line[at] == '\\' && ++at < line.size();
                if (at < line.size()) value.text.push_back(escaped && line[at] == 'n' ? '\n' : line[at]);
            }
            require(at < line.size() && (++at == line.size() || line[at] == ' '));
        } else {
            const std::size_t end = (std::min)(line.find(' ', at), line.size());
            value.text = line.substr(at, end - at);
            at = end;
        }
    }
    return list;
}

}  // namespace detail

/// All values of a set in the order of declaration.
/// \throws config_error 222 for a value of an enumeration that is none of its enumerators
/// heap: the result | thread-safe: yes
template <OptionSet O>
OptionList list_options(const O& options) {
    OptionList list;
    detail::list_value(std::string(), options, list);
    return list;
}

/// The list as one line: `name=value name=value`, strings in quotes, escaped there.
inline std::string options_text(const OptionList& list) {
    std::string line;
    for (const OptionValue& value : list) {
        line.append(line.empty() ? "" : " ").append(value.name).append("=");
        if (!value.is_string) {
            line.append(value.text);
            continue;
        }
        line.push_back('"');
        for (const char c : value.text) {
            if (c == '"' || c == '\\' || c == '\n') line.push_back('\\');
            line.push_back(c == '\n' ? 'n' : c);
        }
        line.push_back('"');
    }
    return line;
}

/// A set as one line, from which parse_options makes it again, numbers to the last bit.
/// \throws config_error 222 as list_options
template <OptionSet O>
std::string options_text(const O& options) {
    return options_text(list_options(options));
}

/// A set of options from the line that options_text makes; names in any order. What for_each_option does not
/// visit has its default.
/// \throws config_error 220 (an unknown name), 221 (a missing one), 222 (no such enumerator), 223 (a value
///         that is no number, …), 224 (not name=value, or a name twice), 225 (no such option set)
/// Cost O(k log k) for k values | heap: the values | thread-safe: yes
template <OptionSet O>
O parse_options(std::string_view line) {
    return detail::options_from<O>(detail::split_options(line, "parse_options"), "parse_options");
}

/// The values in which two lists differ, in the order of the first list; then those that only the second has.
/// Numbers are equal where their texts are: nan equals nan, and 0 is not −0.
inline std::vector<OptionDifference> option_differences(const OptionList& first, const OptionList& second) {
    std::vector<OptionDifference> differences;
    std::map<std::string_view, const OptionValue*> left;
    for (const OptionValue& value : second) left.emplace(value.name, &value);
    for (const OptionValue& value : first) {
        const auto other = left.extract(value.name);
        if (other.empty()) {
            differences.push_back({value.name, value.text, "absent"});
        } else if (value != *other.mapped()) {
            differences.push_back({value.name, value.text, other.mapped()->text});
        }
    }
    for (const OptionValue& value : second) {
        if (left.count(value.name) != 0) differences.push_back({value.name, "absent", value.text});
    }
    return differences;
}

/// The same of two sets, which need not have the same type.
/// \throws config_error 222 as list_options
template <OptionSet First, OptionSet Second>
std::vector<OptionDifference> option_differences(const First& first, const Second& second) {
    return option_differences(list_options(first), list_options(second));
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
