// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Kernels of state spaces that own their memory, and what they stand for by definition.

#include <complex>

#include <support/oracle.hpp>

#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/modal_recurrence.hpp>

namespace toeplitz::test {

template <class S>
struct OwnedStateSpace {
    Matrix<std::complex<S>> poles;
    Matrix<std::complex<S>> residues;
    Matrix<S> direct;

    Index cols() const { return direct.cols(); }
    StateSpaceKernel<S> views() { return {poles, residues, direct}; }
    StateSpaceKernel<const S> views() const { return {poles, residues, direct}; }
};

template <class S>
OwnedStateSpace<S> zero_state_space(Index modes, Index channels, Index taps = 1) {
    return {Matrix<std::complex<S>>::Zero(modes, channels), Matrix<std::complex<S>>::Zero(modes, channels),
            Matrix<S>::Zero(taps, channels)};
}

/// Poles anywhere in the disc |λ| ≤ largest, residues and direct standard normal, all channels different.
template <class S>
OwnedStateSpace<S> random_state_space(Index modes, Index channels, std::uint64_t seed, double largest = 0.9,
                                      Index taps = 1) {
    const CounterRandom random(seed);
    std::uint64_t next = 0;
    OwnedStateSpace<S> made = zero_state_space<S>(modes, channels, taps);
    for (Index c = 0; c < channels; ++c) {
        for (Index i = 0; i < modes; ++i) {
            const double modulus = largest * std::sqrt(random.uniform(next++, 0.0, 1.0));
            made.poles(i, c) = std::complex<S>(std::polar(modulus, random.uniform(next++, 0.0, 3.1)));
            const double re = random.normal(next++);
            made.residues(i, c) = std::complex<S>(std::complex<double>(re, random.normal(next++)));
        }
        for (Index q = 0; q < taps; ++q) made.direct(q, c) = static_cast<S>(random.normal(next++));
    }
    return made;
}

/// Modes from `first` on become real in all channels.
template <class S>
void make_real(OwnedStateSpace<S>& kernel, Index first) {
    for (auto* numbers : {&kernel.poles, &kernel.residues}) {
        auto rest = numbers->bottomRows(numbers->rows() - first);
        rest = rest.real().template cast<std::complex<S>>().eval();
    }
}

/// Lags 0..n−1 of each channel.
template <class S>
LongMatrix lags_by_definition(const OwnedStateSpace<S>& kernel, Index length) {
    LongMatrix lags = LongMatrix::Zero(length, kernel.cols());
    const Index taps = kernel.direct.rows();
    for (Index c = 0; c < kernel.cols(); ++c) {
        for (Index t = 0; t < (std::min)(taps, length); ++t) {
            lags(t, c) = static_cast<long double>(kernel.direct(t, c));
        }
        for (Index i = 0; i < kernel.poles.rows(); ++i) {
            const std::complex<long double> pole(kernel.poles(i, c));
            std::complex<long double> response(kernel.residues(i, c));
            for (Index t = taps; t < length; ++t, response *= pole) lags(t, c) += response.real();
        }
    }
    return lags;
}

}  // namespace toeplitz::test
