// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b of some rows, its gradients, and the distribution its parameters start from.

#include <cmath>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/dense/encoded_matrix.hpp>
#include <toeplitz/dense/rounded_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Whether affine maps have a constant term.
enum class Bias { none, add };

template <Real Scalar>
struct LinearParameters {
    Matrix<Scalar> weight;            ///< outputs × inputs
    Vector<Scalar> bias;              ///< outputs, or empty
    EncodedMatrix<Scalar> encoded{};  ///< in place of weight, for inference: see convert_weights

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "weight", sets.weight...);
        detail::visit_present(f, "bias", sets.bias...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets...);
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
        const Index last = (std::min)(first + group, g.rows());
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

/// A map as training computes it.
template <Real Scalar>
struct LinearMap {
    LinearMap(const LinearParameters<Scalar>& of, Precision in = Precision::exact) noexcept
        : parameters(of), precision(in) {}
    const LinearParameters<Scalar>& parameters;
    Precision precision;
};

// Maps of rows: one x and one y, or gradient g with respect to it, per row. With a workspace the rows are
// split among threads, and `finish(row, col, part)` is called with parts of the result that are complete, in
// several threads; without one they are for small maps and this thread.

/// Y = X Wᵀ + b.
template <Real Scalar>
void linear_forward(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> x,
                    MatrixView<Scalar> y) {
    multiply_small<Scalar>(Product::right_transposed, x, linear.weight, Update::assign, bias_or_null(linear),
                           y);
}
template <Real Scalar>
void linear_forward(LinearMap<Scalar> linear, MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                    Finish<Scalar> finish = {}) {
    multiply<Scalar>(linear.precision, Product::right_transposed, x, linear.parameters.weight, Update::assign,
                     bias_or_null(linear.parameters), y, ws, finish);
}

/// dX = G W, or dX += G W.
template <Real Scalar>
void linear_adjoint(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> g, Update update,
                    MatrixView<Scalar> dx) {
    multiply_small<Scalar>(Product::plain, g, linear.weight, update, nullptr, dx);
}
template <Real Scalar>
void linear_adjoint(LinearMap<Scalar> linear, MatrixView<const Scalar> g, Update update,
                    MatrixView<Scalar> dx, Workspace& ws, Finish<Scalar> finish = {}) {
    multiply<Scalar>(linear.precision, Product::plain, g, linear.parameters.weight, update, nullptr, dx, ws,
                     finish);
}

/// dW += Gᵀ X and db += Gᵀ 1; b may be empty.
template <Real Scalar>
void add_linear_gradients(MatrixView<const Scalar> x, MatrixView<const Scalar> g, MatrixView<Scalar> dweight,
                          Eigen::Map<Vector<Scalar>> dbias) {
    add_column_sums(g, dbias.data(), dbias.size());
    multiply_small<Scalar>(Product::left_transposed, g, x, Update::add, nullptr, dweight);
}
template <Real Scalar>
void add_linear_gradients(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                          LinearParameters<Scalar>& gradients, Workspace& ws,
                          Precision precision = Precision::exact) {
    multiply<Scalar>(precision, Product::left_transposed, g, x, Update::add, nullptr, gradients.weight, ws);
    constexpr Index group = 64;
    const Index outputs = gradients.bias.size();
    const Index groups = (outputs + group - 1) / group;
    parallel_chunks(groups, thread_count(groups, g.rows() * outputs / 8), [&](Index begin, Index end, int) {
        const Index first = begin * group;
        const Index count = (std::min)(end * group, outputs) - first;
        if (count > 0) add_column_sums(g.middle_cols(first, count), gradients.bias.data() + first, count);
    });
}

/// Bytes that each of these takes from its workspace, at most.
template <Real Scalar>
std::size_t linear_workspace(Index rows, Index outputs, Index inputs,
                             Precision precision = Precision::exact) noexcept {
    return (std::max)(
        {product_workspace<Scalar>(precision, Product::right_transposed, rows, outputs, inputs),
         product_workspace<Scalar>(precision, Product::plain, rows, inputs, outputs),
         product_workspace<Scalar>(precision, Product::left_transposed, outputs, inputs, rows)});
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
