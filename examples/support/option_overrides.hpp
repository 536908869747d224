// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options that a command line changes by their names, as files have them.

#include <sstream>
#include <stdexcept>
#include <string>

#include <toeplitz/core/options_text.hpp>

namespace examples {

/// Options with some of them replaced: "input=cosine scale=3 -pole"; what follows a minus is taken away, as
/// it is in files from before there was such an option. \throws std::runtime_error for another word;
/// toeplitz::config_error 220 to 225 for what the options do not know
template <toeplitz::OptionSet O>
O override_options(const O& options, const std::string& changes) {
    toeplitz::OptionList list = toeplitz::list_options(options);
    std::istringstream words(changes);
    for (std::string word; words >> word;) {
        const bool is_taken_away = word.starts_with('-');
        const std::size_t equals = word.find('=');
        if (!is_taken_away && (equals == 0 || equals == std::string::npos)) {
            throw std::runtime_error("options are changed by name=value or -name, and not by '" + word + "'");
        }
        const std::string name = is_taken_away ? word.substr(1) : word.substr(0, equals);
        std::erase_if(list, [&](const toeplitz::OptionValue& one) {
            return one.name == name || (is_taken_away && one.name.starts_with(name + "."));
        });
        if (!is_taken_away) list.push_back({name, word.substr(equals + 1)});
    }
    return toeplitz::parse_options<O>(toeplitz::options_text(list));
}

}  // namespace examples
