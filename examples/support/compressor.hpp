// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How small a compressor makes a text.

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "pipe.hpp"

namespace examples {

/// Bytes that `command`, which compresses its standard input, makes of the text.
/// \param scratch file to write the text to; it is removed
inline double compressed_bytes(const std::string& command, std::string_view text,
                               const std::string& scratch) {
    std::ofstream file(scratch, std::ios::binary);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) throw std::runtime_error("cannot write '" + scratch + "'");
    const std::string size = output_of(command + " <" + shell_quoted(scratch) + " | wc -c");
    std::filesystem::remove(scratch);
    return std::stod(size);
}

}  // namespace examples
