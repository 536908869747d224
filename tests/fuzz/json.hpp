// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Mutations that leave JSON what it is.

#include <nlohmann/json.hpp>

#include <fuzz/mutator.hpp>

namespace toeplitz::test {

/// Changes one node of a document; false where the text is none.
inline bool change_json(std::string& text, Mutator& mutate) {
    using Json = nlohmann::ordered_json;
    Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) return false;
    std::vector<Json*> nodes;
    const std::function<void(Json&)> collect = [&](Json& node) {
        nodes.push_back(&node);
        if (node.is_structured()) {
            for (Json& inside : node) collect(inside);
        }
    };
    collect(document);
    Json& node = *mutate.one_of(nodes);
    switch (mutate.below(6)) {
        case 0:
            if (node.is_structured() && !node.empty()) {
                node.erase(std::next(node.begin(), static_cast<std::ptrdiff_t>(mutate.below(node.size()))));
                break;
            }
            node = nullptr;
            break;
        case 1:
            node = Json(*mutate.one_of(nodes));
            break;
        case 2:
            if (node.is_array()) {
                node.push_back(Json(*mutate.one_of(nodes)));
            } else if (node.is_object()) {
                node[std::to_string(mutate.below(3))] = Json(*mutate.one_of(nodes));
            }
            break;
        case 3:
            node = std::string(mutate.one_of(fuzz_target().words));
            break;
        default: {
            Json number = Json::parse(mutate.number(), nullptr, false);
            if (!number.is_discarded()) node = std::move(number);
        }
    }
    text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
    return true;
}

}  // namespace toeplitz::test
