// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The bytes of a file as a sequence of vectors.

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <toeplitz/core/random.hpp>
#include <toeplitz/core/types.hpp>

namespace examples {

using toeplitz::Index, toeplitz::Matrix;

/// The first `limit` bytes of a file, or all of a shorter one.
/// \throws std::runtime_error when it cannot be read or is empty
inline std::string read_bytes(const std::string& path, Index limit) {
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("cannot read '" + path + "': " + why);
    };
    if (std::filesystem::is_directory(path)) fail("it is a directory");
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(std::strerror(errno));
    std::string bytes(static_cast<std::size_t>(limit), '\0');
    file.read(bytes.data(), limit);
    if (file.bad()) fail("an error while reading");
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    if (bytes.empty()) fail("it is empty");
    return bytes;
}

/// n × d: time step i is the random vector of byte i. The vectors of the 256 bytes have root mean square 1.
inline Matrix<float> embed_bytes(const std::string& bytes, Index channels, std::uint64_t seed) {
    const toeplitz::CounterRandom random(seed);
    Matrix<float> table(256, channels);
    for (Index i = 0; i < table.size(); ++i) {
        table.data()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    }
    table.rowwise().normalize();
    table *= std::sqrt(static_cast<float>(channels));

    Matrix<float> sequence(static_cast<Index>(bytes.size()), channels);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sequence.row(static_cast<Index>(i)) = table.row(static_cast<unsigned char>(bytes[i]));
    }
    return sequence;
}

}  // namespace examples
