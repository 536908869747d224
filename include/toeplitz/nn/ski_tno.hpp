// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sparse plus low-rank Toeplitz neural operator: a band of taps, and a kernel known at r inducing
/// points.

#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/kernels/time_warp.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What stays at lengths other than the one of training: the spacing h of the inducing points, so that a
/// longer sequence sees the same kernel; or their number r.
enum class Extrapolation { keep_spacing, keep_rank };

template <class Source>
struct SkiTnoOptions {
    Index channels = 0;  ///< d ≥ 1; a layer fills it in
    Index length = 0;    ///< n ≥ 1 of training: with the rank it sets the spacing h = (n−1)/(r−1)
    Index rank = 64;     ///< r ≥ 1 inducing points at that length
    Index taps = 33;     ///< m of the band, odd where bidirectional; 0 for no band
    typename Source::Options kernel{};            ///< its channels and causality are filled in
    DecayOptions decay{.mode = DecayMode::none};  ///< none or fixed: multiplies the kernel by λ^|t|
    Extrapolation extrapolation = Extrapolation::keep_spacing;
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

template <class Source>
struct SkiTnoCache {
    typename Source::Cache source;
};

namespace detail {

template <class Scalar, Causality kind>
struct SkiTnoOperator {
    using type = Sum<Band<Scalar>, Ski<Scalar>>;
};
template <class Scalar>
struct SkiTnoOperator<Scalar, Causality::causal> {
    using type = Fft<Scalar>;
};

}  // namespace detail

/// Bidirectional: y = (Band + W A Wᵀ) x in O(n + r log r) per channel. Causal: W A Wᵀ is never causal, so the
/// kernel is interpolated linearly from r lags to all of them, the taps are added to it, and the product is
/// the exact one, O(n log n).
///
/// Source gives the kernel at real lags: TimeWarp, or PositionKernel.
template <Real ScalarType, Causality kind, class Source = TimeWarp<ScalarType>>
class SkiTno : public detail::KernelMixer<SkiTno<ScalarType, kind, Source>,
                                          typename detail::SkiTnoOperator<ScalarType, kind>::type, ScalarType,
                                          SkiTnoParameters<Source>, SkiTnoCache<Source>> {
    using Base = detail::KernelMixer<SkiTno, typename detail::SkiTnoOperator<ScalarType, kind>::type,
                                     ScalarType, SkiTnoParameters<Source>, SkiTnoCache<Source>>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Operator = typename Base::Operator;
    using Options = SkiTnoOptions<Source>;
    using Parameters = SkiTnoParameters<Source>;

    /// \throws config_error 201, 202, 510 (taps < 0), 511 (even taps), 520 (rank < 1), 730 (learned decay),
    /// and those of the source
    explicit SkiTno(const Options& options)
        : options_(checked(options)), source_(options_.kernel), decay_(options_.decay, 1) {}

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return options_.channels; }
    const Source& kernel() const noexcept { return source_; }
    Index taps() const noexcept { return options_.taps; }

    /// Inducing points r at a length.
    Index rank(Index length) const {
        const Index trained = effective_rank(options_.length, options_.rank);
        if (options_.extrapolation == Extrapolation::keep_rank || trained < 2 || length == options_.length) {
            return effective_rank(length, options_.rank);
        }
        // The fewest points that are no further apart than h, so that h is kept where it divides n−1.
        const Index steps = detail::checked_product(length - 1, trained - 1, name);
        const Index span = options_.length - 1;
        return effective_rank(length, (steps + span - 1) / span + 1);
    }

    /// Taps uniform in ±1/√m, as PyTorch's depthwise convolution; the source's own start.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed + 2);
        std::uint64_t drawn = 0;
        const double bound = 1 / std::sqrt(static_cast<double>(std::max<Index>(options_.taps, 1)));
        Parameters parameters;
        parameters.conv_kernel = Matrix<Scalar>::NullaryExpr(taps() == 0 ? 0 : channels(), taps(), [&] {
            return static_cast<Scalar>(random.uniform(drawn++, -bound, bound));
        });
        parameters.kernel = source_.make_parameters(seed);
        return parameters;
    }

