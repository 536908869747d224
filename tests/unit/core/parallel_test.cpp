// SPDX-License-Identifier: MIT
#include <atomic>
#include <vector>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <support/errors.hpp>

#include <toeplitz/core/parallel.hpp>

namespace toeplitz::test {
namespace {

TEST(ParallelChunksTest, EveryItemIsVisitedOnceByAThreadOfTheTeam) {
    for (const Index items : {0, 1, 2, 7, 100}) {
        for (const int threads : {1, 2, 3, 8}) {
            std::vector<std::atomic<int>> visits(static_cast<std::size_t>(items));
            std::atomic<bool> in_range = true;
            detail::parallel_chunks(items, threads, [&](Index begin, Index end, int thread) {
                if (thread < 0 || thread >= threads || begin > end) in_range = false;
                for (Index i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
            });
            EXPECT_TRUE(in_range);
            for (const auto& count : visits) EXPECT_EQ(count, 1);
        }
    }
}

TEST(ParallelChunksTest, ThrowTheErrorThatALoopWouldStopAt) {
    constexpr Index items = 100;
    for (const int threads : {1, 2, 7}) {
        for (const Index first : {0, 13, 50, 99}) {
            std::vector<int> visits(items);
            expect_error<value_error>(7, detail::text("[toeplitz.value.7] item ", first), [&] {
                detail::parallel_chunks(items, threads, [&](Index begin, Index end, int) {
                    for (Index i = begin; i < end; ++i) {
                        ++visits[static_cast<std::size_t>(i)];
                        if (i >= first) throw value_error(7, detail::text("item ", i));
                    }
                });
            });
            for (Index i = 0; i <= first; ++i) EXPECT_EQ(visits[static_cast<std::size_t>(i)], 1);
        }
    }
}

TEST(ParallelChunksTest, ErrorsOfAnyTypeLeaveNestedRegions) {
    for (const int threads : {1, 2, 7}) {
        const auto nested = [&](Index begin, Index end, int) {
            detail::parallel_chunks(end - begin, threads, [&](Index, Index, int) { throw 42; });
        };
        EXPECT_THROW(detail::parallel_chunks(20, threads, nested), int);
    }
}

TEST(ParallelChunksTest, SmallWorkStaysOnOneThread) {
    EXPECT_EQ(detail::thread_count(1000, detail::parallel_threshold - 1), 1);
    EXPECT_EQ(detail::thread_count(1, 100 * detail::parallel_threshold), 1);
    EXPECT_EQ(detail::thread_count(1000, 100 * detail::parallel_threshold), available_threads());
}

TEST(AvailableThreadsTest, IsOneWithoutOpenMpAndInsideAParallelRegion) {
#if defined(_OPENMP)
    const int before = omp_get_max_threads();
    omp_set_num_threads(3);
    EXPECT_EQ(available_threads(), 3);
    std::atomic<int> inside = 0;
#pragma omp parallel num_threads(2)
    inside += available_threads();
    EXPECT_EQ(inside, 2);
    omp_set_num_threads(before);
#else
    EXPECT_EQ(available_threads(), 1);
#endif
}

#if defined(_OPENMP)
/// The exit status of a child in which f() says whether all is right; 0 where it does, −1 for one that hangs.
template <class F>
int status_in_child(F&& f) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        ::_exit(f() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(AvailableThreadsTest, IsOneInAChildWhoseParentHasUsedSeveral) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(3);
    const auto sums_alone = [] {
        const int threads = detail::thread_count(100, 100 * detail::parallel_threshold);
        Index sum = 0;
        detail::parallel_chunks(100, threads, [&](Index begin, Index end, int) {
            for (Index i = begin; i < end; ++i) sum += i;
        });
        return threads == 1 && available_threads() == 1 && sum == 4950;
    };
    detail::parallel_chunks(3, 3, [](Index, Index, int) {});
    EXPECT_EQ(status_in_child(sums_alone), 0);
    EXPECT_EQ(status_in_child([&] { return status_in_child(sums_alone) == 0; }), 0) << "a child of a child";
    EXPECT_EQ(available_threads(), 3) << "the parent";
    omp_set_num_threads(before);
}
#endif

}  // namespace
}  // namespace toeplitz::test
