// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random test data: standard normal, reproducible, and different in every element, so that no symmetry of
/// the data can hide an error.

#include <toeplitz/core/random.hpp>
#include <toeplitz/core/types.hpp>

namespace toeplitz::test {

/// The other storage order.
template <class T>
using ColumnMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

template <class T>
Matrix<T> random_matrix(Index rows, Index cols, std::uint64_t seed) {
    const CounterRandom random(seed);
    Matrix<T> matrix(rows, cols);
    std::uint64_t next = 0;
    for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < cols; ++j) matrix(i, j) = static_cast<T>(random.normal(next++));
    }
    return matrix;
}

/// Random numbers one after another.
class Draw {
public:
    explicit Draw(std::uint64_t seed) : random_(seed) {}
    double uniform(double low, double high) { return random_.uniform(next_++, low, high); }
    double normal() { return random_.normal(next_++); }
    Index whole(Index low, Index high) {  // inclusive
        return low + static_cast<Index>(random_.bits(next_++) % static_cast<std::uint64_t>(high - low + 1));
    }

private:
    CounterRandom random_;
    std::uint64_t next_ = 0;
};

}  // namespace toeplitz::test
