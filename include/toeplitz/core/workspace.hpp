// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Scratch memory that is allocated once and lent out as a stack.

#include <algorithm>
#include <utility>
#include <vector>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Scratch memory of one caller.
///
/// A workspace serves any number of calls to any operators and modules, one at a time; concurrent calls need
/// one each. It grows where a call finds it too small, and keeps what it has: the second call of a kind
/// allocates nothing, and neither does the first one after `ws.reserve(op.required_workspace(batch))`.
class Workspace {
public:
    Workspace() = default;

    /// \throws std::bad_alloc
    explicit Workspace(std::size_t bytes) { reserve(bytes); }

    /// Moves the memory. Scopes refer to their workspace: it stays where it is while anything is lent.
    Workspace(Workspace&&) noexcept = default;
    Workspace& operator=(Workspace&&) noexcept = default;

    /// Makes at least `bytes` available beyond what is lent out now. Keeps the memory when it is enough.
    /// \throws std::bad_alloc; the workspace is as before then
    void reserve(std::size_t bytes) {
        bytes = round_up(bytes, buffer_alignment);
        const std::size_t most = (std::max)(most_, detail::saturated_sum(lent_, bytes));
        if (lent_ == 0) {
            // Nothing is lent: one block takes the place of all.
            if (most != 0 && (blocks_.size() != 1 || size(0) < most)) {
                std::vector<Buffer<std::byte>> one;
                append(one, most);
                blocks_ = std::move(one);
            }
        } else if (rest() < bytes) {
            append(blocks_, bytes);
        }
        most_ = most;
    }

    /// Bytes owned.
    std::size_t capacity() const noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < blocks_.size(); ++i) bytes += size(i);
        return bytes;
    }

    /// The most bytes that were lent out at once: what a call that was measured needs to be reserved.
    std::size_t most_used() const noexcept { return most_lent_; }

    /// Returns what was taken since its construction when it goes out of scope.
    class Scope {
    public:
        explicit Scope(Workspace& workspace) noexcept
            : workspace_(workspace),
              block_(workspace.block_),
              used_(workspace.used_),
              lent_(workspace.lent_) {}
        ~Scope() {
            workspace_.block_ = block_;
            workspace_.used_ = used_;
            workspace_.lent_ = lent_;
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

        /// Lends `count` objects, uninitialised, aligned to `alignment` bytes.
        /// \throws std::bad_alloc
        template <class T>
        T* take(Index count, std::size_t alignment = buffer_alignment) {
            const std::size_t bytes = round_up(detail::saturated_bytes<T>(count), buffer_alignment);
            return reinterpret_cast<T*>(workspace_.take(bytes, alignment));
        }

        /// Lends a matrix. \throws config_error 202, std::bad_alloc
        template <class T>
        MatrixView<T> matrix(Index rows, Index cols) {
            return {take<T>(detail::checked_product(rows, cols, "Workspace")), rows, cols};
        }

    private:
        Workspace& workspace_;
        std::size_t block_;
        std::size_t used_;
        std::size_t lent_;
    };

    /// Bytes that `take<T>(count, alignment)` uses at most.
    template <class T>
    static constexpr std::size_t bytes_for(Index count, std::size_t alignment = buffer_alignment) noexcept {
        return detail::saturated_sum(round_up(detail::saturated_bytes<T>(count), buffer_alignment),
                                     alignment > buffer_alignment ? alignment : 0);
    }

private:
    std::size_t size(std::size_t block) const noexcept {
        return static_cast<std::size_t>(blocks_[block].size());
    }
    /// Bytes left in the blocks from the current one on, in one piece.
    std::size_t rest() const noexcept {
        std::size_t most = block_ < blocks_.size() ? size(block_) - used_ : 0;
        for (std::size_t i = block_ + 1; i < blocks_.size(); ++i) most = (std::max)(most, size(i));
        return most;
    }
    static void append(std::vector<Buffer<std::byte>>& blocks, std::size_t bytes) {
        if (!std::in_range<Index>(bytes)) detail::throw_bad_alloc();
        blocks.emplace_back(static_cast<Index>(bytes));
    }

    std::byte* take(std::size_t bytes, std::size_t alignment) {
        if (lent_ == 0 && blocks_.size() > 1) reserve(0);
        for (std::size_t block = block_, used = used_;; ++block, used = 0) {
            if (block == blocks_.size()) append(blocks_, bytes);
            const std::size_t start = round_up(used, alignment);
            if (detail::saturated_sum(start, bytes) > size(block)) continue;
            lent_ += bytes + (alignment > buffer_alignment ? alignment : 0);
            most_lent_ = (std::max)(most_lent_, lent_);
            most_ = (std::max)(most_, lent_);
            block_ = block;
            used_ = start + bytes;
            return blocks_[block].data() + start;
        }
    }

    // Blocks never move what they hold: lent memory keeps its address while others are added.
    std::vector<Buffer<std::byte>> blocks_;
    std::size_t block_ = 0;  ///< the one that is being lent from
    std::size_t used_ = 0;   ///< bytes of it that are lent
    std::size_t lent_ = 0;   ///< bytes lent from all of them
    std::size_t most_lent_ = 0;
    std::size_t most_ = 0;  ///< the most that were, or were reserved: what one block must hold
};

/// `count` objects for each of some threads, each thread's on pages of its own: neighbours on one page cost
/// almost all of the second thread's gain.
template <class T>
class ThreadScratch {
public:
    ThreadScratch(Workspace::Scope& scope, Index count, int threads)
        : stride_(static_cast<Index>(pages(count) / sizeof(T))),
          data_(scope.take<T>(stride_ * threads, page_alignment)) {}

    T* operator[](int thread) const noexcept { return data_ + thread * stride_; }

    /// Bytes that it takes from its workspace.
    static constexpr std::size_t bytes(Index count, int threads) noexcept {
        return pages(count) * static_cast<std::size_t>(threads) + page_alignment;
    }

private:
    static constexpr std::size_t pages(Index count) noexcept {
        return round_up(detail::saturated_bytes<T>(count), page_alignment);
    }

    Index stride_;
    T* data_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
