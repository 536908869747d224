// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Norms of rows, all on one thread and without a check.

#include <toeplitz/dense/normalization.hpp>

namespace toeplitz::test {

/// y = norm(x); y may be x.
template <class S>
void normalize(Norm norm, const NormParameters<S>& parameters, const Matrix<S>& x, Matrix<S>& y) {
    for (Index i = 0; i < x.rows(); ++i) {
        detail::normalize_row(norm, detail::norm_gains(parameters), x.row(i).data(), y.row(i).data(),
                              x.cols(), x.cols());
    }
}

/// dx, given g with respect to norm(x); adds to gradients. dx may be g.
template <class S>
void normalize_backward(Norm norm, const NormParameters<S>& parameters, const Matrix<S>& x,
                        const Matrix<S>& g, Matrix<S>& dx, NormParameters<S>& gradients) {
    for (Index i = 0; i < x.rows(); ++i) {
        detail::normalize_row_backward(norm, detail::norm_gains(parameters), x.row(i).data(), g.row(i).data(),
                                       dx.row(i).data(), detail::norm_gains(gradients), x.cols(), x.cols());
    }
}

}  // namespace toeplitz::test
