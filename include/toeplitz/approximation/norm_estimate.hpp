// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// ‖T‖₂ from below, by products with an operator alone.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <toeplitz/approximation/scale.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/contract.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// x ↦ A x − B x: the error of one operator against another. A view of both.
template <class A, class B>
class Difference {
public:
    using Scalar = typename A::Scalar;

    Difference(const A& a, const B& b) : a_(&a), b_(&b) {
        if (a.length() != b.length() || a.channels() != b.channels()) {
            detail::raise<shape_error>(
                540, "Difference",
                detail::text("two operators of n×d = ", detail::shape_text(a.length(), a.channels())),
                detail::text("a second one of ", detail::shape_text(b.length(), b.channels())));
        }
    }

    Index length() const noexcept { return a_->length(); }
    Index channels() const noexcept { return a_->channels(); }

    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws) const {
        a_->apply(x, y, ws, Sequences{});
        Matrix<Scalar> other(x.rows(), x.cols());
        b_->apply(x, other, ws, Sequences{});
        y.eigen() -= other;
    }
    void apply_adjoint(MatrixView<const Scalar> g, MatrixView<Scalar> dx, Workspace& ws) const {
        a_->apply_adjoint(g, dx, ws, Sequences{});
        Matrix<Scalar> other(g.rows(), g.cols());
        b_->apply_adjoint(g, other, ws, Sequences{});
        dx.eigen() -= other;
    }

private:
    const A* a_;
    const B* b_;
};

struct NormEstimateOptions {
    double relative_change = 1e-3;  ///< stops when two steps have raised no channel's estimate by more
    Index max_steps = 100;          ///< ≥ 1: pairs of products at most
    std::uint64_t seed = 0;         ///< of the random start

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("relative_change", sets.relative_change...);
        f("max_steps", sets.max_steps...);
        f("seed", sets.seed...);
    }
};

namespace detail {

/// The largest eigenvalue of a symmetric tridiagonal matrix, from below: bisection by the signs of the pivots
/// of T − x, all of which are negative above it.
inline double largest_eigenvalue(const std::vector<double>& diagonal, const std::vector<double>& beside) {
    const std::size_t n = diagonal.size();
    double low = 0;
    double high = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double left = i > 0 ? beside[i - 1] : 0.0;
        const double right = i + 1 < n ? beside[i] : 0.0;
        low = (std::max)(low, diagonal[i]);
        high = (std::max)(high, diagonal[i] + left + right);
    }
    const auto is_above_all = [&](double x) {
        double pivot = diagonal[0] - x;
        for (std::size_t i = 1; i < n && pivot < 0; ++i) {
            pivot = diagonal[i] - x - beside[i - 1] * beside[i - 1] / pivot;
        }
        return pivot < 0;
    };
    while (high - low > 1e-13 * high) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) break;
        (is_above_all(middle) ? high : low) = middle;
    }
    return low;
}

/// The largest singular value of the lower bidiagonal matrix of α₁, α₂, … and, below them, β₁, β₂, …: of as
/// many of each. Their squares are those of numbers of about 1.
inline double largest_singular_value(const std::vector<double>& alpha, const std::vector<double>& beta) {
    double largest = 0;
    for (const double a : alpha) largest = (std::max)(largest, a);
    for (const double b : beta) largest = (std::max)(largest, b);
    const double scale = unit_scale(largest);
    std::vector<double> diagonal(alpha.size());
    std::vector<double> beside(alpha.size() - 1);
    for (std::size_t i = 0; i < alpha.size(); ++i) {
        const double a = alpha[i] * scale;
        const double b = beta[i] * scale;
        diagonal[i] = a * a + b * b;
        if (i > 0) beside[i - 1] = beta[i - 1] * scale * a;
    }
    return std::sqrt(largest_eigenvalue(diagonal, beside)) / scale;
}

/// Golub and Kahan's bidiagonalisation of every channel's T at once: T vᵢ = αᵢ uᵢ + βᵢ₋₁ uᵢ₋₁ and
/// Tᵀ uᵢ = αᵢ vᵢ + βᵢ vᵢ₊₁.
template <class Op>
class Bidiagonalization {
public:
    using Scalar = typename Op::Scalar;

    Bidiagonalization(const Op& op, std::uint64_t seed)
        : op_(&op),
          channels_(static_cast<std::size_t>(op.channels())),
          u_(Matrix<Scalar>::Zero(op.length(), op.channels())),
          v_(op.length(), op.channels()),
          product_(op.length(), op.channels()) {
        const CounterRandom random(seed);
        std::uint64_t next = 0;
        for (Index i = 0; i < v_.rows(); ++i) {
            for (Index c = 0; c < v_.cols(); ++c) v_(i, c) = static_cast<Scalar>(random.normal(next++));
        }
        static_cast<void>(normalize(v_));
    }

