// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The contract of an operator, which is all that generic code uses.

#include <concepts>
#include <utility>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// How the channels of a time step lie in memory: neighbours, or with any other stride.
enum class Layout { row_major, strided };

/// A linear map of sequences, channel by channel: what products, solvers and bounds need.
///
/// * `apply(x, y, ws, sequences)`: y = T x; `accumulate`: y += T x. The same of Tᵀ: `apply_adjoint`,
///   `accumulate_adjoint`. x and y are (B·n) × d and apart in memory; see Sequences for other places of their
///   rows, and for padding.
/// * `required_workspace(batch, layout)`: bytes that a call takes from its workspace.
/// Calls may run at the same time on one object with distinct workspaces, and take no lock; with a reserved
/// workspace they allocate nothing.
template <class Op>
concept LinearOperator = requires(const Op& op, MatrixView<const typename Op::Scalar> x,
                                  MatrixView<typename Op::Scalar> y, Workspace& ws,
                                  const Sequences& sequences) {
    { op.length() } -> std::convertible_to<Index>;
    { op.channels() } -> std::convertible_to<Index>;
    { op.required_workspace(Index{1}, Layout::row_major) } -> std::convertible_to<std::size_t>;
    op.apply(x, y, ws, sequences);
    op.accumulate(x, y, ws, sequences);
    op.apply_adjoint(x, y, ws, sequences);
    op.accumulate_adjoint(x, y, ws, sequences);
};

/// A linear operator whose map is set by a Kernel and can be trained: what sums and mixers need.
///
/// * `Kernel`: what `set_kernel(kernel, ws)` takes, a view or a pair or struct of views; `KernelValues`: the
///   same, writable, which converts to a Kernel.
/// * `take_kernel(scope)`: KernelValues of the right shape, not initialised, lent by a workspace.
/// * `kernel_workspace()`: bytes that set_kernel takes from its workspace, `state_bytes()`: bytes held.
/// * `forward(x, y, cache, ws, sequences)`: y = T x, keeping in a `Cache` what backward needs;
///   `backward(x, cache, g, dx, dkernel, ws, sequences)`: dx = Tᵀ g, and dkernel += ∂⟨g, T x⟩/∂kernel, summed
///   over the batch, for the x and the sequences of a forward call.
/// set_kernel is the only member that is not const; nothing may run beside it.
///
/// Three things more are used where an operator has them: the lags that a kernel stands for (HasKernelLags),
/// the fusions of a Sum, and `apply_workspace(batch)`, the bytes of products without gradients.
template <class Op>
concept ToeplitzOperator = LinearOperator<Op> &&
    requires(const Op& op, Op& changed, const typename Op::Kernel& kernel, typename Op::KernelValues& values,
             typename Op::Cache& cache, MatrixView<const typename Op::Scalar> x,
             MatrixView<typename Op::Scalar> y, Workspace& ws, Workspace::Scope& scope,
             const Sequences& sequences) {
    requires std::convertible_to<typename Op::KernelValues, typename Op::Kernel>;
    { op.take_kernel(scope) } -> std::same_as<typename Op::KernelValues>;
    { op.kernel_workspace() } -> std::convertible_to<std::size_t>;
    { op.state_bytes() } -> std::convertible_to<std::size_t>;
    changed.set_kernel(kernel, ws);
    op.forward(x, y, cache, ws, sequences);
    op.backward(x, std::as_const(cache), x, y, values, ws, sequences);
};

/// Operators of all lags: `kernel_lags(kernel, lags, ws)` writes those that a kernel stands for, (2n−1) × d,
/// row t + n − 1 lag t, zeros at negative lags where causal.
template <class Op>
concept HasKernelLags = ToeplitzOperator<Op> &&
    requires(const Op& op, const typename Op::Kernel& kernel, MatrixView<typename Op::Scalar> lags,
             Workspace& ws) {
    op.kernel_lags(kernel, lags, ws);
};

