// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sparse plus low-rank Toeplitz neural operator.

#include <toeplitz/kernels/ski_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// W A Wᵀ is never causal: causal kernels are expanded to all lags, and the product is the exact one.
template <class Scalar, Causality kind>
using SkiTnoOperator =
    std::conditional_t<kind == Causality::causal, Fft<Scalar, kind>, Sum<Band<Scalar>, Ski<Scalar>>>;

/// A source of your own has no name: derive from SkiTno, and give the mixer one.
template <class Source>
inline constexpr const char* ski_architecture = nullptr;
template <class Scalar, Causality kind>
inline constexpr const char* ski_architecture<TimeWarp<Scalar, kind>> =
    kind == Causality::causal ? "causal_ski_tno" : "ski_tno";
template <class Scalar, Causality kind>
inline constexpr const char* ski_architecture<PositionKernel<Scalar, kind>> =
    kind == Causality::causal ? "causal_ski_mlp_tno" : "ski_mlp_tno";

}  // namespace detail

/// Bidirectional: y = (Band + W A Wᵀ) x in O(n + r log r) per channel. Causal: the kernel is interpolated
/// linearly from r lags to all of them, the taps are added to it, and the product is the exact one, O(n log
/// n).
///
/// Source gives the kernel at real lags: TimeWarp, or PositionKernel, of the same kind.
template <Real ScalarType, Causality kind, class Source = TimeWarp<ScalarType, kind>>
class SkiTno : public KernelMixer<SkiTno<ScalarType, kind, Source>, SkiKernel<Source>,
                                  detail::SkiTnoOperator<ScalarType, kind>> {
    using Base = KernelMixer<SkiTno, SkiKernel<Source>, detail::SkiTnoOperator<ScalarType, kind>>;

    static_assert(Source::causality() == kind,
                  "toeplitz: the mixer and its source differ in causality: give both the same.");

public:
    using Scalar = ScalarType;
    using Options = SkiTnoOptions<typename Source::Options>;
    using Operator = typename Base::Operator;
    static constexpr const char* name = "SkiTno";
    static constexpr const char* architecture = detail::ski_architecture<Source>;

    /// \throws config_error 201, 202, 510 (taps < 0), 511 (even taps), 520 (rank < 1), 730 (learned decay),
    /// and those of the source
    explicit SkiTno(const Options& options) : Base(SkiKernel<Source>(options)) {}

    static constexpr Causality causality() noexcept { return kind; }
    Index taps() const noexcept { return this->kernel().taps(); }
    /// Inducing points r at a length.
    Index rank(Index length) const { return this->kernel().rank(length); }

    Operator make_operator(Index length) const {
        const Index d = this->channels();
        if constexpr (kind == Causality::causal) {
            return Operator({.length = length, .channels = d});
        } else {
            // A band of one zero tap stands for none.
            return Band<Scalar>({.length = length, .channels = d, .taps = std::max<Index>(taps(), 1)}) +
                   Ski<Scalar>({.length = length,
                                .channels = d,
                                .rank = this->kernel().trained_rank(),
                                .spacing_length = this->kernel().spacing_length(length)});
        }
    }
    static Index where(const Operator& op) noexcept { return op.length(); }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
