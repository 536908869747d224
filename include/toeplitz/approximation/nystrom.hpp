// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Asymmetric Nyström, T ≈ F A⁻¹ B, which the paper compares its interpolation with: a dense reference; and
/// the bound on T − W A Wᵀ that goes by way of it and needs no A⁻¹.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <toeplitz/approximation/approximate.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Solves A X = B by elimination with complete pivoting. Pivots below u·r of the largest count as zero, and
/// their unknowns are zero: of a singular system, one solution.
inline Matrix<double> solve(Matrix<double> a, Matrix<double> b) {
    const Index r = a.rows();
    std::vector<Index> unknown(static_cast<std::size_t>(r));
    for (Index i = 0; i < r; ++i) unknown[static_cast<std::size_t>(i)] = i;
    double least = 0;
    Index rank = 0;
    for (; rank < r; ++rank) {
        Index row = rank;
        Index col = rank;
        for (Index i = rank; i < r; ++i) {
            for (Index j = rank; j < r; ++j) {
                if (std::abs(a(i, j)) > std::abs(a(row, col))) {
                    row = i;
                    col = j;
                }
            }
        }
        const double pivot = a(row, col);
        if (rank == 0)
            least = std::abs(pivot) * std::numeric_limits<double>::epsilon() * static_cast<double>(r);
        if (!(std::abs(pivot) > least)) break;
        a.row(rank).swap(a.row(row));
        b.row(rank).swap(b.row(row));
        a.col(rank).swap(a.col(col));
        std::swap(unknown[static_cast<std::size_t>(rank)], unknown[static_cast<std::size_t>(col)]);
        for (Index i = rank + 1; i < r; ++i) {
            const double factor = a(i, rank) / pivot;
            for (Index j = rank; j < r; ++j) a(i, j) -= factor * a(rank, j);
            for (Index j = 0; j < b.cols(); ++j) b(i, j) -= factor * b(rank, j);
        }
    }
    Matrix<double> x = Matrix<double>::Zero(r, b.cols());
    for (Index i = rank; i-- > 0;) {
        for (Index c = 0; c < b.cols(); ++c) {
            double sum = b(i, c);
            for (Index j = i + 1; j < rank; ++j) sum -= a(i, j) * x(unknown[static_cast<std::size_t>(j)], c);
            x(unknown[static_cast<std::size_t>(i)], c) = sum / a(i, i);
        }
    }
    return x;
}

}  // namespace detail

/// y = F A⁻¹ B x with F = T[:, S], B = T[S, :] and A = T[S, S] for r time steps S: exact where rank A = rank
/// T.
///
/// In double, whatever the scalar, and by a rank-revealing elimination where A is singular. For comparisons
/// and small n only: it stores 2 n·r numbers per channel.
/// heap: a row per call | thread-safe: yes | one thread
template <Real ScalarType>
class Nystrom {
public:
    using Scalar = ScalarType;

    /// \param lags (2n−1) × d
    /// \param points the time steps S, 1 ≤ r ≤ n of 0..n−1
    /// \throws shape_error 550, value_error 530, config_error 555
    Nystrom(MatrixView<const Scalar> lags, std::span<const Index> points)
        : length_(detail::checked_length(lags, "Nystrom")) {
        require_finite(lags, "Nystrom", "lag", 1 - length_);
        const Index r = static_cast<Index>(points.size());
        bool inside = r >= 1 && r <= length_;
        for (const Index point : points) inside = inside && point >= 0 && point < length_;
        if (!inside) {
            detail::raise<config_error>(555, "Nystrom",
                                        detail::text("1..", length_, " time steps of the sequence"),
                                        detail::text(r, ", or one outside"));
        }
        const detail::ChannelScales scales(lags);
        for (Index c = 0; c < lags.cols(); ++c) {
            const auto entry = [&](Index i, Index j) {
                return static_cast<double>(lags(length_ - 1 + i - j, c));
            };
            // A⁻¹ B is that of both times the same number.
            const double scale = scales[c];
            Matrix<double> left(length_, r);
            Matrix<double> middle(r, r);
            Matrix<double> right(r, length_);
            for (Index a = 0; a < r; ++a) {
                const Index p = points[static_cast<std::size_t>(a)];
                for (Index i = 0; i < length_; ++i) {
                    left(i, a) = entry(i, p);
                    right(a, i) = entry(p, i) * scale;
                }
                for (Index b = 0; b < r; ++b) {
                    middle(a, b) = entry(p, points[static_cast<std::size_t>(b)]) * scale;
                }
            }
            right_.push_back(detail::solve(std::move(middle), std::move(right)));
            left_.push_back(std::move(left));
        }
    }

    Index length() const noexcept { return length_; }
    Index channels() const noexcept { return static_cast<Index>(left_.size()); }
    Index rank() const noexcept { return left_.front().cols(); }

    /// y = F A⁻¹ B x for one sequence, n × d. \throws shape_error 502
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& /*ws*/) const {
        product<Direction::forward>(x, y);
    }
    /// dx = (F A⁻¹ B)ᵀ g. \throws shape_error 502
    void apply_adjoint(MatrixView<const Scalar> g, MatrixView<Scalar> dx, Workspace& /*ws*/) const {
        product<Direction::adjoint>(g, dx);
    }