private:
    static constexpr const char* name = "SkiTno";
    static constexpr bool is_causal = kind == Causality::causal;

    static void fill(TimeWarpOptions& options, Index channels) {
        options.channels = channels;
        options.causality = kind;
    }
    static void fill(PositionKernelOptions& options, Index channels) {
        options.mlp.channels = channels;
        options.causality = kind;
    }

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

    // The operator's kernel as one matrix. Bidirectional: the taps, lag by lag, then the kernel at the
    // inducing lags. Causal: all lags.

    /// A band of one zero tap stands for none.
    Index band_rows() const noexcept { return std::max<Index>(taps(), 1); }
    Index kernel_rows(Index length) const { return is_causal ? length : band_rows() + 2 * rank(length) - 1; }

    Operator make_operator(Index length) const {
        if constexpr (is_causal) {
            return Fft<Scalar>({.length = length, .channels = channels(), .causality = kind});
        } else {
            const Matrix<Scalar> zero = Matrix<Scalar>::Zero(band_rows(), channels());
            return Band<Scalar>({.length = length, .channels = channels(), .taps = band_rows()}, zero) +
                   Ski<Scalar>({.length = length, .channels = channels(), .rank = rank(length)});
        }
    }

    void assign_kernel(Operator& op, MatrixView<const Scalar> kernel, Workspace& ws) const {
        if constexpr (is_causal) {
            op.set_kernel(kernel, ws);
        } else {
            op.set_kernels(kernel.middle_rows(0, band_rows()), inducing(kernel), ws);
        }
    }

    void backpropagate_product(const Operator& op, MatrixView<const Scalar> x,
                               const typename Operator::Cache& cache, MatrixView<const Scalar> g,
                               MatrixView<Scalar> dx, MatrixView<Scalar> dkernel, Workspace& ws,
                               Lengths lengths) const {
        if constexpr (is_causal) {
            op.backward(x, cache, g, dx, dkernel, ws, lengths);
        } else {
            op.apply_adjoint(g, dx, ws, lengths);
            if (taps() > 0) {
                op.first().accumulate_kernel_gradient(x, g, dkernel.middle_rows(0, taps()), ws, lengths);
            }
            op.second().accumulate_kernel_gradient(x, g, inducing(dkernel), ws, lengths);
        }
    }

    template <class T>
    MatrixView<T> inducing(MatrixView<T> kernel) const noexcept {
        return kernel.middle_rows(band_rows(), kernel.rows() - band_rows());
    }

    /// Column of conv_kernel that holds row q of the band.
    Index tap_column(Index q) const noexcept { return is_causal ? q : taps() - 1 - q; }
    /// Taps within the kernel's rows.
    Index used_taps(Index length) const noexcept { return is_causal ? std::min(taps(), length) : taps(); }

    /// Lags at which the source is evaluated, m × 1: those of the inducing points, from 0 on where causal.
    MatrixView<Scalar> source_lags(Index length, Workspace::Scope& scope) const {
        const Index r = rank(length);
        const Index first = is_causal ? 0 : 1 - r;
        const MatrixView<Scalar> lags = scope.template matrix<Scalar>(r - first, 1);
        for (Index delta = first; delta < r; ++delta) {
            const double steps = static_cast<double>(std::max<Index>(r - 1, 1));
            const double lag = r < 2 ? 0.0 : static_cast<double>(delta * (length - 1)) / steps;
            lags(delta - first, 0) = static_cast<Scalar>(lag);
        }
        return lags;
    }

    /// Calls f(lag, below, fraction): lag t lies at a fraction of the way from one inducing point to the
    /// next.
    template <class F>
    void for_interpolated_lags(Index length, F&& f) const {
        const Index steps = std::max<Index>(rank(length) - 1, 1);
        const Index span = std::max<Index>(length - 1, 1);
        const Index cells = std::max<Index>(rank(length) - 2, 0);
        for (Index t = 0; t < length; ++t) {
            const Index position = rank(length) == 1 ? 0 : t * steps;
            const Index below = std::min(position / span, cells);
            f(t, below,
              static_cast<Scalar>(static_cast<double>(position - below * span) / static_cast<double>(span)));
        }
    }

    void evaluate_kernel(const Parameters& parameters, Index length, MatrixView<Scalar> kernel,
                         SkiTnoCache<Source>* cache, Workspace& ws) const {
        require_taps(parameters, "parameters");
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> lags = source_lags(length, scope);
        MatrixView<Scalar> values = inducing(kernel);
        if (is_causal) values = scope.template matrix<Scalar>(lags.rows(), channels());
        if (cache == nullptr) {
            source_.evaluate_at(parameters.kernel, lags, values, ws);
        } else {
            source_.forward_at(parameters.kernel, lags, values, cache->source, ws);
        }
        const detail::DecayPowers<Scalar> powers(scope, decay_, {}, -1);
        if constexpr (is_causal) {
            for_interpolated_lags(length, [&](Index t, Index below, Scalar fraction) {
                const Index above = std::min(below + 1, values.rows() - 1);
                kernel.eigen().row(t) =
                    (1 - fraction) * values.eigen().row(below) + fraction * values.eigen().row(above);
                powers.multiply_row(static_cast<double>(t), kernel.row(t), channels());
            });
            for (Index q = 0; q < used_taps(length); ++q) {
                kernel.eigen().row(q) += parameters.conv_kernel.col(tap_column(q)).transpose();
            }
        } else {
            for (Index i = 0; i < lags.rows(); ++i) {
                powers.multiply_row(static_cast<double>(lags(i, 0)), values.row(i), channels());
            }
            if (taps() == 0) kernel.middle_rows(0, 1).eigen().setZero();
            for (Index q = 0; q < taps(); ++q) {
                kernel.eigen().row(q) = parameters.conv_kernel.col(tap_column(q)).transpose();
            }
        }
    }

    void backpropagate_kernel(const Parameters& parameters, Index length, const SkiTnoCache<Source>& cache,
                              MatrixView<Scalar> dkernel, Parameters& gradients, Workspace& ws) const {
        require_taps(gradients, "gradients");
        for (Index q = 0; q < used_taps(length); ++q) {
            gradients.conv_kernel.col(tap_column(q)) += dkernel.eigen().row(q).transpose();
        }
        Workspace::Scope scope(ws);
        const detail::DecayPowers<Scalar> powers(scope, decay_, {}, -1);
        MatrixView<Scalar> dvalues = inducing(dkernel);
        if constexpr (is_causal) {
            dvalues = scope.template matrix<Scalar>(rank(length), channels());
            dvalues.eigen().setZero();
            for_interpolated_lags(length, [&](Index t, Index below, Scalar fraction) {
                powers.multiply_row(static_cast<double>(t), dkernel.row(t), channels());
                const Index above = std::min(below + 1, dvalues.rows() - 1);
                dvalues.eigen().row(below) += (1 - fraction) * dkernel.eigen().row(t);
                dvalues.eigen().row(above) += fraction * dkernel.eigen().row(t);
            });
        } else {
            const MatrixView<Scalar> lags = source_lags(length, scope);
            for (Index i = 0; i < lags.rows(); ++i) {
                powers.multiply_row(static_cast<double>(lags(i, 0)), dvalues.row(i), channels());
            }
        }
        source_.backward(parameters.kernel, cache.source, dvalues, gradients.kernel, ws);
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
