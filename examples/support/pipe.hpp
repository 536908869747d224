// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What another program prints.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace examples {

/// Whether the shell finds a program.
inline bool has_program(const std::string& name) {
    return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// 'text' for the shell.
inline std::string shell_quoted(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

/// The standard output of a shell command.
/// \throws std::runtime_error when it cannot be run or fails
inline std::string output_of(const std::string& command) {
    FILE* const pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot run '" + command + "'");
    std::string output;
    std::array<char, 65536> buffer;
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        output.append(buffer.data(), count);
    }
    if (pclose(pipe) != 0) throw std::runtime_error("'" + command + "' failed");
    return output;
}

}  // namespace examples
