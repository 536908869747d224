// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the command lines of all programs have in common: the shell around a program's work, the options that
/// several have, and checks of numbers.

#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <CLI/CLI.hpp>

#include <toeplitz/core/finite.hpp>

#include "interrupt.hpp"

namespace examples {

/// What main returns; a run may return another number of its own.
enum ExitCode { succeeded = 0, failed = 1, misused = 2, interrupted = 130 };

/// Parses the command line, runs the program and reports what goes wrong in one line; returns main's value.
/// \param run a function whose result, if it has one, is main's value
/// \param report called with what goes wrong
/// \param memory_advice what to try where memory does not suffice
template <class Run, class Report>
int run_program(CLI::App& app, int argc, char** argv, Run&& run, Report&& report, const char* memory_advice) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? succeeded : misused;
    }
    try {
        int code = succeeded;
        if constexpr (std::is_void_v<std::invoke_result_t<Run&>>) {
            run();
        } else {
            code = run();
        }
        return Interrupt::ever_requested() ? interrupted : code;
    } catch (const std::bad_alloc&) {
        report(std::string("out of memory") + memory_advice);
    } catch (const std::exception& error) {
        report(error.what());
    }
    return failed;
}
template <class Run>
int run_program(CLI::App& app, int argc, char** argv, Run&& run, const char* memory_advice = "") {
    const auto print = [](const std::string& text) { std::cerr << "error: " << text << '\n'; };
    return run_program(app, argc, argv, run, print, memory_advice);
}

inline void add_threads_option(CLI::App& app, int& threads) {
    app.add_option("--threads", threads, "Threads; 0: one per core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
}
/// Returns how many there are.
inline int use_threads(int threads) {
#if defined(_OPENMP)
    if (threads > 0) omp_set_num_threads(threads);
    return omp_get_max_threads();
#else
    if (threads > 1) std::cerr << "Built without OpenMP: one thread.\n";
    return 1;
#endif
}

/// \throws std::runtime_error
inline void make_directory(const std::string& path) {
    std::error_code failure;
    std::filesystem::create_directories(path, failure);
    if (failure) {
        throw std::runtime_error("cannot create the directory '" + path + "': " + failure.message());
    }
}

// CLI11's own checks let a NaN through.
inline CLI::Validator positive_number() {
    const auto check = [](const std::string& text) {
        double value = 0;
        const bool is_right =
            CLI::detail::lexical_cast(text, value) && toeplitz::detail::is_finite(value) && value > 0;
        return is_right ? std::string() : "a number above 0, not " + text;
    };
    return {check, "POSITIVE"};
}
inline CLI::Validator non_negative_number() {
    const auto check = [](const std::string& text) {
        double value = 0;
        const bool is_right =
            CLI::detail::lexical_cast(text, value) && toeplitz::detail::is_finite(value) && value >= 0;
        return is_right ? std::string() : "a number from 0 on, not " + text;
    };
    return {check, "NONNEGATIVE"};
}

}  // namespace examples
