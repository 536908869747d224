// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Cross entropy of logits and classes.

#include <algorithm>
#include <cmath>
#include <span>

#include <toeplitz/core/sweep.hpp>
#include <toeplitz/nn/row_weights.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct CrossEntropyOptions {
    Token ignore_index = -100;       ///< rows with this target do not count
    double label_smoothing = 0;      ///< ε in [0, 1]: the target distribution is (1−ε) onehot + ε/V
    Vector<double> class_weights{};  ///< of rows by their target; none: 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("ignore_index", sets.ignore_index...);
        f("label_smoothing", sets.label_smoothing...);
        f("class_weights", sets.class_weights...);
    }
};

/// Losses of the rows that count.
struct CrossEntropyLoss {
    double sum = 0;
    double count = 0;   ///< rows, each as often as it counts
    Index rows = 0;     ///< rows that count at all
    Index correct = 0;  ///< of those: whose first largest logit is the target's

    double mean() const noexcept { return sum / count; }
    double accuracy() const noexcept { return static_cast<double>(correct) / static_cast<double>(rows); }

    /// That of two parts of a batch.
    CrossEntropyLoss& operator+=(const CrossEntropyLoss& other) noexcept {
        sum += other.sum;
        count += other.count;
        rows += other.rows;
        correct += other.correct;
        return *this;
    }
};

namespace detail {

template <Real Scalar>
TOEPLITZ_INLINE Scalar largest(const Scalar* z, Index count) {
    typename Simd<Scalar>::Pack packs = Simd<Scalar>::broadcast(z[0]);
    Scalar rest = z[0];
    sweep<Scalar>(count, [&](auto at, Index j) TOEPLITZ_LAMBDA {
        const auto v = at.load(z + j);
        if constexpr (std::is_same_v<std::remove_cv_t<decltype(v)>, Scalar>) {
            rest = v > rest ? v : rest;
        } else {
            packs = v > packs ? v : packs;
        }
    });
    for (Index lane = 0; lane < Simd<Scalar>::lanes; ++lane) rest = packs[lane] > rest ? packs[lane] : rest;
    return rest;
}

/// The loss of one row; unless `gradient` is null, its gradient as well, which may be written over z.
template <Real Scalar>
RowLoss cross_entropy_row(const Scalar* z, Index classes, Index target, double smoothing, Scalar* gradient) {
    const Scalar top = largest(z, classes);
    const Scalar score = z[target];
    RowLoss row;
    row.correct = score == top && std::find(z, z + target, top) == z + target ? 1 : 0;

    // In blocks at a fixed alignment: what the exponential rounds to must not depend on the row's address.
    constexpr Index block = 256;
    alignas(buffer_alignment) Scalar e[block];
    double sum = 0;
    double shifted_sum = 0;
    for (Index first = 0; first < classes; first += block) {
        const Index count = (std::min)(block, classes - first);
        sweep<Scalar>(
            count, [&](auto at, Index j) TOEPLITZ_LAMBDA { at.store(e + j, at.load(z + first + j) - top); });
        const auto values = [&](auto at, Index j) TOEPLITZ_LAMBDA { return at.load(e + j); };
        if (smoothing != 0) shifted_sum += static_cast<double>(sweep_sum<Scalar>(count, values));
        using Block = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
        Eigen::Map<Block, Eigen::AlignedMax> exponentials(e, count);
        exponentials = exponentials.exp();
        sum += static_cast<double>(sweep_sum<Scalar>(count, values));
        if (gradient != nullptr) std::copy_n(e, count, gradient + first);
    }

    const double uniform = smoothing / static_cast<double>(classes);
    row.loss = std::log(sum) - (1 - smoothing) * (static_cast<double>(score) - static_cast<double>(top));
    if (smoothing != 0) row.loss -= uniform * shifted_sum;
    if (gradient != nullptr) {
        const Scalar factor = static_cast<Scalar>(1 / sum);
        const Scalar offset = static_cast<Scalar>(uniform);
        sweep<Scalar>(classes, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            at.store(gradient + j, at.load(gradient + j) * factor - offset);
        });
        gradient[target] -= static_cast<Scalar>(1 - smoothing);
    }
    return row;
}

/// How often a row counts.
inline double row_weight(const double* row_weights, Index row, Token target,
                         const CrossEntropyOptions& options) {
    if (target == options.ignore_index) return 0;
    const double weight = row_weights == nullptr ? 1 : row_weights[row];
    return options.class_weights.size() == 0 || weight == 0 ? weight : weight * options.class_weights(target);
}

inline void check_class_weights(const CrossEntropyOptions& options, Index classes) {
    const Vector<double>& weights = options.class_weights;
    if (weights.size() != 0 && weights.size() != classes) {
        raise<config_error>(757, "cross_entropy", text(classes, " class weights, one per class"),
                            std::to_string(weights.size()));
    }
    for (Index c = 0; c < weights.size(); ++c) {
        if (is_finite(weights(c)) && weights(c) >= 0) continue;
        raise<config_error>(757, "cross_entropy", text("the weight of class ", c, " finite and >= 0"),
                            text(weights(c)));
    }
}

