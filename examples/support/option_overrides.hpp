// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options that a command line changes by their names, as files have them.

#include <sstream>
#include <stdexcept>
#include <string>

#include <toeplitz/core/options_text.hpp>

namespace examples {

/// Options with some of them replaced: "input=cosine scale=3 pole=absent"; an absent one is as in files from
/// before there was such an option. \throws std::runtime_error for another word; toeplitz::config_error 220
/// to 225 for what the options do not know
template <toeplitz::OptionSet O>
O override_options(const O& options, const std::string& changes) {
    toeplitz::OptionList list = toeplitz::list_options(options);
    std::istringstream words(changes);
    for (std::string word; words >> word;) {
        const std::size_t equals = word.find('=');
        if (equals == 0 || equals == std::string::npos) {
            throw std::runtime_error("options are changed by name=value, and not by '" + word + "'");
        }
        const std::string name = word.substr(0, equals);
        const std::string value = word.substr(equals + 1);
        const bool is_absent = value == "absent";
        std::erase_if(list, [&](const toeplitz::OptionValue& one) {
            return one.name == name || (is_absent && one.name.starts_with(name + "."));
        });
        if (!is_absent) list.push_back({name, value});
    }
    return toeplitz::parse_options<O>(toeplitz::options_text(list));
}

}  // namespace examples
