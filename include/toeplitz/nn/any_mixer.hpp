// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every mixer of the library as one type: layers of different mixers in a model, and models whose mixer only
/// their file knows.

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/compressed_tno.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Any mixer of the library, or one of your own: AnyMixer<float, MyMixer<float>>. See AnyOf; a list of the
/// few mixers that a program needs compiles faster.
template <Real Scalar, class... OwnMixers>
using AnyMixer =
    AnyOf<Tno<Scalar, Causality::bidirectional>, Tno<Scalar, Causality::causal>,
          FdTno<Scalar, Causality::bidirectional>, FdTno<Scalar, Causality::causal>,
          SkiTno<Scalar, Causality::bidirectional>, SkiTno<Scalar, Causality::causal>,
          SkiTno<Scalar, Causality::bidirectional, PositionKernel<Scalar, Causality::bidirectional>>,
          SkiTno<Scalar, Causality::causal, PositionKernel<Scalar, Causality::causal>>, CompressedTno<Scalar>,
          StateSpaceTno<Scalar>, OwnMixers...>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
