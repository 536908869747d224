// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Scratch memory that is allocated once and lent out as a stack.

#include <toeplitz/core/memory.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Scratch memory of one caller.
///
/// A workspace serves any number of calls to any operators, one at a time; concurrent calls need one each.
/// It is best sized once, by `ws.reserve(op.required_workspace(batch))`; a call that finds it too small
/// grows it before it starts, which is the only allocation on that path.
class Workspace {
public:
    Workspace() = default;

    /// \throws std::bad_alloc
    explicit Workspace(std::size_t bytes) { reserve(bytes); }

    // The address of lent memory must not change, so a workspace stays where it is.
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    /// Makes at least `bytes` available beyond what is lent out now. Keeps the memory when it is enough.
    /// \throws config_error 210 when memory is lent out and too little is left, std::bad_alloc
    void reserve(std::size_t bytes) {
        const std::size_t needed = used_ + round_up(bytes, buffer_alignment);
        if (needed <= capacity()) return;
        if (used_ != 0) {
            detail::raise<config_error>(
                210, detail::text("Workspace::reserve: expected ", needed,
                                  " bytes to be reserved before memory is lent out, got ", capacity()));
        }
        memory_ = Buffer<std::byte>();
        memory_ = Buffer<std::byte>(static_cast<Index>(needed));
    }

    /// Bytes owned.
    std::size_t capacity() const noexcept { return static_cast<std::size_t>(memory_.size()); }

    /// Returns what was taken since its construction when it goes out of scope.
    class Scope {
    public:
        explicit Scope(Workspace& workspace) noexcept : workspace_(workspace), mark_(workspace.used_) {}
        ~Scope() { workspace_.used_ = mark_; }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

        /// Lends `count` objects, uninitialised, aligned to `alignment` bytes.
        /// The caller has reserved enough: Workspace::bytes_for says how much that is.
        template <class T>
        T* take(Index count, std::size_t alignment = buffer_alignment) {
            const std::size_t start = round_up(workspace_.used_, alignment);
            const std::size_t end =
                start + round_up(static_cast<std::size_t>(count) * sizeof(T), buffer_alignment);
            if (end > workspace_.capacity()) {
                detail::raise<config_error>(211, detail::text("Workspace::take: expected at most ",
                                                              workspace_.capacity(), " bytes, got ", end));
            }
            workspace_.used_ = end;
            return reinterpret_cast<T*>(workspace_.memory_.data() + start);
        }

    private:
        Workspace& workspace_;
        std::size_t mark_;
    };

    /// Bytes that `take<T>(count, alignment)` uses at most.
    template <class T>
    static constexpr std::size_t bytes_for(Index count, std::size_t alignment = buffer_alignment) noexcept {
        return round_up(static_cast<std::size_t>(count) * sizeof(T), buffer_alignment) +
               (alignment > buffer_alignment ? alignment : 0);
    }

private:
    Buffer<std::byte> memory_;
    std::size_t used_ = 0;
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
        return round_up(static_cast<std::size_t>(count) * sizeof(T), page_alignment);
    }

    Index stride_;
    T* data_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
