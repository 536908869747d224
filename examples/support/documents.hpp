// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two tasks from a system's manual pages, byte by byte: is a piece of one about a command, or about a file
/// or a subject, and does one page refer to another?

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <toeplitz/core/random.hpp>

#include "labelled_sequences.hpp"

namespace examples {

inline const char* const manual_pages = "/usr/share/man";

/// A manual page without roff's macros and fonts, comments, its title line, and what follows its heading SEE
/// ALSO.
struct ManualPage {
    std::string name;  ///< "tar(1)"
    std::string text;
    std::set<std::string> references;  ///< "gzip(1)", of all pages that it names there
};

/// \throws std::runtime_error
inline std::string read_gzip(const std::string& path) {
    const gzFile file = gzopen(path.c_str(), "rb");
    if (file == nullptr) throw std::runtime_error("cannot read '" + path + "'");
    std::string content;
    char buffer[65536];
    int count = 0;
    while ((count = gzread(file, buffer, sizeof buffer)) > 0) {
        content.append(buffer, static_cast<std::size_t>(count));
        if (content.size() > (1U << 20U)) break;  // longer pages are cut
    }
    gzclose(file);
    if (count < 0) throw std::runtime_error("cannot read '" + path + "': damaged");
    return content;
}

/// All "name(section)" in a text, roff's fonts left out: "\fBgzip\fR(1)" and ".BR gzip (1)" are gzip(1).
inline std::set<std::string> manual_references(std::string_view roff) {
    std::string plain;
    for (std::size_t i = 0; i < roff.size(); ++i) {
        if (roff[i] == '\\' && i + 2 < roff.size() && roff[i + 1] == 'f') {
            i += roff[i + 2] == '(' ? 4 : 2;
        } else if (roff[i] == '\\') {
            // "\-" is a hyphen.
        } else if (roff[i] == ' ' && i + 1 < roff.size() && roff[i + 1] == '(') {
            // ".BR gzip (1)"
        } else {
            plain += roff[i];
        }
    }
    const auto is_of_name = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
               c == '+' || c == ':';
    };
    std::set<std::string> found;
    for (std::size_t at = plain.find('('); at != std::string::npos; at = plain.find('(', at + 1)) {
        const std::size_t close = plain.find(')', at);
        if (close == std::string::npos || close - at > 8 || at + 1 >= plain.size() ||
            std::isdigit(static_cast<unsigned char>(plain[at + 1])) == 0) {
            continue;
        }
        std::size_t first = at;
        while (first > 0 && is_of_name(plain[first - 1])) --first;
        if (first < at) found.insert(plain.substr(first, at - first) + "(" + plain[at + 1] + ")");
    }
    return found;
}

/// A line without the macro that it begins with, and without escapes: ".B gzip \-d" is " gzip -d".
inline std::string without_roff(std::string_view line) {
    if (line.starts_with('.') || line.starts_with('\'')) {
        line.remove_prefix(std::min(line.find(' '), line.size()));
    }
    std::string plain;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] != '\\') {
            plain += line[i];
        } else if (i + 2 < line.size() && line[i + 1] == 'f') {
            i += line[i + 2] == '(' ? 4 : 2;
        } else if (i + 1 < line.size() && line[i + 1] == '(') {
            i += 3;
        } else if (i + 1 < line.size() && line[i + 1] != '-' && line[i + 1] != 'e') {
            i += 1;
        }
    }
    return plain;
}

/// What is left of a page's source.
inline ManualPage parse_manual_page(const std::string& name, std::string_view source) {
    ManualPage page{.name = name, .text = {}, .references = {}};
    std::string see_also;
    bool is_see_also = false;
    while (!source.empty()) {
        const std::size_t end = source.find('\n');
        const std::string_view line = source.substr(0, end);
        source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
        const bool is_heading = line.starts_with(".SH") || line.starts_with(".Sh");
        if (is_heading) is_see_also = line.find("SEE ALSO") != std::string_view::npos;
        const bool is_left_out = line.starts_with(".\\\"") || line.starts_with("'\\\"") ||
                                 line.starts_with(".TH") || line.starts_with(".Dt") ||
                                 line.starts_with(".IX");
        if (is_see_also) {
            see_also.append(line).append(1, '\n');
        } else if (!is_left_out) {
            page.text.append(without_roff(line)).append(1, '\n');
        }
    }
    page.references = manual_references(see_also);
    page.references.erase(name);
    return page;
}

/// The English pages of some sections in a directory like /usr/share/man, by name; links and pages that
/// only include others are left out.
/// \throws std::runtime_error where there are none
inline std::vector<ManualPage> read_manual_pages(const std::string& directory, const std::string& sections,
                                                 std::size_t least_bytes) {
    std::map<std::string, std::string> paths;
    for (const char section : sections) {
        const std::string folder = directory + "/man" + section;
        if (!std::filesystem::is_directory(folder)) continue;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.is_symlink() || !entry.is_regular_file()) continue;
            std::string file = entry.path().filename().string();
            if (file.ends_with(".gz")) file.resize(file.size() - 3);
            const std::size_t dot = file.rfind('.');
            if (dot == std::string::npos || dot == 0) continue;
            paths[file.substr(0, dot) + "(" + section + ")"] = entry.path().string();
        }
    }
    std::vector<ManualPage> pages;
    for (const auto& [name, path] : paths) {
        ManualPage page = parse_manual_page(name, read_gzip(path));
        if (page.text.size() >= least_bytes) pages.push_back(std::move(page));
    }
    if (pages.empty()) {
        throw std::runtime_error("no manual pages of " + std::to_string(least_bytes) + " bytes in '" +
                                 directory +
                                 "': they are in the Debian packages manpages, manpages-dev and "
                                 "many others; or name another directory with --data");
    }
    return pages;
}

