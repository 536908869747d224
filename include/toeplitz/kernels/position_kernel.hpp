// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The kernel of Toeplitz neural networks: k(t) = act(λ^|t| · MLP(t)).

#include <toeplitz/core/checks.hpp>
#include <toeplitz/kernels/decay.hpp>
#include <toeplitz/kernels/position_mlp.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What the perceptron is fed at lag t: t, so that k(t) does not depend on the length; or t/(n−1), the
/// official par_type 2.
enum class Positions { lags, normalized };

struct PositionKernelOptions {
    PositionMlpOptions mlp{};
    DecayOptions decay{};
    Positions positions = Positions::lags;
    Activation activation = Activation::identity;  ///< of the decayed kernel

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("mlp", sets.mlp...);
        f("decay", sets.decay...);
        f("positions", sets.positions...);
        f("activation", sets.activation...);
    }
};

/// Official names: gamma (learned decay only), rpe.*.
template <Real Scalar>
struct PositionKernelParameters {
    DecayParameters<Scalar> decay;
    PositionMlpParameters<Scalar> rpe;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        DecayParameters<Scalar>::for_each(f, sets.decay...);
        PositionMlpParameters<Scalar>::for_each(detail::under("rpe", f), sets.rpe...);
    }
};

template <Real Scalar>
struct PositionKernelCache {
    PositionMlpCache<Scalar> mlp;
    Vector<Scalar> lags;
    Matrix<Scalar> undecayed;  ///< MLP(t), where the decay is learned
    Matrix<Scalar> decayed;    ///< λ^|t| MLP(t), where there is an activation
    Index reach = -1;          ///< largest |t| where the lags are those of a length
};

/// k_c(t) = act(λ_c^|t| · MLP_c(t)), the official Tno's kernel.
///
/// Values are lags × channels: row t + n − 1 holds lag t, or row t in causal kernels; or one row per lag at
/// any real lags. Members may run at the same time with distinct workspaces, caches and gradients;
/// results are the same bits for any number of threads.
template <Real ScalarType, Causality kind = Causality::bidirectional>
class PositionKernel {
public:
    using Scalar = ScalarType;
    using Options = PositionKernelOptions;
    using Parameters = PositionKernelParameters<Scalar>;
    using Cache = PositionKernelCache<Scalar>;

    /// \throws config_error 201, 202, 401, 410 or 411
    explicit PositionKernel(const Options& options)
        : positions_(options.positions),
          activation_(options.activation),
          mlp_(options.mlp),
          decay_(options.decay, options.mlp.channels) {}

