// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exponential decay λ^|t| of a kernel, and its powers at many lags.

#include <cmath>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/sweep.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// none: λ = 1. fixed: λ is an option. learned: λ_c = λ₀ + (1 − λ₀) σ(γ_c) with a parameter γ_c per channel.
enum class DecayMode { none, fixed, learned };

struct DecayOptions {
    DecayMode mode = DecayMode::fixed;
    double lambda = 0.99;          ///< fixed: λ; learned: λ₀. In (0, 1].
    Vector<double> per_channel{};  ///< fixed: λ_c of every channel, in place of lambda

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("mode", sets.mode...);
        f("lambda", sets.lambda...);
        f("per_channel", sets.per_channel...);
    }
};

/// Official name: gamma. Empty unless the decay is learned.
template <Real Scalar>
struct DecayParameters {
    Vector<Scalar> gamma;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "gamma", sets.gamma...);
    }
};

/// λ of every channel.
template <Real ScalarType>
class Decay {
public:
    using Scalar = ScalarType;
    using Options = DecayOptions;
    using Parameters = DecayParameters<Scalar>;

    /// \throws config_error 410 (λ outside (0, 1]), 411 (per_channel of another size)
    Decay(Options options, Index channels) : options_(std::move(options)), channels_(channels) {
        const Vector<double>& rates = options_.per_channel;
        if (options_.mode == DecayMode::fixed && rates.size() != 0 && rates.size() != channels) {
            detail::raise<config_error>(411, "Decay", detail::text("per_channel of size ", channels),
                                        std::to_string(rates.size()));
        }
        if (options_.mode != DecayMode::none) require_rate(options_.lambda);
        for (Index c = 0; c < rates.size() && options_.mode == DecayMode::fixed; ++c) require_rate(rates(c));
    }

    /// Learned: γ standard normal, drawn from `seed`.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        Parameters parameters;
        if (is_learned()) {
            const CounterRandom random(seed);
            parameters.gamma.resize(channels_);
            for (Index c = 0; c < channels_; ++c) {
                parameters.gamma(c) = static_cast<Scalar>(random.normal(static_cast<std::uint64_t>(c)));
            }
        }
        return parameters;
    }

    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return channels_; }

    bool is_learned() const noexcept { return options_.mode == DecayMode::learned; }
    /// Different λ: one, or one per channel.
    Index columns() const noexcept {
        return is_learned() || (options_.mode == DecayMode::fixed && options_.per_channel.size() != 0)
                   ? channels_
                   : 1;
    }

    double lambda(const Parameters& parameters, Index channel) const noexcept {
        if (options_.mode == DecayMode::none) return 1;
        if (is_learned()) return options_.lambda + (1 - options_.lambda) * sigmoid(parameters, channel);
        return options_.per_channel.size() != 0 ? options_.per_channel(channel) : options_.lambda;
    }

    /// gradients += Σ_t |t| λ^{|t|−1} g_t v_t · ∂λ/∂γ for channel c, given sum = Σ_t |t| λ^|t| g_t v_t.
    void accumulate_gradient(const Parameters& parameters, Index c, double sum, Parameters& gradients) const {
        const double s = sigmoid(parameters, c);
        gradients.gamma(c) +=
            static_cast<Scalar>(sum / lambda(parameters, c) * (1 - options_.lambda) * s * (1 - s));
    }

    /// Throws shape_error 405 unless the set has the shapes that the options ask for.
    void require_set(const Parameters& set, const char* what, const char* where) const {
        const Index size = is_learned() ? channels_ : 0;
        if (set.gamma.size() == size) return;
        detail::raise<shape_error>(405, where, detail::text(what, " with gamma of size ", size),
                                   std::to_string(set.gamma.size()));
    }

private:
    static void require_rate(double lambda) {
        if (!(detail::is_finite(lambda) && lambda > 0 && lambda <= 1)) {
            detail::raise<config_error>(410, "Decay", "lambda in (0, 1]", std::to_string(lambda));
        }
    }
    static double sigmoid(const Parameters& parameters, Index c) noexcept {
        return 1 / (1 + std::exp(-static_cast<double>(parameters.gamma(c))));
    }

    Options options_;
    Index channels_;
};

