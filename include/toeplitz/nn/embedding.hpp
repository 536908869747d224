// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The embedding: one learned row per token.

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/encoded_matrix.hpp>
#include <toeplitz/dense/packed.hpp>
#include <toeplitz/nn/convert_weights.hpp>
#include <toeplitz/nn/prepare.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct EmbeddingOptions {
    Index vocabulary = 0;  ///< ≥ 1
    Index width = 0;       ///< d ≥ 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("vocabulary", sets.vocabulary...);
        f("width", sets.width...);
    }
};

/// Official name: weight, vocabulary × d.
template <Real Scalar>
struct EmbeddingParameters {
    Matrix<Scalar> weight;
    EncodedMatrix<Scalar> encoded{};  ///< in place of weight, for inference: see convert_weights

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "weight", sets.weight...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets...);
    }
};

namespace detail {

/// Throws shape_error 405 unless the weight is vocabulary × width, config_error 743 where it is trained and
/// in fewer bits.
template <class Part>
void require_table(const Part& part, Index vocabulary, Index width, const char* where, const char* name,
                   Use use) {
    const auto [rows, cols] = weight_shape(part, where, use);
    if (rows == vocabulary && cols == width) return;
    raise<shape_error>(405, where, text(name, " of shape ", shape_text(vocabulary, width)),
                       shape_text(rows, cols));
}

}  // namespace detail

/// y_i = weight[token_i].
template <Real ScalarType>
class Embedding {
public:
    using Scalar = ScalarType;
    using Options = EmbeddingOptions;
    using Parameters = EmbeddingParameters<Scalar>;
    using Inputs = std::span<const Token>;
    static constexpr const char* architecture = "embedding";

    /// Time steps of some inputs.
    static Index rows(Inputs tokens) noexcept { return static_cast<Index>(tokens.size()); }

    /// \throws config_error 201 or 202
    explicit Embedding(const Options& options) : options_(options) {
        detail::require_positive(options.vocabulary, "Embedding", "vocabulary");
        detail::require_positive(options.width, "Embedding", "width");
        detail::checked_product(options.vocabulary, options.width, "Embedding");
    }

    const Options& options() const noexcept { return options_; }

    /// Normal with variance 1/d, drawn from `seed`.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        std::uint64_t drawn = 0;
        const double deviation = 1 / std::sqrt(static_cast<double>(options_.width));
        return {Matrix<Scalar>::NullaryExpr(options_.vocabulary, options_.width, [&] {
            return static_cast<Scalar>(deviation * random.normal(drawn++));
        })};
    }

    /// Bytes that evaluate and backward take from their workspace.
    std::size_t required_workspace(Index /*batch*/, Index /*length*/) const noexcept { return 0; }

    /// y: one row per token.
    /// \throws shape_error 405 (parameters), 704 (y); value_error 711 (a token outside 0..vocabulary−1)
    /// Cost O(size of y) | heap: none | thread-safe: yes
    void evaluate(const Parameters& parameters, Inputs tokens, MatrixView<Scalar> y,
                  Workspace& /*ws*/) const {
        require_table(parameters, "Embedding::evaluate");
        look_up(tokens, y, [&](Token token, Scalar* to) {
            std::copy_n(&parameters.weight(token, 0), options_.width, to);
        });
    }
    /// The same of the table of a tied head, vocabulary × d.
    /// Cost reads a cache line per number | heap: none | thread-safe: yes
    void evaluate(const PackedLinear<Scalar>& table, Inputs tokens, MatrixView<Scalar> y,
                  Workspace& /*ws*/) const {
        look_up(tokens, y, [&](Token token, Scalar* to) { table.copy_row(token, to); });
    }

    /// gradients.weight[token_i] += g_i. Tokens have no gradient: dx is for symmetry with Linear, and empty.
    /// \throws shape_error 405 (gradients), 704 (g); value_error 711
    /// Cost O(size of g) | heap: none | thread-safe: yes, with distinct gradients
    void backward(const Parameters& /*parameters*/, Inputs tokens, MatrixView<const Scalar> g,
                  MatrixView<Scalar> /*dx*/, Parameters& gradients, Workspace& /*ws*/) const {
        require_table(gradients, "Embedding::backward");
        check(tokens, g, "Embedding::backward");
        for (Index i = 0; i < g.rows(); ++i) {
            const Token token = tokens[static_cast<std::size_t>(i)];
            detail::as_array(&gradients.weight(token, 0), options_.width) +=
                Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>>(g.row(i), options_.width);
        }
    }

    /// The table for inference.
    class Prepared {
    public:
        /// y: one row per token. \throws shape_error 704 (y); value_error 711
        /// heap: none | thread-safe: yes
        void evaluate(Inputs tokens, MatrixView<Scalar> y, Workspace& /*ws*/) const {
            embedding_.look_up(tokens, y, [&](Token token, Scalar* to) { table_.copy_row(token, to); });
        }
        /// Bytes that evaluate takes from its workspace.
        std::size_t required_workspace(Index /*batch*/ = 1) const noexcept { return 0; }
        std::size_t row_workspace(Index /*rows*/) const noexcept { return 0; }
        /// Bytes held.
        std::size_t state_bytes() const noexcept { return table_.state_bytes(); }

    private:
        friend Embedding;
        Prepared(const Embedding& embedding, const Parameters& parameters, WeightFormat weights)
            : embedding_(embedding), table_(detail::encoded_weight(parameters, weights)) {}
        Embedding embedding_;
        EncodedMatrix<Scalar> table_;
    };

    /// For inference; the parameters are copied. \throws shape_error 405
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const {
        require_table(parameters, "Embedding::prepare", detail::Use::inference);
        return Prepared(*this, parameters, options.weights);
    }
    Prepared prepare(const Parameters& parameters, Index length = 1) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    template <class CopyRow>
    void look_up(Inputs tokens, MatrixView<Scalar> y, CopyRow&& copy_row) const {
        check(tokens, y, "Embedding::evaluate");
        for (Index i = 0; i < y.rows(); ++i) copy_row(tokens[static_cast<std::size_t>(i)], y.row(i));
    }

    void require_table(const Parameters& set, const char* where,
                       detail::Use use = detail::Use::training) const {
        detail::require_table(set, options_.vocabulary, options_.width, where, "weight", use);
    }
    void check(Inputs tokens, MatrixView<const Scalar> rows, const char* where) const {
        detail::require_rows<Scalar>(rows, static_cast<Index>(tokens.size()), options_.width, 704, where,
                                     "y or g");
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (tokens[i] < 0 || tokens[i] >= options_.vocabulary) {
                detail::raise<value_error>(711, where, detail::text("tokens in 0..", options_.vocabulary - 1),
                                           detail::text(tokens[i], " at position ", i));
            }
        }
    }

    Options options_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
