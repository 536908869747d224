// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The smallest model that trains: softmax regression on made-up data, with a buffer beside its parameters.

#include <functional>
#include <vector>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/train/batches.hpp>
#include <toeplitz/train/part.hpp>

namespace toeplitz::test {

template <Real Scalar>
struct ModelParameters {
    LinearParameters<Scalar> linear;
    Vector<Scalar> seen;  ///< a buffer

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        auto inner = detail::under("linear", f);
        LinearParameters<Scalar>::for_each(inner, sets.linear...);
        f(ParameterName::buffer("seen"), sets.seen...);
    }

    bool operator==(const ModelParameters& other) const {
        return linear.weight == other.linear.weight && linear.bias == other.linear.bias && seen == other.seen;
    }
};

/// One type for all objectives of the tests: a trainer is compiled once per file.
template <Real Scalar>
using Objective =
    std::function<CrossEntropyLoss(const ModelParameters<Scalar>&, const Part&, ModelParameters<Scalar>&)>;

template <Real Scalar>
struct LinearModel {
    Matrix<Scalar> inputs;  ///< samples × features
    std::vector<Token> classes;
    Index outputs;
    Batches batches;
    CrossEntropyOptions options{};
    Scalar noise_size = 0;

    ModelParameters<Scalar> make_parameters(std::uint64_t seed) const;

    /// Noise from the part's seed makes the result depend on it, as dropout would.
    CrossEntropyLoss operator()(const ModelParameters<Scalar>& parameters, const Part& part,
                                ModelParameters<Scalar>& gradients) const;

    Objective<Scalar> objective() const { return std::cref(*this); }
};

/// `samples` random points, each of the class of its largest output of a hidden linear map.
template <Real Scalar>
LinearModel<Scalar> make_linear_model(Index samples, Index features, Index outputs, Index batch);

extern template struct LinearModel<float>;
extern template struct LinearModel<double>;
extern template LinearModel<float> make_linear_model(Index, Index, Index, Index);
extern template LinearModel<double> make_linear_model(Index, Index, Index, Index);

}  // namespace toeplitz::test
