// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which samples a piece of a step sees: every sample once per epoch, in an order without memory, so that a
/// resumed run goes on with the data it would have seen.

#include <algorithm>
#include <bit>

#include <toeplitz/train/part.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A permutation of 0..size−1 for every epoch, computed element by element.
///
/// A Feistel network permutes the next power of two, at least 256; what falls outside walks on until it is
/// inside.
class Shuffle {
public:
    /// \throws config_error 201 unless size ≥ 1
    Shuffle(Index size, std::uint64_t seed) : size_(size), seed_(seed) {
        detail::require_positive(size, "Shuffle", "size");
        const int needed = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size - 1)));
        const int bits = (std::max)(8, needed);  // halves of fewer bits make too few permutations
        left_mask_ = (std::uint64_t{1} << (bits / 2)) - 1;
        right_bits_ = bits - bits / 2;
        right_mask_ = (std::uint64_t{1} << right_bits_) - 1;
    }

    Index size() const noexcept { return size_; }

    /// The sample at place i in 0..size−1 of an epoch. Cost O(1) expected | heap: none | thread-safe: yes
    Index operator()(Index epoch, Index i) const noexcept {
        const CounterRandom random(CounterRandom(seed_).bits(static_cast<std::uint64_t>(epoch)));
        std::uint64_t value = static_cast<std::uint64_t>(i);
        do {
            value = permute(random, value);
        } while (value >= static_cast<std::uint64_t>(size_));
        return static_cast<Index>(value);
    }

private:
    static constexpr std::uint64_t rounds = 4;  // twice: one for each half

    std::uint64_t permute(const CounterRandom& random, std::uint64_t value) const noexcept {
        std::uint64_t left = value >> right_bits_;
        std::uint64_t right = value & right_mask_;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            left ^= random.bits(right * 2 * rounds + 2 * round) & left_mask_;
            right ^= random.bits(left * 2 * rounds + 2 * round + 1) & right_mask_;
        }
        return left << right_bits_ | right;
    }

    Index size_;
    std::uint64_t seed_;
    int right_bits_ = 0;
    std::uint64_t left_mask_ = 0;
    std::uint64_t right_mask_ = 0;
};

/// Micro batches of `batch` samples one after another through shuffled epochs; the shards of a micro batch
/// share it out. Which samples a step sees does not depend on the number of shards.
class Batches {
public:
    /// \throws config_error 201 unless samples ≥ 1 and batch ≥ 1
    Batches(Index samples, Index batch, std::uint64_t seed) : shuffle_(samples, seed), batch_(batch) {
        detail::require_positive(batch, "Batches", "batch");
    }

    /// Samples of a piece; may be 0 where there are more shards than samples.
    Index count(const Part& part) const noexcept { return part_of(batch_, part.shard, part.shards).size(); }

    /// Sample j of a piece.
    Index sample(const Part& part, Index j) const noexcept {
        // Unsigned, so that what is beyond all places of a run starts again.
        const auto wide = [](Index i) { return static_cast<std::uint64_t>(i); };
        const std::uint64_t place = (wide(part.step) * wide(part.micros) + wide(part.micro)) * wide(batch_) +
                                    wide(part_of(batch_, part.shard, part.shards).first + j);
        const std::uint64_t size = wide(shuffle_.size());
        return shuffle_(static_cast<Index>(place / size), static_cast<Index>(place % size));
    }

private:
    Shuffle shuffle_;
    Index batch_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
