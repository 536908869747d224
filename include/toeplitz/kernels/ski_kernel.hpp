// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sparse plus low-rank kernel: taps around the diagonal, and a kernel known at r inducing points.

#include <cmath>
#include <utility>

#include <toeplitz/kernels/inducing_points.hpp>
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/kernels/time_warp.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What stays at lengths other than the one of training: the spacing h of the inducing points, so that all
/// lengths see the same kernel, and a sequence what it sees with padding behind it; or their number r.
enum class Extrapolation { keep_spacing, keep_rank };

template <class SourceOptions = TimeWarpOptions>
struct SkiTnoOptions {
    Index channels = 0;      ///< d ≥ 1; a layer fills it in
    Index length = 0;        ///< n ≥ 1 of training: with the rank it sets the spacing h = (n−1)/(r−1)
    Index rank = 64;         ///< r ≥ 1 inducing points at that length
    Index taps = 33;         ///< m of the band, odd where bidirectional; 0 for no band
    SourceOptions kernel{};  ///< its channels are filled in
    DecayOptions decay{.mode = DecayMode::none};  ///< none or fixed: multiplies the kernel by λ^|t|
    Extrapolation extrapolation = Extrapolation::keep_spacing;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("length", sets.length...);
        f("rank", sets.rank...);
        f("taps", sets.taps...);
        f("kernel", sets.kernel...);
        f("decay", sets.decay...);
        f("extrapolation", sets.extrapolation...);
    }
};

/// Official names: conv_kernel (d × m), and those of the source: alphas, betas, gamma; or rpe.*.
///
/// conv_kernel's columns are lags 0..m−1 where causal, and (m−1)/2 down to −(m−1)/2 where bidirectional.
template <class Source>
struct SkiTnoParameters {
    Matrix<typename Source::Scalar> conv_kernel;
    typename Source::Parameters kernel;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "conv_kernel", sets.conv_kernel...);
        Source::Parameters::for_each(f, sets.kernel...);
    }
};

/// Taps, and a Source (TimeWarp or PositionKernel) at inducing lags.
///
/// Values at a length, bidirectional: the pair of taps, lag by lag, and of the source at the lags δ·h, as
/// Band + Ski takes them. Causal: all lags, interpolated linearly from those that are multiples of h, with
/// the taps added. Members may run at the same time with distinct workspaces, caches and gradients.
template <class Source>
class SkiKernel {
    static constexpr Causality kind = Source::causality();

public:
    using Scalar = typename Source::Scalar;
    using Options = SkiTnoOptions<typename Source::Options>;
    using Parameters = SkiTnoParameters<Source>;
    using Cache = typename Source::Cache;
    using View = MatrixView<Scalar>;

    /// \throws config_error 201, 202, 510 (taps < 0), 511 (even taps), 520 (rank < 1), 730 (learned decay),
    /// and those of the source
    explicit SkiKernel(const Options& options)
        : options_(checked(options)), source_(options_.kernel), decay_(options_.decay, 1) {}

    Index channels() const noexcept { return options_.channels; }
    const Source& source() const noexcept { return source_; }
    Index taps() const noexcept { return options_.taps; }

    /// The length whose spacing of `trained_rank()` points another length keeps.
    Index spacing_length(Index length) const noexcept {
        return options_.extrapolation == Extrapolation::keep_rank ? length : options_.length;
    }
    Index trained_rank() const noexcept { return options_.rank; }
    InducingPoints inducing_points(Index length) const {
        detail::checked_product(length, effective_rank(spacing_length(length), options_.rank), name);
        return {length, options_.rank, spacing_length(length)};
    }
    /// Inducing points r at a length.
    Index rank(Index length) const { return inducing_points(length).rank(); }

