// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the commands of the program have in common. Each is a source of its own, so that it compiles by
/// itself.

#include <functional>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace program {

using Json = nlohmann::ordered_json;

/// What the shell knows before a command runs.
struct Context {
    bool json = false;  ///< the report is printed as JSON, and nothing else may be
};

/// What a command has found.
struct Report {
    std::string text{};           ///< for people
    Json facts = Json::object();  ///< the same for programs
    bool is_met = true;           ///< whether it did what it was asked for; else the program fails after it
};

/// A command line that no check of its options finds wrong, but that says too little.
class Misuse : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Runs after the command line was read.
using Run = std::function<Report(const Context&)>;

// Each puts its options into the command line.
Run add_info(CLI::App& app);
Run add_run(CLI::App& app);
Run add_import(CLI::App& app);
Run add_certify(CLI::App& app);
Run add_compress(CLI::App& app);
Run add_convert(CLI::App& app);
Run add_distill(CLI::App& app);
Run add_stream(CLI::App& app);
Run add_bench(CLI::App& app);
Run add_doctor(CLI::App& app);
Run add_completion(CLI::App& app);
Run add_man(CLI::App& app);

/// Appends to the text, as std::printf.
[[gnu::format(printf, 2, 3)]] void print(std::string& text, const char* format, ...);

}  // namespace program
