// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The files of Long Range Arena's public release. What cannot be read is refused with file, line and reason.

#include <charconv>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "labelled_sequences.hpp"
#include "listops.hpp"

namespace examples {

/// \throws std::runtime_error "cannot read 'path', line 7: why"; without a line where it is 0
[[noreturn]] inline void refuse_file(const std::string& path, Index line, const std::string& why) {
    const std::string place = line > 0 ? ", line " + std::to_string(line) : "";
    throw std::runtime_error("cannot read '" + path + "'" + place + ": " + why);
}

/// Calls f(line without its end, number from 1 on) for every line that is not empty.
template <class F>
void for_each_line(std::string_view content, F&& f) {
    Index number = 0;
    while (!content.empty()) {
        const std::size_t end = content.find('\n');
        std::string_view line = content.substr(0, end);
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        ++number;
        if (!line.empty()) f(line, number);
    }
}

/// The cells of a line.
inline std::vector<std::string_view> split(std::string_view line, char separator) {
    std::vector<std::string_view> cells;
    while (true) {
        const std::size_t end = line.find(separator);
        cells.push_back(line.substr(0, end));
        if (end == std::string_view::npos) return cells;
        line.remove_prefix(end + 1);
    }
}

/// basic_train.tsv and the like: a header "Source<tab>Target", then an expression and its value. Round
/// brackets, which say what binds to what, are left out: the square ones do as well. \param length n: longer
/// expressions are cut
inline LabelledSequences parse_listops(std::string_view content, const std::string& path, Index length) {
    const std::map<std::string_view, unsigned char> words = {{"[MIN", listops::minimum},
                                                             {"[MAX", listops::maximum},
                                                             {"[MED", listops::median},
                                                             {"[SM", listops::sum_mod},
                                                             {"]", listops::close}};
    LabelledSequences data{.length = length};
    bool has_header = false;
    for_each_line(content, [&](std::string_view line, Index number) {
        const auto cells = split(line, '\t');
        if (cells.size() != 2) {
            refuse_file(path, number, std::to_string(cells.size()) + " columns, and not Source and Target");
        }
        if (!has_header) {
            has_header = true;
            if (cells[0] != "Source" || cells[1] != "Target") {
                refuse_file(path, number, "no header of Source and Target");
            }
            return;
        }
        std::vector<unsigned char> tokens;
        for (const std::string_view word : split(cells[0], ' ')) {
            if (word.empty() || word == "(" || word == ")") continue;
            const auto known = words.find(word);
            if (known != words.end()) {
                tokens.push_back(known->second);
            } else if (word.size() == 1 && word[0] >= '0' && word[0] <= '9') {
                tokens.push_back(static_cast<unsigned char>(word[0] - '0'));
            } else {
                refuse_file(path, number,
                            "'" + std::string(word.substr(0, 20)) + "' is no digit, operator or ]");
            }
        }
        if (tokens.empty()) refuse_file(path, number, "an empty expression");
        if (cells[1].size() != 1 || cells[1][0] < '0' || cells[1][0] > '9') {
            refuse_file(path, number,
                        "a value '" + std::string(cells[1].substr(0, 20)) + "', which is not 0 to 9");
        }
        tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(length)));
        data.add(tokens, cells[1][0] - '0');
    });
    if (data.count() == 0) refuse_file(path, 0, "no expressions");
    return data;
}

/// new_aan_pairs.train.tsv and the like: label, two names and two texts in each line. A text is its bytes.
/// \param length n: longer texts are cut
inline LabelledSequences parse_pairs(std::string_view content, const std::string& path, Index length) {
    LabelledSequences data{.length = length, .parts = 2};
    for_each_line(content, [&](std::string_view line, Index number) {
        const auto cells = split(line, '\t');
        if (cells.size() != 5) {
            refuse_file(path, number,
                        std::to_string(cells.size()) + " columns, and not a label, two names and two texts");
        }
        const bool is_related = cells[0] == "1" || cells[0] == "1.0";
        if (!is_related && cells[0] != "0" && cells[0] != "0.0") {
            refuse_file(path, number,
                        "a label '" + std::string(cells[0].substr(0, 20)) + "', which is neither 0 nor 1");
        }
        for (const std::size_t text : {std::size_t{3}, std::size_t{4}}) {
            if (cells[text].empty()) refuse_file(path, number, "an empty text");
        }
        data.add(cells[3].substr(0, static_cast<std::size_t>(length)));
        data.add(cells[4].substr(0, static_cast<std::size_t>(length)), is_related ? 1 : 0);
    });
    if (data.count() == 0) refuse_file(path, 0, "no pairs");
    return data;
}

/// data_batch_1.bin and the like: a class, then 32 × 32 bytes of red, of green and of blue, for every image.
/// The images become grey: 0.299 red + 0.587 green + 0.114 blue.
inline LabelledSequences parse_cifar(std::string_view content, const std::string& path) {
    constexpr std::size_t pixels = 32 * 32;
    constexpr std::size_t record = 1 + 3 * pixels;
    if (content.empty() || content.size() % record != 0) {
        refuse_file(path, 0, std::to_string(content.size()) + " bytes, which are not images of 3073 each");
    }
    LabelledSequences data{.length = pixels, .image_width = 32};
    for (std::size_t image = 0; image < content.size(); image += record) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(content[image + i]); };
        if (byte(0) > 9) {
            refuse_file(path, 0,
                        "image " + std::to_string(image / record) + " is of class " +
                            std::to_string(byte(0)) + ", and not of 0 to 9");
        }
        for (std::size_t i = 1; i <= pixels; ++i) {
            const int grey = 299 * byte(i) + 587 * byte(i + pixels) + 114 * byte(i + 2 * pixels);
            data.tokens.push_back(static_cast<unsigned char>((grey + 500) / 1000));
        }
        data.labels.push_back(byte(0));
    }
    return data;
}

struct LabelledFile {
    std::string path;  ///< below the folder of the task
    Token label;
};

/// metadata/0.npy and the like, which are text: folder, file, a number, the label and more in each line.
inline std::vector<LabelledFile> parse_pathfinder_metadata(std::string_view content,
                                                           const std::string& path) {
    std::vector<LabelledFile> files;
    for_each_line(content, [&](std::string_view line, Index number) {
        const auto cells = split(line, ' ');
        if (cells.size() < 4) {
            refuse_file(
                path, number,
                std::to_string(cells.size()) + " columns, and not at least folder, file, number, label");
        }
        if (cells[3] != "0" && cells[3] != "1") {
            refuse_file(path, number,
                        "a label '" + std::string(cells[3].substr(0, 20)) + "', which is neither 0 nor 1");
        }
        for (const std::string_view name : {cells[0], cells[1]}) {
            // A name leads nowhere else.
            if (name.empty() || name.starts_with('/') || name.find("..") != std::string_view::npos ||
                name.find('\0') != std::string_view::npos) {
                refuse_file(path, number,
                            "'" + std::string(name.substr(0, 40)) + "' is no file of the folder");
            }
        }
        files.push_back({std::string(cells[0]) + "/" + std::string(cells[1]), cells[3] == "1" ? 1 : 0});
    });
    if (files.empty()) refuse_file(path, 0, "no images");
    return files;
}

}  // namespace examples
