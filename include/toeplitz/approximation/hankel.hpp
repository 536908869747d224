// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Hankel matrices of one channel: products by transforms, and the leading eigenvectors.

#include <algorithm>
#include <vector>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/fft/tree_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// H_ij = values_{i+j}, p × p: the Toeplitz matrix of these lags, of reversed columns.
template <Real Scalar>
class HankelProduct {
public:
    /// \param values 2p − 1 of them, p ≥ 1
    HankelProduct(const Scalar* values, Index size)
        : tree_(size), spectrum_(tree_.spectrum_size()), size_(size) {
        // All lanes have the same kernel.
        Buffer<Scalar> lags((2 * size - 1) * lanes);
        for (Index t = 0; t < 2 * size - 1; ++t) std::fill_n(lags.data() + t * lanes, lanes, values[t]);
        Buffer<Scalar> scratch(tree_.scratch_size());
        tree_.transform_kernel({lags.data(), 2 * size - 1, lanes}, size - 1, spectrum_.data(),
                               scratch.data());
    }

    Matrix<Scalar> operator*(const Matrix<Scalar>& x) const {
        Matrix<Scalar> y(size_, x.cols());
        Buffer<Scalar> scratch(tree_.scratch_size());
        const Index stride = x.cols();
        for (Index first = 0; first < x.cols(); first += lanes) {
            const Index width = (std::min)(lanes, x.cols() - first);
            tree_.template convolve<Direction::forward, Update::assign>(
                {x.data() + (size_ - 1) * stride + first, size_, width, -stride}, spectrum_.data(),
                {y.data() + first, size_, width, stride}, scratch.data());
        }
        return y;
    }

private:
    static constexpr Index lanes = TreeConvolution<Scalar>::lanes;

    TreeConvolution<Scalar> tree_;
    Buffer<Scalar> spectrum_;
    Index size_;
};

/// The half Hankel matrix G_ij = h_{i+j+1} of lags 0..n−1, i, j < p = ⌊(n−1)/2⌋, G ≈ V diag(w) Vᵀ with the
/// largest |w| first, and the shift between its columns in the basis V.
///
/// Short ones by a dense decomposition. Of long ones the range is found by products with random vectors
/// (Halko, Martinsson, Tropp 2011), as many as are asked for; the |w| are then from below.
template <Real Scalar>
class HalfHankel {
public:
    explicit HalfHankel(const std::vector<Scalar>& lags)
        : lags_(&lags), size_((static_cast<Index>(lags.size()) - 1) / 2) {}

    /// p: no order is larger.
    Index size() const noexcept { return size_; }
    /// |w| that are known and above rounding. No state space of order s is closer than the next one.
    Index count() const noexcept { return values_.size(); }
    Scalar value(Index i) const { return values_(i); }

    /// Computes at least `wanted` of them, where there are as many.
    void compute(Index wanted) {
        if (size_ == 0 || exhausted_ || computed_ >= wanted) return;
        size_ <= dense_size ? decompose() : sketch(wanted);
    }

    /// The eigenvalues of the system of this order ≤ count() by the method of Kung: those above the real line
    /// of each pair, and none outside the unit circle.
    std::vector<std::complex<Scalar>> poles(Index order) const {
        std::vector<std::complex<Scalar>> poles;
        if (order == 0) return poles;
        const Eigen::MatrixX<Scalar> block = shift_.topLeftCorner(order, order);
        const Eigen::EigenSolver<Eigen::MatrixX<Scalar>> solver(block, false);
        if (solver.info() != Eigen::Success) return poles;
        for (Index i = 0; i < order; ++i) {
            std::complex<Scalar> pole = solver.eigenvalues()(i);
            if (pole.imag() < 0 || !is_finite(pole)) continue;
            const Scalar modulus = std::abs(pole);
            if (modulus > 1) pole /= modulus;
            poles.push_back(pole);
        }
        return poles;
    }

private:
    static constexpr Index dense_size = 96;

