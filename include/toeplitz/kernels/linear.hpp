// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b of some rows, its gradients, and the distribution its parameters start from.

#include <cmath>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/kernels/product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Whether affine maps have a constant term.
enum class Bias { none, add };

template <Real Scalar>
struct LinearParameters {
    Matrix<Scalar> weight;  ///< outputs × inputs
    Vector<Scalar> bias;    ///< outputs, or empty

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets.weight...);
        detail::visit_present(f, "bias", sets.bias...);
    }
};

/// Uniform in ±1/√inputs, weights and bias: the default of PyTorch's Linear.
/// `drawn` counts the numbers taken from `random` and is moved on.
template <Real Scalar>
LinearParameters<Scalar> make_linear(Index outputs, Index inputs, Bias bias, const CounterRandom& random,
                                     std::uint64_t& drawn) {
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    const auto draw = [&] { return static_cast<Scalar>(random.uniform(drawn++, -bound, bound)); };
    LinearParameters<Scalar> linear;
    linear.weight = Matrix<Scalar>::NullaryExpr(outputs, inputs, draw);
    linear.bias = Vector<Scalar>::NullaryExpr(bias == Bias::add ? outputs : 0, draw);
    return linear;
}

namespace detail {

/// Rows of neighbours as an Eigen type that it works on in place.
template <class T>
auto rows_of(MatrixView<T> view) noexcept {
    using Plain = std::conditional_t<std::is_const_v<T>, const Matrix<std::remove_const_t<T>>, Matrix<T>>;
    return Eigen::Map<Plain, Eigen::Unaligned, Eigen::OuterStride<>>(view.data(), view.rows(), view.cols(),
                                                                     Eigen::OuterStride<>(view.row_stride()));
}

/// Y = X Wᵀ + b, or Y += X Wᵀ + b, for one x and y per row.
template <Real Scalar>
void apply_linear(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> x, Update update,
                  MatrixView<Scalar> y) {
    auto out = rows_of(y);
    const bool bias = linear.bias.size() != 0;
    if (update == Update::assign && !bias) out.setZero();
    if (update == Update::assign && bias) out.rowwise() = linear.bias.transpose();
    if (update == Update::add && bias) out.rowwise() += linear.bias.transpose();
    add_product<Product::right_transposed, Scalar>(x, linear.weight, y);
}

/// dW += Gᵀ X and db += Gᵀ 1, where G is the gradient with respect to Y; b may be empty.
template <Real Scalar>
void add_linear_gradients(MatrixView<const Scalar> x, MatrixView<const Scalar> g, MatrixView<Scalar> dweight,
                          Eigen::Map<Vector<Scalar>> dbias) {
    if (dbias.size() != 0) dbias += rows_of(g).colwise().sum().transpose();
    add_product<Product::left_transposed, Scalar>(g, x, dweight);
}

/// dX = G W.
template <Real Scalar>
void apply_linear_adjoint(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx) {
    rows_of(dx).setZero();
    add_product<Product::plain, Scalar>(g, linear.weight, dx);
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