    /// Taps uniform in ±1/√m, as PyTorch's depthwise convolution; the source's own start.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed + 2);
        std::uint64_t drawn = 0;
        const double bound = 1 / std::sqrt(static_cast<double>(std::max<Index>(taps(), 1)));
        Parameters parameters;
        parameters.conv_kernel = Matrix<Scalar>::NullaryExpr(taps() == 0 ? 0 : channels(), taps(), [&] {
            return static_cast<Scalar>(random.uniform(drawn++, -bound, bound));
        });
        parameters.kernel = source_.make_parameters(seed);
        return parameters;
    }

    /// Bytes that evaluate and backward take from their workspaces for a length.
    std::size_t required_workspace(Index length) const {
        return scratch(length) + source_.required_workspace(source_rows(length));
    }
    std::size_t backward_workspace(Index length) const {
        return scratch(length) + source_.backward_workspace(source_rows(length));
    }

    /// The taps, m × d (one that is zero where there is none), and the source at 2r−1 lags.
    /// \throws shape_error 405 (parameters)
    /// Cost the source's at 2r−1 lags, and O(m d) | heap: none | thread-safe: yes
    void evaluate(const Parameters& parameters, Index length, const std::pair<View, View>& values,
                  Workspace& ws, Cache* cache = nullptr) const requires(kind == Causality::bidirectional) {
        require_taps(parameters, "parameters");
        Workspace::Scope scope(ws);
        evaluate_source(parameters, length, values.second, scope, ws, cache);
        if (taps() == 0) return values.first.eigen().setZero(), void();
        for (Index q = 0; q < taps(); ++q) {
            values.first.eigen().row(q) = parameters.conv_kernel.col(taps() - 1 - q).transpose();
        }
    }

    /// Overwrites dvalues. \throws shape_error 405 (gradients)
    void backward(const Parameters& parameters, const Cache& cache, const std::pair<View, View>& dvalues,
                  Parameters& gradients, Workspace& ws) const requires(kind == Causality::bidirectional) {
        require_taps(gradients, "gradients");
        for (Index q = 0; q < taps(); ++q) {
            gradients.conv_kernel.col(taps() - 1 - q) += dvalues.first.eigen().row(q).transpose();
        }
        backward_source(parameters, cache, dvalues.second, gradients, ws);
    }

    /// All lags 0..n−1, n × d.
    /// \throws shape_error 405 (parameters)
    /// Cost the source's at r lags, and O((n + m) d) | heap: none | thread-safe: yes
    void evaluate(const Parameters& parameters, Index length, View values, Workspace& ws,
                  Cache* cache = nullptr) const requires(kind == Causality::causal) {
        require_taps(parameters, "parameters");
        Workspace::Scope scope(ws);
        const InducingPoints points = inducing_points(length);
        const View inducing = scope.template matrix<Scalar>(points.rank(), channels());
        evaluate_source(parameters, length, inducing, scope, ws, cache);
        const detail::DecayPowers<Scalar> powers(scope, decay_, {}, -1);
        for (Index t = 0; t < length; ++t) {
            const InducingPoints::Weights weights = points.at(t);
            const Index above = (std::min)(weights.below + 1, points.rank() - 1);
            values.eigen().row(t) = static_cast<Scalar>(weights.lower) * inducing.eigen().row(weights.below) +
                                    static_cast<Scalar>(weights.upper) * inducing.eigen().row(above);
            powers.multiply_row(static_cast<double>(t), values.row(t), channels());
        }
        for (Index q = 0; q < (std::min)(taps(), length); ++q) {
            values.eigen().row(q) += parameters.conv_kernel.col(q).transpose();
        }
    }

    /// Overwrites dvalues. \throws shape_error 405 (gradients)
    void backward(const Parameters& parameters, const Cache& cache, View dvalues, Parameters& gradients,
                  Workspace& ws) const requires(kind == Causality::causal) {
        require_taps(gradients, "gradients");
        const Index length = dvalues.rows();
        for (Index q = 0; q < (std::min)(taps(), length); ++q) {
            gradients.conv_kernel.col(q) += dvalues.eigen().row(q).transpose();
        }
        Workspace::Scope scope(ws);
        const InducingPoints points = inducing_points(length);
        const View inducing = scope.template matrix<Scalar>(points.rank(), channels());
        inducing.eigen().setZero();
        const detail::DecayPowers<Scalar> powers(scope, decay_, {}, -1);
        for (Index t = 0; t < length; ++t) {
            powers.multiply_row(static_cast<double>(t), dvalues.row(t), channels());
            const InducingPoints::Weights weights = points.at(t);
            const Index above = (std::min)(weights.below + 1, points.rank() - 1);
            inducing.eigen().row(weights.below) +=
                static_cast<Scalar>(weights.lower) * dvalues.eigen().row(t);
            inducing.eigen().row(above) += static_cast<Scalar>(weights.upper) * dvalues.eigen().row(t);
        }
        source_.backward(parameters.kernel, cache, inducing, gradients.kernel, ws);
    }

