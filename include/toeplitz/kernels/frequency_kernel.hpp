// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A kernel given by its frequency response: a perceptron evaluated on the frequency grid.

#include <complex>
#include <numbers>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/kernels/position_mlp.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What the perceptron is fed at frequency ω. cosine: cos ω, so that a smooth activation gives a response
/// that is smooth as a periodic function and a kernel that decays as fast. angle: ω itself, as official
/// weights expect; its kinks at 0 and π leave a kernel that decays like t⁻², and t⁻¹ where it is
/// bidirectional.
enum class FrequencyInput { cosine, angle };

struct FrequencyKernelOptions {
    /// mlp.channels is the number of channels d of the kernel. The perceptron itself has d outputs in causal
    /// kernels and 2d in bidirectional ones.
    PositionMlpOptions mlp{};
    FrequencyInput input = FrequencyInput::cosine;
    /// Bidirectional: outputs are grouped in this many heads; each holds its real parts, then its imaginary.
    Index heads = 1;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("mlp", sets.mlp...);
        f("input", sets.input...);
        f("heads", sets.heads...);
    }
};

/// Official names: rpe.*.
template <Real Scalar>
struct FrequencyKernelParameters {
    PositionMlpParameters<Scalar> rpe;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        PositionMlpParameters<Scalar>::for_each(detail::under("rpe", f), sets.rpe...);
    }
};

template <Real Scalar>
struct FrequencyKernelCache {
    PositionMlpCache<Scalar> mlp;
    Index grid = 0;
};

/// The response at ω_k = 2πk/N, k = 0..N/2, in the form that the Spectral operator takes: (N/2+1) × d.
///
/// Causal: real, R(ω) = MLP(input). Bidirectional: complex, A(ω) + i B(ω); B is the perceptron's second half,
/// times sin ω where the input is cos ω, and 0 at ω = 0 and ω = π. Members may run at the same time
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

    /// \throws config_error 201, 202, 401 or 430 (heads do not divide the channels)
    explicit FrequencyKernel(const Options& options)
        : channels_(options.mlp.channels),
          input_(options.input),
          head_channels_(checked_head_channels(options)),
          mlp_(mlp_options(options.mlp)) {}

    /// Drawn from `seed`: see PositionMlp.
    Parameters make_parameters(std::uint64_t seed = 0) const { return {mlp_.make_parameters(seed)}; }

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return channels_; }
    const PositionMlp<Scalar>& mlp() const noexcept { return mlp_; }
    /// Rows of the response on a grid of N points.
    static constexpr Index frequencies(Index grid) noexcept { return grid / 2 + 1; }

    /// Bytes that evaluate takes from its workspace for a grid of N points.
    std::size_t required_workspace(Index grid) const {
        return Workspace::bytes_for<Scalar>(frequencies(grid)) + mlp_.required_workspace(frequencies(grid));
    }

    /// Bytes that backward takes from its workspace.
    std::size_t backward_workspace(Index grid) const { return mlp_.backward_workspace(frequencies(grid)); }

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
        Scalar* positions = scope.take<Scalar>(rows);
        for (Index k = 0; k < rows; ++k) {
            const double omega = frequency(k, grid);
            positions[k] = static_cast<Scalar>(input_ == FrequencyInput::angle ? omega : std::cos(omega));
        }
        const MatrixView<const Scalar> view(positions, rows, 1);
        PositionMlpCache<Scalar>* mlp_cache = nullptr;
        if (cache != nullptr) {
            cache->grid = grid;
            mlp_cache = &cache->mlp;
        }
        if constexpr (kind == Causality::causal) {
            mlp_.forward_tiles(parameters.rpe, view, mlp_cache, response, ws,
                               [](Index, MatrixView<Scalar>) {});
        } else {
            mlp_.forward_tiles(parameters.rpe, view, mlp_cache, MatrixView<Scalar>{}, ws,
                               [&](Index first, MatrixView<Scalar> tile) {
                                   for (Index i = 0; i < tile.rows(); ++i) {
                                       const Scalar weight = imaginary_weight(first + i, grid);
                                       const Scalar* row = tile.row(i);
                                       Response* to = response.row(first + i);
                                       for (Index begin = 0; begin < channels_; begin += head_channels_) {
                                           const Scalar* real = row + 2 * begin;
                                           for (Index j = 0; j < head_channels_; ++j) {
                                               const Scalar imag = weight == 0
                                                                       ? Scalar(0)
                                                                       : weight * real[head_channels_ + j];
                                               to[begin + j] = {real[j], imag};
                                           }
                                       }
                                   }
                               });
        }
    }

    /// gradients += the gradient with respect to the parameters of a loss whose gradient with respect to the
    /// response is g (complex: ∂/∂Re + i ∂/∂Im).
    /// \throws shape_error 404 (g), 405 (parameters, gradients)
    /// Cost about 2× forward | heap: none | thread-safe: yes
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Response> g,
                  Parameters& gradients, Workspace& ws) const {
        const char* where = "FrequencyKernel::backward";
        detail::require_shape<Response>(g, frequencies(cache.grid), channels_, 404, where, "g");
        if constexpr (kind == Causality::causal) {
            mlp_.backward(parameters.rpe, cache.mlp, g, gradients.rpe, ws);
        } else {
            mlp_.backward_tiles(
                parameters.rpe, cache.mlp, gradients.rpe, ws, {},
                [&](Index /*chunk*/, Index first, Index count, Scalar* scratch) -> MatrixView<const Scalar> {
                    const MatrixView<Scalar> tile(scratch, count, 2 * channels_);
                    for (Index i = 0; i < count; ++i) {
                        const Scalar weight = imaginary_weight(first + i, cache.grid);
                        for (Index c = 0; c < channels_; ++c) {
                            const Response value = g(first + i, c);
                            tile(i, real_column(c)) = value.real();
                            tile(i, real_column(c) + head_channels_) = weight * value.imag();
                        }
                    }
                    return tile;
                });
        }
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

    /// What the perceptron's second half is multiplied by at frequency k.
    Scalar imaginary_weight(Index k, Index grid) const noexcept {
        if (k == 0 || 2 * k == grid) return 0;
        return input_ == FrequencyInput::angle ? Scalar(1)
                                               : static_cast<Scalar>(std::sin(frequency(k, grid)));
    }

    Index channels_;
    FrequencyInput input_;
    Index head_channels_;
    PositionMlp<Scalar> mlp_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
