// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Logits of pairs of sequences, from the features of both.

#include <toeplitz/nn/linear.hpp>

namespace examples {

/// Logits W [a, b, a ⊙ b, |a − b|] + c, where a and b are rows 2i and 2i + 1 of the features.
class PairHead {
public:
    using Matrix = toeplitz::Matrix<float>;
    using Parameters = toeplitz::LinearParameters<float>;
    using Index = toeplitz::Index;

    PairHead(Index features, Index classes)
        : features_(features), map_({.inputs = 4 * features, .outputs = classes}) {}

    Parameters make_parameters(std::uint64_t seed) const { return map_.make_parameters(seed); }

    Matrix evaluate(const Parameters& parameters, const Matrix& features, toeplitz::Workspace& ws) const {
        Matrix logits(features.rows() / 2, map_.options().outputs);
        map_.evaluate(parameters, inputs(features), logits, ws);
        return logits;
    }

    /// The gradient with respect to the features, given that with respect to the logits.
    Matrix backward(const Parameters& parameters, const Matrix& features, const Matrix& g,
                    Parameters& gradients, toeplitz::Workspace& ws) const {
        Matrix dinputs(g.rows(), 4 * features_);
        map_.backward(parameters, inputs(features), g, dinputs, gradients, ws);
        Matrix dfeatures(features.rows(), features_);
        for (Index i = 0; i < g.rows(); ++i) {
            const auto a = features.row(2 * i).array();
            const auto b = features.row(2 * i + 1).array();
            const auto part = [&](Index k) {
                return dinputs.row(i).segment(k * features_, features_).array();
            };
            const auto away = ((a - b).sign() * part(3)).eval();
            dfeatures.row(2 * i) = (part(0) + b * part(2) + away).matrix();
            dfeatures.row(2 * i + 1) = (part(1) + a * part(2) - away).matrix();
        }
        return dfeatures;
    }

private:
    Matrix inputs(const Matrix& features) const {
        Matrix rows(features.rows() / 2, 4 * features_);
        for (Index i = 0; i < rows.rows(); ++i) {
            const auto a = features.row(2 * i);
            const auto b = features.row(2 * i + 1);
            rows.row(i) << a, b, a.cwiseProduct(b), (a - b).cwiseAbs();
        }
        return rows;
    }

    Index features_;
    toeplitz::Linear<float> map_;
};

}  // namespace examples
