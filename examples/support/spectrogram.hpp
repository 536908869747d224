// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sounds as pictures of their spectra over time, made by gnuplot.

#include <fstream>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gnuplot.hpp"
#include "short_time_transform.hpp"
#include "sound_file.hpp"

namespace examples {

/// Writes name.gp and its data into the directory, runs it where there is gnuplot, and says where name.png
/// is: one sound below the other.
inline void write_spectrograms(const std::vector<std::pair<std::string, std::span<const float>>>& sounds,
                               const std::string& directory, const std::string& name) {
    const ShortTimeTransform transform(256, 64);
    const std::string path = directory + "/" + name + ".gp";
    std::ofstream script(path);
    script
        << "# Spectrograms; made by train_denoiser.\n"
        << "set terminal png notruecolor size 640," << 150 * sounds.size() + 20
        << " font 'DejaVu Sans,9'\nset output '" << name << ".png'\nset encoding utf8\n"
        << "set palette defined (0 '#ffffff', 0.25 '#b9d7ea', 0.5 '#56b4e9', 0.75 '#0072b2', 1 '#1a1a40')\n"
        << "set cbrange [-65:5]\nset cbtics 20\nset cblabel 'dB' offset 1,0\n"
        << "set yrange [0:4]\nset ytics 1\nset ylabel 'kHz' offset 1,0\nset tics nomirror out\n"
        << "set multiplot layout " << sounds.size() << ",1 margins 0.09,0.87,0.07,0.95 spacing 0,0.08\n";
    for (std::size_t i = 0; i < sounds.size(); ++i) {
        const Matrix<float> spectra = transform.analyse(sounds[i].second);
        const std::string data = name + "_" + std::to_string(i) + ".dat";
        std::ofstream file(directory + "/" + data);
        for (Index k = 0; k < transform.bins(); ++k) {
            for (Index t = 0; t < spectra.rows(); ++t) {
                const float re = spectra(t, k);
                const float im = spectra(t, transform.bins() + k);
                // In steps of 5 dB, as many as one can tell by their color.
                file << 5 * std::lround(2 * std::log10(re * re + im * im + 1e-9F) - 4) << ' ';
            }
            file << '\n';
        }
        if (!file) throw std::runtime_error("cannot write '" + directory + "/" + data + "'");
        const double frame = static_cast<double>(transform.hop()) / sample_rate;
        const double bin = 1e-3 * sample_rate / static_cast<double>(transform.window());
        script << "set title '" << sounds[i].first << "' offset 0,-0.7\n"
               << (i + 1 == sounds.size() ? "set xlabel 'seconds' offset 0,0.7\n" : "")
               << "set xrange [0:" << frame * static_cast<double>(spectra.rows()) << "]\nplot '" << data
               << "' matrix using ($1*" << frame << "):($2*" << bin << "):3 with image notitle\n";
    }
    script << std::flush;
    if (!script) throw std::runtime_error("cannot write '" + path + "'");
    script.close();
    if (!has_gnuplot()) {
        std::cerr << "gnuplot is not installed: no plot. Later: cd " << directory << " && gnuplot " << name
                  << ".gp\n";
    } else if (run_gnuplot(directory, name + ".gp")) {
        std::cout << "Plot: " << directory << "/" << name << ".png\n";
    } else {
        std::cerr << "gnuplot failed: no plot. Its script is " << path << '\n';
    }
}

}  // namespace examples
