// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Losses that are sums over the elements of a prediction: squared, absolute and Huber's error, and binary
/// cross entropy.

#include <algorithm>
#include <cmath>

#include <toeplitz/core/view.hpp>
#include <toeplitz/nn/row_weights.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Losses of the elements that count.
struct ElementLoss {
    double sum = 0;
    double count = 0;  ///< elements, each as often as its row counts

    double mean() const noexcept { return sum / count; }
};

struct HuberOptions {
    double delta = 1;  ///< δ > 0: errors up to δ count by their squares

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("delta", sets.delta...);
    }
};

struct BinaryCrossEntropyOptions {
    Vector<double>
        positive_weights{};  ///< of the positive part in every column, where classes are unequal; none: 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("positive_weights", sets.positive_weights...);
    }
};

namespace detail {

/// The loss of rows · columns elements: f(y, target, row, first column, gradient) returns the sum of a piece
/// of a row and fills in its gradient. Pieces are in double and lie at a fixed alignment: what exponentials
/// round to must not depend on the address of a row.
template <Real Scalar, class F>
ElementLoss element_loss(const char* where, MatrixView<const Scalar> y, MatrixView<const Scalar> target,
                         MatrixView<Scalar> dy, Workspace& ws, const RowWeights& weights, F&& f) {
    require_rows<Scalar>(y, y.rows(), y.cols(), 754, where, "y");
    require_rows<Scalar>(target, y.rows(), y.cols(), 754, where, "target");
    Workspace::Scope scope(ws);
    const double* const weight = weights.expand(y.rows(), scope, where);
    const RowLoss total = sum_rows(y.rows(), 1 + y.cols(), ws, [&](Index i) {
        constexpr Index most = 256;
        using Piece = Eigen::Map<Eigen::ArrayXd, Eigen::AlignedMax>;
        using Row = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
        alignas(buffer_alignment) double memory[3][most];
        const double w = weight == nullptr ? 1 : weight[i];
        RowLoss loss;
        loss.count = w * static_cast<double>(y.cols());
        if (w == 0) {
            if (dy.data() != nullptr) std::fill_n(dy.row(i), y.cols(), Scalar(0));
            return loss;
        }
        for (Index first = 0; first < y.cols(); first += most) {
            const Index count = (std::min)(most, y.cols() - first);
            Piece values(memory[0], count);
            Piece targets(memory[1], count);
            Piece gradient(memory[2], count);
            values = Row(y.row(i) + first, count).template cast<double>();
            targets = Row(target.row(i) + first, count).template cast<double>();
            loss.loss += w * f(values, targets, i, first, gradient);
            if (dy.data() == nullptr) continue;
            for (Index j = 0; j < count; ++j) dy(i, first + j) = static_cast<Scalar>(w * gradient(j));
        }
        return loss;
    });
    return {total.loss, total.count};
}

/// A gradient that was asked for, as a view of the right shape.
template <Real Scalar, class Gradient>
MatrixView<Scalar> loss_gradient(Gradient&& dy, Index rows, Index cols, const char* where) {
    const MatrixView<Scalar> view(dy);
    require_rows<Scalar>(view, rows, cols, 754, where, "dy");
    return view;
}

template <Real Scalar>
ElementLoss squared_error(MatrixView<const Scalar> y, MatrixView<const Scalar> target, MatrixView<Scalar> dy,
                          Workspace& ws, const RowWeights& weights) {
    return element_loss<Scalar>("squared_error", y, target, dy, ws, weights,
                                [](const auto& values, const auto& targets, Index, Index, auto& gradient) {
                                    gradient = 2 * (values - targets);
                                    return 0.25 * gradient.square().sum();
                                });
}

template <Real Scalar>
ElementLoss absolute_error(MatrixView<const Scalar> y, MatrixView<const Scalar> target, MatrixView<Scalar> dy,
                           Workspace& ws, const RowWeights& weights) {
    return element_loss<Scalar>("absolute_error", y, target, dy, ws, weights,
                                [](const auto& values, const auto& targets, Index, Index, auto& gradient) {
                                    gradient = values - targets;
                                    const double sum = gradient.abs().sum();
                                    gradient = gradient.sign();
                                    return sum;
                                });
}

template <Real Scalar>
ElementLoss huber_error(MatrixView<const Scalar> y, MatrixView<const Scalar> target, MatrixView<Scalar> dy,
                        Workspace& ws, const HuberOptions& options, const RowWeights& weights) {
    const double delta = options.delta;
    if (!(is_finite(delta) && delta > 0)) {
        raise<config_error>(758, "huber_error", "a finite delta > 0", text(delta));
    }
    return element_loss<Scalar>(
        "huber_error", y, target, dy, ws, weights,
        [delta](const auto& values, const auto& targets, Index, Index, auto& gradient) {
            double sum = 0;
            for (Index j = 0; j < values.size(); ++j) {
                const double error = values(j) - targets(j);
                const double size = std::abs(error);
                const bool is_small = size <= delta;
                sum += is_small ? error * error / 2 : delta * (size - delta / 2);
                gradient(j) = is_small ? error : std::copysign(delta, error);
            }
            return sum;
        });
}

template <Real Scalar>
ElementLoss binary_cross_entropy(MatrixView<const Scalar> z, MatrixView<const Scalar> target,
                                 MatrixView<Scalar> dz, Workspace& ws,
                                 const BinaryCrossEntropyOptions& options, const RowWeights& weights) {
    const char* const where = "binary_cross_entropy";
    const Vector<double>& positive = options.positive_weights;
    if (positive.size() != 0 && positive.size() != z.cols()) {
        raise<config_error>(757, where, text(z.cols(), " positive weights, one per column"),
                            std::to_string(positive.size()));
    }
    for (Index j = 0; j < positive.size(); ++j) {
        if (is_finite(positive(j)) && positive(j) >= 0) continue;
        raise<config_error>(757, where, text("the positive weight of column ", j, " finite and >= 0"),
                            text(positive(j)));
    }
    return element_loss<Scalar>(
        where, z, target, dz, ws, weights,
        [&](const auto& logits, const auto& targets, Index row, Index first, auto& gradient) {
            // −log σ(z) = log(1 + e^−|z|) + max(−z, 0) for the positive part, and z more for the negative one
            using Piece = Eigen::Map<Eigen::ArrayXd, Eigen::AlignedMax>;
            constexpr Index most = 256;
            alignas(buffer_alignment) double memory[2][most];
            Piece share(memory[0], targets.size());
            Piece exponential(memory[1], targets.size());
            for (Index j = 0; j < targets.size(); ++j) {
                if (targets(j) >= 0 && targets(j) <= 1 && !is_nan(targets(j))) continue;
                raise<value_error>(759, where,
                                   text("the target of row ", row, ", column ", first + j, " in [0, 1]"),
                                   text(targets(j)));
            }
            share = targets;
            if (positive.size() != 0) share *= positive.segment(first, share.size()).array();
            exponential = (-logits.abs()).exp();
            const double sum =
                ((1 - targets) * logits + (1 - targets + share) * (exponential.log1p() - (logits.min)(0.0)))
                    .sum();
            gradient = (1 - targets) -
                       (1 - targets + share) * (logits >= 0).select(exponential, 1.0) / (1 + exponential);
            return sum;
        });
}

}  // namespace detail

