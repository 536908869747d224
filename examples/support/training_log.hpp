// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A CSV file with one row per step or so, which a resumed run goes on with.

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <toeplitz/core/types.hpp>

#include "csv.hpp"

namespace examples {

class TrainingLog {
public:
    /// A new file, or the rows of an old one up to step `keep`.
    TrainingLog(const std::string& path, const std::vector<std::string>& header, toeplitz::Index keep)
        : TrainingLog(path, header, old_rows(path, header.size(), keep)) {}

    void write_row(const std::vector<std::string>& cells) { csv_.write_row(cells); }

private:
    using Rows = std::vector<std::vector<std::string>>;

    TrainingLog(const std::string& path, const std::vector<std::string>& header, const Rows& rows)
        : csv_(path) {
        csv_.write_row(header);
        for (const auto& row : rows) csv_.write_row(row);
    }

    template <class Number>
    static bool is_number(const std::string& text, Number& number) {
        const char* const end = text.data() + text.size();
        const auto result = std::from_chars(text.data(), end, number);
        return result.ec == std::errc() && result.ptr == end;
    }

    /// A row of a log is a step and further numbers. Others are left out: the last one may not be whole.
    static Rows old_rows(const std::string& path, std::size_t columns, toeplitz::Index keep) {
        Rows rows;
        std::ifstream file(path);
        std::string line;
        std::getline(file, line);
        while (keep > 0 && std::getline(file, line) && !file.eof()) {
            std::vector<std::string> row;
            std::istringstream cells(line);
            bool is_row = true;
            for (std::string cell; std::getline(cells, cell, ',');) {
                double number = 0;
                is_row = is_row && is_number(cell, number);
                row.push_back(cell);
            }
            toeplitz::Index step = 0;
            is_row = is_row && row.size() == columns && is_number(row[0], step);
            if (is_row && step <= keep) rows.push_back(row);
        }
        return rows;
    }

    CsvWriter csv_;
};

}  // namespace examples
