// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gated linear unit: out = final(W₃ (act(W₁ x) ⊙ W₂ x)).

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/activation.hpp>
#include <toeplitz/dense/kept_matrix.hpp>
#include <toeplitz/dense/row_tiles.hpp>
#include <toeplitz/nn/linear.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct GluOptions {
    Index width = 0;        ///< d ≥ 1: channels of x; a block fills it in
    Index inner_width = 0;  ///< h: features; 0 for d
    Activation activation = Activation::silu;
    Activation final_activation = Activation::identity;
    Bias bias = Bias::add;
    Precision precision = Precision::exact;  ///< of training; a model fills it in

    static constexpr const char* unvisited_options[] = {"precision"};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("width", sets.width...);
        f("inner_width", sets.inner_width...);
        f("activation", sets.activation...);
        f("final_activation", sets.final_activation...);
        f("bias", sets.bias...);
    }
};

/// Official names: l1.*, l2.*, l3.*.
template <Real Scalar>
struct GluParameters {
    LinearParameters<Scalar> l1;  ///< h × d
    LinearParameters<Scalar> l2;  ///< h × d
    LinearParameters<Scalar> l3;  ///< d × h

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        LinearParameters<Scalar>::for_each(detail::under("l1", f), sets.l1...);
        LinearParameters<Scalar>::for_each(detail::under("l2", f), sets.l2...);
        LinearParameters<Scalar>::for_each(detail::under("l3", f), sets.l3...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        LinearParameters<Scalar>::for_each_weight(detail::under("l1", f), sets.l1...);
        LinearParameters<Scalar>::for_each_weight(detail::under("l2", f), sets.l2...);
        LinearParameters<Scalar>::for_each_weight(detail::under("l3", f), sets.l3...);
    }
};

/// The channel-mixing half of a TNN layer; every row by itself.
///
/// Members may run at the same time with distinct caches, gradients and workspaces; results are the same bits
/// for any number of threads. Rows must have neighbouring channels.
template <Real ScalarType>
class Glu {
public:
    using Scalar = ScalarType;
    using Options = GluOptions;
    using Parameters = GluParameters<Scalar>;

    struct Cache {
        KeptMatrix<Scalar> gate;   ///< W₁ x + b
        KeptMatrix<Scalar> value;  ///< W₂ x + b
        KeptMatrix<Scalar> last;   ///< what the final activation is applied to, where there is one
        Index rows = 0;            ///< of the last forward call; 0 until it has come to its end
    };

    /// \throws config_error 201, 202 or 744 (precision)
    explicit Glu(const Options& options) : options_(options) {
        detail::require_positive(options_.width, "Glu", "width");
        if (options_.inner_width == 0) options_.inner_width = options_.width;
        detail::require_positive(options_.inner_width, "Glu", "inner_width");
        detail::checked_product(options_.inner_width, options_.width, "Glu");
        detail::require_precision<Scalar>(options_.precision, "Glu");
    }

    const Options& options() const noexcept { return options_; }
    Index width() const noexcept { return options_.width; }
    Index inner_width() const noexcept { return options_.inner_width; }

    /// Drawn from `seed`: maps uniform in ±1/√inputs.
    Parameters make_parameters(std::uint64_t seed = 0) const;

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const {
        const Index rows = batch * length;
        const std::size_t last = has_final() ? Workspace::bytes_for<Scalar>(rows * width()) : 0;
        const std::size_t product =
            (std::max)(detail::linear_workspace<Scalar>(rows, inner_width(), width(), options_.precision),
                       detail::linear_workspace<Scalar>(rows, width(), inner_width(), options_.precision));
        return last + 3 * Workspace::bytes_for<Scalar>(rows * inner_width()) + product;
    }

    /// y = Glu(x).
    /// \throws shape_error 405 (parameters), 703 (x), 704 (y)
    /// Cost 3 products of rows × d × h | heap: the cache, when it grows | thread-safe: yes
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& /*sequences*/,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const;

    /// dx = the gradient with respect to x, given g with respect to y; adds to gradients. x as in forward.
    /// \throws shape_error 705 (cache), 405 (parameters, gradients), 703 (x, dx), 704 (g)
    /// Cost twice forward | heap: none with a reserved workspace | thread-safe: yes
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const;

