// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The inverse time warp: a table over x = ±λ^|t| that is interpolated linearly.

#include <algorithm>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/kernels/decay.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct TimeWarpOptions {
    Index channels = 0;    ///< d ≥ 1
    Index knots = 64;      ///< R ≥ 1 per side
    DecayOptions decay{};  ///< one λ for all channels; learned: one γ

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("knots", sets.knots...);
        f("decay", sets.decay...);
    }
};

/// Official names: alphas, betas (bidirectional only), gamma (learned λ only).
template <Real Scalar>
struct TimeWarpParameters {
    Matrix<Scalar> alphas;  ///< d × R: values at x = 1/R, 2/R … 1
    Matrix<Scalar> betas;   ///< d × R: values at x = −1, −(R−1)/R … −1/R; empty in causal kernels
    DecayParameters<Scalar> decay;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("alphas"), sets.alphas...);
        detail::visit_present(f, "betas", sets.betas...);
        DecayParameters<Scalar>::for_each(f, sets.decay...);
    }
};

template <Real Scalar>
struct TimeWarpCache {
    Vector<Scalar> lags;
};

/// k(t) = v(x(t)) with x(t) = sgn₀(t) λ^|t|, sgn₀(0) = 1, and v piecewise linear on the knots q/R, v(0) = 0.
///
/// Beyond |t| = ln R / −ln λ the kernel is exactly exponential. Knots with |x| < λ^{n−1} − 1/R are never read
/// at length n: choose λ^{n−1} ≲ 1/R. Causal kernels are 0 at negative lags. Values at any real lags, one row
/// each. Members may run at the same time with distinct workspaces, caches and gradients; results are
/// the same bits for any number of threads.
template <Real ScalarType, Causality kind = Causality::bidirectional>
class TimeWarp {
public:
    using Scalar = ScalarType;
    using Options = TimeWarpOptions;
    using Parameters = TimeWarpParameters<Scalar>;
    using Cache = TimeWarpCache<Scalar>;

    /// \throws config_error 201 (channels or knots < 1), 202, 410 (λ outside (0, 1]) or 411
    explicit TimeWarp(const Options& options)
        : channels_(options.channels), knots_(options.knots), decay_(options.decay, 1) {
        detail::require_positive(channels_, "TimeWarp", "channels");
        detail::require_positive(knots_, "TimeWarp", "knots");
        detail::checked_product(detail::checked_product(4, channels_, "TimeWarp"), knots_, "TimeWarp");
    }

