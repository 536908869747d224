// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What training makes small: cross entropy of logits and squared error, as sums over the batch, so that
/// parts of a batch add up.

#include <algorithm>
#include <cmath>
#include <span>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/sweep.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct CrossEntropyOptions {
    Token ignore_index = -100;   ///< rows with this target do not count
    double label_smoothing = 0;  ///< ε in [0, 1]: the target distribution is (1−ε) onehot + ε/V

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("ignore_index", sets.ignore_index...);
        f("label_smoothing", sets.label_smoothing...);
    }
};

/// Losses of the rows that count.
struct CrossEntropyLoss {
    double sum = 0;
    Index count = 0;
    Index correct = 0;  ///< rows whose first largest logit is the target's

    double mean() const noexcept { return sum / static_cast<double>(count); }
    double accuracy() const noexcept { return static_cast<double>(correct) / static_cast<double>(count); }
};

/// Squared errors of all elements.
struct SquaredError {
    double sum = 0;
    Index count = 0;

    double mean() const noexcept { return sum / static_cast<double>(count); }
};

namespace detail {

struct RowLoss {
    double loss = 0;
    Index correct = 0;
};

/// Calls row(i) for every row, split among threads; returns the sum in the order of the rows.
template <class Row>
RowLoss sum_rows(Index rows, Index work_per_row, Workspace& ws, Row&& row) {
    Workspace::Scope scope(ws);
    RowLoss* const losses = scope.take<RowLoss>(rows);
    parallel_chunks(rows, thread_count(rows, rows * work_per_row), [&](Index begin, Index end, int) {
        for (Index i = begin; i < end; ++i) losses[i] = row(i);
    });
    RowLoss total;
    for (Index i = 0; i < rows; ++i) {
        total.loss += losses[i].loss;
        total.correct += losses[i].correct;
    }
    return total;
}

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

/// Throws unless the arguments fit; returns how many rows count.
template <Real Scalar>
Index check_cross_entropy(MatrixView<const Scalar> logits, std::span<const Token> targets,
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
    Index kept = 0;
    for (Index i = 0; i < rows; ++i) {
        const Token target = targets[static_cast<std::size_t>(i)];
        if (target == options.ignore_index) continue;
        if (target < 0 || target >= logits.cols()) {
            raise<value_error>(752, where,
                               text("the target of row ", i, " in 0..", logits.cols() - 1, " or ",
                                    options.ignore_index, " (ignored)"),
                               std::to_string(target));
        }
        ++kept;
    }
    return kept;
}

template <Real Scalar>
CrossEntropyLoss cross_entropy(MatrixView<const Scalar> logits, std::span<const Token> targets,
                               MatrixView<Scalar> dlogits, Workspace& ws,
                               const CrossEntropyOptions& options) {
    CrossEntropyLoss result;
    result.count = check_cross_entropy(logits, targets, options);
    const Index classes = logits.cols();
    const auto row = [&](Index i) {
        Scalar* const gradient = dlogits.data() == nullptr ? nullptr : dlogits.row(i);
        const Token target = targets[static_cast<std::size_t>(i)];
        if (target != options.ignore_index) {
            return cross_entropy_row(logits.row(i), classes, target, options.label_smoothing, gradient);
        }
        if (gradient != nullptr) std::fill_n(gradient, classes, Scalar(0));
        return RowLoss{};
    };
    const RowLoss total = sum_rows(logits.rows(), 2 * classes, ws, row);
    result.sum = total.loss;
    result.correct = total.correct;
    return result;
}

}  // namespace detail

/// Σᵢ −Σⱼ qᵢⱼ log softmax(zᵢ)ⱼ over the rows i that count, and dlogits = softmax(z) − q, the gradient of this
/// sum; zero in ignored rows. q is explained at CrossEntropyOptions.
/// logits, dlogits: rows × V, rows of neighbours; dlogits may be logits. A NaN in a row makes the sum NaN.
/// \throws shape_error 750 (logits), 751 (dlogits), value_error 752 (a target), config_error 753
/// Cost O(rows · V) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Logits, Viewable Gradient>
CrossEntropyLoss cross_entropy(const Logits& logits, std::span<const Token> targets, Gradient&& dlogits,
                               Workspace& ws, const CrossEntropyOptions& options = {}) {
    using Scalar = typename Logits::Scalar;
    const MatrixView<Scalar> gradient(dlogits);
    detail::require_rows<Scalar>(gradient, logits.rows(), logits.cols(), 751, "cross_entropy", "dlogits");
    return detail::cross_entropy<Scalar>(logits, targets, gradient, ws, options);
}

/// The same without gradients, for evaluation.
/// \throws shape_error 750, value_error 752, config_error 753
template <Viewable Logits>
CrossEntropyLoss cross_entropy(const Logits& logits, std::span<const Token> targets, Workspace& ws,
                               const CrossEntropyOptions& options = {}) {
    return detail::cross_entropy<typename Logits::Scalar>(logits, targets, {}, ws, options);
}

namespace detail {

template <Real Scalar>
SquaredError squared_error(MatrixView<const Scalar> y, MatrixView<const Scalar> target, MatrixView<Scalar> dy,
                           Workspace& ws) {
    require_rows<Scalar>(y, y.rows(), y.cols(), 754, "squared_error", "y");
    require_rows<Scalar>(target, y.rows(), y.cols(), 754, "squared_error", "target");
    const auto row = [&](Index i) {
        using Row = Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
        const Row values(y.row(i), y.cols());
        const Row targets(target.row(i), y.cols());
        RowLoss loss;
        loss.loss = (values.template cast<double>() - targets.template cast<double>()).square().sum();
        if (dy.data() != nullptr) {
            Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(dy.row(i), y.cols()) =
                Scalar(2) * (values - targets);
        }
        return loss;
    };
    return {sum_rows(y.rows(), 1 + y.cols() / 2, ws, row).loss, y.size()};
}

}  // namespace detail

/// Σ (y − target)² over all elements, and dy = 2 (y − target), the gradient of this sum.
/// All rows × d, rows of neighbours; dy may be y.
/// \throws shape_error 754
/// Cost O(size) | heap: none once ws is large enough | thread-safe: yes, with distinct ws
template <Viewable Y, Viewable Target, Viewable Gradient>
SquaredError squared_error(const Y& y, const Target& target, Gradient&& dy, Workspace& ws) {
    using Scalar = typename Y::Scalar;
    const MatrixView<Scalar> gradient(dy);
    detail::require_rows<Scalar>(gradient, y.rows(), y.cols(), 754, "squared_error", "dy");
    return detail::squared_error<Scalar>(y, target, gradient, ws);
}

/// The same without gradients.
/// \throws shape_error 754
template <Viewable Y, Viewable Target>
SquaredError squared_error(const Y& y, const Target& target, Workspace& ws) {
    return detail::squared_error<typename Y::Scalar>(y, target, {}, ws);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
