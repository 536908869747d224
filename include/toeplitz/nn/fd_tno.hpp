// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The frequency-domain Toeplitz neural operator: a perceptron gives the kernel's frequency response.

#include <toeplitz/kernels/frequency_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/spectral.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Points N of the frequency grid at length n: a smooth number from 2n on, or the next power of two from 2n
/// on, which the official weights are trained with.
enum class FrequencyGrid { smooth, power_of_two };

struct FdTnoOptions {
    Index channels = 0;        ///< d ≥ 1; a layer fills it in
    PositionMlpOptions mlp{};  ///< its channels are filled in
    FrequencyInput input = FrequencyInput::cosine;
    FrequencyGrid grid = FrequencyGrid::smooth;
    Index heads = 1;  ///< bidirectional: how official weights order real and imaginary parts
};

/// y = T x with the kernel of a frequency response. Causal: the perceptron gives its real part and a Hilbert
/// transform the imaginary one, so that k(t) = 0 for t < 0 exactly and no decay is needed. Bidirectional: the
/// perceptron gives both parts.
///
/// Official names: rpe.*. Cost the perceptron at N/2+1 positions, and O(n log n) per channel
template <Real ScalarType, Causality kind>
class FdTno
    : public detail::KernelMixer<FdTno<ScalarType, kind>, Spectral<ScalarType, kind>,
                                 typename FrequencyKernel<ScalarType, kind>::Response,
                                 FrequencyKernelParameters<ScalarType>, FrequencyKernelCache<ScalarType>> {
    using Response = typename FrequencyKernel<ScalarType, kind>::Response;
    using Base = detail::KernelMixer<FdTno, Spectral<ScalarType, kind>, Response,
                                     FrequencyKernelParameters<ScalarType>, FrequencyKernelCache<ScalarType>>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Options = FdTnoOptions;
    using Parameters = FrequencyKernelParameters<Scalar>;

    /// \throws config_error 201, 202, 401 or 430
    explicit FdTno(const Options& options) : grid_(options.grid), kernel_(kernel_options(options)) {}

    static constexpr Causality causality() noexcept { return kind; }
    Index channels() const noexcept { return kernel_.channels(); }
    const FrequencyKernel<Scalar, kind>& kernel() const noexcept { return kernel_; }

    /// Points N of the frequency grid for sequences of a length.
    Index grid(Index length) const {
        if (grid_ == FrequencyGrid::smooth) return default_frequency_grid(length);
        Index points = 2;
        while (points < 2 * length) points *= 2;
        return points;
    }

    /// Drawn from `seed`: see PositionMlp.
    Parameters make_parameters(std::uint64_t seed = 0) const { return kernel_.make_parameters(seed); }

    /// The kernel at all lags, (2n−1) × d: row t + n − 1 is lag t; zero at t < 0 where causal.
    /// \throws shape_error 405
    /// heap: the result and a workspace | thread-safe: yes
    Matrix<Scalar> kernel_lags(const Parameters& parameters, Index length) const {
        const HalfSpectrum<Scalar> transform(grid(length));
        Matrix<Response> response(transform.frequencies(), channels());
        Workspace ws;
        evaluate_kernel(parameters, length, response, nullptr, ws);
        Matrix<Scalar> lags = Matrix<Scalar>::Zero(2 * length - 1, channels());
        detail::for_channel_groups(transform, channels(), transform.scratch_size(), ws,
                                   [&](Index first, Index width, Scalar* scratch) {
                                       transform.to_lags(response.data() + first, channels(), width, kind,
                                                         length - 1,
                                                         kind == Causality::causal ? 0 : length - 1,
                                                         &lags(length - 1, first), channels(), scratch);
                                   });
        return lags;
    }

private:
    static constexpr const char* name = "FdTno";

    static FrequencyKernelOptions kernel_options(const Options& options) {
        PositionMlpOptions mlp = options.mlp;
        mlp.channels = options.channels;
        return {.mlp = mlp, .input = options.input, .heads = options.heads};
    }

    Spectral<Scalar, kind> make_operator(Index length) const {
        return Spectral<Scalar, kind>({.length = length, .channels = channels(), .grid = grid(length)});
    }
    Index kernel_rows(Index length) const { return kernel_.frequencies(grid(length)); }

    void evaluate_kernel(const Parameters& parameters, Index length, MatrixView<Response> kernel,
                         FrequencyKernelCache<Scalar>* cache, Workspace& ws) const {
        if (cache == nullptr) {
            kernel_.evaluate(parameters, grid(length), kernel, ws);
        } else {
            kernel_.forward(parameters, grid(length), kernel, *cache, ws);
        }
    }

    void backpropagate_kernel(const Parameters& parameters, Index /*length*/,
                              const FrequencyKernelCache<Scalar>& cache, MatrixView<const Response> dkernel,
                              Parameters& gradients, Workspace& ws) const {
        kernel_.backward(parameters, cache, dkernel, gradients, ws);
    }

    FrequencyGrid grid_;
    FrequencyKernel<Scalar, kind> kernel_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
