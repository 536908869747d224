// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which lags of a causal kernel a stream adds by definition, and which by transforms of which size
/// (docs/streaming.md).

#include <bit>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Products of blocks of U steps: what the inputs of block j add to the outputs of block i = j + k is a
/// Toeplitz product of size U with the lags kU ± (U−1).
///
/// When block c is complete, its job begins: the transform of its inputs, and the products that block c+2
/// takes from blocks c, c−1, …. They are first needed U steps later, and are spread over these U steps.
/// Block i leaves to the levels above what comes from before the two blocks of theirs that end with i's.
struct StreamLevel {
    Index block;   ///< U, a power of two
    Index most;    ///< products of a block at most: k = 2..most+1
    Index growth;  ///< block size of the next level in blocks; 0: there is none, and all products are here

    /// Products of the job of block c.
    Index products(Index c) const noexcept { return growth == 0 ? most : growth - 1 + (c + 2) % growth; }

    int log2_block() const noexcept { return std::countr_zero(static_cast<std::uint64_t>(block)); }
};

/// The levels for a kernel of n lags. Lags below two blocks of the first level, or all of a short kernel, are
/// added by definition.
class StreamPartition {
public:
    /// Blocks of the first level, in which the outputs are made, too.
    static constexpr Index base = 32;
    /// Outputs that the sums by definition make together.
    static constexpr Index tile = 8;

    explicit StreamPartition(Index lags) {
        if (lags <= 4 * base) {
            direct_ = (lags + tile - 2) / tile * tile;
            history_ = (direct_ + base - 1) / base * base + base;
            return;
        }
        direct_ = base;
        Index block = base;
        for (; lags > 12 * block; block *= growth) levels_.push_back({block, 2 * growth - 2, growth});
        levels_.push_back({block, (lags - 2) / block, 0});
        history_ = (levels_.back().most + 2) * block;
    }

    const std::vector<StreamLevel>& levels() const noexcept { return levels_; }

    /// Steps before time t's block of the first level, or before its tile where there are no levels, whose
    /// inputs are multiplied by definition.
    Index direct() const noexcept { return direct_; }
    /// Lags that are multiplied by definition at time t, those of 0 that only fill a tile included.
    Index direct_lags(Index t) const noexcept { return direct_ + t % (levels_.empty() ? tile : base) + 1; }

    /// Steps whose inputs a state keeps: all that it depends on.
    Index history() const noexcept { return history_; }

private:
    static constexpr Index growth = 4;

    std::vector<StreamLevel> levels_;
    Index direct_ = 0;
    Index history_ = 0;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