private:
    template <Direction direction>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y) const {
        if (x.rows() != length_ || x.cols() != channels() || y.rows() != length_ || y.cols() != channels()) {
            detail::raise<shape_error>(502, "Nystrom::apply",
                                       detail::text("n×d = ", detail::shape_text(length_, channels())),
                                       detail::shape_text(x.rows(), x.cols()));
        }
        Vector<double> inducing(rank());
        for (Index c = 0; c < channels(); ++c) {
            const Matrix<double>& left = left_[static_cast<std::size_t>(c)];
            const Matrix<double>& right = right_[static_cast<std::size_t>(c)];
            const auto in = [&](Index a, Index i) {
                return direction == Direction::forward ? right(a, i) : left(i, a);
            };
            const auto out = [&](Index a, Index i) {
                return direction == Direction::forward ? left(i, a) : right(a, i);
            };
            for (Index a = 0; a < rank(); ++a) {
                inducing(a) = 0;
                for (Index i = 0; i < length_; ++i) inducing(a) += in(a, i) * static_cast<double>(x(i, c));
            }
            for (Index i = 0; i < length_; ++i) {
                double sum = 0;
                for (Index a = 0; a < rank(); ++a) sum += out(a, i) * inducing(a);
                y(i, c) = static_cast<Scalar>(sum);
            }
        }
    }

    Index length_;
    std::vector<Matrix<double>> left_;   // F of each channel, n × r
    std::vector<Matrix<double>> right_;  // A⁻¹ B, r × n
};

/// r time steps as even as integers can be, the first and the last among them.
inline std::vector<Index> nystrom_points(Index length, Index rank) {
    const InducingPoints evenly(length, rank);
    std::vector<Index> points;
    for (Index a = 0; a < rank; ++a) points.push_back(std::lround(evenly.lag(a)));
    return points;
}

/// ‖T − W B‖ + ‖W‖ ‖B − A Wᵀ‖ ≥ ‖T − W A Wᵀ‖₂, one per channel: the way of the paper's theorem, by B = T[S,
/// :], without the A⁻¹ that makes the theorem's own bound useless. Norms are √(‖·‖₁‖·‖∞).
///
/// Proven for any B, hence for the one whose rows at lags between integers are cubic interpolants.
/// \param inducing (2r−1) × d, r ≥ 1
/// \throws shape_error 550 or 551, value_error 530
/// Cost O(n² d) | heap: O(n r) | thread-safe: yes | one thread
template <Real Scalar>
Vector<double> nystrom_route_bound(std::type_identity_t<MatrixView<const Scalar>> lags,
                                   const Matrix<Scalar>& inducing) {
    const Index n = detail::checked_length(lags, "nystrom_route_bound");
    const Approximation<Scalar> approximation{.inducing = inducing};
    detail::check_approximation(n, lags.cols(), approximation, "nystrom_route_bound");
    require_finite(lags, "nystrom_route_bound", "lag", 1 - n);
    const Index r = approximation.rank();
    const InducingPoints points(n, r);

    // The largest row and column sum of a matrix given entry by entry.
    class Sums {
    public:
        Sums(Index rows, Index cols) : rows_(Vector<double>::Zero(rows)), cols_(Vector<double>::Zero(cols)) {}
        void add(Index i, Index j, double value, double terms) {
            const double size = std::abs(value) + 16 * std::numeric_limits<double>::epsilon() * terms;
            rows_(i) += size;
            cols_(j) += size;
        }
        double norm() const {
            const double count = static_cast<double>(rows_.size() + cols_.size() + 16);
            return std::sqrt(rows_.maxCoeff() * cols_.maxCoeff()) *
                   (1 + count * std::numeric_limits<double>::epsilon());
        }

    private:
        Vector<double> rows_;
        Vector<double> cols_;
    };

    Sums interpolation(n, r);
    for (Index i = 0; i < n; ++i) {
        const auto [below, lower, upper] = points.at(i);
        interpolation.add(i, below, lower, 1);
        if (upper > 0) interpolation.add(i, below + 1, upper, 1);
    }

    detail::ChannelScales scales(lags);
    scales.include(MatrixView<const Scalar>(inducing));
    Vector<double> bounds(lags.cols());
    Matrix<double> b(r, n);
    for (Index c = 0; c < lags.cols(); ++c) {
        const double scale = scales[c];
        Sums inner(r, n);
        for (Index j = 0; j < n; ++j) {
            const auto [below, lower, upper] = points.at(j);
            for (Index a = 0; a < r; ++a) {
                b(a, j) = detail::interpolated_lag(lags, points.lag(a) - static_cast<double>(j), c, scale);
                const auto value = [&](Index delta) {
                    return static_cast<double>(inducing(std::max<Index>(r - 1 + delta, 0), c)) * scale;
                };
                const double low = value(a - below);
                const double high = value(a - below - 1);
                inner.add(a, j, b(a, j) - lower * low - upper * high,
                          std::abs(b(a, j)) + std::abs(low) + std::abs(high));
            }
        }
        Sums outer(n, n);
        for (Index i = 0; i < n; ++i) {
            const auto [below, lower, upper] = points.at(i);
            for (Index j = 0; j < n; ++j) {
                const double k = static_cast<double>(lags(n - 1 + i - j, c)) * scale;
                const double low = b(below, j);
                const double high = b((std::min)(below + 1, r - 1), j);
                outer.add(i, j, k - lower * low - upper * high, std::abs(k) + std::abs(low) + std::abs(high));
            }
        }
        bounds(c) = detail::scaled_back_up(outer.norm() + interpolation.norm() * inner.norm(), scale);
    }
    return bounds;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
