// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every option set of the lean floors, alone or inside another one.

#include <gtest/gtest.h>

#include <toeplitz/nn/any_mixer.hpp>
#include <toeplitz/nn/compress.hpp>
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/causal_filter.hpp>
#include <toeplitz/operators/dense.hpp>
#include <toeplitz/operators/fft_2d.hpp>
#include <toeplitz/stream/options.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {

template <class Mixer, class... Layers>
using ModelOptionsOf = typename Model<Mixer, Layers...>::Options;

using BuiltInOptions = testing::Types<
    FftOptions, Fft2dOptions, BandOptions, CausalFilterOptions, SkiOptions, SpectralOptions, DenseOptions,
    NormEstimateOptions, ApproximationOptions, ChooseOptions, DistillOptions, CrossEntropyOptions,
    HuberOptions, BinaryCrossEntropyOptions, PrepareOptions, StreamOptions, TrainerOptions,
    PositionKernelOptions, FrequencyKernelOptions,
    ModelOptionsOf<Tno<float, Causality::causal>, BatchNorm<float>, Linear<float>>,
    ModelOptionsOf<FdTno<float, Causality::causal>>, ModelOptionsOf<SkiTno<float, Causality::bidirectional>>,
    SkiTnoOptions<PositionKernelOptions>, ModelOptionsOf<CompressedTno<float>>,
    ModelOptionsOf<AnyMixer<float>>,
    SeparableMixer<Tno<float, Causality::bidirectional>, FdTno<float, Causality::bidirectional>>::Options>;

}  // namespace toeplitz::test
