// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Kernels to bound the error of, and that error by its definition.

#include <functional>
#include <string>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace toeplitz::test {

struct NamedKernel {
    std::string name;
    std::function<double(double lag)> value;
};

/// Ten kernels as wide as a sequence of length n: smooth, with a kink, oscillating, spiky, perceptrons, a
/// warp with a jump at lag 0.
std::vector<NamedKernel> typical_kernels(Index length);

/// A random perceptron times λ^|t|; unit(x) is its activation.
std::function<double(double)> random_perceptron(double lambda, std::uint64_t seed,
                                                std::function<double(double)> unit);

/// All lags of a kernel, (2n−1) × 1.
Matrix<double> lags_of(const std::function<double(double)>& kernel, Index length);

/// T − band − W A Wᵀ of channel c, computed with a dense W in long double and then rounded.
Matrix<double> error_matrix(const Matrix<double>& lags, const Matrix<double>& taps,
                            const Matrix<double>& inducing, Index c);

/// ‖E‖₂ from below, by power iteration: never above but for n roundings, and close to it unless there are
/// other singular values as large.
double spectral_norm(const Matrix<double>& matrix);

/// ‖E‖₂ of a small matrix to a few roundings of long double.
long double exact_norm(const Matrix<double>& matrix);

/// Seeds of tests that draw other numbers every day: TOEPLITZ_TEST_SEED of the environment, or the time.
/// Printed, so that what failed can be run again.
std::uint64_t seed_of_today();

}  // namespace toeplitz::test
