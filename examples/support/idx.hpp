// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Files of the IDX format: arrays of bytes, as MNIST and its relatives come in.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipe.hpp"
#include "text.hpp"

namespace examples {

struct IdxFile {
    std::vector<Index> shape;
    std::string bytes;  ///< the last index runs fastest
};

/// Understands the content of an IDX file of unsigned bytes: two zeros, 8 for bytes, the number of
/// dimensions, every dimension as 4 big-endian bytes, the data.
inline IdxFile parse_idx(const std::string& content, const std::string& path) {
    const auto byte = [&](std::size_t i) {
        return static_cast<Index>(static_cast<unsigned char>(content[i]));
    };
    const auto require = [&](bool ok, const std::string& what) {
        if (!ok) throw std::runtime_error("cannot read '" + path + "' as IDX: " + what);
    };
    require(content.size() >= 4 && byte(0) == 0 && byte(1) == 0 && byte(2) == 8,
            "it does not begin like a file of unsigned bytes");
    const std::size_t dimensions = static_cast<std::size_t>(byte(3));
    const std::size_t header = 4 + 4 * dimensions;
    require(dimensions >= 1 && dimensions <= 4 && content.size() >= header, "bad dimensions");
    IdxFile file;
    Index size = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
        Index extent = 0;
        for (std::size_t i = 0; i < 4; ++i) extent = extent * 256 + byte(4 + 4 * d + i);
        file.shape.push_back(extent);
        require(extent > 0 && extent < (Index{1} << 28) && size < (Index{1} << 32), "bad dimensions");
        size *= extent;
    }
    require(static_cast<Index>(content.size() - header) == size, "its length does not fit its dimensions");
    file.bytes = content.substr(header);
    return file;
}

/// Reads a file that gzip may have compressed.
inline IdxFile read_idx(const std::string& path) {
    if (!std::filesystem::exists(path)) throw std::runtime_error("cannot read '" + path + "': no such file");
    if (path.ends_with(".gz")) return parse_idx(output_of("gzip -dc " + shell_quoted(path)), path);
    return parse_idx(read_bytes(path, static_cast<Index>(std::filesystem::file_size(path))), path);
}

}  // namespace examples
