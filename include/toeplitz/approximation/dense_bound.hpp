// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A proven bound on ‖T − (band + W A Wᵀ)‖₂ that is all but sharp, in O(n³): for short sequences and for
/// tests.

#include <toeplitz/approximation/error_bound.hpp>
#include <toeplitz/core/random.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// E = T − band − W A Wᵀ of one channel, entry by entry, times a power of two.
template <Real Scalar>
Matrix<double> dense_error(MatrixView<const Scalar> lags, const Approximation<Scalar>& approximation,
                           Index channel, double scale) {
    const Index n = (lags.rows() + 1) / 2;
    const auto& diagonals = approximation.diagonals();
    const Index b = approximation.half_width();
    const Index r = approximation.rank();
    Matrix<double> error(n, n);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
            error(i, j) = static_cast<double>(lags(n - 1 + i - j, channel)) * scale;
            if (std::abs(i - j) <= b) {
                error(i, j) -= static_cast<double>(diagonals(b + i - j, channel)) * scale;
            }
        }
    }
    if (r == 0) return error;

    const InducingPoints points(n, r);
    // An inducing point beyond the last has no weight.
    const auto value = [&](Index delta) {
        return static_cast<double>(approximation.inducing(std::clamp(delta, 1 - r, r - 1) + r - 1, channel)) *
               scale;
    };
    for (Index i = 0; i < n; ++i) {
        const auto [a, low, high] = points.at(i);
        for (Index j = 0; j < n; ++j) {
            const auto [p, left, right] = points.at(j);
            error(i, j) -= low * left * value(a - p) + high * left * value(a + 1 - p) +
                           low * right * value(a - p - 1) + high * right * value(a - p);
        }
    }
    return error;
}

/// ‖E‖₂ of a square matrix from below and, proven, from above. Its numbers are squared: what is left of
/// kernels of about 1.
class DenseNorm {
public:
    explicit DenseNorm(const Matrix<double>& matrix) : matrix_(&matrix) {}

    /// From below, by power iteration; stops early once above `enough`.
    double estimate(double enough) const {
        const Matrix<double>& e = *matrix_;
        const CounterRandom random(0);
        Vector<double> v(e.cols());
        for (Index i = 0; i < v.size(); ++i) v(i) = random.normal(static_cast<std::uint64_t>(i));
        Vector<double> w(e.rows());
        double before = 0;
        double estimate = 0;
        for (int step = 0; step < 300; ++step) {
            const double length = norm(v);
            if (!(length > 0)) return 0;
            for (Index i = 0; i < e.rows(); ++i) {
                double sum = 0;
                for (Index j = 0; j < e.cols(); ++j) sum += e(i, j) * v(j);
                w(i) = sum / length;
            }
            estimate = norm(w);
            if (estimate > enough || estimate - before <= 1e-5 * estimate) break;
            before = estimate;
            v.setZero();
            for (Index i = 0; i < e.rows(); ++i) {
                for (Index j = 0; j < e.cols(); ++j) v(j) += e(i, j) * w(i);
            }
        }
        return estimate;
    }

    /// From above: s such that s² − EᵀE has a Cholesky factor, which proves it to be positive semidefinite up
    /// to the rounding of the factorisation (Rump 2006), s a little above the estimate. Infinite where none
    /// is found.
    double bound(double estimate) {
        if (product_.rows() == 0) multiply();
        for (const double factor : {1 + 1e-3, 1.01, 1.05, 1.25}) {
            const double s = estimate * factor;
            if (has_factor(s * s)) {
                const double n = static_cast<double>(product_.rows());
                return std::sqrt(s * s + 4 * unit * (n + 2) * (n * s * s + frobenius_)) * (1 + 4 * unit);
            }
        }
        return estimate > 0 ? std::numeric_limits<double>::infinity() : std::sqrt(frobenius_) * (1 + 1e-9);
    }

private:
    static constexpr double unit = std::numeric_limits<double>::epsilon() / 2;

    static double norm(const Vector<double>& v) {
        double sum = 0;
        for (Index i = 0; i < v.size(); ++i) sum += v(i) * v(i);
        return std::sqrt(sum);
    }

    // The lower half of EᵀE.
    void multiply() {
        const Matrix<double>& e = *matrix_;
        product_ = Matrix<double>::Zero(e.cols(), e.cols());
        for (Index k = 0; k < e.rows(); ++k) {
            for (Index i = 0; i < e.cols(); ++i) {
                const double factor = e(k, i);
                for (Index j = 0; j <= i; ++j) product_(i, j) += factor * e(k, j);
            }
        }
        for (Index i = 0; i < e.cols(); ++i) frobenius_ += product_(i, i);
    }

    bool has_factor(double diagonal) const {
        const Index n = product_.rows();
        Matrix<double> l(n, n);
        for (Index i = 0; i < n; ++i) {
            for (Index j = 0; j <= i; ++j) {
                double sum = (i == j ? diagonal : 0.0) - product_(i, j);
                for (Index k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
                if (i == j) {
                    if (!(sum > 0)) return false;
                    l(i, i) = std::sqrt(sum);
                } else {
                    l(i, j) = sum / l(j, j);
                }
            }
        }
        return true;
    }

    const Matrix<double>* matrix_;
    Matrix<double> product_;
    double frobenius_ = 0;
};

}  // namespace detail

/// As error_bound, within a fraction of a percent of ‖E‖₂: B3 of docs/certificates.md.
///
/// \throws shape_error 550 or 551, value_error 530
/// Cost O(n³ d) | heap: 3 n² doubles | thread-safe: yes | one thread
template <Real Scalar>
Vector<double> dense_error_bound(std::type_identity_t<MatrixView<const Scalar>> lags,
                                 const Approximation<Scalar>& approximation) {
    const Index n = detail::checked_length(lags, "dense_error_bound");
    detail::refuse_state_space(approximation, "dense_error_bound");
    detail::check_approximation(n, lags.cols(), approximation, "dense_error_bound");
    require_finite(lags, "dense_error_bound", "lag", 1 - n);
    const detail::InducingGrid grid(n, std::max<Index>(approximation.rank(), 1));
    const detail::ChannelScales scales = detail::scales_of(lags, approximation);
    const detail::BoundEvaluation<Scalar> evaluation(lags, approximation.diagonals(), approximation.inducing,
                                                     grid, scales);
    std::vector<detail::WindowSums> sums(static_cast<std::size_t>(lags.cols()));
    evaluation.windows(sums.data());
    Vector<double> bounds(lags.cols());
    for (Index c = 0; c < lags.cols(); ++c) {
        const detail::WindowSums& windows = sums[static_cast<std::size_t>(c)];
        const Matrix<double> error = detail::dense_error(lags, approximation, c, windows.scale);
        detail::DenseNorm norm(error);
        const double estimate = norm.estimate(std::numeric_limits<double>::infinity());
        bounds(c) = windows.unscaled((std::min)(windows.bound, norm.bound(estimate) + windows.rounding));
    }
    return bounds;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