/// Bytes that a product of rows with neighbouring channels takes from its workspace.
template <LinearOperator Op>
std::size_t apply_workspace(const Op& op, Index batch) {
    if constexpr (requires { op.apply_workspace(batch); }) {
        return op.apply_workspace(batch);
    } else {
        return op.required_workspace(batch, Layout::row_major);
    }
}

/// Of operators whose backward needs nothing but x.
struct NoCache {};

/// What an operator asks of a kernel that it is given, and of a gradient: rows × columns.
/// \throws shape_error 501
template <class View>
void require_kernel_shape(const View& kernel, Index rows, Index columns, const char* where) {
    if (kernel.rows() == rows && kernel.cols() == columns) return;
    detail::raise<shape_error>(501, where, detail::text("a kernel of ", detail::shape_text(rows, columns)),
                               detail::shape_text(kernel.rows(), kernel.cols()));
}

/// What an operator asks of a kernel that it is given: finite numbers.
/// \param row_name what a row is, for the message, which calls row i `first_row + i`
/// \throws value_error 530
template <class T>
void require_finite(MatrixView<const T> kernel, const char* where, const char* row_name, Index first_row) {
    const bool has_rows = kernel.has_contiguous_rows();
    // All at once where it is one piece of memory: it costs no more than reading the kernel.
    if (has_rows && kernel.row_stride() == kernel.cols() && detail::all_finite(kernel.data(), kernel.size()))
        return;
    for (Index i = 0; i < kernel.rows(); ++i) {
        if (has_rows && detail::all_finite(kernel.row(i), kernel.cols())) continue;
        for (Index j = 0; j < kernel.cols(); ++j) {
            if (!detail::is_finite(kernel(i, j))) {
                detail::raise<value_error>(
                    530, where, "a finite kernel",
                    detail::text("a NaN or an infinity at ", row_name, " ", first_row + i, ", channel ", j));
            }
        }
    }
}

/// Sets kernel values to zero. A struct of views has a function of its own, found beside it.
template <class T>
void set_kernel_zero(MatrixView<T> values) {
    values.eigen().setZero();
}
template <class A, class B>
void set_kernel_zero(const std::pair<A, B>& values) {
    set_kernel_zero(values.first);
    set_kernel_zero(values.second);
}

/// The transposed operator: a view, valid as long as the operator it came from.
template <LinearOperator Op>
class Transpose {
public:
    using Scalar = typename Op::Scalar;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;

    explicit Transpose(const Op& op) noexcept : op_(&op) {}

    Index length() const { return op_->length(); }
    Index channels() const { return op_->channels(); }
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        return op_->required_workspace(batch, layout);
    }
    void apply(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        op_->apply_adjoint(x, y, ws, sequences);
    }
    void accumulate(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        op_->accumulate_adjoint(x, y, ws, sequences);
    }
    void apply_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        op_->apply(g, dx, ws, sequences);
    }
    void accumulate_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        op_->accumulate(g, dx, ws, sequences);
    }
    const Op& transpose() const noexcept { return *op_; }

private:
    const Op* op_;
};

/// The operator of Tᵀ, a view of `op`.
template <LinearOperator Op>
Transpose<Op> transpose(const Op& op) noexcept {
    return Transpose<Op>(op);
}
template <LinearOperator Op>
void transpose(const Op&& op) = delete;

/// T x, for convenience: allocates the result and a workspace at each call.
template <LinearOperator Op>
Matrix<typename Op::Scalar> operator*(const Op& op, MatrixView<const typename Op::Scalar> x) {
    Matrix<typename Op::Scalar> y(x.rows(), x.cols());
    Workspace ws;
    op.apply(x, y, ws, Sequences{});
    return y;
}
/// The same of an expression of Eigen, which is evaluated first: `op * x.cast<float>()`.
template <LinearOperator Op, detail::EigenExpression X>
requires std::same_as<typename X::Scalar, typename Op::Scalar> Matrix<typename Op::Scalar>
operator*(const Op& op, const X& x) {
    const Matrix<typename Op::Scalar> values = x;
    return op * MatrixView<const typename Op::Scalar>(values);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