/// Throws unless the arguments fit.
template <Real Scalar>
void check_cross_entropy(MatrixView<const Scalar> logits, std::span<const Token> targets,
                         const CrossEntropyOptions& options) {
    const char* const where = "cross_entropy";
    const double smoothing = options.label_smoothing;
    if (!(is_finite(smoothing) && smoothing >= 0 && smoothing <= 1)) {
        raise<config_error>(753, where, "label_smoothing in [0, 1]", std::to_string(smoothing));
    }
    const Index rows = static_cast<Index>(targets.size());
    if (logits.rows() != rows || logits.cols() < 1) {
        raise<shape_error>(750, where, text("logits of ", rows, " rows, as targets, and at least one class"),
                           shape_text(logits.rows(), logits.cols()));
    }
    require_rows<Scalar>(logits, rows, logits.cols(), 750, where, "logits");
    check_class_weights(options, logits.cols());
}

/// Throws unless the targets of rows that may count are classes.
inline void check_targets(std::span<const Token> targets, Index classes, const double* row_weights,
                          const CrossEntropyOptions& options) {
    for (Index i = 0; i < static_cast<Index>(targets.size()); ++i) {
        const Token target = targets[static_cast<std::size_t>(i)];
        if (target == options.ignore_index || (row_weights != nullptr && row_weights[i] == 0)) continue;
        if (target < 0 || target >= classes) {
            raise<value_error>(752, "cross_entropy",
                               text("the target of row ", i, " in 0..", classes - 1, " or ",
                                    options.ignore_index, " (ignored)"),
                               std::to_string(target));
        }
    }
}

template <Real Scalar>
CrossEntropyLoss cross_entropy(MatrixView<const Scalar> logits, std::span<const Token> targets,
                               MatrixView<Scalar> dlogits, Workspace& ws, const CrossEntropyOptions& options,
                               const RowWeights& weights) {
    check_cross_entropy(logits, targets, options);
    const Index classes = logits.cols();
    Workspace::Scope scope(ws);
    const double* const row_weights = weights.expand(logits.rows(), scope, "cross_entropy");
    check_targets(targets, classes, row_weights, options);
    const RowLoss total = sum_rows(logits.rows(), 2 * classes, ws, [&](Index i) {
        Scalar* const gradient = dlogits.data() == nullptr ? nullptr : dlogits.row(i);
        const Token target = targets[static_cast<std::size_t>(i)];
        const double weight = row_weight(row_weights, i, target, options);
        if (weight == 0) {
            if (gradient != nullptr) std::fill_n(gradient, classes, Scalar(0));
            return RowLoss{};
        }
        RowLoss loss = cross_entropy_row(logits.row(i), classes, target, options.label_smoothing, gradient);
        loss.loss *= weight;
        loss.count = weight;
        loss.rows = 1;
        if (gradient != nullptr && weight != 1) {
            const Scalar factor = static_cast<Scalar>(weight);
            for (Index j = 0; j < classes; ++j) gradient[j] *= factor;
        }
        return loss;
    });
    return {total.loss, total.count, total.rows, total.correct};
}

}  // namespace detail

/// Σᵢ wᵢ (−Σⱼ qᵢⱼ log softmax(zᵢ)ⱼ) over the rows i that count, and dlogits = w (softmax(z) − q), the
/// gradient of this sum; zero in other rows. q is explained at CrossEntropyOptions; w is the weight of the
/// row times that of its target's class, both 1 unless they are given. `weights` may be the lengths of the
/// sequences. logits, dlogits: rows × V, rows of neighbours; dlogits may be logits. A NaN in a row makes the
/// sum NaN.
/// \throws shape_error 750 (logits), 751 (dlogits), value_error 752 (a target that counts),
///         config_error 753, 757 (class weights), and what RowWeights::expand throws
/// Cost O(rows · V) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Logits, Viewable Gradient>
CrossEntropyLoss cross_entropy(const Logits& logits, std::span<const Token> targets, Gradient&& dlogits,
                               Workspace& ws, const CrossEntropyOptions& options = {},
                               const RowWeights& weights = {}) {
    using Scalar = typename Logits::Scalar;
    const MatrixView<Scalar> gradient(dlogits);
    detail::require_rows<Scalar>(gradient, logits.rows(), logits.cols(), 751, "cross_entropy", "dlogits");
    return detail::cross_entropy<Scalar>(logits, targets, gradient, ws, options, weights);
}

/// The same without gradients, for evaluation.
/// \throws shape_error 750, value_error 752, config_error 753, 757, and what RowWeights::expand throws
template <Viewable Logits>
CrossEntropyLoss cross_entropy(const Logits& logits, std::span<const Token> targets, Workspace& ws,
                               const CrossEntropyOptions& options = {}, const RowWeights& weights = {}) {
    return detail::cross_entropy<typename Logits::Scalar>(logits, targets, {}, ws, options, weights);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
