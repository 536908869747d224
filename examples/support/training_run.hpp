// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A training run as a program has it: with a progress line, logs, checkpoints, a time limit and Ctrl-C.

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <toeplitz/dense/weight_format.hpp>
#include <toeplitz/io/checkpoint.hpp>
#include <toeplitz/io/checksum.hpp>
#include <toeplitz/train/trainer.hpp>

#include "interrupt.hpp"
#include "progress.hpp"
#include "table.hpp"
#include "training_log.hpp"

namespace examples {

using toeplitz::Index;

struct TrainingSettings {
    Index steps = 1000;
    double minutes = 0;  ///< 0: no limit
    Index batch = 8;
    double rate = 3e-3;
    double weight_decay = 0.05;  ///< of matrices
    Index warmup = 0;            ///< steps; 0: 100, or a tenth of all
    double beta2 = 0.98;
    double clip = 1;  ///< largest norm of the gradient; 0: any
    std::uint64_t seed = 1;
    Index shards = 2;
    int threads = 0;  ///< 0: one per core
    std::string out;
    std::string resume{};
    bool quick = false;
    toeplitz::Communicator* processes = nullptr;  ///< who trains; null: this process alone

    toeplitz::Communicator& all_processes() const {
        static toeplitz::Communicator alone;
        return processes == nullptr ? alone : *processes;
    }
};

/// AdamW with a warm-up and a cosine; matrices decay.
inline toeplitz::TrainerOptions trainer_options(const TrainingSettings& settings) {
    const Index warmup = settings.warmup > 0 ? settings.warmup : std::min<Index>(100, settings.steps / 10);
    return {.adamw = {.beta2 = settings.beta2,
                      .weight_decay = settings.weight_decay,
                      .decay = toeplitz::decay_matrices},
            .schedule = {.course = toeplitz::Course::cosine,
                         .peak = settings.rate,
                         .warmup = warmup,
                         .total = settings.steps},
            .clip_norm = settings.clip,
            .shards = settings.shards,
            .seed = settings.seed};
}

/// What one run is called, and how its progress is measured.
struct RunDescription {
    std::string name;       ///< of its files
    Index tokens_per_step;  ///< on average
    /// What the batches are cut from, and how, and what is computed in, for --resume; nothing where empty.
    std::map<std::string, std::string> input;
    double loss_unit = 1;    ///< what losses are divided by, from nats
    std::string validation;  ///< what `validate` returns, for the log
    Index validate_every = 100;
};

/// In RunDescription::input: checkpoints from before there was a choice have none.
inline std::string precision_entry(toeplitz::Precision precision) {
    return precision == toeplitz::Precision::bf16 ? "bf16" : "";
}

/// Tells data sets apart.
template <class... Arrays>
std::string fingerprint(const Arrays&... arrays) {
    toeplitz::Crc64 crc;
    (crc.add(std::as_bytes(std::span(arrays))), ...);
    return crc.text();
}

struct RunReport {
    Index steps = 0;       ///< done altogether
    Index steps_here = 0;  ///< done by this program
    double seconds = 0;    ///< of those: of training alone
    bool complete = false;
    bool interrupted = false;  ///< by Ctrl-C

