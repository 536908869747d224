// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The affine layer y = W x + b, row by row.

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/packed.hpp>
#include <toeplitz/nn/convert_weights.hpp>
#include <toeplitz/nn/prepare.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Throws shape_error 405 unless the set has the shapes of an outputs × inputs map, config_error 743 where it
/// is trained and has its weight in fewer bits.
template <Real Scalar>
void require_linear(const LinearParameters<Scalar>& set, Index outputs, Index inputs, Bias bias,
                    const char* what, const char* where, Use use = Use::training) {
    const auto [rows, cols] = weight_shape(set, where, use);
    if (rows != outputs || cols != inputs) {
        raise<shape_error>(405, where, text(what, " with weight of shape ", shape_text(outputs, inputs)),
                           shape_text(rows, cols));
    }
    const Index size = bias == Bias::add ? outputs : 0;
    if (set.bias.size() != size) {
        raise<shape_error>(405, where, text(what, " with bias of size ", size),
                           std::to_string(set.bias.size()));
    }
}

/// Throws config_error 744 where numbers are not those that a precision is for.
template <Real Scalar>
void require_precision(Precision precision, const char* where) {
    if (precision == Precision::exact || std::is_same_v<Scalar, float>) return;
    raise<config_error>(744, where, "exact precision, or numbers that are float: sums of bf16 are in float",
                        "bf16 and double");
}

}  // namespace detail

struct LinearOptions {
    Index inputs = 0;   ///< ≥ 1
    Index outputs = 0;  ///< ≥ 1
    Bias bias = Bias::add;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("inputs", sets.inputs...);
        f("outputs", sets.outputs...);
        f("bias", sets.bias...);
    }
};

/// y = W x + b for every row x. The official Linear: weight (outputs × inputs), bias.
///
/// Rows must have neighbouring channels. Members may run at the same time with distinct gradients;
/// results are the same bits for any number of threads.
template <Real ScalarType>
class Linear {
public:
    using Scalar = ScalarType;
    using Options = LinearOptions;
    using Parameters = LinearParameters<Scalar>;
    using Inputs = MatrixView<const Scalar>;
    static constexpr const char* architecture = "linear";

    /// Time steps of some inputs.
    static Index rows(Inputs x) noexcept { return x.rows(); }

    /// \throws config_error 201 or 202
    explicit Linear(const Options& options) : options_(options) {
        detail::require_positive(options.inputs, "Linear", "inputs");
        detail::require_positive(options.outputs, "Linear", "outputs");
        detail::checked_product(options.inputs, options.outputs, "Linear");
    }

    const Options& options() const noexcept { return options_; }

    /// Drawn from `seed`: uniform in ±1/√inputs.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        std::uint64_t drawn = 0;
        return make_linear<Scalar>(options_.outputs, options_.inputs, options_.bias, CounterRandom(seed),
                                   drawn);
    }

    /// Bytes that evaluate and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const {
        return detail::linear_workspace<Scalar>(batch * length, options_.outputs, options_.inputs);
    }

    /// y = W x + b.
    /// \throws shape_error 405 (parameters), 703 (x), 704 (y)
    /// Cost O(rows inputs outputs) | heap: none with a reserved workspace | thread-safe: yes | threads split
    /// the rows
    void evaluate(const Parameters& parameters, MatrixView<const Scalar> x, MatrixView<Scalar> y,
                  Workspace& ws) const {
        check(parameters, x, y, "Linear::evaluate");
        detail::linear_forward<Scalar>(parameters, x, y, ws);
    }

    /// dx = Wᵀ g unless dx is empty, and gradients += ∂⟨g, y⟩/∂parameters.
    /// \throws shape_error 405 (parameters, gradients), 703 (x, dx), 704 (g)
    /// Cost twice evaluate | heap: none with a reserved workspace | thread-safe: yes | threads split rows and
    /// weights
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dx, Parameters& gradients, Workspace& ws) const {
        const char* where = "Linear::backward";
        check(parameters, x, g, where);
        detail::require_linear(gradients, options_.outputs, options_.inputs, options_.bias, "gradients",
                               where);
        detail::add_linear_gradients(x, g, gradients, ws);
        if (dx.data() == nullptr) return;
        detail::require_rows<Scalar>(dx, x.rows(), options_.inputs, 703, where, "dx");
        detail::linear_adjoint<Scalar>(parameters, g, Update::assign, dx, ws);
    }

    /// The map with packed weights.
    class Prepared {
    public:
        /// y = W x + b. \throws shape_error 703 (x), 704 (y)
        /// heap: none with a reserved workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& /*sequences*/ = {}) const {
            linear_.check(x, y, "Linear::Prepared::evaluate");
            map_.apply(x, y, ws);
        }
        /// Bytes that evaluate takes from its workspace for some rows.
        std::size_t row_workspace(Index rows) const noexcept { return map_.row_workspace(rows); }
        /// The same for B sequences of the length that was prepared for.
        std::size_t required_workspace(Index batch = 1) const noexcept {
            return row_workspace(batch * length_);
        }
        /// Bytes held.
        std::size_t state_bytes() const noexcept { return map_.state_bytes(); }

    private:
        friend Linear;
        Prepared(const Linear& linear, const Parameters& parameters, const PrepareOptions& options)
            : linear_(linear), map_(parameters, options.weights), length_(options.length) {}
        Linear linear_;
        PackedLinear<Scalar> map_;
        Index length_;
    };

    /// For inference; the parameters are copied. Rows of any number can be evaluated: the length is for
    /// required_workspace alone. \throws shape_error 405, config_error 440
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const {
        detail::require_linear(parameters, options_.outputs, options_.inputs, options_.bias, "parameters",
                               "Linear::prepare", detail::Use::inference);
        return Prepared(*this, parameters, options);
    }
    Prepared prepare(const Parameters& parameters, Index length = 1) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    void check(const Parameters& parameters, MatrixView<const Scalar> x, MatrixView<const Scalar> y,
               const char* where) const {
        detail::require_linear(parameters, options_.outputs, options_.inputs, options_.bias, "parameters",
                               where);
        check(x, y, where);
    }
    void check(MatrixView<const Scalar> x, MatrixView<const Scalar> y, const char* where) const {
        detail::require_rows<Scalar>(x, x.rows(), options_.inputs, 703, where, "x");
        detail::require_rows<Scalar>(y, x.rows(), options_.outputs, 704, where, "y or g");
    }

    Options options_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
