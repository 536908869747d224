// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Central differences of a scalar loss against gradients, for every number of a parameter set or a matrix.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <toeplitz/core/parameter.hpp>

namespace toeplitz::test {

/// Differences of order 4 lose h⁴ f⁽⁵⁾/30 by truncation and about 2 u f/h by rounding: both 1e-12 of a loss
/// that varies on the scale of 1. A factor 1e3 is left for losses that vary faster. The step is short enough
/// for kinks to be rare between its ends.
inline constexpr double difference_step = 1e-4;
inline constexpr double difference_error = 1e-9;

/// d loss / d value.
template <class Loss>
double central_difference(double& value, Loss&& loss) {
    const double original = value;
    const auto at = [&](double offset) {
        value = original + offset * difference_step;
        return loss();
    };
    const double result = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * difference_step);
    value = original;
    return result;
}

/// Compares `gradient` with differences of loss() in every element of `values`.
template <class Values, class Gradient, class Loss>
void expect_gradient(Values& values, const Gradient& gradient, const std::string& name, Loss&& loss,
                     double tolerance = difference_error) {
    ASSERT_EQ(values.rows(), gradient.rows()) << name;
    ASSERT_EQ(values.cols(), gradient.cols()) << name;
    const double scale = 1 + std::abs(loss()) + (gradient.size() == 0 ? 0 : gradient.cwiseAbs().maxCoeff());
    for (Index i = 0; i < values.rows(); ++i) {
        for (Index j = 0; j < values.cols(); ++j) {
            ASSERT_NEAR(gradient(i, j), central_difference(values(i, j), loss), tolerance * scale)
                << name << "(" << i << ", " << j << ")";
        }
    }
}

/// The same for every tensor of a parameter set.
template <ParameterSet P, class Loss>
void expect_parameter_gradients(P& parameters, const P& gradients, Loss&& loss,
                                double tolerance = difference_error) {
    for_each_parameter(
        [&](const ParameterName& name, auto& values, const auto& gradient) {
            if (name.is_buffer()) return;  // what they move by is no gradient
            expect_gradient(values, gradient, name.text(), loss, tolerance);
        },
        parameters, gradients);
}

}  // namespace toeplitz::test
