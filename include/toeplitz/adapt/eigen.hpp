// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An operator as a matrix of Eigen that is never formed: for products in Eigen's notation and for Eigen's
/// iterative solvers.

#include <memory>
#include <utility>

#include <toeplitz/operators/contract.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

template <LinearOperator Op, Direction direction = Direction::forward>
class EigenOperator;

namespace detail {

/// Marks adaptors in Eigen's dispatch: they are neither dense nor sparse.
struct MatrixFree {};

/// Scratch memory of an adaptor, its copies and its transposes; one workspace for each nested use.
struct EigenScratch {
    Workspace x;
    Workspace result;
    Workspace op;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI

namespace Eigen::internal {

template <class Op, toeplitz::Direction direction>
struct traits<toeplitz::EigenOperator<Op, direction>> {
    using Scalar = typename Op::Scalar;
    using StorageIndex = Eigen::Index;
    using StorageKind = toeplitz::detail::MatrixFree;
    using XprKind = MatrixXpr;
    // Without NestByRefBit, so that an expression holds a copy and may outlive a temporary such as
    // A.transpose().
    enum {
        RowsAtCompileTime = Dynamic,
        ColsAtCompileTime = Dynamic,
        MaxRowsAtCompileTime = Dynamic,
        MaxColsAtCompileTime = Dynamic,
        Flags = 0
    };
};

template <class Op, toeplitz::Direction direction>
struct evaluator_traits<toeplitz::EigenOperator<Op, direction>> {
    using Kind = toeplitz::detail::MatrixFree;
    using Shape = toeplitz::detail::MatrixFree;
};

// Products are AliasFreeProduct because Eigen would move the factor of 2 * (A * x) into a DefaultProduct,
// and 2 * A is no adaptor. They do mind aliasing all the same.
template <class Op, toeplitz::Direction direction, class Rhs>
struct evaluator_assume_aliasing<Product<toeplitz::EigenOperator<Op, direction>, Rhs, AliasFreeProduct>> {
    static constexpr bool value = true;
};

template <class Op, toeplitz::Direction direction, class Rhs, int product_tag>
struct generic_product_impl<toeplitz::EigenOperator<Op, direction>, Rhs, toeplitz::detail::MatrixFree,
                            DenseShape, product_tag> {
    using Lhs = toeplitz::EigenOperator<Op, direction>;

    template <class Dest>
    static void evalTo(Dest& y, const Lhs& matrix, const Rhs& x) {
        matrix.multiply(x, y);
    }
    template <class Dest>
    static void addTo(Dest& y, const Lhs& matrix, const Rhs& x) {
        matrix.with_product(x, [&](const auto& product) { y += product; });
    }
    template <class Dest>
    static void subTo(Dest& y, const Lhs& matrix, const Rhs& x) {
        matrix.with_product(x, [&](const auto& product) { y -= product; });
    }
};

}  // namespace Eigen::internal

namespace toeplitz::inline TOEPLITZ_ABI {

/// A = T, or Tᵀ with Direction::adjoint, as a square matrix of n·d rows for Eigen.
///
/// A vector of n·d entries is a sequence, one time step after another: entry i·d + c is channel c of time
/// step i. The columns of a matrix are independent sequences.
///
/// `A * x` is an expression of Eigen and keeps Eigen's rules: `y = A * x` goes through a temporary, so y may
/// occur in x; `y.noalias() = A * x` does not, and neither do `+=` and `-=` then. With noalias() and an x
/// that is stored (a matrix, a map, a block), products allocate nothing after the first of a size.
///
/// Solvers take CirculantPreconditioner (adapt/circulant.hpp) or Eigen::IdentityPreconditioner. The operator
/// must outlive its adaptors, and an adaptor, as any matrix of Eigen, the solvers that compute() it; so name
/// A.transpose() before it is given to one.
///
/// Cost that of the operator, and copies where columns do not follow each other | heap: see above |
/// thread-safe: no, copies and transposes share scratch memory; call as_eigen once per thread
template <LinearOperator Op, Direction direction>
class EigenOperator : public Eigen::EigenBase<EigenOperator<Op, direction>> {
    template <LinearOperator OtherOp, Direction other>
    friend class EigenOperator;
    template <class Lhs, class Rhs, class LhsShape, class RhsShape, int product_tag>
    friend struct Eigen::internal::generic_product_impl;

    static constexpr bool is_forward = direction == Direction::forward;
    using Transposed = EigenOperator<Op, is_forward ? Direction::adjoint : Direction::forward>;

public:
    // Names and enumerators that Eigen's solvers look for.
    using Scalar = typename Op::Scalar;
    using RealScalar = Scalar;
    using StorageIndex = Eigen::Index;
    enum {
        RowsAtCompileTime = Eigen::Dynamic,
        ColsAtCompileTime = Eigen::Dynamic,
        MaxRowsAtCompileTime = Eigen::Dynamic,
        MaxColsAtCompileTime = Eigen::Dynamic,
        IsRowMajor = false
    };

