// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The JSON parser behind one interface: it takes longer to compile than what is made of its events.

#include <string_view>

#include <nlohmann/json.hpp>

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// What takes the events of a document; false from one of them stops the parser.
using JsonEvents = nlohmann::json_sax<nlohmann::json>;

/// Whether the document came to its end. A zero byte counts as one.
template <class Json>
bool parse_json(std::string_view document, nlohmann::json_sax<Json>& events) {
    return Json::sax_parse(document.data(), document.data() + document.size(), &events);
}

/// Instantiates parse_json; TOEPLITZ_INSTANTIATE_JSON(extern) declares that toeplitz::compiled does.
#define TOEPLITZ_INSTANTIATE_JSON(extern_or_not) \
    extern_or_not template bool detail::parse_json<nlohmann::json>(std::string_view, detail::JsonEvents&);

}  // namespace detail

#if defined(TOEPLITZ_COMPILED_IO)
TOEPLITZ_INSTANTIATE_JSON(extern)
#endif

}  // namespace toeplitz::inline TOEPLITZ_ABI
