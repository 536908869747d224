// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Batches of sequences of about one length, so that little of a batch is padding.

#include <algorithm>
#include <vector>

#include <toeplitz/train/batches.hpp>

#include "labelled_sequences.hpp"

namespace examples {

/// Shuffled epochs are cut into windows of 32 batches; the samples of a window, sorted by length, are its
/// batches, which come in an order drawn anew. Where all sequences are as long, as toeplitz::Batches.
class BatchesByLength {
public:
    BatchesByLength(const LabelledSequences& data, Index batch, std::uint64_t seed)
        : data_(&data),
          batch_(batch),
          window_(has_one_length(data) ? 1 : 32),
          samples_(data.count(), window_ * batch, seed),
          order_(window_, seed + 1) {}

    /// The samples of a piece; none where there are more shards than samples.
    std::vector<Index> operator()(const toeplitz::Part& part) const {
        const Index batch = part.step * part.micros + part.micro;
        const Index window = batch / window_;
        std::vector<Index> samples(static_cast<std::size_t>(window_ * batch_));
        for (std::size_t i = 0; i < samples.size(); ++i) {
            samples[i] = samples_.sample({.step = window}, static_cast<Index>(i));
        }
        std::stable_sort(samples.begin(), samples.end(),
                         [&](Index a, Index b) { return data_->length_of(a) < data_->length_of(b); });
        const toeplitz::IndexRange piece = toeplitz::part_of(batch_, part.shard, part.shards);
        const auto first = samples.begin() + order_(window, batch % window_) * batch_ + piece.first;
        return {first, first + piece.size()};
    }

private:
    static bool has_one_length(const LabelledSequences& data) {
        for (Index i = 1; i < data.count(); ++i) {
            if (data.length_of(i) != data.length_of(0)) return false;
        }
        return true;
    }

    const LabelledSequences* data_;
    Index batch_;
    Index window_;
    toeplitz::Batches samples_;
    toeplitz::Shuffle order_;
};

}  // namespace examples
