// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random test data: standard normal, reproducible, and different in every element, so that no symmetry of
/// the data can hide an error.

#include <span>

#include <toeplitz/core/random.hpp>
#include <toeplitz/core/types.hpp>

namespace toeplitz::test {

/// The other storage order.
template <class T>
using ColumnMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

/// The first numbers of this seed.
void fill_normal(std::span<float> numbers, std::uint64_t seed);
void fill_normal(std::span<double> numbers, std::uint64_t seed);
void fill_normal(std::span<long double> numbers, std::uint64_t seed);

template <class T>
Matrix<T> random_matrix(Index rows, Index cols, std::uint64_t seed) {
    Matrix<T> matrix(rows, cols);
    fill_normal(std::span(matrix.data(), static_cast<std::size_t>(matrix.size())), seed);
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
