// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the command lines of all training programs have in common.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "command_line.hpp"
#include "processes.hpp"
#include "training_run.hpp"

namespace examples {

/// The options of a model's size: `model` has width, layers and inner_width.
template <class Model>
void add_model_options(CLI::App& app, Model& model) {
    app.add_option("--width", model.width, "Channels of the model")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    app.add_option("--layers", model.layers, "Layers")->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--inner-width", model.inner_width, "Channels of the mixers")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
}

inline void add_precision_option(CLI::App& app, toeplitz::Precision& precision) {
    using toeplitz::Precision;
    app.add_option("--precision", precision,
                   "What training multiplies and keeps: numbers as they are, or rounded to bf16")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Precision>{{"exact", Precision::exact}, {"bf16", Precision::bf16}}))
        ->default_str("exact");
}

inline void add_training_options(CLI::App& app, TrainingSettings& settings) {
    app.add_option("--steps", settings.steps, "Training steps in all; the learning rate falls to 0 by then")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    app.add_option("--minutes", settings.minutes, "Stop training earlier, after so many minutes; 0: never")
        ->check(non_negative_number())
        ->capture_default_str();
    app.add_option("--batch", settings.batch, "Sequences per step")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_option("--rate", settings.rate, "Largest learning rate, after a warm-up")
        ->check(positive_number())
        ->capture_default_str();
    app.add_option("--seed", settings.seed,
                   "Seed of the weights, of the order of the data and of what is drawn")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--shards", settings.shards,
                   "Parts of a batch that threads and processes (mpirun) work on at the same time. "
                   "Results depend on it, but not on the numbers of threads and processes")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    add_threads_option(app, settings.threads);
    app.add_option("--out", settings.out, "Directory of logs, plots, checkpoints and the model")
        ->capture_default_str();
    app.add_option("--resume", settings.resume,
                   "Checkpoint to resume from, with the options of the run that wrote it");
    app.add_flag("--quick", settings.quick, "A tiny model for a few steps, to see that everything works");
}

/// The program with the threads and the directory that the settings name.
template <class Run>
int run_program(CLI::App& app, int argc, char** argv, TrainingSettings& settings, Run&& run) {
    const auto work = [&] {
        use_threads(settings.threads);
        make_directory(settings.out);
        run();
    };
    return run_program(app, argc, argv, work, "; try a smaller --batch");
}

/// The same for a program that trains, and that mpirun may have started several times: with `mpirun -n 4` the
/// processes share out the shards. All run all of it; the first one prints and writes files.
template <class Run>
int run_training_program(CLI::App& app, int argc, char** argv, TrainingSettings& settings, Run&& run) {
    std::optional<Processes> processes;
    try {
        processes.emplace();
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return failed;
    }
    settings.processes = &processes->all();
    app.footer("mpirun -n 4 " + app.get_name() +
               " ... shares the shards out among 4 processes, with the same results (where it was built with "
               "MPI: Debian's libopenmpi-dev).");
    const auto work = [&] {
        const int threads = use_threads(settings.threads);
        if (settings.threads == 0 && std::getenv("OMP_NUM_THREADS") == nullptr) {
            use_threads(std::min(threads, processes->cores()));
        }
        const Index size = settings.processes->size();
        if (size > settings.shards) {
            std::cerr << settings.shards << " shards for " << size << " processes: " << size - settings.shards
                      << " of them have nothing to do. Other --shards are another run.\n";
        }
        make_directory(settings.out);
        run();
        processes->finish();
    };
    const auto report = [&](const std::string& text) { processes->fail(text); };
    return run_program(app, argc, argv, work, report, "; try a smaller --batch");
}

}  // namespace examples
