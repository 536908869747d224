// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Token sequences with a class each, padded to one length.

#include <algorithm>
#include <cstddef>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace examples {

using toeplitz::Index, toeplitz::Token;

struct LabelledSequences {
    Index length = 0;              ///< n of all
    std::vector<Token> tokens;     ///< one sequence after another
    std::vector<Index> lengths{};  ///< valid tokens of each; empty: all n
    std::vector<Token> labels;

    Index count() const { return static_cast<Index>(labels.size()); }
    const Token* sequence(Index i) const { return tokens.data() + i * length; }

    /// Adds one of up to n tokens.
    void add(const std::vector<Token>& sequence, Token label) {
        tokens.insert(tokens.end(), sequence.begin(), sequence.end());
        tokens.resize(static_cast<std::size_t>(length) * (labels.size() + 1), 0);
        lengths.push_back(static_cast<Index>(sequence.size()));
        labels.push_back(label);
    }

    /// The first ones.
    LabelledSequences first(Index number) const {
        const std::size_t k = static_cast<std::size_t>(std::min(number, count()));
        LabelledSequences part;
        part.length = length;
        part.tokens.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(k) * length);
        part.labels.assign(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(k));
        if (!lengths.empty()) {
            part.lengths.assign(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(k));
        }
        return part;
    }

    /// Share of the most frequent class: what always guessing the same one would get right.
    double majority() const {
        std::vector<Index> counts;
        for (const Token label : labels) {
            counts.resize(std::max(counts.size(), static_cast<std::size_t>(label) + 1));
            ++counts[static_cast<std::size_t>(label)];
        }
        return static_cast<double>(*std::max_element(counts.begin(), counts.end())) /
               static_cast<double>(count());
    }
};

/// A batch, cut out of the data; its memory is kept from batch to batch.
struct LabelledBatch {
    std::vector<Token> tokens;
    std::vector<Index> lengths;
    std::vector<Token> labels;

    /// sample(j) is which sequence is the j-th of the batch.
    template <class Sample>
    void fill(const LabelledSequences& data, Index count, Sample&& sample) {
        tokens.clear();
        lengths.clear();
        labels.clear();
        for (Index j = 0; j < count; ++j) {
            const Index i = sample(j);
            tokens.insert(tokens.end(), data.sequence(i), data.sequence(i) + data.length);
            labels.push_back(data.labels[static_cast<std::size_t>(i)]);
            if (!data.lengths.empty()) lengths.push_back(data.lengths[static_cast<std::size_t>(i)]);
        }
    }
};

}  // namespace examples
