// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The data of Long Range Arena's tasks: from the public release, or made here.

#include <string>

#include "listops.hpp"
#include "lra_presets.hpp"

namespace examples {

struct LraData {
    LabelledSequences train{}, validation{}, test{};
    Index vocabulary = 256;
    Index classes = 2;
    std::string source{};  ///< for people
};

struct LraDataOptions {
    std::string
        directory{};   ///< of the release, or of the installed data that a task is made of; empty: default
    Index length = 0;  ///< n of listops, text and retrieval; 0: the task's
    listops::Options listops{};
    Index samples = 0;       ///< to train on, where they are made; 0: the task's
    Index test = 0;          ///< to test on; 0: the task's, or all
    int dashes = 14;         ///< of the long paths that are drawn
    bool as_tested = false;  ///< no easier ones to train on than those to test on, where they are drawn
    Index greys = 256;       ///< of pixels
    std::uint64_t seed = 1;
    bool is_quick = false;  ///< little data of little length, made up
    Index noise = 0;        ///< so many random sequences in the shape of the task's instead; 0: data
};

/// \throws std::runtime_error naming the file, its line and the reason where it cannot be read
LraData load_lra(LraTask task, const LraDataOptions& options);

}  // namespace examples
