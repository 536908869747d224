// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What commands share that run a model of any type: its file, inputs, and what it makes of a text.

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <toeplitz/core/random.hpp>
#include <toeplitz/io/any_model.hpp>

#include "command.hpp"

namespace program {

using namespace toeplitz;

[[noreturn]] void fail(const std::string& message);

/// The bytes of a text; "-": of the standard input. Fails where there are none.
std::vector<Token> read_text(const std::string& path);

/// Fails unless the file says that it holds a model.
void require_model(const TensorFile& file);

/// f(model) with the model of a file, an AnyModel of the file's scalar.
template <class F>
Report with_model(const TensorFile& file, F&& f) {
    require_model(file);
    if (toeplitz::detail::ModelDescription(file).scalar == dtype_name(Dtype::f64)) {
        return f(AnyModel<double>::load(file));
    }
    return f(AnyModel<float>::load(file));
}

/// Inputs of some sequences of as many steps each: tokens, or features.
template <class Scalar>
struct Inputs {
    std::vector<Token> tokens{};
    Matrix<Scalar> features{};
    Index rows = 0;
    Index steps = 0;
};

/// The tensor tokens, or x, of a file: (steps) or (sequences, steps), and features behind them.
template <class Scalar>
Inputs<Scalar> read_inputs(const AnyModel<Scalar>& model, const std::string& path) {
    const TensorFile file = read_safetensors(path);
    const bool takes_tokens = model.vocabulary() > 0;
    const StoredTensor& x = file.at(takes_tokens ? "tokens" : "x");
    std::vector<Index> shape = x.shape;
    if (!takes_tokens) {
        if (shape.empty() || shape.back() != model.inputs()) {
            fail("'" + path + "': x of shape " + toeplitz::detail::shape_text(shape) +
                 ": the last number is " + std::to_string(model.inputs()) + ", the model's inputs");
        }
        shape.pop_back();
    }
    if (shape.empty() || shape.size() > 2 || x.size() == 0) {
        fail("'" + path + "': inputs of shape " + toeplitz::detail::shape_text(x.shape) +
             ": it is (steps) or (sequences, steps), and features behind them");
    }
    Inputs<Scalar> inputs;
    inputs.steps = shape.back();
    inputs.rows = shape.size() == 2 ? shape[0] * inputs.steps : inputs.steps;
    if (takes_tokens) {
        inputs.tokens.resize(static_cast<std::size_t>(inputs.rows));
        x.copy_to(std::span(inputs.tokens));
    } else {
        inputs.features.resize(inputs.rows, model.inputs());
        x.copy_to(std::span(inputs.features.data(), static_cast<std::size_t>(inputs.features.size())));
    }
    return inputs;
}

/// One sequence for a model of which no inputs are known.
template <class Scalar>
Inputs<Scalar> random_inputs(const AnyModel<Scalar>& model, Index steps) {
    Inputs<Scalar> inputs{.rows = steps, .steps = steps};
    const CounterRandom random(1);
    inputs.features.resize(steps, model.inputs());
    for (Index i = 0; i < inputs.features.size(); ++i) {
        inputs.features.data()[i] = static_cast<Scalar>(random.normal(static_cast<std::uint64_t>(i)));
    }
    for (Index i = 0; i < steps && model.vocabulary() > 0; ++i) {
        inputs.tokens.push_back(static_cast<Token>(random.bits(static_cast<std::uint64_t>(i)) %
                                                   static_cast<std::uint64_t>(model.vocabulary())));
    }
    return inputs;
}

/// The outputs of a model that was prepared for their steps, or for more.
template <class Scalar>
Matrix<Scalar> evaluate(const AnyModel<Scalar>& model, const typename AnyModel<Scalar>::Prepared& prepared,
                        const Inputs<Scalar>& inputs) {
    Matrix<Scalar> y(model.output_rows(inputs.rows, inputs.steps), model.outputs());
    Workspace ws;
    if (model.vocabulary() > 0) {
        prepared.evaluate(inputs.tokens, y, ws);
    } else {
        prepared.evaluate(inputs.features, y, ws);
    }
    return y;
}

/// Whether its outputs are scores of the byte that follows each of a text.
template <class Scalar>
bool predicts_bytes(const AnyModel<Scalar>& model) {
    return model.vocabulary() == 256 && model.outputs() == 256 && model.output_rows(2, 2) == 2;
}

/// Fails unless the model reads bytes.
template <class Scalar>
void require_bytes(const AnyModel<Scalar>& model) {
    if (model.vocabulary() == 0) fail("the model takes features: give --input, and no --text");
    if (model.vocabulary() != 256) {
        fail("the model has " + std::to_string(model.vocabulary()) +
             " tokens, which are not bytes of a text: give --input with a tensor 'tokens', and no --text");
    }
}

/// f(first, scores…) for each window of n bytes, with the scores of each model, in order: row i is what it
/// makes of the bytes up to first + i. The last window may be shorter.
template <class F, class... Models>
void for_each_window(std::span<const Token> text, Index n, F&& f, const Models&... models) {
    const auto prepared = std::tuple(models.prepare(n)...);
    const auto size = static_cast<Index>(text.size());
    Workspace ws;
    for (Index first = 0; first + 1 < size; first += n) {
        const Index rows = std::min(n, size - first);
        const std::vector<Index> lengths = {rows};
        std::vector<Token> window(static_cast<std::size_t>(n), 0);
        std::copy_n(text.begin() + first, rows, window.begin());
        const auto scores = [&]<class Model>(const Model& model, const auto& ready) {
            Matrix<typename Model::Scalar> y(n, model.outputs());
            ready.evaluate(window, y, ws, Lengths(lengths));
            return Matrix<typename Model::Scalar>(y.topRows(rows));
        };
        std::apply([&](const auto&... ready) { f(first, scores(models, ready)...); }, prepared);
    }
}

/// Bits that a model needs for each byte of a text but the first of a window.
class BitsPerByte {
public:
    explicit BitsPerByte(std::span<const Token> text) : text_(text) {}

    template <class Scalar>
    void add(Index first, const Matrix<Scalar>& scores) {
        for (Index i = 0; i + 1 < scores.rows(); ++i) {
            const Eigen::ArrayXd row = scores.row(i).transpose().template cast<double>();
            const double largest = row.maxCoeff();
            const Token next = text_[static_cast<std::size_t>(first + i + 1)];
            sum_ += (std::log((row - largest).exp().sum()) + largest - row(next)) / std::log(2.0);
            ++count_;
        }
    }
    double mean() const { return sum_ / static_cast<double>(count_); }

private:
    std::span<const Token> text_;
    double sum_ = 0;
    Index count_ = 0;
};

}  // namespace program
