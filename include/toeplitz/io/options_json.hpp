// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options as JSON: sets are objects, sequences arrays, enumerators their names, absent fields null, and one
/// of several sets an object with the set under its name.

#include <string>
#include <string_view>
#include <vector>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/options_text.hpp>
#include <toeplitz/io/json_events.hpp>
#include <toeplitz/io/safetensors.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

template <class T>
void append_option_json(std::string& json, const std::string& name, const T& value) {
    const auto refuse = [&](const char* expected, const std::string& got) {
        raise<io_error>(961, "options_json", text(name, " as ", expected), got);
    };
    if constexpr (OptionSet<T>) {
        const char* separator = "{";
        for_each_option(
            [&](const char* field, const auto& its) {
                json.append(separator).append("\"").append(field).append("\":");
                append_option_json(json, option_name(name, field), its);
                separator = ",";
            },
            value);
        json.append("}");
    } else if constexpr (OptionChoice<T>) {
        value.visit([&](const char* choice, const auto& its) {
            json.append("{\"").append(choice).append("\":");
            append_option_json(json, option_name(name, choice), its);
            json.append("}");
        });
    } else if constexpr (OptionalOption<T>) {
        if (!value.has_value()) {
            json.append("null");
        } else {
            append_option_json(json, name, *value);
        }
    } else if constexpr (OptionSequence<T>) {
        json.append("[");
        for (decltype(value.size()) i = 0; i < value.size(); ++i) {
            json.append(i == 0 ? "" : ",");
            append_option_json(json, option_name(name, exact_text(i)), value[i]);
        }
        json.append("]");
    } else if constexpr (std::same_as<T, std::string>) {
        if (!append_json(json, value)) refuse("a string in UTF-8", in_quotes(value));
    } else if constexpr (std::same_as<T, bool>) {
        json.append(value ? "true" : "false");
    } else if constexpr (Enumeration<T>) {
        json.append("\"").append(option_word(value, name, "options_json")).append("\"");
    } else {
        if constexpr (std::floating_point<T>) {
            if (!is_finite(value)) refuse("a finite number, which JSON can hold", exact_text(value));
        }
        json.append(exact_text(value));
        // A reader takes -0 for the integer.
        if (json.ends_with("-0")) json.append(".0");
    }
}

/// Makes a list from the events of the JSON parser.
class OptionListBuilder final : public JsonEvents {
public:
    const OptionList& list() const noexcept { return list_; }
    /// What was wrong.
    const std::string& problem() const noexcept { return problem_; }

    bool null() override {
        next_name();
        return true;
    }
    bool boolean(bool value) override { return add(value ? "true" : "false"); }
    bool number_integer(std::int64_t value) override { return add(exact_text(value)); }
    bool number_unsigned(std::uint64_t value) override { return add(exact_text(value)); }
    bool number_float(double /*value*/, const std::string& source) override { return add(source); }
    bool string(std::string& value) override { return add(std::move(value), true); }
    bool binary(nlohmann::json::binary_t& /*value*/) override { return stop("bytes"); }
    bool key(std::string& value) override {
        key_ = std::move(value);
        return true;
    }
    bool start_object(std::size_t /*size*/) override { return open({next_name(), false, 0, 0}); }
    bool end_object() override {
        levels_.pop_back();
        return true;
    }
    bool start_array(std::size_t /*size*/) override {
        std::string name = next_name();
        list_.push_back({name, {}});
        return open({std::move(name), true, list_.size() - 1, 0});
    }
    bool end_array() override {
        const Level& level = levels_.back();
        list_[level.place].text = exact_text(level.elements);
        return end_object();
    }
    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const nlohmann::json::exception& problem_found) override {
        return stop(in_quotes(problem_found.what()));
    }

private:
    struct Level {
        std::string name;
        bool is_array;
        std::size_t place;  ///< of an array: where its size stands in the list
        Index elements;
    };

    std::string next_name() {
        if (levels_.empty()) return {};
        Level& level = levels_.back();
        return option_name(level.name, level.is_array ? exact_text(level.elements++) : key_);
    }
    bool add(std::string value, bool is_string = false) {
        list_.push_back({next_name(), std::move(value), is_string});
        return true;
    }
    bool open(Level level) {
        // Every level carries the names of those around it.
        if (levels_.size() == 32) return stop("more than 32 levels");
        levels_.push_back(std::move(level));
        return true;
    }
    bool stop(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    OptionList list_;
    std::vector<Level> levels_;
    std::string key_;
    std::string problem_;
};

}  // namespace detail

/// A set as a JSON object in one line, from which parse_options_json makes it again, numbers to the last bit.
/// \throws config_error 222 (a value that is no enumerator), io_error 961 (an infinity, a NaN, a string
///         that is not UTF-8)
/// heap: the result | thread-safe: yes
template <OptionSet O>
std::string options_json(const O& options) {
    std::string json;
    detail::append_option_json(json, std::string(), options);
    return json;
}

/// A set of options from a JSON object. Optional fields may be null or left out. What for_each_option does
/// not visit has its default.
/// \param where of messages
/// \throws io_error 960 (not a JSON object), config_error 220 to 225 as parse_options
/// Cost O(k log k) for k values | heap: the values | thread-safe: yes
template <OptionSet O>
O parse_options_json(std::string_view json, std::string_view where = "parse_options_json") {
    detail::OptionListBuilder builder;
    // The parser takes a zero byte for the end and would not look at what follows.
    const bool is_object =
        json.substr(0, json.find('{')).find_first_not_of(" \t\r\n") == std::string_view::npos &&
        json.find('\0') == std::string_view::npos;
    if (!is_object || !detail::parse_json<nlohmann::json>(json, builder)) {
        detail::raise<io_error>(960, where, "a JSON object without zero bytes",
                                is_object ? builder.problem() : detail::in_quotes(json));
    }
    return detail::options_from<O>(builder.list(), where);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
