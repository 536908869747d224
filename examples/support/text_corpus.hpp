// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One long text from files and directories.

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace examples {

/// The files themselves, and the files in the directories whose names end with `extension`, sorted.
inline std::vector<std::string> list_files(const std::vector<std::string>& paths,
                                           const std::string& extension) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        if (!std::filesystem::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        std::vector<std::string> inside;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            const std::string name = entry.path().string();
            if (entry.is_regular_file() && entry.file_size() > 0 && name.ends_with(extension)) {
                inside.push_back(name);
            }
        }
        if (inside.empty()) throw std::runtime_error("'" + path + "' has no files *" + extension);
        std::sort(inside.begin(), inside.end());
        files.insert(files.end(), inside.begin(), inside.end());
    }
    return files;
}

/// One after another.
inline std::string read_all(const std::vector<std::string>& files) {
    std::string text;
    for (const std::string& file : files) {
        const auto size =
            std::filesystem::is_regular_file(file) ? std::filesystem::file_size(file) : 1U << 30U;
        text += read_bytes(file, static_cast<Index>(size));
    }
    return text;
}

/// Perl's documentation, wherever this version has it.
inline std::vector<std::string> default_text() {
    const std::filesystem::path root = "/usr/share/perl";
    if (std::filesystem::is_directory(root)) {
        for (const auto& version : std::filesystem::directory_iterator(root)) {
            const std::filesystem::path pod = version.path() / "pod";
            if (!version.is_symlink() && std::filesystem::exists(pod / "perlfunc.pod")) return {pod.string()};
        }
    }
    throw std::runtime_error(
        "no text. The default one is in the Debian package perl-doc; or name any other file.");
}

struct Corpus {
    std::string_view train;
    std::string_view validation;
};

/// The first 95 % of a text to train on; so many of the last 5 % to validate on, or all of them.
inline Corpus split_corpus(std::string_view text, Index validation_bytes) {
    const std::size_t cut = text.size() - text.size() / 20;
    return {text.substr(0, cut),
            text.substr(cut, validation_bytes == 0 ? std::string_view::npos
                                                   : static_cast<std::size_t>(validation_bytes))};
}

}  // namespace examples
