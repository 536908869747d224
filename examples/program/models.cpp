// SPDX-License-Identifier: MIT
#include <filesystem>
#include <iostream>
#include <iterator>

#include <examples/support/text.hpp>
#include "models.hpp"

namespace program {

void fail(const std::string& message) { throw std::runtime_error(message); }

void require_model(const TensorFile& file) {
    if (file.metadata.count(toeplitz::detail::model_format) != 0) return;
    fail("'" + file.source +
         "' holds tensors, and no model: toeplitz info lists them, toeplitz import makes a model of official "
         "weights");
}

std::vector<Token> read_text(const std::string& path) {
    std::string text;
    if (path == "-") {
        text.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else {
        std::error_code unknown;
        const auto size = std::filesystem::file_size(path, unknown);
        text = examples::read_bytes(path, unknown ? 1 : static_cast<Index>(size));
    }
    if (text.empty()) fail("'" + path + "': the text is empty");
    std::vector<Token> tokens;
    for (const char byte : text) tokens.push_back(static_cast<Token>(static_cast<unsigned char>(byte)));
    return tokens;
}

}  // namespace program
