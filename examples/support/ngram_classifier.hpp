// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What short runs of bytes alone say of a class: naive Bayes over n-grams.

#include <array>
#include <cmath>
#include <cstdint>
#include <unordered_map>

#include "labelled_sequences.hpp"

namespace examples {

/// Share of `test` that a classifier of n-grams of 1 to 8 bytes, counted in `train`, gets right. Two classes.
inline double ngram_accuracy(const LabelledSequences& train, const LabelledSequences& test, Index n) {
    std::unordered_map<std::uint64_t, std::array<double, 2>> counts;
    std::array<double, 2> all{};
    const auto for_each_gram = [n](const LabelledSequences& data, Index i, auto&& f) {
        const unsigned char* const bytes = data.sequence(i);
        for (Index j = 0; j + n <= data.lengths[static_cast<std::size_t>(i)]; ++j) {
            std::uint64_t gram = 0;
            for (Index k = 0; k < n; ++k) gram = gram << 8U | bytes[j + k];
            f(gram);
        }
    };
    for (Index i = 0; i < train.count(); ++i) {
        const auto label = static_cast<std::size_t>(train.labels[static_cast<std::size_t>(i)]);
        for_each_gram(train, i, [&](std::uint64_t gram) {
            counts[gram][label] += 1;
            all[label] += 1;
        });
    }
    const double different = static_cast<double>(counts.size());
    Index correct = 0;
    for (Index i = 0; i < test.count(); ++i) {
        double evidence = 0;
        for_each_gram(test, i, [&](std::uint64_t gram) {
            const auto found = counts.find(gram);
            if (found == counts.end()) return;
            evidence += std::log((found->second[1] + 1) / (all[1] + different)) -
                        std::log((found->second[0] + 1) / (all[0] + different));
        });
        correct += (evidence > 0) == (test.labels[static_cast<std::size_t>(i)] == 1) ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(test.count());
}

}  // namespace examples
