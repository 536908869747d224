// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The numbers for which tests are compiled.

#include <gtest/gtest.h>

#include <support/sanitizers.hpp>

namespace toeplitz::test {

#if defined(TOEPLITZ_TEST_SANITIZED)
using Scalars = testing::Types<float>;  // threads and addresses are the same in double
#else
using Scalars = testing::Types<float, double>;
#endif

}  // namespace toeplitz::test
