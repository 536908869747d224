// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The cost model of choose() from a file.

#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include <toeplitz/approximation/cost_model.hpp>

namespace examples {

using toeplitz::CostModel;

/// The constants that toeplitz_cost_model prints; the defaults where the path is empty.
/// \throws std::runtime_error for another file
inline CostModel read_cost_model(const std::string& path) {
    CostModel model;
    if (path.empty()) return model;
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("cannot take a cost model from '" + path + "': " + why);
    };
    std::ifstream file(path);
    if (!file) fail("it cannot be read");
    const nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) fail("it is not a JSON object");
    CostModel::for_each_option(
        [&](const char* name, double& value) {
            const auto entry = json.find(name);
            if (entry == json.end() || !entry->is_number()) fail(std::string("it has no number ") + name);
            value = entry->get<double>();
            if (!(value >= 0) || !std::isfinite(value)) fail(std::string(name) + " is negative");
        },
        model);
    return model;
}

}  // namespace examples
