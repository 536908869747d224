// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of the Eigen adaptor share.

#include <limits>

#include <support/random.hpp>

namespace toeplitz::test {

/// Columns are vectors of n·d entries.
template <class T>
using Columns = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;

template <class T>
constexpr T unit_roundoff = std::numeric_limits<T>::epsilon() / 2;

template <class T>
Columns<T> random_columns(Index rows, Index cols, std::uint64_t seed) {
    return random_matrix<T>(rows, cols, seed);
}

/// The matrix of a lag kernel, entry by entry, for sequences of d channels.
template <class T>
Columns<T> matrix_of(const Matrix<T>& kernel) {
    const Index n = (kernel.rows() + 1) / 2;
    const Index d = kernel.cols();
    Columns<T> dense = Columns<T>::Zero(n * d, n * d);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
            for (Index c = 0; c < d; ++c) dense(i * d + c, j * d + c) = kernel(i - j + n - 1, c);
        }
    }
    return dense;
}

}  // namespace toeplitz::test
