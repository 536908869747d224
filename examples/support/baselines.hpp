// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What rules without a network get right: how far a task is solved by less than it asks for.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "labelled_sequences.hpp"

namespace examples {

/// f(gram) for all n-grams of 1 to 8 bytes of sequence i.
template <class F>
void for_each_gram(const LabelledSequences& data, Index i, Index n, F&& f) {
    const unsigned char* const bytes = data.sequence(i);
    for (Index j = 0; j + n <= data.lengths[static_cast<std::size_t>(i)]; ++j) {
        std::uint64_t gram = 0;
        for (Index k = 0; k < n; ++k) gram = gram << 8U | bytes[j + k];
        f(gram);
    }
}

/// Share of `test` that naive Bayes over n-grams, counted in `train`, gets right. Two classes.
inline double ngram_accuracy(const LabelledSequences& train, const LabelledSequences& test, Index n) {
    std::unordered_map<std::uint64_t, std::array<double, 2>> counts;
    std::array<double, 2> all{};
    for (Index i = 0; i < train.count(); ++i) {
        const auto label = static_cast<std::size_t>(train.labels[static_cast<std::size_t>(i)]);
        for_each_gram(train, i, n, [&](std::uint64_t gram) {
            counts[gram][label] += 1;
            all[label] += 1;
        });
    }
    const double different = static_cast<double>(counts.size());
    Index correct = 0;
    for (Index i = 0; i < test.count(); ++i) {
        double evidence = 0;
        for_each_gram(test, i, n, [&](std::uint64_t gram) {
            const auto found = counts.find(gram);
            if (found == counts.end()) return;
            evidence += std::log((found->second[1] + 1) / (all[1] + different)) -
                        std::log((found->second[0] + 1) / (all[0] + different));
        });
        correct += (evidence > 0) == (test.labels[static_cast<std::size_t>(i)] == 1) ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(test.count());
}

/// The cosine between the n-grams of both sequences of each pair, as logarithms of 1 + their numbers.
inline std::vector<double> ngram_similarities(const LabelledSequences& pairs, Index n) {
    std::vector<double> similarities;
    for (Index i = 0; i < pairs.count(); ++i) {
        std::unordered_map<std::uint64_t, std::array<double, 2>> counts;
        for (const Index part : {0, 1}) {
            for_each_gram(pairs, 2 * i + part, n,
                          [&](std::uint64_t gram) { counts[gram][static_cast<std::size_t>(part)] += 1; });
        }
        double product = 0;
        std::array<double, 2> squares{};
        for (const auto& [gram, count] : counts) {
            const std::array<double, 2> weights = {std::log1p(count[0]), std::log1p(count[1])};
            product += weights[0] * weights[1];
            for (const std::size_t part : {0U, 1U}) squares[part] += weights[part] * weights[part];
        }
        const double norms = std::sqrt(squares[0] * squares[1]);
        similarities.push_back(norms > 0 ? product / norms : 0);
    }
    return similarities;
}

/// Share of `test` that "related where n-grams are more alike than a threshold" gets right, with the
/// threshold that is best in `train`.
inline double similarity_accuracy(const LabelledSequences& train, const LabelledSequences& test, Index n) {
    const std::vector<double> of_train = ngram_similarities(train, n);
    std::vector<std::pair<double, Token>> ordered;
    for (std::size_t i = 0; i < of_train.size(); ++i) ordered.emplace_back(of_train[i], train.labels[i]);
    std::sort(ordered.begin(), ordered.end());
    double threshold = -1;  // all are related
    Index gained = 0;
    Index most = 0;
    for (const auto& [similarity, label] : ordered) {
        gained += label == 0 ? 1 : -1;
        if (gained > most) {
            most = gained;
            threshold = similarity;
        }
    }
    const std::vector<double> of_test = ngram_similarities(test, n);
    Index correct = 0;
    for (std::size_t i = 0; i < of_test.size(); ++i) {
        correct += (of_test[i] > threshold) == (test.labels[i] == 1) ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(test.count());
}

/// Share of `test` that the class which is most frequent in `train` after the same first token gets right.
inline double first_token_accuracy(const LabelledSequences& train, const LabelledSequences& test) {
    std::map<unsigned char, std::map<Token, Index>> counts;
    for (Index i = 0; i < train.count(); ++i) {
        ++counts[*train.sequence(i)][train.labels[static_cast<std::size_t>(i)]];
    }
    Index correct = 0;
    for (Index i = 0; i < test.count(); ++i) {
        const Token label = test.labels[static_cast<std::size_t>(i)];
        const auto& of = counts[*test.sequence(i)];
        const auto best = std::max_element(of.begin(), of.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        correct += best != of.end() && best->first == label ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(test.count());
}

}  // namespace examples
