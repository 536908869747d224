// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A table of text for the terminal.

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// `value` with a number of decimals, or with that many significant digits after the point where scientific.
inline std::string fixed(double value, int decimals) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(decimals) << value;
    return text.str();
}
inline std::string scientific(double value, int decimals) {
    std::ostringstream text;
    text << std::scientific << std::setprecision(decimals) << value;
    return text.str();
}

/// "1.5 MiB".
inline std::string byte_text(std::size_t bytes) {
    const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
    return fixed(value, unit == 0 ? 0 : 1) + " " + units[unit];
}

/// Columns as wide as they need be: the first one is set flush left, the others flush right.
class Table {
public:
    explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

    void add_row(std::vector<std::string> row) {
        row.resize(header_.size());
        rows_.push_back(std::move(row));
    }
    /// An empty line between groups of rows.
    void add_gap() { rows_.emplace_back(); }

    void print(std::ostream& out) const {
        std::vector<std::size_t> widths;
        for (const std::string& title : header_) widths.push_back(width(title));
        for (const auto& row : rows_) {
            for (std::size_t j = 0; j < row.size(); ++j) widths[j] = std::max(widths[j], width(row[j]));
        }
        print_row(out, header_, widths);
        for (std::size_t j = 0; j < widths.size(); ++j) {
            out << (j == 0 ? "" : "  ");
            for (std::size_t i = 0; i < widths[j]; ++i) out << "─";
        }
        out << '\n';
        for (const auto& row : rows_) print_row(out, row, widths);
    }

private:
    using Row = std::vector<std::string>;

    /// Columns on the screen: UTF-8 bytes that continue a character take none.
    static std::size_t width(const std::string& text) {
        return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
            return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
        }));
    }

    static void print_row(std::ostream& out, const Row& row, const std::vector<std::size_t>& widths) {
        std::string line;
        for (std::size_t j = 0; j < row.size(); ++j) {
            const std::string padding(widths[j] - width(row[j]), ' ');
            line += j == 0 ? row[j] + padding : "  " + padding + row[j];
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out << line << '\n';
    }

    Row header_;
    std::vector<Row> rows_;
};

}  // namespace examples
