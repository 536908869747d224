// SPDX-License-Identifier: MIT
// The C library's allocation functions are replaced by ones that count and may fail; operator new and
// OpenMP's runtime end up in them as well.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#if defined(__GLIBC__)
#include <dlfcn.h>
#include <malloc.h>
#endif

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
std::atomic<long> until_failure{0};
std::atomic<bool> has_failed{false};
std::atomic<long> bytes{0};
std::atomic<long> most_bytes{0};

// What the memory at p holds, which may be more than was asked for.
long bytes_of(void* p) { return static_cast<long>(malloc_usable_size(p)); }

void* taken(void* p) {
    const long now = bytes += bytes_of(p);
    long most = most_bytes;
    while (most < now && !most_bytes.compare_exchange_weak(most, now)) {
    }
    return p;
}

// The file that a function is in.
const void* file_of(const void* address) {
    Dl_info info{};
    return dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

// Counts an allocation; whether it must fail.
bool fails(const void* caller) {
    ++allocations;
    if (until_failure.load(std::memory_order_relaxed) <= 0) return false;
    // Only what the program and operator new ask for.
    static const void* const program = file_of(reinterpret_cast<const void*>(&fails));
    static const void* const library = file_of(reinterpret_cast<const void*>(&std::set_new_handler));
    const void* const file = file_of(caller);
    if (file != program && file != library) return false;
    if (until_failure.fetch_sub(1) != 1) return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void __libc_free(void*);

#define TOEPLITZ_TEST_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

void* malloc(std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return nullptr;
    return taken(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return nullptr;
    return taken(__libc_calloc(count, size));
}
void* realloc(void* p, std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return nullptr;
    const long before = bytes_of(p);
    void* moved = __libc_realloc(p, size);
    if (moved != nullptr || size == 0) bytes -= before;
    return taken(moved);
}
void* memalign(std::size_t alignment, std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return nullptr;
    return taken(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return nullptr;
    return taken(__libc_memalign(alignment, size));
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
    if (fails(TOEPLITZ_TEST_CALLER)) return ENOMEM;
    *p = taken(__libc_memalign(alignment, size));
    return *p == nullptr ? ENOMEM : 0;
}
void free(void* p) {
    bytes -= bytes_of(p);
    __libc_free(p);
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

#if defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
long live_bytes() { return bytes; }
long peak_bytes() { return most_bytes; }
void forget_peak_bytes() { most_bytes = bytes.load(); }
#else
long live_bytes() { return -1; }
long peak_bytes() { return -1; }
void forget_peak_bytes() {}
#endif

void fail_allocation([[maybe_unused]] long k) {
#if defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
    has_failed = false;
    until_failure = k;
#endif
}

bool allocation_has_failed() {
#if defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
    return has_failed;
#else
    return false;
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

TEST_F(Allocations, BytesAreThoseThatAreHeld) {
    const long before = live_bytes();
    forget_peak_bytes();
    {
        const Buffer<char> held(1 << 20);
        EXPECT_GE(live_bytes() - before, 1 << 20);
        EXPECT_LE(live_bytes() - before, (1 << 20) + 8192);
        EXPECT_EQ(Buffer<char>(1 << 18)[0], 0);
        EXPECT_GE(peak_bytes() - before, (1 << 20) + (1 << 18));
    }
    EXPECT_EQ(live_bytes(), before);
    EXPECT_GE(peak_bytes(), before + (1 << 20));
}

TEST_F(Allocations, FailOneByOne) {
    const auto two = [] {
        EXPECT_EQ(std::vector<int>(3).size(), 3U);
        EXPECT_EQ(Buffer<float>(100)[99], 0);
    };
    EXPECT_EQ(fail_each(two, two), 2);
}

}  // namespace
}  // namespace toeplitz::test
