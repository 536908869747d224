// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A CSV file with one row per step or so, which a resumed run goes on with.

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <toeplitz/core/types.hpp>

#include "csv.hpp"

namespace examples {

class TrainingLog {
public:
    /// A new file, or the rows of an old one up to step `keep`.
    TrainingLog(const std::string& path, const std::vector<std::string>& header, toeplitz::Index keep)
        : TrainingLog(path, header, old_rows(path, keep)) {}

    void write_row(const std::vector<std::string>& cells) { csv_.write_row(cells); }

private:
    using Rows = std::vector<std::vector<std::string>>;

    TrainingLog(const std::string& path, const std::vector<std::string>& header, const Rows& rows)
        : csv_(path) {
        csv_.write_row(header);
        for (const auto& row : rows) csv_.write_row(row);
    }

    /// Cells of a log are numbers: no commas or quotes in them.
    static Rows old_rows(const std::string& path, toeplitz::Index keep) {
        Rows rows;
        std::ifstream file(path);
        std::string line;
        std::getline(file, line);
        while (keep > 0 && std::getline(file, line)) {
            std::vector<std::string> row;
            std::istringstream cells(line);
            for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
            if (!row.empty() && std::atol(row[0].c_str()) <= keep) rows.push_back(row);
        }
        return rows;
    }

    CsvWriter csv_;
};

}  // namespace examples
