// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine map x ↦ W x + b of some rows, its gradients, and the distribution its parameters start from.
/// The products are Eigen's, so that a program can hand them to a BLAS by EIGEN_USE_BLAS.

#include <algorithm>
#include <cmath>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/view.hpp>

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

/// While it lives, OpenMP regions that begin in this thread have one thread: otherwise Eigen splits a product
/// outside of a parallel region, in memory from the heap, and the last bits may depend on the split.
class OneThread {
#if defined(_OPENMP)
public:
    OneThread() noexcept : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(before_); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

private:
    int before_;
#endif
};

/// Rows and columns of what is given to Eigen at once: it packs 128 × 128 doubles on the stack, and more of
/// them on the heap.
inline constexpr Index product_block = 128;

/// Rows of neighbours as the Eigen type of which it multiplies blocks in place.
template <class T>
auto rows_of(MatrixView<T> view) noexcept {
    using Plain = std::conditional_t<std::is_const_v<T>, const Matrix<std::remove_const_t<T>>, Matrix<T>>;
    return Eigen::Map<Plain, Eigen::Unaligned, Eigen::OuterStride<>>(view.data(), view.rows(), view.cols(),
                                                                     Eigen::OuterStride<>(view.row_stride()));
}

/// C += A B.
template <class A, class B, class C>
void add_product(const A& a, const B& b, C& c) {
    [[maybe_unused]] OneThread one;
    const auto size = [](Index first, Index end) { return std::min(product_block, end - first); };
    for (Index i = 0; i < c.rows(); i += product_block) {
        const Index rows = size(i, c.rows());
        for (Index j = 0; j < c.cols(); j += product_block) {
            const Index cols = size(j, c.cols());
            for (Index k = 0; k < a.cols(); k += product_block) {
                const Index depth = size(k, a.cols());
                c.block(i, j, rows, cols).noalias() +=
                    a.block(i, k, rows, depth) * b.block(k, j, depth, cols);
            }
        }
    }
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
    const MatrixView<const Scalar> weight = linear.weight;
    add_product(rows_of(x), rows_of(weight).transpose(), out);
}

/// dW += Gᵀ X and db += Gᵀ 1, where G is the gradient with respect to Y; b may be empty.
template <Real Scalar>
void add_linear_gradients(MatrixView<const Scalar> x, MatrixView<const Scalar> g, MatrixView<Scalar> dweight,
                          Eigen::Map<Vector<Scalar>> dbias) {
    if (dbias.size() != 0) dbias += rows_of(g).colwise().sum().transpose();
    auto out = rows_of(dweight);
    add_product(rows_of(g).transpose(), rows_of(x), out);
}

/// dX = G W.
template <Real Scalar>
void apply_linear_adjoint(const LinearParameters<Scalar>& linear, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx) {
    auto out = rows_of(dx);
    out.setZero();
    const MatrixView<const Scalar> weight = linear.weight;
    add_product(rows_of(g), rows_of(weight), out);
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
