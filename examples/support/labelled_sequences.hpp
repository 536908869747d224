// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Token sequences with a class each, or a class for some of them together, padded to one length. A token is
/// a byte here.

#include <algorithm>
#include <cstddef>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace examples {

using toeplitz::Index, toeplitz::Token;

struct LabelledSequences {
    Index length = 0;                     ///< n of all
    std::vector<unsigned char> tokens{};  ///< one sequence after another
    std::vector<Index> lengths{};         ///< valid tokens of each; empty: all n
    std::vector<Token> labels{};
    Index parts = 1;        ///< sequences that have one label together
    Index image_width = 0;  ///< pixels in a row where they are images

    Index count() const { return static_cast<Index>(labels.size()); }
    const unsigned char* sequence(Index i) const { return tokens.data() + i * length; }
    /// Valid tokens of the longest of the parts that label i is of.
    Index length_of(Index i) const {
        if (lengths.empty()) return length;
        const auto first = lengths.begin() + i * parts;
        return *std::max_element(first, first + parts);
    }

    /// Adds one of up to n tokens; the label comes with the last one of its parts.
    template <class Sequence>
    void add(const Sequence& sequence) {
        tokens.insert(tokens.end(), sequence.begin(), sequence.end());
        lengths.push_back(static_cast<Index>(sequence.size()));
        tokens.resize(static_cast<std::size_t>(length) * lengths.size(), 0);
    }
    template <class Sequence>
    void add(const Sequence& sequence, Token label) {
        add(sequence);
        labels.push_back(label);
    }

    /// `count` of them from `first`.
    LabelledSequences part(Index first, Index count) const {
        LabelledSequences some;
        some.length = length;
        some.parts = parts;
        some.image_width = image_width;
        const auto cut = [](const auto& from, auto& to, Index begin, Index size) {
            if (!from.empty()) to.assign(from.begin() + begin, from.begin() + begin + size);
        };
        cut(labels, some.labels, first, count);
        cut(lengths, some.lengths, first * parts, count * parts);
        cut(tokens, some.tokens, first * parts * length, count * parts * length);
        return some;
    }
    LabelledSequences first(Index number) const { return part(0, std::min(number, count())); }

    /// Takes the last ones away.
    LabelledSequences take_last(Index number) {
        const Index rest = count() - number;
        LabelledSequences last = part(rest, number);
        *this = part(0, rest);
        return last;
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
    Index length = 0;  ///< n of all
    std::vector<Token> tokens;
    std::vector<Index> lengths;
    std::vector<Token> labels;

    /// The samples named, as long as the longest of them.
    void fill(const LabelledSequences& data, const std::vector<Index>& samples) {
        Index longest = 1;
        for (const Index i : samples) longest = std::max(longest, data.length_of(i));
        fill(
            data, static_cast<Index>(samples.size()),
            [&](Index j) { return samples[static_cast<std::size_t>(j)]; }, longest);
    }

    /// sample(j) is which sequence is the j-th of the batch.
    template <class Sample>
    void fill(const LabelledSequences& data, Index count, Sample&& sample) {
        fill(data, count, sample, data.length);
    }

private:
    template <class Sample>
    void fill(const LabelledSequences& data, Index count, Sample&& sample, Index n) {
        length = n;
        tokens.clear();
        lengths.clear();
        labels.clear();
        for (Index j = 0; j < count; ++j) {
            const Index i = sample(j);
            labels.push_back(data.labels[static_cast<std::size_t>(i)]);
            for (Index k = i * data.parts; k < (i + 1) * data.parts; ++k) {
                tokens.insert(tokens.end(), data.sequence(k), data.sequence(k) + n);
                if (!data.lengths.empty()) lengths.push_back(data.lengths[static_cast<std::size_t>(k)]);
            }
        }
    }
};

}  // namespace examples
