// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One Toeplitz kernel by every path of the library, for growing lengths: time, error and memory.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <toeplitz/core/types.hpp>

namespace examples {

struct PathSettings {
    std::string text{};  ///< file whose bytes are the sequence; empty: random bytes
    std::string out{};   ///< directory of the CSV file and the plot; empty: none
    int threads = 1;
    toeplitz::Index channels = 64;
    toeplitz::Index rank = 64;
    toeplitz::Index taps = 33;
    toeplitz::Index max_n = 65536;
    std::uint64_t seed = 1;
};

/// One line of the table.
struct PathResult {
    std::string kernel{};
    std::string path{};
    std::string paper{};  ///< its name in the paper; empty for parts of a path
    toeplitz::Index n = 0;
    toeplitz::Index rank = 0;  ///< 0: not applicable, as taps
    toeplitz::Index taps = 0;
    double seconds = 0;
    bool extrapolated = false;
    double error = 0;
    std::size_t bytes = 0;
};
double nanoseconds_per_element(const PathResult& result, toeplitz::Index channels);

/// All but the text.
void add_path_options(CLI::App& app, PathSettings& settings);

/// Prints the tables as they come; writes the CSV file and the plot. \throws std::runtime_error
std::vector<PathResult> compare_paths(PathSettings& settings, std::ostream& out);

}  // namespace examples
