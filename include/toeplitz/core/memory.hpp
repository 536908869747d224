// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Aligned storage for spectra, tables and workspaces.

#include <cstdlib>
#include <limits>
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

/// The next multiple of a power of two; the largest one where there is no next.
constexpr std::size_t round_up(std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t most = (std::numeric_limits<std::size_t>::max)() / alignment * alignment;
    return bytes > most ? most : (bytes + alignment - 1) / alignment * alignment;
}

namespace detail {

/// Sizes that no memory has stay that large: they end as std::bad_alloc instead of as a small number.
constexpr std::size_t saturated_sum(std::size_t a, std::size_t b) noexcept {
    std::size_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? (std::numeric_limits<std::size_t>::max)() : sum;
}
template <class T>
constexpr std::size_t saturated_bytes(Index count) noexcept {
    std::size_t bytes = 0;
    return __builtin_mul_overflow(count, sizeof(T), &bytes) ? (std::numeric_limits<std::size_t>::max)()
                                                            : bytes;
}

/// `count` objects and what fills their last line: what follows them is aligned to buffer_alignment.
template <class T>
constexpr Index whole_lines(Index count) noexcept {
    constexpr Index line = static_cast<Index>(buffer_alignment / sizeof(T));
    return (count + line - 1) / line * line;
}

[[noreturn]] inline void throw_bad_alloc() {
#if defined(__cpp_exceptions)
    throw std::bad_alloc();
#else
    std::abort();
#endif
}

/// Gives a matrix another size and no values. It stays as it is where memory runs out: Eigen's own resize
/// frees before it asks, and what is gone is freed once more.
template <class M>
void resize_kept(M& matrix, Index rows, Index cols = 1) {
    if (matrix.rows() != rows || matrix.cols() != cols) matrix = M(rows, cols);
}

/// matrix = values, likewise.
template <class M, class Values>
void assign_kept(M& matrix, const Values& values) {
    resize_kept(matrix, values.rows(), values.cols());
    matrix = values;
}

}  // namespace detail

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
        if (!std::in_range<Index>(rounded)) detail::throw_bad_alloc();  // a negative size, too
        data_.reset(static_cast<T*>(std::aligned_alloc(alignment, rounded)));
        if (!data_) detail::throw_bad_alloc();
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

    std::unique_ptr<T, Free> data_;
    Index size_ = 0;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
