// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Circulant preconditioners, for Eigen's iterative solvers on Toeplitz operators.

#include <complex>
#include <limits>
#include <memory>
#include <optional>

#include <toeplitz/adapt/eigen.hpp>
#include <toeplitz/fft/half_spectrum.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Which circulant matrix C, C_ij = c((i − j) mod n), stands for a Toeplitz matrix of lags k:
/// * chan: T. Chan's, the nearest in the Frobenius norm, c(t) = ((n − t) k(t) + t k(t − n)) / n. Positive
///   definite where T is.
/// * strang: the lags around 0 as they are, c(t) = k(t) up to the middle and k(t − n) beyond, their mean in
///   the middle. Closer where lags decay fast; need not be positive definite.
enum class Circulant { chan, strang };

/// The first column c of the circulant, n × d, from lags of (2n − 1) × d rows.
/// \throws shape_error 550 (an even number of rows)
/// Cost O(n d) | heap: the result | thread-safe: yes
template <Real Scalar>
Matrix<Scalar> circulant_column(Circulant kind, MatrixView<const Scalar> lags) {
    const Index n = (lags.rows() + 1) / 2;
    if (lags.rows() % 2 == 0) {
        detail::raise<shape_error>(550, "circulant_column", "2n-1 rows of lags", std::to_string(lags.rows()));
    }
    Matrix<Scalar> column(n, lags.cols());
    for (Index t = 0; t < n; ++t) {
        Scalar ahead = static_cast<Scalar>(t) / static_cast<Scalar>(n);  // the share of k(t − n)
        if (kind == Circulant::strang) ahead = 2 * t < n ? Scalar(0) : 2 * t == n ? Scalar(0.5) : Scalar(1);
        for (Index c = 0; c < lags.cols(); ++c) {
            const Scalar before = t == 0 ? Scalar(0) : lags(t - 1, c);
            column(t, c) = (1 - ahead) * lags(t + n - 1, c) + ahead * before;
        }
    }
    return column;
}

/// C⁻¹ for a circulant C near A, for each channel its own: what Eigen's solvers take as their preconditioner.
///
///     Eigen::ConjugateGradient<EigenOperator<Fft<double>>, Eigen::Lower | Eigen::Upper,
///                              CirculantPreconditioner<double>> solver(A);
///
/// The lags are those of A's first row and column, so A may be any operator, sum or transpose. Where A is no
/// Toeplitz matrix exactly, as that of `Ski`, C is near the Toeplitz matrix with the same first row and
/// column. Eigenvalues of C below ε times the largest, which are rounding, count as ε times the largest.
///
/// A solver for any matrix takes any of them. ConjugateGradient needs C positive definite:
/// is_positive_definite(). Copies share scratch memory, as adaptors do. Nothing refers to A after compute().
///
/// Cost of solve() that of an exact product, of compute() a few | heap: solve(): a vector | thread-safe: no
template <Real ScalarType, Circulant kind = Circulant::chan>
class CirculantPreconditioner {
public:
    // Names that Eigen's solvers look for.
    using Scalar = ScalarType;
    using StorageIndex = Eigen::Index;
    enum { ColsAtCompileTime = Eigen::Dynamic, MaxColsAtCompileTime = Eigen::Dynamic };

    CirculantPreconditioner() = default;
    /// As compute().
    template <LinearOperator Op, Direction direction>
    explicit CirculantPreconditioner(const EigenOperator<Op, direction>& A) {
        compute(A);
    }

    Eigen::Index rows() const noexcept { return matrix_ ? matrix_->rows() : 0; }
    Eigen::Index cols() const noexcept { return rows(); }

    /// \throws value_error 602 (a channel whose circulant is zero), 530 (A has a NaN or an infinity)
    template <LinearOperator Op, Direction direction>
    CirculantPreconditioner& compute(const EigenOperator<Op, direction>& A) {
        const Index d = A.channels();
        const Index n = A.rows() / d;
        Vector<Scalar> first = Vector<Scalar>::Zero(A.rows());
        first.head(d).setOnes();
        const Vector<Scalar> column = A * first;
        const Vector<Scalar> row = A.transpose() * first;
        Matrix<Scalar> lags(2 * n - 1, d);
        for (Index t = 0; t < n; ++t) {
            lags.row(n - 1 - t) = row.segment(t * d, d).transpose();
            lags.row(n - 1 + t) = column.segment(t * d, d).transpose();
        }
        const Matrix<Scalar> inverse = invert(circulant_column<Scalar>(kind, lags));
        for (Index t = 0; t < n; ++t) {
            lags.row(n - 1 + t) = inverse.row(t);
            if (t > 0) lags.row(t - 1) = inverse.row(t);
        }
        matrix_.reset();
        inverse_ = std::make_shared<const Fft<Scalar>>(FftOptions{.length = n, .channels = d}, lags);
        matrix_.emplace(*inverse_);
        return *this;
    }
    template <class Matrix>
    CirculantPreconditioner& analyzePattern(const Matrix&) noexcept {
        return *this;
    }
    template <class Matrix>
    CirculantPreconditioner& factorize(const Matrix& A) {
        return compute(A);
    }

    /// C⁻¹ b, after compute(). \throws shape_error 601
    template <class B>
    auto solve(const Eigen::MatrixBase<B>& b) const {
        return *matrix_ * b;
    }
    Eigen::ComputationInfo info() const noexcept { return matrix_ ? Eigen::Success : Eigen::InvalidInput; }

    /// Whether xᵀ C x > 0 for all x other than 0.
    bool is_positive_definite() const noexcept { return matrix_ && is_positive_; }

private:
    // The first column of C⁻¹ from that of C.
    Matrix<Scalar> invert(const Matrix<Scalar>& column) {
        constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
        const Index n = column.rows();
        const HalfSpectrum<Scalar> transform(n, column.cols());
        Workspace ws(Workspace::bytes_for<Scalar>(transform.scratch_size()));
        Workspace::Scope scope(ws);
        Scalar* const scratch = scope.template take<Scalar>(transform.scratch_size());
        Matrix<Scalar> inverse(n, column.cols());
        is_positive_ = true;
        for (Index first = 0; first < column.cols(); first += lanes) {
            const Index width = (std::min)(lanes, column.cols() - first);
            Matrix<std::complex<Scalar>> eigenvalues(transform.frequencies(), width);
            transform.to_spectrum(MatrixView<const Scalar>(column).middle_cols(first, width), eigenvalues,
                                  scratch);
            for (Index c = 0; c < width; ++c) {
                const Scalar largest = eigenvalues.col(c).cwiseAbs().maxCoeff();
                if (largest == 0) {
                    detail::raise<value_error>(602, "CirculantPreconditioner", "a circulant with an inverse",
                                               detail::text("zero in channel ", first + c));
                }
                const Scalar least = std::numeric_limits<Scalar>::epsilon() * largest;
                for (Index k = 0; k < eigenvalues.rows(); ++k) {
                    std::complex<Scalar>& value = eigenvalues(k, c);
                    if (std::abs(value) < least) value = least;
                    is_positive_ = is_positive_ && value.real() > 0;
                    value = Scalar(1) / value;
                }
            }
            transform.to_lags(MatrixView<const std::complex<Scalar>>(eigenvalues), Causality::bidirectional,
                              MatrixView<Scalar>(inverse).middle_cols(first, width), 0, scratch);
        }
        return inverse;
    }

    std::shared_ptr<const Fft<Scalar>> inverse_;
    std::optional<EigenOperator<Fft<Scalar>>> matrix_;
    bool is_positive_ = false;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
