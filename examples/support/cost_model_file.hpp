// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The cost model of choose() from a file.

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <toeplitz/approximation/cost_model.hpp>
#include <toeplitz/io/options_json.hpp>

namespace examples {

using toeplitz::CostModel;

/// The constants that toeplitz_cost_model prints; the defaults where the path is empty.
/// \throws std::runtime_error for another file
inline CostModel read_cost_model(const std::string& path) {
    if (path.empty()) return {};
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("cannot take a cost model from '" + path + "': " + why);
    };
    std::ifstream file(path);
    if (!file) fail("it cannot be read");
    const std::string json(std::istreambuf_iterator<char>(file), {});
    CostModel model;
    try {
        model = toeplitz::parse_options_json<CostModel>(json);
    } catch (const toeplitz::error& problem) {
        fail(problem.what());
    }
    toeplitz::for_each_option(
        [&](const char* name, double value) {
            if (value < 0) fail(std::string(name) + " is negative");
        },
        model);
    return model;
}

}  // namespace examples
