// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The course of training runs as a picture, made by gnuplot of their logs.

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "gnuplot.hpp"

namespace examples {

struct PlotCurve {
    std::string file;  ///< CSV file in the plot's directory: its first column is x, its second y
    std::string title;
    std::string style = "lines";
};

/// A horizontal line.
struct PlotLevel {
    double y;
    std::string title;
};

struct TrainingPlot {
    std::string title;
    std::string y_label;
    std::string y_range = "[*:*]";
    std::string key = "top right";
    std::vector<PlotCurve> curves{};
    std::vector<PlotLevel> levels{};
};

/// Writes name.gp into the directory, runs it where there is gnuplot, and says where name.svg is.
inline void write_plot(const TrainingPlot& plot, const std::string& directory, const std::string& name) {
    const char* const colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
    const std::string path = directory + "/" + name + ".gp";
    std::ofstream script(path);
    script << "# " << plot.title << "\n"
           << "set terminal svg size 760,420 dynamic enhanced background '#ffffff' font 'DejaVu Sans,12'\n"
           << "set output '" << name << ".svg'\n"
           << "set encoding utf8\nset datafile separator ','\n"
           << "set border 3 lc '#444444'\nset tics nomirror out\nset grid y lc '#e4e4e4' lt 1\n"
           << "set title '" << plot.title << "'\nset xlabel 'training step'\nset ylabel '" << plot.y_label
           << "'\nset yrange " << plot.y_range << "\nset key " << plot.key << " Left reverse samplen 2\n";
    const char* separator = "plot ";
    std::size_t color = 0;
    for (const PlotCurve& curve : plot.curves) {
        script << separator << "'" << curve.file << "' every ::1 using 1:2 with " << curve.style << " lc '"
               << colors[color++ % std::size(colors)] << "' lw 2 "
               << (curve.style == "linespoints" ? "pt 7 ps 0.5 " : "") << "title '" << curve.title << "'";
        separator = ", \\\n     ";
    }
    int dash = 2;
    for (const PlotLevel& level : plot.levels) {
        script << separator << level.y << " with lines lc '#666666' lw 1.5 dt " << dash++ << " title '"
               << level.title << "'";
        separator = ", \\\n     ";
    }
    script << '\n' << std::flush;
    if (!script) throw std::runtime_error("cannot write '" + path + "'");
    if (!has_gnuplot()) {
        std::cerr << "gnuplot is not installed: no plot. Later: cd " << directory << " && gnuplot " << name
                  << ".gp\n";
    } else if (run_gnuplot(directory, name + ".gp")) {
        std::cout << "Plot: " << directory << "/" << name << ".svg\n";
    } else {
        std::cerr << "gnuplot failed: no plot. Its script is " << path << '\n';
    }
}

}  // namespace examples
