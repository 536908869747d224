// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The frequency response of one learned exponential per channel: slow tails of one sign, which are narrow
/// peaks of the response that a perceptron hardly learns.

#include <cmath>
#include <complex>
#include <numbers>
#include <optional>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/sweep.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// λ_c = λ₀ + (ρ − λ₀) σ(γ_c), 0 < λ₀ < ρ < 1.
struct FrequencyPoleOptions {
    double lambda = 0.9;         ///< λ₀
    double limit = 127.0 / 128;  ///< ρ

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("lambda", sets.lambda...);
        f("limit", sets.limit...);
    }
};

/// All empty where there is no pole; `odd` in causal kernels.
template <Real Scalar>
struct FrequencyPoleParameters {
    Vector<Scalar> amplitude;  ///< a
    Vector<Scalar> odd;        ///< b
    Vector<Scalar> gamma;      ///< γ

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "amplitude", sets.amplitude...);
        detail::visit_present(f, "odd", sets.odd...);
        detail::visit_present(f, "gamma", sets.gamma...);
    }
};

/// The response of h(t) = a λᵗ, t ≥ 0, where causal, and of k(t) = (a + b sgn t) λ^|t| where bidirectional,
/// one column per channel. On a grid of N points it is that of the lags |t| < N/2: they are λ^|t| to rounding
/// whatever N is, without what an infinite tail would fold back onto them.
///
/// Members may run at the same time with distinct workspaces and gradients; results are the same bits for any
/// number of threads.
template <Real ScalarType, Causality kind>
class FrequencyPole {
    static constexpr bool is_causal = kind == Causality::causal;

public:
    using Scalar = ScalarType;
    /// What it adds to at a frequency: real parts alone where the kernel is causal.
    using Response = std::conditional_t<is_causal, Scalar, std::complex<Scalar>>;
    using Options = std::optional<FrequencyPoleOptions>;
    using Parameters = FrequencyPoleParameters<Scalar>;

    /// \param options none: no pole
    /// \throws config_error 431 unless 0 < λ₀ < ρ < 1
    FrequencyPole(const Options& options, Index channels) : options_(options), channels_(channels) {
        if (!options) return;
        const auto [least, limit] = *options;
        if (detail::is_finite(least) && detail::is_finite(limit) && 0 < least && least < limit && limit < 1) {
            return;
        }
        detail::raise<config_error>(431, "FrequencyKernel", "0 < pole.lambda < pole.limit < 1",
                                    detail::text(least, " and ", limit));
    }

    /// Whether there is one.
    bool is_present() const noexcept { return options_.has_value(); }

    /// a and b normal with deviation 0.4, γ standard normal, drawn from `seed`.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        std::uint64_t drawn = 0;
        const auto draw = [&](bool present, double deviation) {
            return Vector<Scalar>(Vector<Scalar>::NullaryExpr(present ? channels_ : 0, [&] {
                return static_cast<Scalar>(deviation * random.normal(drawn++));
            }));
        };
        Parameters parameters;
        parameters.amplitude = draw(is_present(), 0.4);
        parameters.odd = draw(is_present() && !is_causal, 0.4);
        parameters.gamma = draw(is_present(), 1);
        return parameters;
    }

    double lambda(const Parameters& parameters, Index c) const noexcept {
        return options_->lambda + (options_->limit - options_->lambda) * sigmoid(parameters, c);
    }

    /// Bytes that add and backward take from their workspaces.
    std::size_t required_workspace(Index grid) const {
        if (!is_present()) return 0;
        return 4 * Workspace::bytes_for<Scalar>(channels_) + Workspace::bytes_for<Row>(grid / 2 + 1);
    }

    /// response += that of the pole, on a grid of N points.
    /// \throws shape_error 405 (parameters)
    /// Cost O(N d) | heap: none | thread-safe: yes | threads split the frequencies
    void add(const Parameters& parameters, Index grid, MatrixView<Response> response, Workspace& ws) const {
        require_set(parameters, "parameters");
        if (!is_present()) return;
        Workspace::Scope scope(ws);
        const Tables tables = make_tables(parameters, grid, scope);
        const int threads = detail::thread_count(response.rows(), response.size());
        detail::parallel_chunks(response.rows(), threads, [&](Index begin, Index end, int) {
            alignas(buffer_alignment) Scalar even[block];
            alignas(buffer_alignment) Scalar odd[block];
            for (Index k = begin; k < end; ++k) {
                for (Index first = 0; first < channels_; first += block) {
                    const Index count = (std::min)(block, channels_ - first);
                    evaluate_block(tables, tables.rows[k], first, count, even, odd);
                    const Scalar* a = parameters.amplitude.data() + first;
                    Response* to = response.row(k) + first;
                    if constexpr (is_causal) {
                        detail::sweep<Scalar>(count, [&](auto at, Index j) TOEPLITZ_LAMBDA {
                            at.store(to + j, at.load(to + j) + at.load(a + j) * at.load(even + j));
                        });
                    } else {
                        const Scalar* b = parameters.odd.data() + first;
                        for (Index j = 0; j < count; ++j) to[j] += Response(a[j] * even[j], b[j] * odd[j]);
                    }
                }
            }
        });
    }

    /// gradients += those of a loss whose gradient with respect to the response is g.
    /// \throws shape_error 405 (parameters, gradients)
    /// Cost about 2× add | heap: none | thread-safe: yes | threads split the channels
    void backward(const Parameters& parameters, Index grid, MatrixView<const Response> g,
                  Parameters& gradients, Workspace& ws) const {
        require_set(parameters, "parameters");
        require_set(gradients, "gradients");
        if (!is_present()) return;
        Workspace::Scope scope(ws);
        const Tables tables = make_tables(parameters, grid, scope);
        const Index blocks = (channels_ + block - 1) / block;
        detail::parallel_chunks(blocks, detail::thread_count(blocks, 2 * g.size()),
                                [&](Index begin, Index end, int) {
                                    for (Index first = begin * block;
                                         first < (std::min)(end * block, channels_); first += block) {
                                        backward_block(parameters, tables, first, g, gradients);
                                    }
                                });
    }

