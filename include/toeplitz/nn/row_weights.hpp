// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which rows of a batch a loss counts, and how much.

#include <concepts>
#include <span>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Which rows a loss counts: all alike, or those before their sequence's length, or each with a weight of its
/// own. Rows that do not count may hold anything, NaN included, and their gradients are zero. Owns neither
/// lengths nor weights.
class RowWeights {
public:
    RowWeights() = default;

    /// Valid time steps count; padding does not, and neither do rows that belong to no sequence.
    /// \param weights of all rows, in addition; none: 1 each
    RowWeights(const Sequences& sequences,  // NOLINT(google-explicit-constructor)
               std::span<const double> weights = {})
        : sequences_(sequences), weights_(weights), by_sequences_(true) {}

    /// The same for sequences one after another, of as many time steps as the rows make.
    template <std::convertible_to<Lengths> L>
    RowWeights(const L& lengths,  // NOLINT(google-explicit-constructor)
               std::span<const double> weights = {})
        : RowWeights(Sequences(lengths), weights) {}

    /// Row i counts weights[i] ≥ 0 times. A mask is a weight of 0 or 1.
    template <std::convertible_to<std::span<const double>> W>
    RowWeights(const W& weights)  // NOLINT(google-explicit-constructor)
        : weights_(weights) {}

    /// The weight of every row, in memory of the scope; null where all are 1.
    /// \throws shape_error 755 (not a weight per row), value_error 756 (a weight), and 201, 210, 211
    const double* expand(Index rows, Workspace::Scope& scope, const char* where) const {
        if (!weights_.empty()) require_weights(rows, where);
        if (!by_sequences_) return weights_.empty() ? nullptr : weights_.data();
        Sequences sequences = sequences_;
        const auto batch = static_cast<Index>(sequences.lengths().size());
        if (sequences.length() == 0 && batch > 0 && rows % batch == 0 && rows > 0) {
            sequences = Sequences(rows / batch, sequences.lengths());
        }
        sequences = sequences.within(rows, 0, where);
        double* const expanded = scope.take<double>(rows);
        std::fill_n(expanded, rows, 0.0);
        for (Index b = 0; b < sequences.batch(); ++b) {
            for (Index i = 0; i < sequences.valid(b); ++i) {
                const Index row = sequences.row(b, i);
                expanded[row] = weights_.empty() ? 1 : weights_[static_cast<std::size_t>(row)];
            }
        }
        return expanded;
    }

private:
    void require_weights(Index rows, const char* where) const {
        if (static_cast<Index>(weights_.size()) != rows) {
            detail::raise<shape_error>(755, where, detail::text(rows, " weights, one per row"),
                                       std::to_string(weights_.size()));
        }
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            if (detail::is_finite(weights_[i]) && weights_[i] >= 0) continue;
            detail::raise<value_error>(756, where, detail::text("the weight of row ", i, " finite and >= 0"),
                                       detail::text(weights_[i]));
        }
    }

    Sequences sequences_{};
    std::span<const double> weights_{};
    bool by_sequences_ = false;
};

namespace detail {

struct RowLoss {
    double loss = 0;
    double count = 0;
    Index rows = 0;
    Index correct = 0;
};

/// The sum of row(i) over all rows, split among threads, in the order of the rows.
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
        total.count += losses[i].count;
        total.rows += losses[i].rows;
        total.correct += losses[i].correct;
    }
    return total;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