    /// The unit with packed weights.
    class Prepared {
    public:
        /// y = Glu(x). \throws shape_error 703 (x), 704 (y)
        /// heap: none with a reserved workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& /*sequences*/ = {}) const;
        /// Bytes that evaluate takes from its workspace for B sequences of the length that was prepared for.
        std::size_t required_workspace(Index batch = 1) const { return row_workspace(batch * length_); }
        /// The same for some rows.
        std::size_t row_workspace(Index rows) const {
            return 2 * Workspace::bytes_for<Scalar>(rows * glu_.inner_width()) +
                   (std::max)({maps_.l1.row_workspace(rows), maps_.l2.row_workspace(rows),
                               maps_.l3.row_workspace(rows)});
        }
        /// Bytes held.
        std::size_t state_bytes() const noexcept {
            return maps_.l1.state_bytes() + maps_.l2.state_bytes() + maps_.l3.state_bytes();
        }

    private:
        friend Glu;
        struct Maps {
            PackedLinear<Scalar> l1, l2, l3;
        };
        Prepared(const Glu& glu, const Parameters& parameters, const PrepareOptions& options)
            : glu_(glu),
              maps_{PackedLinear<Scalar>(parameters.l1, options.weights),
                    PackedLinear<Scalar>(parameters.l2, options.weights),
                    PackedLinear<Scalar>(parameters.l3, options.weights)},
              length_(options.length) {}
        Glu glu_;
        Maps maps_;
        Index length_;
    };

    /// For inference; the parameters are copied. Rows of any number can be evaluated: the length is for
    /// required_workspace alone. \throws shape_error 405, config_error 440
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const {
        require_set(parameters, "parameters", "Glu::prepare", detail::Use::inference);
        return Prepared(*this, parameters, options);
    }
    Prepared prepare(const Parameters& parameters, Index length = 1) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    bool has_final() const noexcept { return options_.final_activation != Activation::identity; }

    void require_set(const Parameters& set, const char* what, const char* where,
                     detail::Use use = detail::Use::training) const {
        detail::require_linear(set.l1, inner_width(), width(), options_.bias, what, where, use);
        detail::require_linear(set.l2, inner_width(), width(), options_.bias, what, where, use);
        detail::require_linear(set.l3, width(), inner_width(), options_.bias, what, where, use);
    }
    void check(MatrixView<const Scalar> x, MatrixView<const Scalar> y, const char* where) const {
        detail::require_rows<Scalar>(x, x.rows(), width(), 703, where, "x");
        detail::require_rows<Scalar>(y, x.rows(), width(), 704, where, "y or g");
    }

    /// y = Glu(x) of maps as they are or packed; what the maps make is kept in `cache` unless it is null.
    template <class Maps>
    void run(const Maps& maps, MatrixView<const Scalar> x, Cache* cache, MatrixView<Scalar> y,
             Workspace& ws) const {
        Workspace::Scope scope(ws);
        const Index rows = x.rows();
        const MatrixView<Scalar> hidden = scope.matrix<Scalar>(rows, inner_width());
        MatrixView<Scalar> gate = hidden;
        MatrixView<Scalar> value;
        MatrixView<Scalar> last = y;
        if (cache != nullptr) {
            if (has_final()) last = cache->last.resize(rows, width(), options_.precision, scope);
            value = cache->value.resize(rows, inner_width(), options_.precision, scope);
            gate = cache->gate.resize(rows, inner_width(), options_.precision, scope);
        } else {
            value = scope.matrix<Scalar>(rows, inner_width());
        }
        auto keep = [&](Index row, Index col, MatrixView<Scalar> part) {
            if (cache != nullptr) cache->gate.keep(row, col, part);
        };
        detail::linear_forward<Scalar>(maps.l1, x, gate, ws, keep);
        auto multiply = [&](Index row, Index col, MatrixView<Scalar> part) {
            if (cache != nullptr) cache->value.keep(row, col, part);
            for (Index i = 0; i < part.rows(); ++i, ++row) {
                detail::activate_times<Scalar>(options_.activation, &gate(row, col), part.row(i),
                                               &hidden(row, col), part.cols());
            }
        };
        detail::linear_forward<Scalar>(maps.l2, x, value, ws, multiply);
        auto finish = [&](Index row, Index col, MatrixView<Scalar> part) {
            if (!has_final()) return;
            if (cache != nullptr) cache->last.keep(row, col, part);
            for (Index i = 0; i < part.rows(); ++i, ++row) {
                detail::activate<Scalar>(options_.final_activation, part.row(i), &y(row, col), nullptr,
                                         part.cols());
            }
        };
        detail::linear_forward<Scalar>(maps.l3, hidden, last, ws, finish);
    }

