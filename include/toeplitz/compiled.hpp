// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The instantiations that the target toeplitz::compiled holds: a program that links it and includes
/// toeplitz.hpp optimises its own code, not the library's.
///
/// They serve where the program is compiled with the flags of toeplitz::compiled; other flags are another
/// inline namespace (core/abi.hpp), and the linker says that a symbol is missing.

#include <toeplitz/kernels/frequency_pole.hpp>
#include <toeplitz/kernels/position_mlp.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/state_space.hpp>

// TOEPLITZ_INSTANTIATE_…(extern, …) declares explicit instantiations, TOEPLITZ_INSTANTIATE_…(, …) defines
// them.

/// A product of the transform's engine, which operators call.
#define TOEPLITZ_INSTANTIATE_PRODUCT(extern_or_not, Scalar, ...)                              \
    extern_or_not template void TreeConvolution<Scalar>::convolve<__VA_ARGS__>(               \
        MatrixView<const Scalar>, const Scalar*, MatrixView<Scalar>, Scalar*) const noexcept; \
    extern_or_not template void TreeConvolution<Scalar>::convolve_spectrum<__VA_ARGS__>(      \
        const Scalar*, const Scalar*, MatrixView<Scalar>, Scalar*) const noexcept;

/// Matrix products and activations, which layers and kernels call.
#define TOEPLITZ_INSTANTIATE_DENSE(extern_or_not, Scalar)                                                    \
    extern_or_not template void detail::multiply_packed<Scalar>(                                             \
        detail::LeftFactor<Scalar>, Index, const Scalar*, Index, Update, const Scalar*, MatrixView<Scalar>); \
    extern_or_not template void detail::multiply_small<Scalar>(detail::Product, MatrixView<const Scalar>,    \
                                                               MatrixView<const Scalar>, Update,             \
                                                               const Scalar*, MatrixView<Scalar>);           \
    extern_or_not template void detail::multiply<Scalar>(                                                    \
        detail::Product, MatrixView<const Scalar>, MatrixView<const Scalar>, Update, const Scalar*,          \
        MatrixView<Scalar>, Workspace&, detail::Finish<Scalar>);                                             \
    extern_or_not template void detail::multiply<Scalar>(                                                    \
        Precision, detail::Product, MatrixView<const Scalar>, MatrixView<const Scalar>, Update,              \
        const Scalar*, MatrixView<Scalar>, Workspace&, detail::Finish<Scalar>);                              \
    extern_or_not template void detail::activate<Scalar>(Activation, const Scalar*, Scalar*, Scalar*, Index);

/// The recurrence of state spaces, which operators and streams advance.
#define TOEPLITZ_INSTANTIATE_MODES(extern_or_not, Scalar)                                      \
    extern_or_not template class detail::ModalRecurrence<Scalar>;                              \
    extern_or_not template void detail::ModalRecurrence<Scalar>::advance<Update::assign>(      \
        Index, MatrixView<const Scalar>, MatrixView<Scalar>, Scalar*, Scalar*) const noexcept; \
    extern_or_not template void detail::ModalRecurrence<Scalar>::advance<Update::add>(         \
        Index, MatrixView<const Scalar>, MatrixView<Scalar>, Scalar*, Scalar*) const noexcept;