    double seconds_per_step() const { return seconds / static_cast<double>(std::max<Index>(steps_here, 1)); }
};

inline std::string checkpoint_path(const TrainingSettings& settings, const RunDescription& run) {
    return settings.out + "/" + run.name + ".checkpoint.safetensors";
}
inline std::string log_path(const TrainingSettings& settings, const RunDescription& run) {
    return settings.out + "/" + run.name + "_log.csv";
}
inline std::string validation_path(const TrainingSettings& settings, const RunDescription& run) {
    return settings.out + "/" + run.name + "_validation.csv";
}

/// What a run sees of its data, beside what is in the options: kept in the checkpoint.
inline std::map<std::string, std::string> input_of(const TrainingSettings& settings,
                                                   const RunDescription& run) {
    std::map<std::string, std::string> input = run.input;
    input.emplace("batch", std::to_string(settings.batch));
    return input;
}

/// \throws std::runtime_error where a checkpoint's run saw something else, with the first difference
inline void require_same_input(const std::map<std::string, std::string>& wanted,
                               const std::map<std::string, std::string>& found, const std::string& path) {
    for (const auto& [name, value] : wanted) {
        const auto at = found.find(name);
        const std::string other = at == found.end() ? "" : at->second;
        if (other != value) {
            const auto shown = [](const std::string& text) { return text.empty() ? "nothing" : text; };
            throw std::runtime_error("cannot go on from '" + path + "': its " + name + " is " + shown(other) +
                                     ", and not " + shown(value));
        }
    }
}

/// Trains from the start, or from the checkpoint that the settings name, until the last step, the time limit
/// or Ctrl-C. validate(parameters) is a number to watch. All processes take part; the first one writes.
template <toeplitz::ParameterSet P, class Objective, class Validate>
RunReport train(P& parameters, const TrainingSettings& settings, const RunDescription& run,
                Objective&& objective, Validate&& validate) {
    using Clock = std::chrono::steady_clock;
    using toeplitz::Continue, toeplitz::StepReport, toeplitz::Trainer;
    const toeplitz::TrainerOptions options = trainer_options(settings);
    toeplitz::Communicator& processes = settings.all_processes();
    Trainer<P> trainer = [&] {
        if (settings.resume.empty()) return Trainer<P>(parameters, options, processes);
        auto checkpoint = toeplitz::load_checkpoint(settings.resume, parameters, options);
        require_same_input(input_of(settings, run), checkpoint.metadata, settings.resume);
        return Trainer<P>(std::move(checkpoint.state), options, processes);
    }();
    const Index first = trainer.state().step();
    if (first > 0) std::cerr << "Going on from step " << first << " of " << settings.resume << ".\n";

    const bool writes = processes.is_first();
    std::optional<TrainingLog> log;
    std::optional<TrainingLog> validation_log;
    if (writes) {
        log.emplace(log_path(settings, run),
                    std::vector<std::string>{"step", "loss", "rate", "gradient_norm", "tokens_per_second",
                                             "seconds", "bytes_sent"},
                    first);
        validation_log.emplace(validation_path(settings, run),
                               std::vector<std::string>{"step", run.validation}, first);
    }
    const Interrupt interrupt;
    Progress progress;
    RunReport report;
    double loss_sum = 0;
    Index losses = 0;
    std::string validated;
    Index saved = -1;
    const auto save = [&](const P& set, const Trainer<P>& of) {
        if (!writes || saved == of.state().step()) return;
        toeplitz::save_checkpoint(checkpoint_path(settings, run), set, of, input_of(settings, run));
        saved = of.state().step();
    };

    Clock::time_point mark = Clock::now();
    const auto after_step = [&](const StepReport& step, P& set, const Trainer<P>& of) {
        const double spent = std::chrono::duration<double>(Clock::now() - mark).count();
        report.seconds += spent;
        report.steps_here = step.step - first;
        const double speed = static_cast<double>(run.tokens_per_step) / report.seconds_per_step();
        const bool late = settings.minutes > 0 && report.seconds > 60 * settings.minutes;
        const bool done = step.step == settings.steps;
        // Clocks and signals are each process's own.
        const bool last = processes.any(done || late || interrupt.requested());

        loss_sum += step.loss / run.loss_unit;
        ++losses;
        const double loss = loss_sum / static_cast<double>(losses);
        if (writes && (step.step % 10 == 0 || last)) {
            log->write_row({std::to_string(step.step), fixed(loss, 5), scientific(step.rate, 3),
                            fixed(step.gradient_norm, 4), fixed(speed, 0), fixed(report.seconds, 1),
                            std::to_string(step.bytes_sent)});
            loss_sum = 0;
            losses = 0;
        }
        if (step.step % run.validate_every == 0 || last) {
            save(set, of);  // first, as validation may take a while
            const double value = validate(set);
            validated = ", " + run.validation + " " + fixed(value, 4);
            if (writes) validation_log->write_row({std::to_string(step.step), fixed(value, 6)});
        }
        const double left = report.seconds_per_step() * static_cast<double>(settings.steps - step.step);
        if (writes)
            progress.show(run.name + ": step " + std::to_string(step.step) + "/" +
                              std::to_string(settings.steps) + ", loss " + fixed(loss, 3) + validated + ", " +
                              fixed(speed / 1000, 1) + "k tokens/s, " + clock_text(left) + " left",
                          last);
        mark = Clock::now();
        return last ? Continue::no : Continue::yes;
    };
    report.steps = trainer.run(parameters, settings.steps, objective, after_step).step;
    report.complete = report.steps == settings.steps;
    report.interrupted = processes.any(interrupt.requested());
    if (!report.complete) {
        std::cerr << "Stopped after step " << report.steps << " of " << settings.steps
                  << ", before the learning rate has come down. To go on: --resume "
                  << checkpoint_path(settings, run) << '\n';
    }
    return report;
}

}  // namespace examples
