// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Comma-separated values, as RFC 4180 has them.

#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

class CsvWriter {
public:
    /// \throws std::runtime_error when the file cannot be written
    explicit CsvWriter(const std::string& path) : path_(path), file_(path) { check(); }

    void write_row(std::initializer_list<std::string> cells) { write(cells); }
    void write_row(const std::vector<std::string>& cells) { write(cells); }

private:
    template <class Cells>
    void write(const Cells& cells) {
        const char* separator = "";
        for (const std::string& cell : cells) {
            file_ << separator << quoted(cell);
            separator = ",";
        }
        file_ << '\n' << std::flush;
        check();
    }

    static std::string quoted(const std::string& cell) {
        if (cell.find_first_of(",\"\n") == std::string::npos) return cell;
        std::string result = "\"";
        for (const char c : cell) result.append(c == '"' ? 2 : 1, c);
        return result + '"';
    }

    void check() const {
        if (!file_) throw std::runtime_error("cannot write '" + path_ + "'");
    }

    std::string path_;
    std::ofstream file_;
};

}  // namespace examples
