// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Texts to train on and to validate on, from files and directories.

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <toeplitz/core/random.hpp>

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

/// The text of each.
inline std::vector<std::string> read_all(const std::vector<std::string>& files) {
    std::vector<std::string> texts;
    for (const std::string& file : files) {
        const auto size =
            std::filesystem::is_regular_file(file) ? std::filesystem::file_size(file) : 1U << 30U;
        texts.push_back(read_bytes(file, static_cast<Index>(size)));
    }
    return texts;
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
    std::string train;
    std::string validation;
};

namespace detail {

/// Documents: the texts, and of one that is longer than `most` its pieces, cut behind a line where there is
/// one.
inline std::vector<std::string_view> documents(const std::vector<std::string>& texts, std::size_t most) {
    std::vector<std::string_view> all;
    for (std::string_view text : texts) {
        while (text.size() > most) {
            const std::size_t line = text.rfind('\n', most - 1);
            const std::size_t size = line == std::string_view::npos ? most : line + 1;
            all.push_back(text.substr(0, size));
            text.remove_prefix(size);
        }
        if (!text.empty()) all.push_back(text);
    }
    return all;
}

}  // namespace detail

/// Texts to train on, and so many bytes to validate on, or all that are held back: whole documents, drawn
/// from `seed` until they are 5 % of the text. No document is longer than 1 % of it: those that are count as
/// several.
inline Corpus split_corpus(const std::vector<std::string>& texts, Index validation_bytes,
                           std::uint64_t seed = 1) {
    std::size_t size = 0;
    for (const std::string& text : texts) size += text.size();
    const auto documents = detail::documents(texts, std::max<std::size_t>(size / 100, 1));
    std::vector<std::size_t> order(documents.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const toeplitz::CounterRandom random(seed);
    const auto key = [&](std::size_t i) { return random.bits(static_cast<std::uint64_t>(i)); };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });

    Corpus corpus;
    std::vector<bool> held_back(documents.size());
    for (std::size_t i = 0; i < order.size() && corpus.validation.size() < size / 20; ++i) {
        held_back[order[i]] = true;
        corpus.validation += documents[order[i]];
    }
    for (std::size_t i = 0; i < documents.size(); ++i) {
        if (!held_back[i]) corpus.train += documents[i];
    }
    if (validation_bytes > 0 && static_cast<std::size_t>(validation_bytes) < corpus.validation.size()) {
        corpus.validation.resize(static_cast<std::size_t>(validation_bytes));
    }
    return corpus;
}

/// Pieces of a text from all over it, `bytes` together: all of it where it is no longer.
inline std::string spread_pieces(std::string_view text, std::size_t bytes, std::size_t pieces) {
    if (text.size() <= bytes) return std::string(text);
    std::string all;
    for (std::size_t i = 0; i < pieces; ++i) all += text.substr(text.size() / pieces * i, bytes / pieces);
    return all;
}

}  // namespace examples
