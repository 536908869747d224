// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The pieces that a training step is cut into, and the parts of a list that processes and shards take.

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Items first..last−1 of a list.
struct IndexRange {
    Index first = 0;
    Index last = 0;  ///< behind the items

    Index size() const noexcept { return last - first; }
};

/// Part number `part` of 0..items−1, cut into `parts` that are neighbours and as equal as can be.
constexpr IndexRange part_of(Index items, Index part, Index parts) noexcept {
    // items · part / parts, where the product may leave Index.
    const auto begin = [&](Index i) { return items / parts * i + items % parts * i / parts; };
    return {begin(part), begin(part + 1)};
}

/// One piece of one step: shard `shard` of micro batch `micro`.
struct Part {
    Index step = 0;   ///< steps done before this one
    Index micro = 0;  ///< 0..micros−1, one after another
    Index micros = 1;
    Index shard = 0;  ///< 0..shards−1, at the same time
    Index shards = 1;
    std::uint64_t seed = 0;  ///< for what is random in this piece, dropout for example
    /// For the pass that adds to the gradients last: processes then send them while it goes on.
    FinishedGradients finished{};
};

/// A seed of its own for every piece of every step of a run.
constexpr std::uint64_t part_seed(std::uint64_t run, Index step, Index micro, Index shard) noexcept {
    std::uint64_t seed = run;
    for (const Index i : {step, micro, shard}) seed = CounterRandom(seed).bits(static_cast<std::uint64_t>(i));
    return seed;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
