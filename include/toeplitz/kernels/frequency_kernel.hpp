// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A kernel given by its frequency response: a perceptron evaluated on the frequency grid, and a pole.

#include <complex>
#include <numbers>
#include <optional>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/kernels/frequency_pole.hpp>
#include <toeplitz/kernels/position_mlp.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What the perceptron is fed at frequency ω. cosine: cos ω, so that a smooth activation gives a response
/// that is smooth as a periodic function and a kernel that decays as fast. angle: ω itself, as official
/// weights expect; its kinks at 0 and π leave a kernel that decays like t⁻², and t⁻¹ where it is
/// bidirectional. cosine_and_log: cos ω and the logarithm of |1 − ρ e^{−iω}|², ρ = 127/128, scaled to [−1,
/// 1]: as smooth, and what happens below ω = 0.05, which cos ω squeezes into 0.001, has room.
enum class FrequencyInput { cosine, angle, cosine_and_log };

struct FrequencyKernelOptions {
    /// mlp.channels is the number of channels d of the kernel. The perceptron itself has d outputs in causal
    /// kernels and 2d in bidirectional ones.
    PositionMlpOptions mlp{};
    FrequencyInput input = FrequencyInput::cosine;
    /// Bidirectional: outputs are grouped in this many heads; each holds its real parts, then its imaginary.
    Index heads = 1;
    std::optional<double> scale{};  ///< s: the perceptron's outputs are multiplied by it; none: 1
    std::optional<FrequencyPoleOptions> pole{};  ///< one exponential per channel, added; none: no pole

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("mlp", sets.mlp...);
        f("input", sets.input...);
        f("heads", sets.heads...);
        f("scale", sets.scale...);
        f("pole", sets.pole...);
    }
};

/// Official names: rpe.*; beside them pole.* (see FrequencyPoleParameters).
template <Real Scalar>
struct FrequencyKernelParameters {
    PositionMlpParameters<Scalar> rpe;
    FrequencyPoleParameters<Scalar> pole{};  ///< empty where there is none

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        PositionMlpParameters<Scalar>::for_each(detail::under("rpe", f), sets.rpe...);
        FrequencyPoleParameters<Scalar>::for_each(detail::under("pole", f), sets.pole...);
    }
};

template <Real Scalar>
struct FrequencyKernelCache {
    PositionMlpCache<Scalar> mlp;
    Index grid = 0;
};

/// The response at ω_k = 2πk/N, k = 0..N/2, in the form that the Spectral operator takes: (N/2+1) × d.
///
/// Causal: real, R(ω) = s MLP(input). Bidirectional: complex, A(ω) + i B(ω); B is the perceptron's second
/// half, times sin ω unless the input is ω, and 0 at ω = 0 and ω = π. The pole's response is added: see
/// FrequencyPole. Members may run at the same time
/// with distinct workspaces, caches and gradients; results are the same bits for any number of threads.
template <Real ScalarType, Causality kind>
class FrequencyKernel {
public:
    using Scalar = ScalarType;
    /// Element of the response.
    using Response = std::conditional_t<kind == Causality::causal, Scalar, std::complex<Scalar>>;
    using Options = FrequencyKernelOptions;
    using Parameters = FrequencyKernelParameters<Scalar>;
    using Cache = FrequencyKernelCache<Scalar>;

    /// \throws config_error 201, 202, 401, 430 (heads do not divide the channels), 431 (the pole) or 432 (the
    /// scale)
    explicit FrequencyKernel(const Options& options)
        : channels_(options.mlp.channels),
          input_(options.input),
          head_channels_(checked_head_channels(options)),
          scale_(checked_scale(options)),
          mlp_(mlp_options(options.mlp), options.input == FrequencyInput::cosine_and_log ? 2 : 1),
          pole_(options.pole, options.mlp.channels) {}

