// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Counts allocations of the whole program. For the tests in alloc/, where counter_test.cpp defines it.

#include <gtest/gtest.h>

namespace toeplitz::test {

/// Calls of the C library's allocation functions so far; −1 where they cannot be counted.
long allocation_count();

class Allocations : public testing::Test {
protected:
    void SetUp() override {
        if (allocation_count() < 0) GTEST_SKIP() << "allocations cannot be counted in this build";
    }

    template <class F>
    static long count(F&& f) {
        const long before = allocation_count();
        f();
        return allocation_count() - before;
    }
};

}  // namespace toeplitz::test
