// SPDX-License-Identifier: MIT
// Applies one Toeplitz kernel to a real text by every path of the library, for growing lengths, and compares
// time, error and memory: a table, a CSV file and a plot. `toeplitz bench` does the same without a text.

#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include "support/command_line.hpp"
#include "support/path_comparison.hpp"

// 15 MB of English: the nouns of WordNet and what they mean.
const char* const default_text = "/usr/share/wordnet/data.noun";
const char* const default_text_package = "wordnet-base";

void run(examples::PathSettings& settings) {
    if (settings.text == default_text && !std::filesystem::exists(settings.text)) {
        throw std::runtime_error("cannot read '" + settings.text + "': it is in the Debian package " +
                                 default_text_package + "; or name any other file");
    }
    examples::compare_paths(settings, std::cout);
}

int main(int argc, char** argv) {
    examples::PathSettings settings{.text = default_text, .out = "compare_paths_out"};
    CLI::App app("Compares all paths to a Toeplitz product on a real text.", "compare_paths");
    app.add_option("text", settings.text, "File whose bytes are the sequence")->capture_default_str();
    examples::add_path_options(app, settings);
    return examples::run_program(
        app, argc, argv, [&] { run(settings); }, "; try a smaller --max-n or --channels");
}