    /// A map of its parameters as training computes it.
    detail::LinearMap<Scalar> trained(const LinearParameters<Scalar>& map) const noexcept {
        return {map, options_.precision};
    }

    Options options_;
};

template <Real ScalarType>
void Glu<ScalarType>::forward(const Parameters& parameters, MatrixView<const Scalar> x,
                              const Sequences& /*sequences*/, MatrixView<Scalar> y, Cache& cache,
                              Workspace& ws) const {
    require_set(parameters, "parameters", "Glu::forward");
    check(x, y, "Glu::forward");
    struct Maps {
        detail::LinearMap<Scalar> l1, l2, l3;
    };
    cache.rows = 0;
    run(Maps{trained(parameters.l1), trained(parameters.l2), trained(parameters.l3)}, x, &cache, y, ws);
    cache.rows = x.rows();
}

template <Real ScalarType>
void Glu<ScalarType>::backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                               MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                               Workspace& ws) const {
    const char* where = "Glu::backward";
    require_set(parameters, "parameters", where);
    require_set(gradients, "gradients", where);
    check(x, g, where);
    detail::require_rows<Scalar>(dx, x.rows(), width(), 703, where, "dx");
    const Index rows = x.rows();
    if (cache.rows != rows || cache.gate.cols() != inner_width()) {
        detail::raise<shape_error>(705, where, "the cache of a forward pass of x",
                                   detail::shape_text(cache.rows, cache.gate.cols()));
    }
    Workspace::Scope scope(ws);
    if (has_final()) {
        const MatrixView<Scalar> dlast = scope.matrix<Scalar>(rows, width());
        detail::for_row_tiles(rows, width(), [&](Index first, Index count) {
            dlast.middle_rows(first, count).eigen() = g.middle_rows(first, count).eigen();
            detail::read_blocks<1>({&cache.last}, first, 0, count * width(),
                                   [&](Index i, Index size, auto kept) {
                                       detail::multiply_by_slope<Scalar>(options_.final_activation, kept[0],
                                                                         dlast.row(first) + i, size);
                                   });
        });
        g = dlast;
    }
    const MatrixView<Scalar> hidden = scope.matrix<Scalar>(rows, inner_width());
    const MatrixView<Scalar> dgate = scope.matrix<Scalar>(rows, inner_width());
    const MatrixView<Scalar> dvalue = scope.matrix<Scalar>(rows, inner_width());
    auto ungate = [&](Index row, Index col, MatrixView<Scalar> part) {
        for (Index i = 0; i < part.rows(); ++i, ++row) {
            detail::read_blocks<2>(
                {&cache.gate, &cache.value}, row, col, part.cols(), [&](Index j, Index size, auto kept) {
                    Scalar* dhidden = part.row(i) + j;
                    detail::activate_times_backward<Scalar>(options_.activation, kept[0], kept[1], dhidden,
                                                            &hidden(row, col + j), &dgate(row, col + j),
                                                            dhidden, size);
                });
        }
    };
    detail::linear_adjoint<Scalar>(trained(parameters.l3), g, Update::assign, dvalue, ws, ungate);
    detail::add_linear_gradients<Scalar>(hidden, g, gradients.l3, ws, options_.precision);
    detail::add_linear_gradients<Scalar>(x, dgate, gradients.l1, ws, options_.precision);
    detail::add_linear_gradients<Scalar>(x, dvalue, gradients.l2, ws, options_.precision);
    detail::linear_adjoint<Scalar>(trained(parameters.l1), dgate, Update::assign, dx, ws);
    detail::linear_adjoint<Scalar>(trained(parameters.l2), dvalue, Update::add, dx, ws);
}

template <Real ScalarType>
typename Glu<ScalarType>::Parameters Glu<ScalarType>::make_parameters(std::uint64_t seed) const {
    const CounterRandom random(seed);
    std::uint64_t drawn = 0;
    Parameters parameters;
    parameters.l1 = make_linear<Scalar>(inner_width(), width(), options_.bias, random, drawn);
    parameters.l2 = make_linear<Scalar>(inner_width(), width(), options_.bias, random, drawn);
    parameters.l3 = make_linear<Scalar>(width(), inner_width(), options_.bias, random, drawn);
    return parameters;
}

template <Real ScalarType>
void Glu<ScalarType>::Prepared::evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                                         const Sequences& /*sequences*/) const {
    glu_.check(x, y, "Glu::Prepared::evaluate");
    glu_.run(maps_, x, nullptr, y, ws);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
