// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Operators, kernels, layers and models in one include. What fewer programs need has headers of its own:
/// bounds and choices (approximation/), compressed, distilled and any mixers (nn/compress.hpp,
/// nn/distill.hpp, nn/any_mixer.hpp), streams (stream/), training (train/), files (io/), options as text
/// (core/options_text.hpp), Eigen's solvers (adapt/eigen.hpp).

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/kernels/frequency_kernel.hpp>
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/kernels/time_warp.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/normalized.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/causal_filter.hpp>
#include <toeplitz/operators/dense.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/operators/sum.hpp>
#include <toeplitz/version.hpp>

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/compiled.hpp>
#endif