    /// Table values and γ standard normal, drawn from `seed`.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        std::uint64_t drawn = 0;
        const auto draw = [&] { return static_cast<Scalar>(random.normal(drawn++)); };
        Parameters parameters;
        parameters.alphas = Matrix<Scalar>::NullaryExpr(channels_, knots_, draw);
        if (sides() == 2) parameters.betas = Matrix<Scalar>::NullaryExpr(channels_, knots_, draw);
        parameters.decay = decay_.make_parameters(seed + 1);
        return parameters;
    }

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return channels_; }
    Index knots() const noexcept { return knots_; }
    double lambda(const Parameters& parameters) const noexcept { return decay_.lambda(parameters.decay, 0); }

    /// Bytes that evaluate takes from its workspace for a length, and at most for as many lags.
    std::size_t required_workspace(Index length) const {
        return Workspace::bytes_for<Scalar>(sides() * (knots_ + 1) * channels_) +
               Workspace::bytes_for<double>(1) + Workspace::bytes_for<Scalar>(sides() * length);
    }

    /// Bytes that backward takes from its workspace.
    std::size_t backward_workspace(Index /*rows*/) const {
        return 2 * Workspace::bytes_for<Scalar>(sides() * (knots_ + 1) * channels_) +
               Workspace::bytes_for<double>(1) + Workspace::bytes_for<double>(channels_);
    }

    /// values = k at all lags of a length, in the rows that operators expect; keeps in `cache`, unless it is
    /// null, what backward needs.
    /// \throws config_error 201 (length < 1), shape_error 403, 405 (parameters)
    /// Cost O(n d) | heap: none, but for a cache that grows | thread-safe: yes | threads split the lags
    void evaluate(const Parameters& parameters, Index length, MatrixView<Scalar> values, Workspace& ws,
                  Cache* cache = nullptr) const {
        const char* where = "TimeWarp::evaluate";
        detail::require_positive(length, where, "length");
        const Index rows = lag_count(length, kind);
        ws.reserve(required_workspace(length));
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> lags(scope.take<Scalar>(rows), rows, 1);
        detail::fill_lags(length, kind, lags.data());
        run(parameters, scope, lags, values, cache, where);
    }

    /// The same at real lags, m × 1.
    /// \throws shape_error 402, 403, 405 (parameters)
    void evaluate(const Parameters& parameters, MatrixView<const Scalar> lags, MatrixView<Scalar> values,
                  Workspace& ws, Cache* cache = nullptr) const {
        const char* where = "TimeWarp::evaluate";
        detail::require_shape<Scalar>(lags, lags.rows(), 1, 402, where, "lags");
        ws.reserve(required_workspace(lags.rows()));
        Workspace::Scope scope(ws);
        run(parameters, scope, lags, values, cache, where);
    }

    /// gradients += ∂⟨g, values⟩/∂parameters. g: m × d.
    /// \throws shape_error 404 (g), 405 (parameters, gradients)
    /// Cost O(m d) | heap: none | thread-safe: yes | threads split the channels
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Scalar> g,
                  Parameters& gradients, Workspace& ws) const {
        const char* where = "TimeWarp::backward";
        const Index rows = cache.lags.size();
        detail::require_shape<Scalar>(g, rows, channels_, 404, where, "g");
        require_set(parameters, "parameters", where);
        require_set(gradients, "gradients", where);
        ws.reserve(backward_workspace(rows));
        Workspace::Scope scope(ws);
        const Table table = fill_table(scope, parameters);
        const detail::DecayPowers<Scalar> powers(scope, decay_, parameters.decay, -1);
        const Index size = sides() * (knots_ + 1) * channels_;
        Scalar* dtable = scope.take<Scalar>(size);
        std::fill_n(dtable, size, Scalar(0));
        double* sums = scope.take<double>(channels_);  // Σ |t| λ^|t| g ∂k/∂|x|
        std::fill_n(sums, channels_, 0.0);
        const int threads = detail::thread_count(channels_ / 16, rows * channels_);
        detail::parallel_chunks(channels_, threads, [&](Index begin, Index end, int /*thread*/) {
            for (Index i = 0; i < rows; ++i) {
                const double lag = static_cast<double>(cache.lags(i));
                const Cell cell = locate(lag, powers);
                if (cell.side < 0) continue;
                const Index at = (cell.side * (knots_ + 1) + cell.knot) * channels_;
                const Scalar* low = table + at;
                const Scalar* high = low + channels_;
                Scalar* dlow = dtable + at;
                Scalar* dhigh = dlow + channels_;
                const Scalar f = static_cast<Scalar>(cell.fraction);
                for (Index c = begin; c < end; ++c) {
                    dlow[c] += (1 - f) * g(i, c);
                    dhigh[c] += f * g(i, c);
                }
                if (!decay_.is_learned()) continue;
                const double weight = std::abs(lag) * cell.magnitude * static_cast<double>(knots_);
                for (Index c = begin; c < end; ++c) {
                    sums[c] += weight * static_cast<double>(g(i, c) * (high[c] - low[c]));
                }
            }
        });
        for (Index side = 0; side < sides(); ++side) {
            Matrix<Scalar>& to = side == 0 ? gradients.alphas : gradients.betas;
            for (Index q = 1; q <= knots_; ++q) {
                to.col(column(side, q)) += Eigen::Map<const Vector<Scalar>>(
                    dtable + (side * (knots_ + 1) + q) * channels_, channels_);
            }
        }
        if (!decay_.is_learned()) return;
        double sum = 0;
        for (Index c = 0; c < channels_; ++c) sum += sums[c];
        decay_.accumulate_gradient(parameters.decay, 0, sum, gradients.decay);
    }