    /// Drawn from `seed`: see PositionMlp and Decay.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        return {decay_.make_parameters(seed + 1), mlp_.make_parameters(seed)};
    }

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return mlp_.channels(); }
    const PositionMlp<Scalar>& mlp() const noexcept { return mlp_; }
    const Decay<Scalar>& decay() const noexcept { return decay_; }

    /// Bytes that evaluate takes from its workspace for a length. \throws config_error 202
    std::size_t required_workspace(Index length) const {
        detail::checked_product(length, 64 * static_cast<Index>(sizeof(double)), "PositionKernel");
        const Index rows = lag_count(length, kind);
        return 2 * Workspace::bytes_for<Scalar>(rows) +
               detail::DecayPowers<Scalar>::bytes(decay_, length - 1) + mlp_.required_workspace(rows);
    }

    /// Bytes that backward takes from its workspace for a length, or for `rows` lags.
    std::size_t backward_workspace(Index length) const {
        return backward_workspace(lag_count(length, kind), length - 1);
    }
    std::size_t backward_workspace(Index rows, Index reach) const {
        return Workspace::bytes_for<double>(PositionMlp<Scalar>::most_chunks * channels()) +
               detail::DecayPowers<Scalar>::bytes(decay_, reach) + mlp_.backward_workspace(rows);
    }

    /// values = k at all lags of a length; keeps in `cache`, unless it is null, what backward needs.
    /// \throws config_error 201 (length < 1), shape_error 403, 405 (parameters)
    /// Cost that of the perceptron at 2n−1 (or n) positions | heap: none, but for a cache that grows
    /// | thread-safe: yes
    void evaluate(const Parameters& parameters, Index length, MatrixView<Scalar> values, Workspace& ws,
                  Cache* cache = nullptr) const {
        const char* where = "PositionKernel::evaluate";
        detail::require_positive(length, where, "length");
        const Index rows = lag_count(length, kind);
        ws.reserve(required_workspace(length));
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> lags(scope.take<Scalar>(rows), rows, 1);
        detail::fill_lags(length, kind, lags.data());
        MatrixView<Scalar> positions = lags;
        if (positions_ == Positions::normalized && length > 1) {
            positions = {scope.take<Scalar>(rows), rows, 1};
            positions.eigen() = lags.eigen() / static_cast<Scalar>(length - 1);
        }
        run(parameters, scope, positions, lags, length - 1, values, cache, ws, where);
    }

    /// The same at real lags, m × 1.
    /// \throws shape_error 402, 403, 405 (parameters); config_error 420 where positions are normalized
    void evaluate(const Parameters& parameters, MatrixView<const Scalar> lags, MatrixView<Scalar> values,
                  Workspace& ws, Cache* cache = nullptr) const {
        const char* where = "PositionKernel::evaluate";
        detail::require_shape<Scalar>(lags, lags.rows(), 1, 402, where, "lags");
        if (positions_ == Positions::normalized) {
            detail::raise<config_error>(420, where, "positions that do not depend on the length",
                                        "Positions::normalized");
        }
        ws.reserve(detail::DecayPowers<Scalar>::bytes(decay_, -1) + mlp_.required_workspace(lags.rows()));
        Workspace::Scope scope(ws);
        run(parameters, scope, lags, lags, -1, values, cache, ws, where);
    }

    /// gradients += ∂⟨g, values⟩/∂parameters.
    /// \throws shape_error 404 (g), 405 (gradients)
    /// Cost about 2× forward | heap: none | thread-safe: yes
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Scalar> g,
                  Parameters& gradients, Workspace& ws) const {
        const Index rows = cache.lags.size();
        const Index d = channels();
        detail::require_shape<Scalar>(g, rows, d, 404, "PositionKernel::backward", "g");
        decay_.require_set(parameters.decay, "parameters", "PositionKernel::backward");
        decay_.require_set(gradients.decay, "gradients", "PositionKernel::backward");
        ws.reserve(backward_workspace(rows, cache.reach));
        Workspace::Scope scope(ws);
        const detail::DecayPowers<Scalar> powers(scope, decay_, parameters.decay, cache.reach);
        constexpr Index chunks = PositionMlp<Scalar>::most_chunks;
        double* sums = scope.take<double>(chunks * d);  // Σ |t| λ^|t| g MLP(t)
        std::fill_n(sums, chunks * d, 0.0);
        mlp_.backward_tiles(
            parameters.rpe, cache.mlp, gradients.rpe, ws, {},
            [&](Index chunk, Index first, Index count, Scalar* scratch) -> MatrixView<const Scalar> {
                const MatrixView<Scalar> tile(scratch, count, d);
                tile.eigen() = g.middle_rows(first, count).eigen();
                for (Index i = 0; i < count; ++i) {
                    if (activation_ != Activation::identity) {
                        detail::multiply_by_slope<Scalar>(activation_, &cache.decayed(first + i, 0),
                                                          tile.row(i), d);
                    }
                    const double lag = static_cast<double>(cache.lags(first + i));
                    powers.multiply_row(lag, tile.row(i), d);
                    if (!decay_.is_learned()) continue;
                    const Scalar weight = std::abs(cache.lags(first + i));
                    const Scalar* value = &cache.undecayed(first + i, 0);
                    for (Index j = 0; j < d; ++j) {
                        sums[chunk * d + j] += static_cast<double>(weight * tile(i, j) * value[j]);
                    }
                }
                return tile;
            });
        if (!decay_.is_learned()) return;
        for (Index c = 0; c < d; ++c) {
            double sum = 0;
            for (Index chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * d + c];
            decay_.accumulate_gradient(parameters.decay, c, sum, gradients.decay);
        }
    }

private:
    void run(const Parameters& parameters, Workspace::Scope& scope, MatrixView<const Scalar> positions,
             MatrixView<const Scalar> lags, Index reach, MatrixView<Scalar> values, Cache* cache,
             Workspace& ws, const char* where) const {
        detail::require_rows<Scalar>(values, positions.rows(), channels(), 403, where, "values");
        decay_.require_set(parameters.decay, "parameters", where);
        const detail::DecayPowers<Scalar> powers(scope, decay_, parameters.decay, reach);
        Matrix<Scalar>* undecayed = nullptr;
        if (cache != nullptr) {
            detail::assign_kept(cache->lags, lags.eigen());
            cache->reach = reach;
            if (decay_.is_learned()) {
                undecayed = &cache->undecayed;
                detail::resize_kept(*undecayed, positions.rows(), channels());
            }
            if (activation_ != Activation::identity) {
                detail::resize_kept(cache->decayed, positions.rows(), channels());
            }
        }
        mlp_.forward_tiles(parameters.rpe, positions, cache == nullptr ? nullptr : &cache->mlp, values, ws,
                           [&](Index first, MatrixView<Scalar> tile) {
                               if (undecayed != nullptr) {
                                   undecayed->middleRows(first, tile.rows()) = tile.eigen();
                               }
                               for (Index i = 0; i < tile.rows(); ++i) {
                                   powers.multiply_row(static_cast<double>(lags(first + i, 0)), tile.row(i),
                                                       channels());
                               }
                               if (activation_ == Activation::identity) return;
                               if (cache != nullptr) {
                                   cache->decayed.middleRows(first, tile.rows()) = tile.eigen();
                               }
                               activate(activation_, tile);
                           });
    }

    Positions positions_;
    Activation activation_;
    PositionMlp<Scalar> mlp_;
    Decay<Scalar> decay_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
