// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b of some rows, its gradients, and the distribution its parameters start from.

#include <cmath>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/dense/product.hpp>

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

/// Neighbours in memory as an Eigen type.
template <Real Scalar>
auto as_array(Scalar* data, Index count) noexcept {
    return Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(data, count);
}

template <Real Scalar>
inline const Scalar* bias_or_null(const LinearParameters<Scalar>& linear) noexcept {
    return linear.bias.size() == 0 ? nullptr : linear.bias.data();
}

/// sums += 1ᵀ G: the sums of G's first `count` columns. Their order depends on the number of rows alone.
template <Real Scalar>
[[gnu::noinline]] void add_column_sums(MatrixView<const Scalar> g, Scalar* sums, Index count) {
    using S = Simd<Scalar>;
    constexpr Index wide = 4 * S::lanes;
    constexpr Index group = 64;  // sums of sums: their error grows slower
    const Index whole = count / wide * wide;
    for (Index first = 0; first < g.rows(); first += group) {
        const Index last = std::min(first + group, g.rows());
        for (Index j = 0; j < whole; j += wide) {
            typename S::Pack part[4] = {};
            for (Index i = first; i < last; ++i) {
                unroll<4>([&](auto p)
                              TOEPLITZ_LAMBDA { part[p] += S::load_unaligned(g.row(i) + j + p * S::lanes); });
            }
            unroll<4>([&](auto p) TOEPLITZ_LAMBDA {
                Scalar* sum = sums + j + p * S::lanes;
                S::store_unaligned(sum, S::load_unaligned(sum) + part[p]);
            });
        }
        for (Index j = whole; j < count; ++j) {
            Scalar part = 0;
            for (Index i = first; i < last; ++i) part += g(i, j);
            sums[j] += part;
        }
    }
}

/// Y = X Wᵀ + b, or Y += X Wᵀ + b, for one x and y per row.
template <Real Scalar>
void apply_linear(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> x, Update update,
                  MatrixView<Scalar> y) {
    multiply_small<Scalar>(Product::right_transposed, x, linear.weight, update, bias_or_null(linear), y);
}

/// dW += Gᵀ X and db += Gᵀ 1, where G is the gradient with respect to Y; b may be empty.
template <Real Scalar>
void add_linear_gradients(MatrixView<const Scalar> x, MatrixView<const Scalar> g, MatrixView<Scalar> dweight,
                          Eigen::Map<Vector<Scalar>> dbias) {
    add_column_sums(g, dbias.data(), dbias.size());
    multiply_small<Scalar>(Product::left_transposed, g, x, Update::add, nullptr, dweight);
}

/// dX = G W.
template <Real Scalar>
void apply_linear_adjoint(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx) {
    multiply_small<Scalar>(Product::plain, g, linear.weight, Update::assign, nullptr, dx);
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