/// What stands on no mixer, for one scalar.
#define TOEPLITZ_INSTANTIATE_PARTS(extern_or_not, Scalar)                                   \
    TOEPLITZ_INSTANTIATE_DENSE(extern_or_not, Scalar)                                       \
    TOEPLITZ_INSTANTIATE_MODES(extern_or_not, Scalar)                                       \
    extern_or_not template class detail::TreePlan<Scalar>;                                  \
    extern_or_not template class detail::SplittingTree<Scalar>;                             \
    extern_or_not template class TreeConvolution<Scalar>;                                   \
    TOEPLITZ_INSTANTIATE_PRODUCT(extern_or_not, Scalar, Direction::forward, Update::assign) \
    TOEPLITZ_INSTANTIATE_PRODUCT(extern_or_not, Scalar, Direction::forward, Update::add)    \
    TOEPLITZ_INSTANTIATE_PRODUCT(extern_or_not, Scalar, Direction::adjoint, Update::assign) \
    TOEPLITZ_INSTANTIATE_PRODUCT(extern_or_not, Scalar, Direction::adjoint, Update::add)    \
    extern_or_not template class detail::HalfComplexTree<Scalar>;                           \
    extern_or_not template class detail::Chirp<Scalar>;                                     \
    extern_or_not template class HalfSpectrum<Scalar>;                                      \
    extern_or_not template class detail::NarrowConvolution<Scalar>;                         \
    extern_or_not template class detail::ShortConvolution<Scalar>;                          \
    extern_or_not template class detail::GroupedSpectra<Scalar, TreeConvolution<Scalar>>;   \
    extern_or_not template class detail::ExactProduct<Scalar, TreeConvolution<Scalar>>;     \
    extern_or_not template class Band<Scalar>;                                              \
    extern_or_not template class Band<Scalar, Causality::causal>;                           \
    extern_or_not template class Fft<Scalar>;                                               \
    extern_or_not template class Fft<Scalar, Causality::causal>;                            \
    extern_or_not template class Spectral<Scalar, Causality::bidirectional>;                \
    extern_or_not template class Spectral<Scalar, Causality::causal>;                       \
    extern_or_not template class Ski<Scalar>;                                               \
    extern_or_not template class PositionMlp<Scalar>;                                       \
    extern_or_not template class FrequencyPole<Scalar, Causality::bidirectional>;           \
    extern_or_not template class FrequencyPole<Scalar, Causality::causal>;                  \
    extern_or_not template class detail::PackedExact<Scalar>;                               \
    extern_or_not template class detail::PackedWords<detail::Bf16, Scalar>;                 \
    extern_or_not template class detail::PackedWords<detail::Int8, Scalar>;                 \
    extern_or_not template class EncodedMatrix<Scalar>;                                     \
    extern_or_not template class PackedLinear<Scalar>;                                      \
    extern_or_not template class RowNorm<Scalar>;                                           \
    extern_or_not template class BatchNorm<Scalar>;                                         \
    extern_or_not template class Glu<Scalar>;                                               \
    extern_or_not template class Linear<Scalar>;                                            \
    extern_or_not template class Embedding<Scalar>;

/// A mixer, and the layers and models of it.
#define TOEPLITZ_INSTANTIATE_MIXER(extern_or_not, ...)                                                 \
    extern_or_not template class KernelMixer<__VA_ARGS__, __VA_ARGS__::Kernel, __VA_ARGS__::Operator>; \
    extern_or_not template class __VA_ARGS__;                                                          \
    extern_or_not template class Gtu<__VA_ARGS__>;                                                     \
    extern_or_not template class Block<__VA_ARGS__>;                                                   \
    extern_or_not template class Model<__VA_ARGS__>;                                                   \
    extern_or_not template class Model<__VA_ARGS__, RowNorm<__VA_ARGS__::Scalar>,                      \
                                       Linear<__VA_ARGS__::Scalar>>;

#if defined(TOEPLITZ_COMPILED)
#define TOEPLITZ_DECLARE_MIXER(Mixer, Scalar)                                   \
    TOEPLITZ_INSTANTIATE_MIXER(extern, Mixer<Scalar, Causality::bidirectional>) \
    TOEPLITZ_INSTANTIATE_MIXER(extern, Mixer<Scalar, Causality::causal>)
#define TOEPLITZ_DECLARE(Scalar)               \
    TOEPLITZ_INSTANTIATE_PARTS(extern, Scalar) \
    TOEPLITZ_DECLARE_MIXER(Tno, Scalar)        \
    TOEPLITZ_DECLARE_MIXER(SkiTno, Scalar)     \
    TOEPLITZ_DECLARE_MIXER(FdTno, Scalar)

namespace toeplitz::inline TOEPLITZ_ABI {
#if defined(TOEPLITZ_COMPILED_float)
TOEPLITZ_DECLARE(float)
#endif
#if defined(TOEPLITZ_COMPILED_double)
TOEPLITZ_DECLARE(double)
#endif
}  // namespace toeplitz::inline TOEPLITZ_ABI

#undef TOEPLITZ_DECLARE
#undef TOEPLITZ_DECLARE_MIXER
#endif