/// Σ (y − target)² over the elements that count, and dy = 2 (y − target), the gradient of this sum; both
/// times the weights of rows, where there are any. `weights` may be the lengths of the sequences. All rows ×
/// d, rows of neighbours; dy may be y.
/// \throws shape_error 754, and what RowWeights::expand throws
/// Cost O(size) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Y, Viewable Target, Viewable Gradient>
ElementLoss squared_error(const Y& y, const Target& target, Gradient&& dy, Workspace& ws,
                          const RowWeights& weights = {}) {
    using Scalar = typename Y::Scalar;
    const auto gradient = detail::loss_gradient<Scalar>(dy, y.rows(), y.cols(), "squared_error");
    return detail::squared_error<Scalar>(y, target, gradient, ws, weights);
}

/// The same without gradients.
/// \throws shape_error 754, and what RowWeights::expand throws
template <Viewable Y, Viewable Target>
ElementLoss squared_error(const Y& y, const Target& target, Workspace& ws, const RowWeights& weights = {}) {
    return detail::squared_error<typename Y::Scalar>(y, target, {}, ws, weights);
}

/// Σ |y − target|, whose gradient dy is the sign of the error, 0 where there is none. The rest is as
/// squared_error has it.
/// \throws shape_error 754, and what RowWeights::expand throws
/// Cost O(size) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Y, Viewable Target, Viewable Gradient>
ElementLoss absolute_error(const Y& y, const Target& target, Gradient&& dy, Workspace& ws,
                           const RowWeights& weights = {}) {
    using Scalar = typename Y::Scalar;
    const auto gradient = detail::loss_gradient<Scalar>(dy, y.rows(), y.cols(), "absolute_error");
    return detail::absolute_error<Scalar>(y, target, gradient, ws, weights);
}

