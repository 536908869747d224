// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of streams share: the definition in long double, and cuts of time into calls.

#include <functional>

#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {

/// y_t = Σ h_s x_{t−s} for streams whose rows are side by side, and how far each entry may be from it:
/// tolerance(N) u ‖h‖₂ ‖x‖₂ of the last N = `settling` inputs.
template <class S>
Reference causal_convolution(const Matrix<S>& lags, const Matrix<S>& x, Index streams, Index settling) {
    Reference result{LongMatrix::Zero(x.rows(), x.cols()), LongMatrix::Zero(x.rows(), x.cols())};
    const long double factor = transform_error(settling) * unit<S>;
    for (Index c = 0; c < x.cols(); ++c) {
        const long double size = norm(lags.col(c));
        for (Index row = 0; row < x.rows(); ++row) {
            long double sum = 0;
            long double squares = 0;
            for (Index t = 0; t < settling && row - t * streams >= 0; ++t) {
                const auto input = static_cast<long double>(x(row - t * streams, c));
                if (t < lags.rows()) sum += static_cast<long double>(lags(t, c)) * input;
                squares += input * input;
            }
            result.value(row, c) = sum;
            result.tolerance(row, c) = factor * size * std::sqrt(squares);
        }
    }
    return result;
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
