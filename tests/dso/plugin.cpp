// SPDX-License-Identifier: MIT
#include <toeplitz/fft/fftw.hpp>

namespace {

/// What the lock would be without its visibility: one in each plugin.
int own_variable = 0;

}  // namespace

extern "C" {

[[gnu::visibility("default")]] void* planner_lock() { return &toeplitz::process::planner_mutex(); }
[[gnu::visibility("default")]] void* own_address() { return &own_variable; }

/// Plans, which takes the lock; false when that fails.
[[gnu::visibility("default")]] bool plan() {
    try {
        toeplitz::FftwPlan<float>(toeplitz::FftwKind::complex_forward, 24, toeplitz::PlannerEffort::estimate);
        return true;
    } catch (...) {
        return false;
    }
}
}
