// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the operators want of a fast Toeplitz product, and which engine provides it.

#include <toeplitz/fft/tree_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Toeplitz products of one group of up to `lanes` channels by the right-angle convolution.
///
/// With N ≥ n and c_t = k(t) − i k(t−N), y = Re[(c ∗ x) mod (z^N − i)] is T x for every Toeplitz T: one
/// complex transform of N points per real channel, whether T is causal or not. All points lie on |z| = 1, so
/// Tᵀ has the conjugate spectrum, and the kernel gradient is the inverse transform D of conj(X) ⊙ G, read as
/// D_t = dk(t) − i dk(t−N).
///
/// Views are rows of time steps, or of lags from −negative on, with at most `lanes` neighbouring channels.
/// Spectra of w channels are `spectrum_size(w)` scalars in an order of the engine's own; scratch is
/// `scratch_size(w)` scalars, of transform_kernel `kernel_scratch_size()`. All are aligned to
/// buffer_alignment. Engines are immutable; calls allocate nothing and are safe at the same time with
/// distinct scratch.
template <class Engine, class Scalar>
concept ConvolutionEngine = requires(const Engine& engine, MatrixView<const Scalar> from,
                                     MatrixView<Scalar> to, const Scalar* in, Scalar* out, Index size) {
    { Engine::lanes } -> std::convertible_to<Index>;
    Engine(size, size);  // length, channels
    { engine.size() } -> std::convertible_to<Index>;
    { engine.spectrum_size(size) } -> std::convertible_to<Index>;
    { engine.scratch_size(size) } -> std::convertible_to<Index>;
    { engine.kernel_scratch_size() } -> std::convertible_to<Index>;
    // (lags, negative, spectrum, scratch); scaled by 1/N
    engine.transform_kernel(from, size, out, out);
    // (x, spectrum, scratch)
    engine.transform(from, out, out);
    // (x, kernel spectrum, y, scratch): y = T x, or one of its kin
    engine.template convolve<Direction::adjoint, Update::add>(from, in, to, out);
    // (x spectrum, kernel spectrum, y, scratch)
    engine.template convolve_spectrum<Direction::adjoint, Update::add>(in, in, to, out);
    // (x spectrum, g spectrum, width, sum): sum += conj(X) ⊙ G
    engine.accumulate_correlation(in, in, size, out);
    // (sum, lags, negative, scratch): lags += D; sum is overwritten
    engine.accumulate_lags(out, to, size, out);
};

static_assert(ConvolutionEngine<TreeConvolution<float>, float>);

/// The engine that operators use unless told otherwise: at every size and width the faster one.
template <Real Scalar>
using DefaultConvolution = TreeConvolution<Scalar>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
