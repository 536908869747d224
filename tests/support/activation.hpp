// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gradient of an activation, a matrix at a time.

#include <toeplitz/dense/activation.hpp>

namespace toeplitz::test {

/// g = g · act'(x) and x = act(x), element by element.
template <class S>
void activate_backward(Activation activation, Matrix<S>& x, Matrix<S>& g) {
    detail::multiply_by_slope<S>(activation, x.data(), g.data(), x.size());
    activate<S>(activation, x);
}

}  // namespace toeplitz::test
