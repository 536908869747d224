// SPDX-License-Identifier: MIT
// The C library's allocation functions are replaced by ones that count; operator new and OpenMP's runtime end
// up in them as well.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include <support/allocations.hpp>
#include <support/sanitizers.hpp>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/types.hpp>

// Sanitizers replace these functions themselves, and other C libraries lack the names behind them.
#if defined(__GLIBC__) && !defined(TOEPLITZ_TEST_SANITIZED)
#define TOEPLITZ_TEST_COUNTS_ALLOCATIONS

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* p, std::size_t size) {
    ++allocations;
    return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
    ++allocations;
    *p = __libc_memalign(alignment, size);
    return *p == nullptr ? ENOMEM : 0;
}
}
#endif

namespace toeplitz::test {

long allocation_count() {
#if defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
    return allocations;
#else
    return -1;
#endif
}

namespace {

TEST_F(Allocations, AreCounted) {
    const auto used = [](void* p) {
        ASSERT_NE(p, nullptr);
        std::free(p);
    };
    EXPECT_GE(count([&] { used(std::malloc(10)); }), 1);
    EXPECT_GE(count([&] { used(std::aligned_alloc(64, 64)); }), 1);
    EXPECT_GE(count([] { std::vector<int>(3).at(2) = 1; }), 1);
    EXPECT_GE(count([] { EXPECT_EQ(Buffer<float>(100)[99], 0); }), 1);
    EXPECT_GE(count([] { EXPECT_EQ(Matrix<float>::Ones(9, 9).eval()(8, 8), 1); }), 1);
    EXPECT_EQ(count([] {}), 0);
}

}  // namespace
}  // namespace toeplitz::test