namespace detail {

/// Powers λ_c^|t| of a decay. Integer lags up to a reach come from two tables, λ^|t| = λ^(64q) · λ^s.
///
/// Logarithms and exponentials are taken in double. Relative error of a power: at most
/// 3u + (|t ln λ| + 4)·2⁻⁵² with u = 2⁻²⁴ for float and 2⁻⁵³ for double, at any |t|: nothing accumulates.
/// Powers below the smallest normal number may become zero.
template <Real Scalar>
class DecayPowers {
public:
    /// \param reach largest |t| of the tables; −1 for none
    DecayPowers(Workspace::Scope& scope, const Decay<Scalar>& decay,
                const DecayParameters<Scalar>& parameters, Index reach)
        : columns_(decay.columns()),
          is_one_(decay.options().mode == DecayMode::none),
          reach_(columns_ == 1 ? -1 : reach),
          logs_(scope.take<double>(columns_)) {
        for (Index c = 0; c < columns_; ++c) logs_[c] = std::log(decay.lambda(parameters, c));
        if (reach_ < 0) return;
        exponentials_ = scope.take<double>(columns_);
        fine_ = scope.take<Scalar>(step * columns_);
        coarse_ = scope.take<Scalar>((reach_ / step + 1) * columns_);
        for (Index s = 0; s < step; ++s) fill(static_cast<double>(s), fine_ + s * columns_);
        for (Index q = 0; q <= reach_ / step; ++q) {
            fill(static_cast<double>(q * step), coarse_ + q * columns_);
        }
    }

    static std::size_t bytes(const Decay<Scalar>& decay, Index reach) {
        const Index columns = decay.columns();
        std::size_t size = Workspace::bytes_for<double>(columns);
        if (columns == 1 || reach < 0) return size;
        size += Workspace::bytes_for<double>(columns) + Workspace::bytes_for<Scalar>(step * columns);
        return size + Workspace::bytes_for<Scalar>((reach / step + 1) * columns);
    }

    /// The power that all channels share.
    double shared(double lag) const noexcept { return std::exp(std::abs(lag) * logs_[0]); }

    /// row ⊙= λ^|lag|. Lags that are no integers or beyond the reach take an exponential per channel.
    void multiply_row(double lag, Scalar* row, Index channels) const noexcept {
        if (is_one_) return;
        lag = std::abs(lag);
        if (columns_ == 1) {
            const Scalar power = static_cast<Scalar>(shared(lag));
            sweep<Scalar>(channels, [&](auto at, Index j)
                                        TOEPLITZ_LAMBDA { at.store(row + j, at.load(row + j) * power); });
        } else if (lag <= static_cast<double>(reach_) && lag == std::floor(lag)) {
            const Index t = static_cast<Index>(lag);
            const Scalar* coarse = coarse_ + t / step * columns_;
            const Scalar* fine = fine_ + t % step * columns_;
            sweep<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA {
                at.store(row + j, at.load(row + j) * (at.load(coarse + j) * at.load(fine + j)));
            });
        } else {
            for (Index j = 0; j < channels; ++j) row[j] *= static_cast<Scalar>(std::exp(lag * logs_[j]));
        }
    }

private:
    static constexpr Index step = 64;

    void fill(double lag, Scalar* powers) noexcept {
        using Array = Eigen::Array<double, Eigen::Dynamic, 1>;
        Eigen::Map<Array, Eigen::Aligned64> e(exponentials_, columns_);
        e = (lag * Eigen::Map<const Array, Eigen::Aligned64>(logs_, columns_)).exp();
        constexpr auto smallest = static_cast<double>((std::numeric_limits<Scalar>::min)());
        for (Index c = 0; c < columns_; ++c) {
            // Eigen's exponential stops at the smallest normal number, and NaN must stay NaN.
            powers[c] = e(c) <= smallest ? Scalar(0) : static_cast<Scalar>(e(c) + 0 * logs_[c]);
        }
    }

    Index columns_;
    bool is_one_;
    Index reach_;
    double* logs_;
    double* exponentials_ = nullptr;
    Scalar* fine_ = nullptr;
    Scalar* coarse_ = nullptr;
};

/// lags[row] = the lag that a kernel of this length holds there.
template <Real Scalar>
void fill_lags(Index length, Causality causality, Scalar* lags) noexcept {
    const Index first = first_lag_row(length, causality);
    for (Index row = 0; row < lag_count(length, causality); ++row) {
        lags[row] = static_cast<Scalar>(row - first);
    }
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
