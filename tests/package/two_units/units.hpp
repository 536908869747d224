// SPDX-License-Identifier: MIT
#pragma once

// What both units offer, in plain types: y = T x for n = 100, and an error thrown by the library.
#include <string>
#include <vector>

struct Unit {
    std::string settings;
    std::vector<float> (*product)(const std::vector<float>& x);
    void (*fail)();
};

Unit baseline_unit();
Unit wide_unit();
