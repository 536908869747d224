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
};

/// y = T x with T_ij = act(λ^|i−j| · MLP(i−j)): the mixer of "Toeplitz neural network for sequence modeling".
///
/// Heads only name groups of channels here. Official names: gamma (learned decay), rpe.*.
/// Cost the perceptron at 2n−1 (causal: n) positions, and O(n log n) per channel
template <Real ScalarType, Causality kind>
class Tno
    : public detail::KernelMixer<Tno<ScalarType, kind>, Fft<ScalarType>, ScalarType,
                                 PositionKernelParameters<ScalarType>, PositionKernelCache<ScalarType>> {
    using Base = detail::KernelMixer<Tno, Fft<ScalarType>, ScalarType, PositionKernelParameters<ScalarType>,
                                     PositionKernelCache<ScalarType>>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Options = TnoOptions;
    using Parameters = PositionKernelParameters<Scalar>;

    /// \throws config_error 201, 202, 401, 410 or 411
    explicit Tno(const Options& options)
        : activation_(options.activation), kernel_(kernel_options(options)) {}

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return kernel_.channels(); }
    const PositionKernel<Scalar>& kernel() const noexcept { return kernel_; }

    /// Drawn from `seed`: see PositionMlp and Decay.
    Parameters make_parameters(std::uint64_t seed = 0) const { return kernel_.make_parameters(seed); }

    /// The kernel at all lags, (2n−1) × d: row t + n − 1 is lag t; zero at t < 0 where causal.
    /// \throws shape_error 405
    /// heap: the result and a workspace | thread-safe: yes
    Matrix<Scalar> kernel_lags(const Parameters& parameters, Index length) const {
        Matrix<Scalar> lags = Matrix<Scalar>::Zero(2 * length - 1, channels());
        const Index rows = kernel_rows(length);
        Workspace ws;
        evaluate_kernel(parameters, length, MatrixView<Scalar>(lags).middle_rows(lags.rows() - rows, rows),
                        nullptr, ws);
        return lags;
    }

private:
    static constexpr const char* name = "Tno";

    static PositionKernelOptions kernel_options(const Options& options) {
        PositionMlpOptions mlp = options.mlp;
        mlp.channels = options.channels;
        return {.causality = kind, .mlp = mlp, .decay = options.decay, .positions = options.positions};
    }

    Fft<Scalar> make_operator(Index length) const {
        return Fft<Scalar>({.length = length, .channels = channels(), .causality = kind});
    }
    static Index kernel_rows(Index length) noexcept { return lag_count(length, kind); }

    void evaluate_kernel(const Parameters& parameters, Index length, MatrixView<Scalar> kernel,
                         PositionKernelCache<Scalar>* cache, Workspace& ws) const {
        if (cache == nullptr) {
            kernel_.evaluate(parameters, length, kernel, ws);
        } else {
            kernel_.forward(parameters, length, kernel, *cache, ws);
        }
        if (activation_ != Activation::identity) activate(activation_, kernel);
    }

    void backpropagate_kernel(const Parameters& parameters, Index length,
                              const PositionKernelCache<Scalar>& cache, MatrixView<Scalar> dkernel,
                              Parameters& gradients, Workspace& ws) const {
        if (activation_ != Activation::identity) {
            Workspace::Scope scope(ws);
            const MatrixView<Scalar> kernel = scope.template matrix<Scalar>(dkernel.rows(), dkernel.cols());
            kernel_.evaluate(parameters, length, kernel, ws);
            activate_backward(activation_, kernel, dkernel);
        }
        kernel_.backward(parameters, cache, dkernel, gradients, ws);
    }

    Activation activation_;
    PositionKernel<Scalar> kernel_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