private:
    static constexpr const char* name = "SkiTno";
    static constexpr bool is_causal = kind == Causality::causal;

    static void fill(TimeWarpOptions& options, Index channels) { options.channels = channels; }
    static void fill(PositionKernelOptions& options, Index channels) { options.mlp.channels = channels; }

    static Options checked(Options options) {
        detail::require_positive(options.channels, name, "channels");
        detail::require_positive(options.length, name, "length");
        if (options.rank < 1) {
            detail::raise<config_error>(520, name, "rank >= 1", std::to_string(options.rank));
        }
        if (options.taps < 0) {
            detail::raise<config_error>(510, name, "taps >= 0", std::to_string(options.taps));
        }
        if (!is_causal && options.taps > 0 && options.taps % 2 == 0) {
            detail::raise<config_error>(511, name, "an odd number of taps", std::to_string(options.taps));
        }
        if (options.decay.mode == DecayMode::learned || options.decay.per_channel.size() != 0) {
            detail::raise<config_error>(730, name, "one fixed decay, or none", "a learned one or several");
        }
        fill(options.kernel, options.channels);
        return options;
    }

    /// The source at its lags δ·h, δ = −(r−1)..r−1, or from 0 on where causal; bidirectional: with the decay.
    void evaluate_source(const Parameters& parameters, Index length, View values, Workspace::Scope& scope,
                         Workspace& ws, Cache* cache) const {
        const View lags = source_lags(length, scope);
        source_.evaluate(parameters.kernel, MatrixView<const Scalar>(lags), values, ws, cache);
        if (!is_causal) multiply_by_decay(lags, values, scope);
    }
    void backward_source(const Parameters& parameters, const Cache& cache, View dvalues,
                         Parameters& gradients, Workspace& ws) const {
        Workspace::Scope scope(ws);
        multiply_by_decay({cache.lags.data(), cache.lags.size(), 1}, dvalues, scope);
        source_.backward(parameters.kernel, cache, dvalues, gradients.kernel, ws);
    }
    void multiply_by_decay(MatrixView<const Scalar> lags, View values, Workspace::Scope& scope) const {
        const detail::DecayPowers<Scalar> powers(scope, decay_, {}, -1);
        for (Index i = 0; i < values.rows(); ++i) {
            powers.multiply_row(static_cast<double>(lags(i, 0)), values.row(i), channels());
        }
    }
    /// Lags that the source is evaluated at.
    Index source_rows(Index length) const { return is_causal ? rank(length) : 2 * rank(length) - 1; }
    /// Bytes beside what the source takes: its lags, the decay, and where causal its values.
    std::size_t scratch(Index length) const {
        return Workspace::bytes_for<Scalar>(source_rows(length)) +
               detail::DecayPowers<Scalar>::bytes(decay_, -1) +
               (is_causal ? Workspace::bytes_for<Scalar>(rank(length) * channels()) : 0);
    }
    View source_lags(Index length, Workspace::Scope& scope) const {
        const InducingPoints points = inducing_points(length);
        const Index first = is_causal ? 0 : 1 - points.rank();
        const View lags = scope.template matrix<Scalar>(points.rank() - first, 1);
        for (Index i = 0; i < lags.rows(); ++i) lags(i, 0) = static_cast<Scalar>(points.lag(first + i));
        return lags;
    }

    void require_taps(const Parameters& set, const char* what) const {
        const Index rows = taps() == 0 ? 0 : channels();
        const MatrixView<const Scalar> have = set.conv_kernel;
        if (have.rows() == rows && have.cols() == taps()) return;
        detail::raise<shape_error>(
            405, name, detail::text(what, " with conv_kernel of shape ", detail::shape_text(rows, taps())),
            detail::shape_text(have.rows(), have.cols()));
    }

    Options options_;
    Source source_;
    Decay<Scalar> decay_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
