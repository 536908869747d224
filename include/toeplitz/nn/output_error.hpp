// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How far the outputs of an approximated model or mixer are from those of the exact one.

#include <toeplitz/core/sequences.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// How far outputs are from those of the exact model.
struct OutputError {
    double relative = 0;  ///< ‖y − y₀‖ / ‖y₀‖, Frobenius
    double largest = 0;   ///< of a single number
};

/// Measures two prepared models, or mixers, on the same inputs; their outputs are rows × columns.
template <Real Scalar, class Exact, class Other, class Inputs>
OutputError output_error(const Exact& exact, const Other& other, const Inputs& inputs, Index rows,
                         Index columns, Lengths lengths = {}) {
    Workspace ws;
    Matrix<Scalar> y0(rows, columns);
    Matrix<Scalar> y(rows, columns);
    exact.evaluate(inputs, y0, ws, lengths);
    other.evaluate(inputs, y, ws, lengths);
    const double size = y0.template cast<double>().norm();
    const Matrix<double> difference = y.template cast<double>() - y0.template cast<double>();
    const double distance = difference.norm();
    return {size > 0 ? distance / size : distance, difference.cwiseAbs().maxCoeff()};
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
