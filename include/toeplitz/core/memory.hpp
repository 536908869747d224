// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Aligned storage for spectra, tables and workspaces.

#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Alignment of every buffer and of every piece taken from a Workspace, in bytes.
inline constexpr std::size_t buffer_alignment = 64;

/// Alignment that keeps the pieces of different threads on different pages, in bytes.
inline constexpr std::size_t page_alignment = 4096;

constexpr std::size_t round_up(std::size_t bytes, std::size_t alignment) noexcept {
    return (bytes + alignment - 1) / alignment * alignment;
}

/// Owns `size` trivial objects, zeroed, aligned to buffer_alignment.
///
/// From 2 MiB on the memory is aligned to huge pages and the kernel is asked for them: they save up to a
/// quarter of a long product's time.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
    Buffer() = default;

    /// \throws config_error 202 when the byte count overflows, std::bad_alloc
    explicit Buffer(Index size) : size_(size) {
        if (size == 0) return;
        constexpr std::size_t huge = std::size_t{1} << 21;
        const Index bytes = detail::checked_product(size, static_cast<Index>(sizeof(T)), "Buffer");
        const std::size_t alignment = static_cast<std::size_t>(bytes) >= huge ? huge : page_alignment;
        const std::size_t rounded = round_up(static_cast<std::size_t>(bytes), alignment);
        data_.reset(static_cast<T*>(std::aligned_alloc(alignment, rounded)));
        if (!data_) throw_bad_alloc();
#if defined(__linux__)
        if (alignment == huge) ::madvise(data_.get(), rounded, MADV_HUGEPAGE);
#endif
        std::uninitialized_value_construct_n(data_.get(), size);
    }

    Buffer(const Buffer& other) : Buffer(other.size_) {
        std::uninitialized_copy_n(other.data(), size_, data());
    }
    Buffer(Buffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer other) noexcept {
        data_ = std::move(other.data_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    ~Buffer() = default;

    T* data() noexcept { return data_.get(); }
    const T* data() const noexcept { return data_.get(); }
    Index size() const noexcept { return size_; }
    T& operator[](Index i) noexcept { return data_.get()[i]; }
    const T& operator[](Index i) const noexcept { return data_.get()[i]; }

private:
    struct Free {
        void operator()(T* p) const noexcept { std::free(p); }
    };

    [[noreturn]] static void throw_bad_alloc() {
#if defined(__cpp_exceptions)
        throw std::bad_alloc();
#else
        std::abort();
#endif
    }

    std::unique_ptr<T, Free> data_;
    Index size_ = 0;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