/// The same without gradients.
/// \throws shape_error 754, and what RowWeights::expand throws
template <Viewable Y, Viewable Target>
ElementLoss absolute_error(const Y& y, const Target& target, Workspace& ws, const RowWeights& weights = {}) {
    return detail::absolute_error<typename Y::Scalar>(y, target, {}, ws, weights);
}

/// Σ e²/2 where |e| ≤ δ and δ(|e| − δ/2) beyond, e = y − target; dy = e, but at most δ on either side. The
/// rest is as squared_error has it.
/// \throws shape_error 754, config_error 758 (δ), and what RowWeights::expand throws
/// Cost O(size) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Y, Viewable Target, Viewable Gradient>
ElementLoss huber_error(const Y& y, const Target& target, Gradient&& dy, Workspace& ws,
                        const HuberOptions& options = {}, const RowWeights& weights = {}) {
    using Scalar = typename Y::Scalar;
    const auto gradient = detail::loss_gradient<Scalar>(dy, y.rows(), y.cols(), "huber_error");
    return detail::huber_error<Scalar>(y, target, gradient, ws, options, weights);
}

/// The same without gradients.
/// \throws shape_error 754, config_error 758, and what RowWeights::expand throws
template <Viewable Y, Viewable Target>
ElementLoss huber_error(const Y& y, const Target& target, Workspace& ws, const HuberOptions& options = {},
                        const RowWeights& weights = {}) {
    return detail::huber_error<typename Y::Scalar>(y, target, {}, ws, options, weights);
}

/// Σ −p t log σ(z) − (1−t) log(1 − σ(z)) of logits z and targets t in [0, 1], one column per class, each of
/// which a row may belong to; p is the column's positive weight. dz = (1−t) σ(z) − p t (1 − σ(z)). The rest
/// is as squared_error has it.
/// \throws shape_error 754, config_error 757 (positive weights), value_error 759 (a target that counts),
///         and what RowWeights::expand throws
/// Cost O(size) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Logits, Viewable Target, Viewable Gradient>
ElementLoss binary_cross_entropy(const Logits& logits, const Target& target, Gradient&& dlogits,
                                 Workspace& ws, const BinaryCrossEntropyOptions& options = {},
                                 const RowWeights& weights = {}) {
    using Scalar = typename Logits::Scalar;
    const auto gradient =
        detail::loss_gradient<Scalar>(dlogits, logits.rows(), logits.cols(), "binary_cross_entropy");
    return detail::binary_cross_entropy<Scalar>(logits, target, gradient, ws, options, weights);
}

/// The same without gradients.
/// \throws shape_error 754, config_error 757, value_error 759, and what RowWeights::expand throws
template <Viewable Logits, Viewable Target>
ElementLoss binary_cross_entropy(const Logits& logits, const Target& target, Workspace& ws,
                                 const BinaryCrossEntropyOptions& options = {},
                                 const RowWeights& weights = {}) {
    return detail::binary_cross_entropy<typename Logits::Scalar>(logits, target, {}, ws, options, weights);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
