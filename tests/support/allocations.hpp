// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Counts allocations of the whole program, and lets one fail. For the tests in alloc/, where
/// counter_test.cpp defines it.

#include <new>

#include <gtest/gtest.h>

#include <toeplitz/core/error.hpp>
#include <toeplitz/core/parallel.hpp>

namespace toeplitz::test {

/// Calls of the C library's allocation functions so far; −1 where they cannot be counted.
long allocation_count();

/// Bytes that are allocated now, and the most since the last call of forget_peak_bytes().
long live_bytes();
long peak_bytes();
void forget_peak_bytes();

/// The k-th allocation from now on fails, counted from 1 in all threads; 0: none does. Those of OpenMP's
/// runtime and of the loader are left alone: they would end the process.
void fail_allocation(long k);

/// Whether it has failed.
bool allocation_has_failed();

class Allocations : public testing::Test {
protected:
    void SetUp() override {
        if (allocation_count() < 0) GTEST_SKIP() << "allocations cannot be counted in this build";
        available_threads();  // OpenMP's runtime allocates when it is first asked
    }

    template <class F>
    static long count(F&& f) {
        const long before = allocation_count();
        f();
        return allocation_count() - before;
    }

    /// Calls f() with one of its allocations failing, the first, the second and so on; beyond `dense` of them
    /// only some. works() is called after each. Returns how often f threw std::bad_alloc, or error 909, which
    /// readers of files say in its place; std::stable_sort copes without.
    template <class F, class Works>
    static long fail_each(F&& f, Works&& works, long dense = 64) {
        long thrown_count = 0;
        for (long k = 1;; k += 1 + k / dense) {
            bool thrown = false;
            fail_allocation(k);
            try {
                f();
            } catch (const std::bad_alloc&) {
                thrown = true;
            } catch (const error& failure) {
                thrown = failure.id() == 909;
                if (!thrown) throw;
            }
            const bool failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT_TRUE(failed || !thrown) << "allocation " << k;
            works();
            if (!failed) return thrown_count;
            thrown_count += thrown ? 1 : 0;
        }
    }

    /// The same for change(object) of objects from make(). After a failure it must work on the same object,
    /// and is_right(object) says whether it has.
    template <class Make, class Change, class Check>
    static void fail_each_change(Make&& make, Change&& change, Check&& is_right) {
        auto object = make();
        const auto again = [&] {
            change(*object);
            EXPECT_TRUE(is_right(*object));
            object = make();
        };
        EXPECT_GT(fail_each([&] { change(*object); }, again), 0);
    }
};

}  // namespace toeplitz::test
