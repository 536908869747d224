// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a language model of bytes makes of a text.

#include <algorithm>
#include <numbers>
#include <string_view>
#include <vector>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>

#include "parallel_for.hpp"

namespace examples {

inline toeplitz::Token token_of(char byte) { return static_cast<unsigned char>(byte); }

/// Bits that the model needs per byte of a text, given the bytes before in a window of its length. Windows
/// begin every `stride` bytes, and only what no earlier one has seen counts: bytes beyond the first window
/// are predicted from n − stride others at least. The model's weights are in a format. Processes share the
/// windows.
template <class M>
double bits_per_byte(const M& model, const typename M::Parameters& parameters, std::string_view text,
                     toeplitz::Index n, toeplitz::Index stride, toeplitz::Communicator& processes,
                     toeplitz::WeightFormat weights = toeplitz::WeightFormat::exact) {
    using namespace toeplitz;
    constexpr Index together = 8;
    const typename M::Prepared prepared = model.prepare(parameters, {.length = n, .weights = weights});
    const Index size = static_cast<Index>(text.size());
    const Index windows = 1 + std::max<Index>(0, (size - 1 - n + stride - 1) / stride);
    const Index batches = (windows + together - 1) / together;
    std::vector<Workspace> workspaces(static_cast<std::size_t>(parallel_threads()));
    const std::vector<double> nats = parallel_map(batches, processes, [&](Index b, int thread) {
        const CrossEntropyOptions options;
        const Index count = std::min(together, windows - b * together);
        std::vector<Token> input(static_cast<std::size_t>(count * n), 0);
        std::vector<Token> target(input.size(), options.ignore_index);
        for (std::size_t i = 0; i < input.size(); ++i) {
            const Index window = b * together + static_cast<Index>(i) / n;
            const Index place = static_cast<Index>(i) % n;
            const Index at = window * stride + place;
            if (at + 1 >= size) continue;
            input[i] = token_of(text[static_cast<std::size_t>(at)]);
            if (window > 0 && place < n - stride) continue;
            target[i] = token_of(text[static_cast<std::size_t>(at + 1)]);
        }
        Workspace& ws = workspaces[static_cast<std::size_t>(thread)];
        Matrix<float> logits(count * n, 256);
        prepared.evaluate(input, logits, ws);
        return cross_entropy(logits, target, ws, options).sum;
    });
    double bits = 8;  // of the first byte
    for (const double sum : nats) bits += sum / std::numbers::ln2;
    return bits / static_cast<double>(size);
}

}  // namespace examples