/// In which of ten parts a page is, from its name alone: pages of one family, git-add and git-rm, are
/// together.
inline Index tenth_of(const std::string& name) {
    const std::string family = name.substr(0, name.find_first_of("-_.:(0123456789", 1));
    std::uint64_t hash = 1469598103934665603U;
    for (const char c : family) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return static_cast<Index>((hash >> 32U) % 10);
}

struct DocumentSplit {
    LabelledSequences train, validation, test;
};

/// f(part) for the part that a page belongs to: nine tenths train (the ninth to watch), one to test on.
inline LabelledSequences& part_of(DocumentSplit& split, Index tenth) {
    return tenth == 9 ? split.test : tenth == 8 ? split.validation : split.train;
}

/// Pieces of `length` bytes from manual pages: 0 of commands (sections 1 and 8), 1 of file formats and
/// overviews (5 and 7). As many of either in each part; no page, and no family of pages, is in two parts.
inline DocumentSplit make_section_data(const std::string& directory, Index length, std::uint64_t seed) {
    const std::size_t size = static_cast<std::size_t>(length);
    DocumentSplit split;
    const toeplitz::CounterRandom random(seed);
    std::uint64_t drawn = 0;
    std::map<Index, std::vector<std::string>> pieces[2];  // of each class, by tenth
    for (const int kind : {0, 1}) {
        for (const ManualPage& page : read_manual_pages(directory, kind == 0 ? "18" : "57", size)) {
            for (std::size_t at = 0; at + size <= std::min(page.text.size(), 8 * size); at += size) {
                pieces[kind][tenth_of(page.name)].push_back(page.text.substr(at, size));
            }
        }
    }
    for (LabelledSequences* part : {&split.train, &split.validation, &split.test}) part->length = length;
    for (Index tenth = 0; tenth < 10; ++tenth) {
        const std::size_t count = std::min(pieces[0][tenth].size(), pieces[1][tenth].size());
        for (const int kind : {0, 1}) {
            auto& of = pieces[kind][tenth];
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t other = i + static_cast<std::size_t>(random.uniform(drawn++) *
                                                                       static_cast<double>(of.size() - i));
                std::swap(of[i], of[other]);
                part_of(split, tenth).add(of[i], kind);
            }
        }
    }
    return split;
}

/// Pairs of pages of up to `length` bytes each: 1 where the first refers to the second under SEE ALSO, which
/// neither shows. The unrelated pairs are the related ones with other partners, so that every page comes as
/// often with either answer.
inline DocumentSplit make_reference_data(const std::string& directory, Index length, std::uint64_t seed) {
    const std::vector<ManualPage> pages = read_manual_pages(directory, "12345678", 1000);
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < pages.size(); ++i) index[pages[i].name] = i;
    std::vector<std::pair<std::size_t, std::size_t>> related[10];  // by tenth, of both
    for (std::size_t i = 0; i < pages.size(); ++i) {
        for (const std::string& name : pages[i].references) {
            const auto found = index.find(name);
            if (found == index.end()) continue;
            const Index tenth = tenth_of(pages[i].name);
            const Index part = tenth_of(name);
            // Both in one part of the split, which has eight tenths, one and one.
            const auto of_split = [](Index t) { return std::max<Index>(t, 7); };
            if (of_split(tenth) == of_split(part)) related[tenth].emplace_back(i, found->second);
        }
    }
    DocumentSplit split;
    const toeplitz::CounterRandom random(seed);
    std::uint64_t drawn = 0;
    for (LabelledSequences* part : {&split.train, &split.validation, &split.test}) {
        part->length = length;
        part->parts = 2;
    }
    for (Index tenth = 0; tenth < 10; ++tenth) {
        const auto& of = related[tenth];
        LabelledSequences& part = part_of(split, tenth);
        const auto add = [&](std::size_t a, std::size_t b, Token label) {
            const std::size_t size = static_cast<std::size_t>(length);
            part.add(std::string_view(pages[a].text).substr(0, size));
            part.add(std::string_view(pages[b].text).substr(0, size), label);
        };
        // Partners move on by as many places as leave most pairs unrelated.
        for (std::size_t i = 0; i < of.size() && of.size() > 1; ++i) {
            const std::size_t step =
                1 + static_cast<std::size_t>(random.uniform(drawn++) * static_cast<double>(of.size() - 1));
            const auto& other = of[(i + step) % of.size()];
            const bool is_related = other.second == of[i].first ||
                                    pages[of[i].first].references.contains(pages[other.second].name) ||
                                    pages[other.second].references.contains(pages[of[i].first].name);
            if (is_related) continue;
            add(of[i].first, of[i].second, 1);
            add(of[i].first, other.second, 0);
        }
    }
    return split;
}

}  // namespace examples
