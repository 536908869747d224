// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of streams share: the definition, and cuts of time into calls.

#include <functional>

#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {

template <class S>
Reference causal_convolution(const Matrix<S>& lags, const Matrix<S>& x, Index streams, Index settling,
                             Index block = 1) {
    return causal_convolution(lags.template cast<long double>(), x.template cast<long double>(), streams,
                              settling, unit<S>, block);
}

/// Calls f(first step, steps) for blocks of 1, 2, … steps in an order that repeats late, until `count` are
/// done; all of `block` steps where it is not 0.
inline void for_cuts(Index count, Index block, const std::function<void(Index, Index)>& f) {
    for (Index first = 0, call = 1; first < count; ++call) {
        const Index steps = std::min(count - first, block > 0 ? block : 1 + call * call * 7919 % 97);
        f(first, steps);
        first += steps;
    }
}

/// A plan's outputs for x, call after call.
template <class Plan, class S>
Matrix<S> streamed(const Plan& plan, const Matrix<S>& x, typename Plan::State& state, Index block) {
    Matrix<S> y = Matrix<S>::Constant(x.rows(), x.cols(), S(7));
    const Index streams = plan.streams();
    for_cuts(x.rows() / streams, block, [&](Index first, Index steps) {
        const MatrixView<const S> from = x;
        plan.process(from.middle_rows(first * streams, steps * streams),
                     MatrixView<S>(y).middle_rows(first * streams, steps * streams), state);
    });
    return y;
}
template <class Plan, class S>
Matrix<S> streamed(const Plan& plan, const Matrix<S>& x, Index block) {
    auto state = plan.make_state();
    return streamed(plan, x, state, block);
}

}  // namespace toeplitz::test