    /// Drawn from `seed`: see PositionMlp and FrequencyPole.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        return {mlp_.make_parameters(seed), pole_.make_parameters(seed + 1)};
    }

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return channels_; }
    const PositionMlp<Scalar>& mlp() const noexcept { return mlp_; }
    /// Rows of the response on a grid of N points.
    static constexpr Index frequencies(Index grid) noexcept { return grid / 2 + 1; }

    /// Bytes that evaluate takes from its workspace for a grid of N points.
    std::size_t required_workspace(Index grid) const {
        return Workspace::bytes_for<Scalar>(frequencies(grid) * mlp_.inputs()) +
               (std::max)(mlp_.required_workspace(frequencies(grid)), pole_.required_workspace(grid));
    }

    /// Bytes that backward takes from its workspace.
    std::size_t backward_workspace(Index grid) const {
        return (std::max)(mlp_.backward_workspace(frequencies(grid)), pole_.required_workspace(grid));
    }

    /// response = R, or A + iB, on a grid of N points; keeps in `cache`, unless null, what backward needs.
    /// \throws config_error 201 (grid < 1), shape_error 403, 405 (parameters)
    /// Cost that of the perceptron at N/2+1 positions | heap: none, but for a cache that grows
    /// | thread-safe: yes
    void evaluate(const Parameters& parameters, Index grid, MatrixView<Response> response, Workspace& ws,
                  Cache* cache = nullptr) const {
        const char* where = "FrequencyKernel::evaluate";
        detail::require_positive(grid, where, "grid");
        const Index rows = frequencies(grid);
        detail::require_rows<Response>(response, rows, channels_, 403, where, "response");
        ws.reserve(required_workspace(grid));
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> positions = scope.matrix<Scalar>(rows, mlp_.inputs());
        for (Index k = 0; k < rows; ++k) fill_position(frequency(k, grid), positions.row(k));
        PositionMlpCache<Scalar>* mlp_cache = nullptr;
        if (cache != nullptr) {
            cache->grid = grid;
            mlp_cache = &cache->mlp;
        }
        if constexpr (kind == Causality::causal) {
            mlp_.forward_tiles(parameters.rpe, positions, mlp_cache, response, ws,
                               [&](Index, MatrixView<Scalar> tile) {
                                   if (scale_ != 1) tile.eigen() *= scale_;
                               });
        } else {
            mlp_.forward_tiles(parameters.rpe, positions, mlp_cache, MatrixView<Scalar>{}, ws,
                               [&](Index first, MatrixView<Scalar> tile) {
                                   for (Index i = 0; i < tile.rows(); ++i) {
                                       pair_halves(tile.row(i), scale_ * imaginary_weight(first + i, grid),
                                                   response.row(first + i));
                                   }
                               });
        }
        pole_.add(parameters.pole, grid, response, ws);
    }

    /// gradients += the gradient with respect to the parameters of a loss whose gradient with respect to the
    /// response is g (complex: ∂/∂Re + i ∂/∂Im).
    /// \throws shape_error 404 (g), 405 (parameters, gradients)
    /// Cost about 2× forward | heap: none | thread-safe: yes
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Response> g,
                  Parameters& gradients, Workspace& ws) const {
        const char* where = "FrequencyKernel::backward";
        detail::require_shape<Response>(g, frequencies(cache.grid), channels_, 404, where, "g");
        mlp_.backward_tiles(
            parameters.rpe, cache.mlp, gradients.rpe, ws, {},
            [&](Index /*chunk*/, Index first, Index count, Scalar* scratch) -> MatrixView<const Scalar> {
                const MatrixView<Scalar> tile(scratch, count, mlp_.channels());
                if constexpr (kind == Causality::causal) {
                    tile.eigen() = scale_ * g.middle_rows(first, count).eigen();
                } else {
                    for (Index i = 0; i < count; ++i) {
                        const Scalar weight = scale_ * imaginary_weight(first + i, cache.grid);
                        for (Index c = 0; c < channels_; ++c) {
                            const Response value = g(first + i, c);
                            tile(i, real_column(c)) = scale_ * value.real();
                            tile(i, real_column(c) + head_channels_) = weight * value.imag();
                        }
                    }
                }
                return tile;
            });
        pole_.backward(parameters.pole, cache.grid, g, gradients.pole, ws);
    }

private:
    static Index checked_head_channels(const Options& options) {
        detail::require_positive(options.mlp.channels, "FrequencyKernel", "channels");
        detail::require_positive(options.heads, "FrequencyKernel", "heads");
        if (options.mlp.channels % options.heads != 0) {
            detail::raise<config_error>(430, "FrequencyKernel",
                                        detail::text("heads that divide ", options.mlp.channels),
                                        std::to_string(options.heads));
        }
        return options.mlp.channels / options.heads;
    }
    static Scalar checked_scale(const Options& options) {
        const double scale = options.scale.value_or(1);
        if (!detail::is_finite(static_cast<Scalar>(scale))) {
            detail::raise<config_error>(432, "FrequencyKernel", "a finite scale", detail::text(scale));
        }
        return static_cast<Scalar>(scale);
    }
    static PositionMlpOptions mlp_options(PositionMlpOptions options) {
        if (kind == Causality::bidirectional) {
            options.channels = detail::checked_product(2, options.channels, "FrequencyKernel");
        }
        return options;
    }

    /// Output of the perceptron that holds the real part of channel c.
    Index real_column(Index c) const noexcept { return c + c / head_channels_ * head_channels_; }

    static double frequency(Index k, Index grid) noexcept {
        return 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(grid);
    }

    /// What the perceptron is fed.
    void fill_position(double omega, Scalar* position) const noexcept {
        position[0] = static_cast<Scalar>(input_ == FrequencyInput::angle ? omega : std::cos(omega));
        if (input_ != FrequencyInput::cosine_and_log) return;
        constexpr double rho = 127.0 / 128;
        const double sine = std::sin(omega / 2);
        // |1 − ρ e^{−iω}|² without cancellation, between (1 − ρ)² and (1 + ρ)²
        const double size = (1 - rho) * (1 - rho) + 4 * rho * sine * sine;
        position[1] = static_cast<Scalar>(std::log(size / (1 - rho * rho)) / std::log((1 + rho) / (1 - rho)));
    }

    /// One row of A + iB of the perceptron's outputs.
    template <class Complex>
    void pair_halves(const Scalar* outputs, Scalar weight, Complex* to) const noexcept {
        for (Index begin = 0; begin < channels_; begin += head_channels_) {
            const Scalar* real = outputs + 2 * begin;
            for (Index j = 0; j < head_channels_; ++j) {
                const Scalar imag = weight == 0 ? Scalar(0) : weight * real[head_channels_ + j];
                to[begin + j] = {scale_ * real[j], imag};
            }
        }
    }

    /// What the perceptron's second half is multiplied by at frequency k.
    Scalar imaginary_weight(Index k, Index grid) const noexcept {
        if (k == 0 || 2 * k == grid) return 0;
        return input_ == FrequencyInput::angle ? Scalar(1)
                                               : static_cast<Scalar>(std::sin(frequency(k, grid)));
    }

    Index channels_;
    FrequencyInput input_;
    Index head_channels_;
    Scalar scale_;
    PositionMlp<Scalar> mlp_;
    FrequencyPole<Scalar, kind> pole_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
