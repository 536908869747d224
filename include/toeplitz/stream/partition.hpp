// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which lags of a causal kernel a stream adds by definition, and which by transforms of which size
/// (docs/streaming.md).

#include <algorithm>
#include <bit>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Products of blocks of U steps: what the inputs of block j add to the outputs of block i = j + k is a
/// Toeplitz product of size U with the lags kU ± (U−1).
///
/// When block c is complete, its job begins: the transform of its inputs, and the products that block
/// c + first takes from blocks c, c−1, …. With first = 2 they are needed U steps later, and are spread over
/// these U steps. With first = 0 they are needed at once: so they can be where inputs come by whole blocks.
/// Block i leaves to the levels above what comes from before the two blocks of theirs that end with i's.
struct StreamLevel {
    Index block;   ///< U, a power of two
    Index first;   ///< the least k: 0 or 2
    Index most;    ///< products of a block at most: k = first..first + most − 1
    Index growth;  ///< block size of the next level in blocks; 0: there is none, and all products are here

    bool is_spread() const noexcept { return first > 0; }

    /// Products of the job of block c.
    Index products(Index c) const noexcept {
        return growth == 0 ? most : growth + 1 - first + (c + first) % growth;
    }

    int log2_block() const noexcept { return std::countr_zero(static_cast<std::uint64_t>(block)); }
};

/// The levels for a kernel of n lags. Lags below two blocks of the first level, or all of a short kernel, are
/// added by definition.
///
/// Where a pack holds several steps, its phases, sums by definition take as many lags at once, and the first
/// level is one whose blocks have the 16 packs that a transform begins with. The blocks of other levels, and
/// the inputs that count, do not depend on the phases: a saved state is one for any instruction set.
class StreamPartition {
public:
    /// Outputs that the sums by definition make together: whole packs.
    static constexpr Index tile(Index phases) noexcept { return phases <= 8 ? 8 : phases; }

    /// \param calls number of steps that all calls take multiples of
    explicit StreamPartition(Index lags, Index calls = 1, Index phases = 1) : tile_(tile(phases)) {
        while (base_ < 16 * phases) base_ *= growth;
        Index block = smallest;
        while (lags > 12 * block) block *= growth;
        const Index most = (lags - 2) / block;
        history_ = lags <= 4 * smallest ? (lags + 30) / 32 * 32 + 2 * smallest : (most + 2) * block;
        if (lags <= (std::max)(4 * smallest, 3 * base_)) {
            base_ = smallest;
            direct_ = (lags + tile_ - 2) / tile_ * tile_;
            piece_ = history_ - direct_ - tile_;
            return;
        }
        const bool has_blocks = calls % base_ == 0;
        while (has_blocks && base_ < block && calls % (base_ * growth) == 0) base_ *= growth;
        direct_ = has_blocks ? 0 : base_;
        piece_ = block;
        Index first = has_blocks ? 0 : 2;
        for (Index u = base_; u < block; u *= growth, first = 2) {
            levels_.push_back({u, first, 2 * growth - first, growth});
        }
        levels_.push_back({block, first, most + 2 - first, 0});
    }

    const std::vector<StreamLevel>& levels() const noexcept { return levels_; }

    /// Block of the first level, in which the outputs are made, too; a power of two that divides the history.
    Index base() const noexcept { return base_; }

    /// Whether all steps lie in whole blocks of the first level, which then leaves nothing to be multiplied
    /// by definition.
    bool has_blocks() const noexcept { return !levels_.empty() && !levels_.front().is_spread(); }

    /// Steps before time t's block of the first level, or before its tile where there are no levels, whose
    /// inputs are multiplied by definition.
    Index direct() const noexcept { return direct_; }
    /// Lags that are multiplied by definition at time t, those of 0 that only fill a tile included; and the
    /// most of any time.
    Index direct_lags(Index t) const noexcept {
        return has_blocks() ? 0 : direct_ + (t & (direct_period() - 1)) + 1;
    }
    Index direct_lags() const noexcept { return has_blocks() ? 0 : direct_ + direct_period(); }

    /// Steps whose inputs a state keeps: all that it depends on.
    Index history() const noexcept { return history_; }

    /// Steps that may be taken at once: what the inputs that are kept hold beside those that outputs look
    /// back to.
    Index piece() const noexcept { return piece_; }

    /// Steps after which each does the same work again.
    Index period() const noexcept { return levels_.empty() ? tile_ : levels_.back().block; }

private:
    static constexpr Index growth = 4;
    static constexpr Index smallest = 32;

    Index direct_period() const noexcept { return levels_.empty() ? tile_ : base_; }

    std::vector<StreamLevel> levels_;
    Index base_ = smallest;
    Index tile_;
    Index direct_ = 0;
    Index history_ = 0;
    Index piece_ = 0;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
