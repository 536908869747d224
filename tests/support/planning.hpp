// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Included by tests whose subject is not the planner: plans without timing, hence the same bits in each run.

#include <toeplitz/fft/fftw.hpp>

namespace toeplitz::test {

inline const bool plans_are_estimated = [] {
    set_planner_effort(PlannerEffort::estimate);
    return true;
}();

}  // namespace toeplitz::test
