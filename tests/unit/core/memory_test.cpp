// SPDX-License-Identifier: MIT
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/sanitizers.hpp>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::test {
namespace {

bool aligned(const void* p, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

TEST(BufferTest, IsZeroedAndAligned) {
    for (const Index size : {1, 3, 1000, 300000}) {  // the last in huge pages
        const Buffer<double> buffer(size);
        EXPECT_EQ(buffer.size(), size);
        EXPECT_TRUE(aligned(buffer.data(), buffer_alignment));
        EXPECT_EQ(std::count(buffer.data(), buffer.data() + size, 0.0), size);
    }
    EXPECT_TRUE(aligned(Buffer<float>(Index{1} << 20).data(), std::size_t{1} << 21));
}

TEST(BufferTest, OfNoElementsOwnsNothing) {
    EXPECT_EQ(Buffer<int>().data(), nullptr);
    EXPECT_EQ(Buffer<int>(0).data(), nullptr);
    const Buffer<int> copy = Buffer<int>(0);
    EXPECT_EQ(copy.size(), 0);
}

TEST(BufferTest, CopiesAreDeepAndMovesLeaveNothing) {
    Buffer<int> a(3);
    a[0] = 1;
    a[2] = 3;
    Buffer<int> b = a;
    b[0] = 9;
    EXPECT_EQ(a[0], 1);
    EXPECT_EQ(b[2], 3);

    const int* memory = a.data();
    Buffer<int> c = std::move(a);
    EXPECT_EQ(c.data(), memory);
    EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move): its state is promised
    EXPECT_EQ(a.size(), 0);

    b = c;
    EXPECT_EQ(b[0], 1);
    EXPECT_NE(b.data(), c.data());
    c = Buffer<int>(1);
    EXPECT_EQ(c.size(), 1);
    EXPECT_EQ(c[0], 0);
    c = *&c;
    EXPECT_EQ(c.size(), 1);
}

TEST(BufferTest, RejectsSizesThatOverflow) {
    expect_error<config_error>(
        202, "[toeplitz.config.202] Buffer: expected a size below 2^63, got 4611686018427387904 * 8",
        [] { Buffer<double>(Index{1} << 62); });
#if !defined(TOEPLITZ_TEST_SANITIZED)
    EXPECT_THROW(Buffer<std::byte>(Index{1} << 62), std::bad_alloc);
#endif
}

TEST(WorkspaceTest, ReserveGrowsAndNeverShrinks) {
    Workspace ws;
    EXPECT_EQ(ws.capacity(), 0U);
    ws.reserve(100);
    EXPECT_GE(ws.capacity(), 100U);
    const std::size_t capacity = ws.capacity();
    ws.reserve(10);
    EXPECT_EQ(ws.capacity(), capacity);
    ws.reserve(1000);
    EXPECT_GE(ws.capacity(), 1000U);
    EXPECT_GE(Workspace(77).capacity(), 77U);
}

TEST(WorkspaceTest, AFailedReservationChangesNothing) {
#if !defined(TOEPLITZ_TEST_SANITIZED)
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    Workspace ws(256);
    const auto refuses = [&](std::size_t bytes) { EXPECT_THROW(ws.reserve(bytes), std::bad_alloc) << bytes; };
    for (const std::size_t bytes : {std::size_t{1} << 62, most / 2, most - 100, most - 10, most}) {
        const std::size_t capacity = ws.capacity();
        refuses(bytes);
        EXPECT_EQ(ws.capacity(), capacity);
        ws.reserve(2 * capacity);
        EXPECT_EQ(ws.capacity(), 2 * capacity) << "the size that failed is forgotten";
        Workspace::Scope scope(ws);
        scope.take<char>(100);
        refuses(bytes);
        EXPECT_THROW(scope.take<double>(static_cast<Index>(bytes / 8)), std::bad_alloc);
        EXPECT_THROW(scope.take<double>(-1), std::bad_alloc);
        const char* const next = scope.take<char>(1);
        EXPECT_EQ(scope.take<char>(1), next + 64);
    }
    EXPECT_EQ(ws.capacity(), 256U << 5);
    Workspace::Scope scope(ws);
    EXPECT_THROW(scope.matrix<float>(Index{1} << 40, Index{1} << 40), config_error);
#endif
}

TEST(WorkspaceTest, IsMovedWithItsMemory) {
    Workspace ws(256);
    const std::size_t capacity = ws.capacity();
    const void* const memory = Workspace::Scope(ws).take<char>(1);
    Workspace other = std::move(ws);
    EXPECT_EQ(other.capacity(), capacity);
    EXPECT_EQ(Workspace::Scope(other).take<char>(1), memory);
    EXPECT_EQ(ws.capacity(), 0U);
    Workspace::Scope(ws).take<char>(1);
    EXPECT_GE(ws.capacity(), 1U) << "what was moved from grows again";
}

TEST(RoundUpTest, StopsAtTheLastMultiple) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    static_assert(round_up(0, 64) == 0);
    static_assert(round_up(1, 64) == 64);
    static_assert(round_up(64, 64) == 64);
    static_assert(round_up(most - 63, 64) == most - 63);
    static_assert(round_up(most - 62, 64) == most - 63);
    static_assert(round_up(most, 4096) == most - 4095);
}

TEST(WorkspaceTest, LendsAlignedPiecesThatDoNotOverlap) {
    Workspace ws(Workspace::bytes_for<char>(1) + Workspace::bytes_for<double>(9) +
                 Workspace::bytes_for<float>(5, page_alignment));
    Workspace::Scope scope(ws);
    const char* a = scope.take<char>(1);
    const double* b = scope.take<double>(9);
    const float* c = scope.take<float>(5, page_alignment);
    EXPECT_TRUE(aligned(a, buffer_alignment));
    EXPECT_TRUE(aligned(b, buffer_alignment));
    EXPECT_TRUE(aligned(c, page_alignment));
    EXPECT_GE(reinterpret_cast<std::uintptr_t>(b), reinterpret_cast<std::uintptr_t>(a + 1));
    EXPECT_GE(reinterpret_cast<std::uintptr_t>(c), reinterpret_cast<std::uintptr_t>(b + 9));
}

TEST(WorkspaceTest, ScopesReturnWhatTheyTook) {
    Workspace ws(256);
    Workspace::Scope outer(ws);
    const char* first = outer.take<char>(64);
    const char* inner_piece = nullptr;
    {
        Workspace::Scope inner(ws);
        inner_piece = inner.take<char>(64);
        EXPECT_EQ(inner_piece, first + 64);
    }
    EXPECT_EQ(outer.take<char>(64), inner_piece);
}

TEST(WorkspaceTest, ReserveInsideAScopeCountsWhatIsLeft) {
    Workspace ws(256);
    Workspace::Scope scope(ws);
    scope.take<char>(64);
    ws.reserve(192);
    EXPECT_EQ(ws.capacity(), 256U);
}

TEST(WorkspaceTest, GrowsWithoutMovingWhatIsLent) {
    Workspace ws(128);
    const std::size_t before = ws.capacity();
    {
        Workspace::Scope scope(ws);
        char* first = scope.take<char>(64);
        std::fill_n(first, 64, 'a');
        ws.reserve(1000);
        char* second = scope.take<char>(960);
        std::fill_n(second, 960, 'b');
        char* third = scope.take<char>(5000, page_alignment);
        std::fill_n(third, 5000, 'c');
        EXPECT_TRUE(aligned(third, page_alignment));
        EXPECT_EQ(std::count(first, first + 64, 'a'), 64);
        EXPECT_EQ(std::count(second, second + 960, 'b'), 960);
        {
            Workspace::Scope inner(ws);
            std::fill_n(inner.take<char>(300), 300, 'd');
        }
        EXPECT_EQ(std::count(third, third + 5000, 'c'), 5000);
    }
    EXPECT_GT(ws.capacity(), before);
}

TEST(WorkspaceTest, TheSecondCallOfAKindFindsAllInOnePiece) {
    Workspace ws(64);
    const auto call = [&] {
        Workspace::Scope outer(ws);
        char* first = outer.take<char>(100);
        Workspace::Scope inner(ws);
        char* last = nullptr;
        for (int i = 0; i < 10; ++i) last = inner.take<char>(1000);
        return last - first;
    };
    call();
    EXPECT_EQ(call(), 128 + 9 * 1024);
    const std::size_t capacity = ws.capacity();
    call();
    EXPECT_EQ(ws.capacity(), capacity);
}

TEST(ThreadScratchTest, GivesEachThreadPagesOfItsOwn) {
    Workspace ws(64 + ThreadScratch<float>::bytes(1000, 3));
    Workspace::Scope scope(ws);
    scope.take<char>(1);
    const ThreadScratch<float> scratch(scope, 1000, 3);
    for (int thread = 0; thread < 3; ++thread) EXPECT_TRUE(aligned(scratch[thread], page_alignment));
    EXPECT_GE(scratch[1], scratch[0] + 1000);
    EXPECT_GE(scratch[2], scratch[1] + 1000);
}

}  // namespace
}  // namespace toeplitz::test
