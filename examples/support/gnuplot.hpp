// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Runs gnuplot where it is installed.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace examples {

inline bool has_gnuplot() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

/// Runs a script of gnuplot in its directory, so that the names in it are relative to that. `script` must be
/// a plain name. Returns whether gnuplot succeeded.
inline bool run_gnuplot(const std::filesystem::path& directory, const std::string& script) {
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(directory);
    const bool succeeded = std::system(("gnuplot " + script + " >&2").c_str()) == 0;
    std::filesystem::current_path(before);
    return succeeded;
}

}  // namespace examples