    explicit EigenOperator(const Op& op) : EigenOperator(op, std::make_shared<detail::EigenScratch>()) {}
    explicit EigenOperator(const Op&& op) = delete;

    Eigen::Index rows() const noexcept { return op_->length() * op_->channels(); }
    Eigen::Index cols() const noexcept { return rows(); }
    /// d of the operator.
    Index channels() const noexcept { return op_->channels(); }

    /// Aᵀ, sharing the scratch memory.
    Transposed transpose() const { return Transposed(*op_, scratch_); }
    /// Aᵀ: scalars are real.
    Transposed adjoint() const { return transpose(); }

    /// The expression A x, for x of n·d rows and any number of columns. \throws shape_error 601
    template <class X>
    Eigen::Product<EigenOperator, X, Eigen::AliasFreeProduct> operator*(const Eigen::MatrixBase<X>& x) const {
        if (x.rows() != cols()) {
            detail::raise<shape_error>(601, "EigenOperator::operator*", detail::text(cols(), " rows"),
                                       std::to_string(x.rows()));
        }
        return {*this, x.derived()};
    }

    /// Forms the matrix, for small ones: `Eigen::MatrixXd dense = A;`. Cost n·d products.
    template <class Dest>
    void evalTo(Dest& dense) const {
        multiply(Columns::Identity(rows(), cols()), dense);
    }

private:
    using Columns = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

    EigenOperator(const Op& op, std::shared_ptr<detail::EigenScratch> scratch)
        : op_(&op), scratch_(std::move(scratch)) {}

    // Whether the columns follow each other in memory, as the sequences of a batch do.
    template <class T>
    static bool is_batch(MatrixView<T> m) noexcept {
        return m.row_stride() == 1 && (m.cols() == 1 || m.col_stride() == m.rows());
    }

    void apply(const Scalar* x, Scalar* y, Index size) const {
        const Index channels = op_->channels();
        const MatrixView<const Scalar> from(x, size / channels, channels);
        const MatrixView<Scalar> to(y, size / channels, channels);
        if constexpr (is_forward) {
            op_->apply(from, to, scratch_->op, Sequences{});
        } else {
            op_->apply_adjoint(from, to, scratch_->op, Sequences{});
        }
    }

    // Calls f with the columns of x, one after another.
    template <class X, class F>
    void with_columns(const X& x, F&& f) const {
        if constexpr (detail::EigenStored<const X>) {
            const MatrixView<const Scalar> view(x);
            if (is_batch(view)) {
                f(view.data());
                return;
            }
            scratch_->x.reserve(Workspace::bytes_for<Scalar>(x.size()));
            Workspace::Scope scope(scratch_->x);
            Scalar* copy = scope.template take<Scalar>(x.size());
            Eigen::Map<Columns>(copy, x.rows(), x.cols()) = x;
            f(copy);
        } else {
            // x may itself be a product with this adaptor, so no scratch memory may be lent out yet.
            with_columns(Columns(x), f);
        }
    }

    // Calls f(A x), with the product in scratch memory.
    template <class X, class F>
    void with_product(const X& x, F&& f) const {
        if (x.cols() == 0) return;
        with_columns(x, [&](const Scalar* columns) {
            scratch_->result.reserve(Workspace::bytes_for<Scalar>(x.size()));
            Workspace::Scope scope(scratch_->result);
            Scalar* result = scope.template take<Scalar>(x.size());
            apply(columns, result, x.size());
            f(Eigen::Map<const Columns>(result, x.rows(), x.cols()));
        });
    }

    // y = A x, for y of the right shape.
    template <class X, class Y>
    void multiply(const X& x, Y& y) const {
        if constexpr (detail::EigenStored<Y>) {
            const MatrixView<Scalar> view(y);
            if (is_batch(view) && x.cols() != 0) {
                with_columns(x, [&](const Scalar* columns) { apply(columns, view.data(), x.size()); });
                return;
            }
        }
        with_product(x, [&](const auto& product) { y = product; });
    }

    const Op* op_;
    std::shared_ptr<detail::EigenScratch> scratch_;
};

/// The operator as a matrix of Eigen; it must outlive the result.
template <LinearOperator Op>
EigenOperator<Op> as_eigen(const Op& op) {
    return EigenOperator<Op>(op);
}
template <LinearOperator Op>
void as_eigen(const Op&& op) = delete;

}  // namespace toeplitz::inline TOEPLITZ_ABI
