// SPDX-License-Identifier: MIT
// Every header after the macros that windows.h, and those who write for it, define. The headers of others come
// before them: not all bear it.
#include <bits/stdc++.h>
#if defined(_OPENMP)
#include <omp.h>
#endif
#include <Eigen/Dense>
#include <Eigen/IterativeLinearSolvers>
#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#endif

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include TOEPLITZ_ALL_HEADERS