    void decompose() {
        Eigen::MatrixX<Scalar> g(size_, size_);
        Eigen::MatrixX<Scalar> next(size_, size_);
        for (Index i = 0; i < size_; ++i) {
            for (Index j = 0; j < size_; ++j) {
                g(i, j) = lag(i + j + 1);
                next(i, j) = lag(i + j + 2);
            }
        }
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Scalar>> solver(g);
        const Matrix<Scalar> vectors = solver.eigenvectors();
        take(solver.eigenvalues(), vectors, next * vectors, size_);
        computed_ = size_;
        exhausted_ = true;
    }

    void sketch(Index wanted) {
        constexpr Index more = 8;
        const Index columns = (std::min)(size_, wanted + more);
        const HankelProduct<Scalar> g(lags_->data() + 1, size_);
        Matrix<Scalar> sample(size_, columns);
        const CounterRandom random(static_cast<std::uint64_t>(size_));
        for (Index i = 0; i < sample.size(); ++i) {
            sample.data()[i] = static_cast<Scalar>(random.normal(static_cast<std::uint64_t>(i)));
        }
        Matrix<Scalar> basis = orthonormal(g * sample);
        basis = orthonormal(g * basis);
        const Eigen::MatrixX<Scalar> inner = basis.transpose() * (g * basis);
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<Scalar>> solver(
            Eigen::MatrixX<Scalar>(Scalar(0.5) * (inner + inner.transpose())));
        const Matrix<Scalar> vectors = basis * solver.eigenvectors();
        const HankelProduct<Scalar> next(lags_->data() + 2, size_);
        // The last ones are not known well.
        computed_ = columns == size_ ? size_ : wanted;
        take(solver.eigenvalues(), vectors, next * vectors, computed_);
        exhausted_ = count() < computed_ || computed_ == size_;
    }

    static Matrix<Scalar> orthonormal(const Matrix<Scalar>& columns) {
        const Eigen::HouseholderQR<Eigen::MatrixX<Scalar>> qr(columns);
        return qr.householderQ() * Eigen::MatrixX<Scalar>::Identity(columns.rows(), columns.cols());
    }

    Scalar lag(Index t) const { return (*lags_)[static_cast<std::size_t>(t)]; }

    // Sorts them, drops those after `most` and those that are rounding, and keeps S^{−1/2} sign(w) Vᵀ G₁ V
    // S^{−1/2}, S = |w|.
    template <class Values>
    void take(const Values& values, const Matrix<Scalar>& vectors, const Matrix<Scalar>& shifted,
              Index most) {
        std::vector<Index> order(static_cast<std::size_t>(values.size()));
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
        std::stable_sort(order.begin(), order.end(),
                         [&](Index a, Index b) { return std::abs(values(a)) > std::abs(values(b)); });
        const Scalar least = std::abs(values(order[0])) * 4 * std::numeric_limits<Scalar>::epsilon();
        Index rank = 0;
        while (rank < most && std::abs(values(order[static_cast<std::size_t>(rank)])) > least) ++rank;
        values_.resize(rank);
        shift_.resize(rank, rank);
        for (Index i = 0; i < rank; ++i) {
            values_(i) = std::abs(values(order[static_cast<std::size_t>(i)]));
        }
        for (Index i = 0; i < rank; ++i) {
            const Index row = order[static_cast<std::size_t>(i)];
            for (Index j = 0; j < rank; ++j) {
                const Index column = order[static_cast<std::size_t>(j)];
                const Scalar entry =
                    vectors.col(row).dot(shifted.col(column)) / std::sqrt(values_(i) * values_(j));
                shift_(i, j) = values(row) < 0 ? -entry : entry;
            }
        }
    }

    const std::vector<Scalar>* lags_;
    Index size_;
    Index computed_ = 0;
    bool exhausted_ = false;
    Vector<Scalar> values_;
    Matrix<Scalar> shift_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
