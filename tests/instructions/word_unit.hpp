// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products in fewer bits by code for other instruction sets than the tests'. No type of the library in here:
/// those of each unit are its own.

#include <cstdint>
#include <string>
#include <vector>

struct WordProblem {
    std::int64_t rows, inputs, outputs;
    std::vector<float> x, weight, bias;
};

struct WordUnit {
    std::string settings;  ///< the unit's inline namespace
    bool has_bf16, has_int8;
    /// Of the unit's instruction, of portable code, and of the definition.
    struct Results {
        std::vector<float> native, portable, expected;
    };
    Results (*bf16)(const WordProblem&);
    Results (*trained)(const WordProblem&);  ///< bf16, both factors packed for the product
    Results (*int8)(const WordProblem&);
};

WordUnit avx512_unit();
WordUnit avx512_256_unit();
WordUnit avx_vnni_unit();