private:
    /// Knots 0..R of the positive side, then of the negative one, by magnitude: each a row of channels.
    using Table = const Scalar*;

    /// Where a lag falls: between knots q and q+1 of a side; side −1 where the kernel is zero.
    struct Cell {
        Index side;
        Index knot;
        double fraction;
        double magnitude;  ///< λ^|t|
    };

    Index sides() const noexcept { return kind == Causality::causal ? 1 : 2; }
    /// Column of alphas or betas that holds the knot of magnitude q/R.
    Index column(Index side, Index q) const noexcept { return side == 0 ? q - 1 : knots_ - q; }

    Table fill_table(Workspace::Scope& scope, const Parameters& parameters) const {
        Scalar* table = scope.take<Scalar>(sides() * (knots_ + 1) * channels_);
        for (Index side = 0; side < sides(); ++side) {
            Scalar* rows = table + side * (knots_ + 1) * channels_;
            const Matrix<Scalar>& from = side == 0 ? parameters.alphas : parameters.betas;
            std::fill_n(rows, channels_, Scalar(0));
            for (Index q = 1; q <= knots_; ++q) {
                Eigen::Map<Vector<Scalar>>(rows + q * channels_, channels_) = from.col(column(side, q));
            }
        }
        return table;
    }

    Cell locate(double lag, const detail::DecayPowers<Scalar>& powers) const noexcept {
        const Index side = lag < 0 ? 1 : 0;
        if (side >= sides()) return {-1, 0, 0, 0};
        const double magnitude = powers.shared(lag);
        const double u = magnitude * static_cast<double>(knots_);
        // The comparison also catches NaN, which then reaches the values through the fraction.
        const Index knot = u < static_cast<double>(knots_) ? static_cast<Index>(u) : knots_ - 1;
        return {side, knot, u - static_cast<double>(knot), magnitude};
    }

    void run(const Parameters& parameters, Workspace::Scope& scope, MatrixView<const Scalar> lags,
             MatrixView<Scalar> values, Cache* cache, const char* where) const {
        detail::require_rows<Scalar>(values, lags.rows(), channels_, 403, where, "values");
        require_set(parameters, "parameters", where);
        if (cache != nullptr) detail::assign_kept(cache->lags, lags.eigen());
        const Table table = fill_table(scope, parameters);
        const detail::DecayPowers<Scalar> powers(scope, decay_, parameters.decay, -1);
        const int threads = detail::thread_count(lags.rows(), lags.rows() * channels_ / 4);
        detail::parallel_chunks(lags.rows(), threads, [&](Index begin, Index end, int /*thread*/) {
            for (Index i = begin; i < end; ++i) {
                const Cell cell = locate(static_cast<double>(lags(i, 0)), powers);
                Scalar* row = values.row(i);
                if (cell.side < 0) {
                    std::fill_n(row, channels_, Scalar(0));
                    continue;
                }
                const Scalar* low = table + (cell.side * (knots_ + 1) + cell.knot) * channels_;
                const Scalar* high = low + channels_;
                const Scalar f = static_cast<Scalar>(cell.fraction);
                const Scalar e = static_cast<Scalar>(1 - cell.fraction);
                detail::sweep<Scalar>(channels_, [&](auto at, Index j) TOEPLITZ_LAMBDA {
                    at.store(row + j, at.load(low + j) * e + at.load(high + j) * f);
                });
            }
        });
    }

    /// Throws shape_error 405 unless the set has the shapes that the options ask for.
    void require_set(const Parameters& set, const char* what, const char* where) const {
        const auto check = [&](const Matrix<Scalar>& have, Index rows, const char* name) {
            if (have.rows() == rows && (have.cols() == knots_ || rows == 0)) return;
            detail::raise<shape_error>(
                405, where,
                detail::text(what, " with ", name, " of shape ", detail::shape_text(rows, knots_)),
                detail::shape_text(have.rows(), have.cols()));
        };
        check(set.alphas, channels_, "alphas");
        check(set.betas, sides() == 2 ? channels_ : 0, "betas");
        decay_.require_set(set.decay, what, where);
    }

    Index channels_;
    Index knots_;
    Decay<Scalar> decay_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