private:
    static constexpr Index block = 64;

    /// What all channels share at frequency ω_k, s = (−1)^k. In an even grid the lags end at N/2, in an odd
    /// one between two lags, which is why what is cut off differs.
    struct Row {
        Scalar four_squares;  ///< 4 sin²(ω/2)
        Scalar sine;          ///< sin ω
        Scalar even_cut[2];   ///< × (1 + λ), × 1: what Λ is multiplied by in the even part
        Scalar odd_cut[2];    ///< × λ, × (1 + λ): in the odd part
    };
    struct Tables {
        const Scalar* lambda;
        const Scalar* rest;       ///< 1 − λ, rounded once
        const Scalar* cut;        ///< Λ = λ^M, M = ⌈N/2⌉
        const Scalar* cut_slope;  ///< dΛ/dλ
        const Row* rows;
    };

    Tables make_tables(const Parameters& parameters, Index grid, Workspace::Scope& scope) const {
        Scalar* const lambda_of = scope.take<Scalar>(channels_);
        Scalar* const rest = scope.take<Scalar>(channels_);
        Scalar* const cut = scope.take<Scalar>(channels_);
        Scalar* const cut_slope = scope.take<Scalar>(channels_);
        const auto lags = static_cast<double>((grid + 1) / 2);
        for (Index c = 0; c < channels_; ++c) {
            const double value = lambda(parameters, c);
            const double power = std::pow(value, lags);
            lambda_of[c] = static_cast<Scalar>(value);
            rest[c] = static_cast<Scalar>(1 - value);
            cut[c] = static_cast<Scalar>(power);
            cut_slope[c] = static_cast<Scalar>(lags * power / value);
        }
        const Index count = grid / 2 + 1;
        Row* const rows = scope.take<Row>(count);
        for (Index k = 0; k < count; ++k) {
            const double half = std::numbers::pi * static_cast<double>(k) / static_cast<double>(grid);
            const double sine = 2 * k == grid ? 0 : std::sin(2 * half);
            const double sign = k % 2 == 0 ? 1 : -1;
            const bool even = grid % 2 == 0;
            const auto scalar = [](double x) { return static_cast<Scalar>(x); };
            rows[k] = {scalar(4 * std::sin(half) * std::sin(half)),
                       scalar(sine),
                       {scalar(even ? sign : 0), scalar(even ? 0 : 2 * sign * std::cos(half))},
                       {scalar(even ? sign * sine : 0), scalar(even ? 0 : sign * std::sin(half))}};
        }
        return {lambda_of, rest, cut, cut_slope, rows};
    }

    /// The transforms of λ^|t| and sgn t λ^|t|, the second one's imaginary part, at one frequency; where
    /// causal of λᵗ, t ≥ 0, the real part. Their slopes in λ as well, unless these are null.
    void evaluate_block(const Tables& tables, const Row& row, Index first, Index count, Scalar* even,
                        Scalar* odd, Scalar* even_slope = nullptr, Scalar* odd_slope = nullptr) const {
        constexpr auto half = Scalar(0.5);
        detail::sweep<Scalar>(count, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            const auto l = at.load(tables.lambda + first + j);
            const auto rest = at.load(tables.rest + first + j);
            const auto cut = at.load(tables.cut + first + j);
            const auto sum = l + Scalar(1);
            const auto denominator = rest * rest + l * row.four_squares;
            const auto lost = sum * row.even_cut[0] + row.even_cut[1];
            const auto inside = sum - cut * lost;
            const auto value = rest * inside / denominator;
            if constexpr (is_causal) {
                at.store(even + j, value * half + half);
            } else {
                at.store(even + j, value);
            }
            const auto odd_lost = l * row.odd_cut[0] + sum * row.odd_cut[1];
            const auto odd_value = (cut * odd_lost - l * row.sine) * Scalar(2) / denominator;
            if constexpr (!is_causal) at.store(odd + j, odd_value);
            if (even_slope == nullptr) return;
            const auto cut_slope = at.load(tables.cut_slope + first + j);
            const auto denominator_slope = rest * Scalar(-2) + row.four_squares;
            const auto slope = (rest * (Scalar(1) - cut_slope * lost - cut * row.even_cut[0]) - inside -
                                value * denominator_slope) /
                               denominator;
            if constexpr (is_causal) {
                at.store(even_slope + j, slope * half);
            } else {
                at.store(even_slope + j, slope);
                const auto lost_slope = cut_slope * odd_lost + cut * (row.odd_cut[0] + row.odd_cut[1]);
                at.store(odd_slope + j,
                         ((lost_slope - row.sine) * Scalar(2) - odd_value * denominator_slope) / denominator);
            }
        });
    }

    void backward_block(const Parameters& parameters, const Tables& tables, Index first,
                        MatrixView<const Response> g, Parameters& gradients) const {
        const Index count = (std::min)(block, channels_ - first);
        // Values and slopes of a frequency, its g, and sums over all of them.
        alignas(buffer_alignment) Scalar memory[4][block];
        alignas(buffer_alignment) Scalar real[block];
        alignas(buffer_alignment) Scalar imag[block];
        alignas(buffer_alignment) Scalar sums[4][block] = {};
        for (Index k = 0; k < g.rows(); ++k) {
            evaluate_block(tables, tables.rows[k], first, count, memory[0], memory[1], memory[2], memory[3]);
            for (Index j = 0; j < count; ++j) {
                real[j] = std::real(g(k, first + j));
                if constexpr (!is_causal) imag[j] = std::imag(g(k, first + j));
            }
            const auto accumulate = [&](int i, const Scalar* weight) {
                detail::sweep<Scalar>(count, [&](auto at, Index j) TOEPLITZ_LAMBDA {
                    at.store(sums[i] + j,
                             at.load(sums[i] + j) + at.load(memory[i] + j) * at.load(weight + j));
                });
            };
            accumulate(0, real);
            accumulate(2, real);
            if constexpr (!is_causal) {
                accumulate(1, imag);
                accumulate(3, imag);
            }
        }
        for (Index j = 0; j < count; ++j) {
            const Index c = first + j;
            const double s = sigmoid(parameters, c);
            Scalar dlambda = parameters.amplitude(c) * sums[2][j];
            gradients.amplitude(c) += sums[0][j];
            if constexpr (!is_causal) {
                dlambda += parameters.odd(c) * sums[3][j];
                gradients.odd(c) += sums[1][j];
            }
            gradients.gamma(c) += static_cast<Scalar>(static_cast<double>(dlambda) *
                                                      (options_->limit - options_->lambda) * s * (1 - s));
        }
    }

    static double sigmoid(const Parameters& parameters, Index c) noexcept {
        return 1 / (1 + std::exp(-static_cast<double>(parameters.gamma(c))));
    }

    void require_set(const Parameters& set, const char* what) const {
        const auto check = [&](const Vector<Scalar>& tensor, bool present, const char* name) {
            const Index size = present ? channels_ : 0;
            if (tensor.size() == size) return;
            detail::raise<shape_error>(405, "FrequencyKernel",
                                       detail::text(what, " with pole.", name, " of size ", size),
                                       std::to_string(tensor.size()));
        };
        check(set.amplitude, is_present(), "amplitude");
        check(set.odd, is_present() && !is_causal, "odd");
        check(set.gamma, is_present(), "gamma");
    }

    Options options_;
    Index channels_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
