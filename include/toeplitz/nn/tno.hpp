// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The Toeplitz neural operator: a position perceptron with decay and the exact product.

#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct TnoOptions {
    Index channels = 0;        ///< d ≥ 1; a layer fills it in
    PositionMlpOptions mlp{};  ///< its channels are filled in
    DecayOptions decay{};      ///< λ^|t|
    Positions positions = Positions::lags;
    Activation activation = Activation::identity;  ///< on top of the decayed kernel: the official act_type

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("mlp", sets.mlp...);
        f("decay", sets.decay...);
        f("positions", sets.positions...);
        f("activation", sets.activation...);
    }
};

/// y = T x with T_ij = act(λ^|i−j| · MLP(i−j)): the mixer of "Toeplitz neural network for sequence modeling".
///
/// Heads only name groups of channels here. Official names: gamma (learned decay), rpe.*.
/// Cost the perceptron at 2n−1 (causal: n) positions, and O(n log n) per channel
template <Real ScalarType, Causality kind>
class Tno
    : public KernelMixer<Tno<ScalarType, kind>, PositionKernel<ScalarType, kind>, Fft<ScalarType, kind>> {
    using Base = KernelMixer<Tno, PositionKernel<ScalarType, kind>, Fft<ScalarType, kind>>;

public:
    using Scalar = ScalarType;
    using Options = TnoOptions;
    static constexpr const char* name = "Tno";
    static constexpr const char* architecture = kind == Causality::causal ? "causal_tno" : "tno";

    /// \throws config_error 201, 202, 401, 410 or 411
    explicit Tno(const Options& options) : Base(PositionKernel<Scalar, kind>(kernel_options(options))) {}

    static constexpr Causality causality() noexcept { return kind; }

    Fft<Scalar, kind> make_operator(Index length) const {
        return Fft<Scalar, kind>({.length = length, .channels = this->channels()});
    }
    static Index where(const Fft<Scalar, kind>& op) noexcept { return op.length(); }

private:
    static PositionKernelOptions kernel_options(const Options& options) {
        PositionMlpOptions mlp = options.mlp;
        mlp.channels = options.channels;
        return {.mlp = mlp,
                .decay = options.decay,
                .positions = options.positions,
                .activation = options.activation};
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
