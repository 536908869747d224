// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Dropout whose mask is a function of a seed: nothing is stored, and threads do not matter.

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/dense/row_tiles.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Throws config_error 720 unless the rate is in [0, 1).
inline void require_dropout_rate(double rate, const char* where) {
    if (!(is_finite(rate) && rate >= 0 && rate < 1)) {
        raise<config_error>(720, where, "a dropout rate in [0, 1)", std::to_string(rate));
    }
}

}  // namespace detail

/// x = mask ⊙ x / (1 − rate), where every element is kept with probability 1 − rate.
///
/// The same call with the same seed on a gradient is the backward pass.
/// \param rate in [0, 1); 0 leaves x as it is
/// \throws config_error 720
/// Cost O(size) | heap: none | thread-safe: yes | threads split the rows
template <Real Scalar>
void dropout(double rate, std::uint64_t seed, MatrixView<Scalar> x) {
    detail::require_dropout_rate(rate, "dropout");
    if (rate == 0) return;
    const CounterRandom random(seed);
    const Scalar scale = static_cast<Scalar>(1 / (1 - rate));
    detail::for_row_tiles(x.rows(), 2 * x.cols(), [&](Index first, Index rows) {
        for (Index i = first; i < first + rows; ++i) {
            for (Index j = 0; j < x.cols(); ++j) {
                const bool drop = random.uniform(static_cast<std::uint64_t>(i * x.cols() + j)) < rate;
                x(i, j) = drop ? Scalar(0) : x(i, j) * scale;
            }
        }
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
