// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The frequency-domain Toeplitz neural operator: a perceptron gives the kernel's frequency response.

#include <bit>

#include <toeplitz/kernels/frequency_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/spectral.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Points N of the frequency grid at length n: a smooth number from 2n on, or the next power of two from 2n
/// on, which the official weights are trained with.
enum class FrequencyGrid { smooth, power_of_two };

/// What the defaults do for learning, as far as it was measured, is in docs/training.md. Official weights are
/// plain: input = angle, no scale, no pole; so are options of files from before there were any.
struct FdTnoOptions {
    Index channels = 0;                                      ///< d ≥ 1; a layer fills it in
    PositionMlpOptions mlp{.activation = Activation::silu};  ///< its channels are filled in
    FrequencyInput input = FrequencyInput::cosine_and_log;
    FrequencyGrid grid = FrequencyGrid::smooth;
    Index heads = 1;                  ///< bidirectional: how official weights order real and imaginary parts
    std::optional<double> scale = 4;  ///< of the perceptron's outputs; none: 1
    std::optional<FrequencyPoleOptions> pole = FrequencyPoleOptions{};  ///< none: no pole
    /// Lengths up to this one share its grid, and with it their kernel, at the cost of its grid for each;
    /// none: a grid for each length, see FdTno.
    std::optional<Index> longest{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("mlp", sets.mlp...);
        f("input", sets.input...);
        f("grid", sets.grid...);
        f("heads", sets.heads...);
        f("scale", sets.scale...);
        f("pole", sets.pole...);
        f("longest", sets.longest...);
    }
};

/// y = T x with the kernel of a frequency response. Causal: the perceptron gives its real part and a Hilbert
/// transform the imaginary one, so that k(t) = 0 for t < 0 exactly and no decay is needed. Bidirectional: the
/// perceptron gives both parts.
///
/// A length has the grid of N ≥ 2n points: its kernel is e_N(t) = Σ_j e(t + jN), what the response means on a
/// grid infinitely fine, folded. Another length folds elsewhere: |k_N(t) − e(t)| ≤ Σ_{j≠0} |e(t + jN)|, twice
/// that where causal, which is what the kernel has left beyond N − t ≥ n. The pole is never folded. Where all
/// lengths have to share one kernel, and padding must not show at all, set `longest`.
///
/// Official names: rpe.*.
/// Cost the perceptron at N/2+1 positions, and O(n log n) per channel
template <Real ScalarType, Causality kind>
class FdTno : public KernelMixer<FdTno<ScalarType, kind>, FrequencyKernel<ScalarType, kind>,
                                 Spectral<ScalarType, kind>> {
    using Base = KernelMixer<FdTno, FrequencyKernel<ScalarType, kind>, Spectral<ScalarType, kind>>;

public:
    using Scalar = ScalarType;
    using Options = FdTnoOptions;
    static constexpr const char* name = "FdTno";
    static constexpr const char* architecture = kind == Causality::causal ? "causal_fd_tno" : "fd_tno";

    /// \throws config_error 201, 202, 401, 430, 431 or 432
    explicit FdTno(const Options& options)
        : Base(FrequencyKernel<Scalar, kind>(kernel_options(options))),
          grid_(options.grid),
          longest_(options.longest.value_or(1)) {
        detail::require_positive(longest_, name, "longest");
    }

    static constexpr Causality causality() noexcept { return kind; }

    /// Points N of the frequency grid for sequences of a length. \throws config_error 202
    Index grid(Index length) const {
        length = (std::max)(length, longest_);
        if (grid_ == FrequencyGrid::smooth) return default_frequency_grid(length);
        detail::checked_product(4, length, name);  // more than the power of two
        return static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(2 * length)));
    }

    Spectral<Scalar, kind> make_operator(Index length) const {
        return Spectral<Scalar, kind>({.length = length, .channels = this->channels(), .grid = grid(length)});
    }
    static Index where(const Spectral<Scalar, kind>& op) noexcept { return op.grid(); }

private:
    static FrequencyKernelOptions kernel_options(const Options& options) {
        PositionMlpOptions mlp = options.mlp;
        mlp.channels = options.channels;
        return {.mlp = mlp,
                .input = options.input,
                .heads = options.heads,
                .scale = options.scale,
                .pole = options.pole};
    }

    FrequencyGrid grid_;
    Index longest_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
