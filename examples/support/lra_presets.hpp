// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The tasks of Long Range Arena, and what a model of each is by default.

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sequence_classifier.hpp"

namespace examples {

enum class LraTask { listops, text, retrieval, image, pathfinder, pathx };
inline constexpr std::array<const char*, 6> lra_tasks = {"listops", "text",       "retrieval",
                                                         "image",   "pathfinder", "pathx"};

inline LraTask lra_task(std::string_view name) {
    for (std::size_t i = 0; i < lra_tasks.size(); ++i) {
        if (name == lra_tasks[i]) return static_cast<LraTask>(i);
    }
    throw std::runtime_error("no task '" + std::string(name) + "'");
}

/// A model, and how it is trained.
struct LraPreset {
    ClassifierOptions model;
    Index batch;
    double rate;
    double weight_decay;
    Index warmup;
    Index steps;
    double minutes;
    Index greys;  ///< of the pixels that the model reads
    int dashes;   ///< of the paths that are drawn, as Linsley et al. have 6, 9 and 14
};

/// The mixer that learns most of a task in minutes.
inline MixerKind lra_mixer(LraTask task) {
    return task == LraTask::listops ? MixerKind::tno : MixerKind::ski;
}

/// Small models for minutes on two cores, or the configurations of "SKI to go Faster".
///
/// The official ones: AdamW without clipping, cosine over 50 000 steps, batch norms, one head, batches of the
/// baseline and smaller ones of SKI. Centred bands have an odd number of taps here: 33 and 17 for 32 and 16.
inline LraPreset lra_preset(LraTask task, bool is_official, MixerKind mixer) {
    const std::size_t t = static_cast<std::size_t>(task);
    const bool is_2d = task == LraTask::image || task == LraTask::pathfinder || task == LraTask::pathx;
    LraPreset preset{};
    ClassifierOptions& model = preset.model;
    model.validate_every = 100;
    if (!is_official) {
        constexpr Index width[] = {64, 32, 32, 32, 32, 16};
        constexpr Index layers[] = {3, 2, 2, 2, 3, 2};
        constexpr Index batch[] = {32, 8, 16, 16, 16, 4};
        constexpr double rate[] = {3e-3, 3e-3, 1e-2, 5e-3, 3e-3, 3e-3};
        constexpr Index steps[] = {2000, 1000, 600, 1200, 2500, 500};
        constexpr Index validate_every[] = {500, 100, 200, 100, 250, 100};
        model.width = width[t];
        model.layers = layers[t];
        model.validate_every = validate_every[t];
        model.inner_width = 2 * model.width;
        model.taps = task == LraTask::image ? 65 : 33;
        if (is_2d) {
            model.rank = 16;
            model.taps = task == LraTask::image ? 9 : 17;
        }
        preset.batch = batch[t];
        preset.rate = rate[t];
        preset.weight_decay = 0.05;
        preset.warmup = 100;
        preset.steps = steps[t];
        preset.minutes = 8;
        // Pixels of thin lines have any grey value, all of them rare.
        preset.greys = task == LraTask::image ? 256 : 16;
        preset.dashes = 6;
        return preset;
    }
    constexpr Index width[] = {128, 128, 64, 128, 64, 64};
    constexpr Index layers[] = {4, 4, 2, 12, 6, 6};
    constexpr double mixer_expansion[] = {1, 1, 1, 2, 3, 3};
    constexpr double glu_expansion[] = {1, 2, 1.5, 3, 2.5, 2.5};
    constexpr double decay[] = {1, 0.9, 0.6, 0.7, 1, 0.999};
    constexpr double rate[] = {5e-4, 1.05e-3, 0.01, 0.007, 0.001, 1e-4};
    constexpr double weight_decay[] = {0.1, 0.001, 0.01, 0.001, 0, 0};
    constexpr double dropout[] = {0, 0.1, 0, 0.1, 0, 0};
    constexpr Index batch[] = {128, 32, 64, 200, 128, 64};
    constexpr Index ski_batch[] = {64, 16, 32, 50, 32, 8};
    constexpr Index mlp_layers[] = {3, 3, 3, 0, 0, 0};
    constexpr Index mlp_width[] = {32, 32, 16, 16, 16, 16};
    constexpr Index warmup[] = {1000, 3000, 25000, 30000, 5000, 312};
    model.width = width[t];
    model.layers = layers[t];
    model.inner_width = static_cast<Index>(mixer_expansion[t] * static_cast<double>(width[t]));
    model.glu_width = static_cast<Index>(glu_expansion[t] * static_cast<double>(width[t]));
    model.decay = decay[t];
    model.dropout = dropout[t];
    model.mlp_layers = mlp_layers[t];
    model.mlp_width = mlp_width[t];
    model.rank = is_2d ? 32 : 64;
    model.taps = is_2d ? 17 : 33;
    model.batch_norm = true;
    preset.batch = mixer == MixerKind::ski ? ski_batch[t] : batch[t];
    preset.rate = rate[t];
    preset.weight_decay = weight_decay[t];
    preset.warmup = warmup[t];
    preset.steps = 50000;
    preset.greys = 256;
    preset.dashes = 14;
    return preset;
}

}  // namespace examples