    /// Two products; returns the estimates of all channels.
    Vector<double> step(Workspace& ws) {
        op_->apply(v_, product_, ws);
        const Vector<double> alpha = advance(u_);
        op_->apply_adjoint(u_, product_, ws);
        const Vector<double> beta = advance(v_, alpha);
        Vector<double> estimates(op_->channels());
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            const auto i = static_cast<Index>(c);
            Channel& channel = channels_[c];
            channel.alpha.push_back(alpha(i));
            channel.beta.push_back(beta(i));
            estimates(i) = largest_singular_value(channel.alpha, channel.beta);
        }
        return estimates;
    }

private:
    struct Channel {
        std::vector<double> alpha;
        std::vector<double> beta;
    };

    // to = (product − coupling·to), normalised; returns the norms. `coupling` is the last βᵢ, or αᵢ.
    Vector<double> advance(Matrix<Scalar>& to, const Vector<double>& coupling) {
        for (Index i = 0; i < to.rows(); ++i) {
            for (Index c = 0; c < to.cols(); ++c) {
                to(i, c) = static_cast<Scalar>(static_cast<double>(product_(i, c)) -
                                               coupling(c) * static_cast<double>(to(i, c)));
            }
        }
        return normalize(to);
    }
    Vector<double> advance(Matrix<Scalar>& to) {
        Vector<double> coupling(op_->channels());
        for (std::size_t c = 0; c < channels_.size(); ++c) {
            const std::vector<double>& beta = channels_[c].beta;
            coupling(static_cast<Index>(c)) = beta.empty() ? 0.0 : beta.back();
        }
        return advance(to, coupling);
    }

    static Vector<double> normalize(Matrix<Scalar>& rows) {
        const ChannelScales scales{MatrixView<const Scalar>(rows)};
        Vector<double> norms = Vector<double>::Zero(rows.cols());
        for (Index i = 0; i < rows.rows(); ++i) {
            for (Index c = 0; c < rows.cols(); ++c) {
                const double scaled = static_cast<double>(rows(i, c)) * scales[c];
                norms(c) += scaled * scaled;
            }
        }
        Vector<double> factors(rows.cols());
        for (Index c = 0; c < rows.cols(); ++c) {
            norms(c) = std::sqrt(norms(c));
            factors(c) = norms(c) > 0 ? 1 / norms(c) : 0.0;
        }
        for (Index i = 0; i < rows.rows(); ++i) {
            for (Index c = 0; c < rows.cols(); ++c) {
                rows(i, c) = static_cast<Scalar>(static_cast<double>(rows(i, c)) * scales[c] * factors(c));
            }
        }
        for (Index c = 0; c < rows.cols(); ++c) norms(c) /= scales[c];
        return norms;
    }

    const Op* op_;
    std::vector<Channel> channels_;
    Matrix<Scalar> u_;
    Matrix<Scalar> v_;
    Matrix<Scalar> product_;
};

}  // namespace detail

/// Estimates of ‖T‖₂, one per channel, that are never above it but for the rounding of the products.
///
/// The largest singular value of the bidiagonal matrix of Golub and Kahan, from a fixed random start. It
/// grows with every step and is within about `relative_change` of the norm at the end, unless the start
/// happens to be orthogonal to what matters. Of any amplitude whose products stay in the range of the scalar.
/// Of a Difference, no better than the rounding of the two products.
/// \throws config_error 201 (max_steps), 557 (relative_change)
/// Cost two products and O(n d) per step | heap: 3 n·d scalars | thread-safe: yes, with distinct workspaces |
/// same bits for any number of threads
template <class Op>
Vector<double> norm_estimate(const Op& op, const NormEstimateOptions& options, Workspace& ws) {
    if (!detail::is_finite(options.relative_change)) {
        detail::raise<config_error>(557, "norm_estimate", "a finite relative_change",
                                    detail::text(options.relative_change));
    }
    detail::require_positive(options.max_steps, "norm_estimate", "max_steps");
    detail::Bidiagonalization<Op> process(op, options.seed);
    Vector<double> estimates = process.step(ws);
    Vector<double> before = Vector<double>::Zero(op.channels());
    for (Index step = 1; step < options.max_steps; ++step) {
        Vector<double> next = process.step(ws);
        bool settled = true;
        for (Index c = 0; c < next.size(); ++c) {
            settled = settled && next(c) - before(c) <= options.relative_change * next(c);
        }
        before = std::move(estimates);
        estimates = std::move(next);
        if (settled) break;
    }
    return estimates;
}

/// As above, with a workspace of its own.
template <class Op>
Vector<double> norm_estimate(const Op& op, const NormEstimateOptions& options = {}) {
    Workspace ws;
    return norm_estimate(op, options, ws);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
