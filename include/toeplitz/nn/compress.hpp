// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A trained exact mixer becomes one of O(n) whose error is proven (docs/certificates.md).

#include <vector>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/core/options.hpp>
#include <toeplitz/nn/compressed_tno.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/output_error.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A compressed mixer or model and its parameters, ready to be prepared, trained on and saved.
template <class Module>
struct Compressed {
    Module module;
    typename Module::Parameters parameters;
};

namespace detail {

/// Channels that choose taps and rank together: the lanes that the exact product works on at once.
inline constexpr Index compressed_channels = 16;
/// How much longer the approximations of such blocks take than those of all channels at once, measured at
/// n = 784, d = 64, r = 32 to 224: 1.5 to 2.0. The exact product takes as long.
inline constexpr double block_overhead = 1.7;

/// The cheaper of one approximation of all channels, and one of every block of them.
template <Real Scalar>
std::vector<Approximation<Scalar>> choose_blocks(MatrixView<const Scalar> lags,
                                                 const ChooseOptions& options) {
    check_choice(lags, options);
    const auto choose_all = [&](MatrixView<const Scalar> part) {
        return choose_group(part, LagSampler<Scalar>(part), options);
    };
    const Index blocks = (lags.cols() + compressed_channels - 1) / compressed_channels;
    std::vector<Approximation<Scalar>> parts(static_cast<std::size_t>(blocks));
    const int threads = thread_count(blocks, lags.size() * 100);
    parallel_chunks<Denormals::keep>(blocks, threads, [&](Index begin, Index end, int) {
        for (Index b = begin; b < end; ++b) {
            const Index first = b * compressed_channels;
            const Index count = (std::min)(compressed_channels, lags.cols() - first);
            // Rows of neighbours of its own: a column at a time is read from them many times.
            const Matrix<Scalar> block = lags.middle_cols(first, count).eigen();
            parts[static_cast<std::size_t>(b)] = choose_all(block);
        }
    });
    if (blocks == 1) return parts;
    double together = 0;
    for (const Approximation<Scalar>& part : parts) {
        const double overhead = part.method() == Method::fft ? 1 : block_overhead;
        together += overhead * part.cost * static_cast<double>(part.channels());
    }
    Approximation<Scalar> whole = choose_all(lags);
    if (whole.cost * static_cast<double>(lags.cols()) > together) return parts;
    parts.clear();
    parts.push_back(std::move(whole));
    return parts;
}

/// Channels of `more` behind those of `to`, which has the same taps and rank.
template <Real Scalar>
void append_channels(Approximation<Scalar>& to, const Approximation<Scalar>& more) {
    const auto append = [](auto& values, const auto& others) {
        using Values = std::remove_reference_t<decltype(values)>;
        if (others.size() == 0) return;
        constexpr bool is_vector = Values::ColsAtCompileTime == 1;
        Values joined(is_vector ? values.rows() + others.rows() : values.rows(),
                      is_vector ? 1 : values.cols() + others.cols());
        joined << values, others;
        values = std::move(joined);
    };
    append(to.taps, more.taps);
    append(to.inducing, more.inducing);
    append(to.lags, more.lags);
    append(to.poles, more.poles);
    append(to.residues, more.residues);
    append(to.direct, more.direct);
    append(to.backward_poles, more.backward_poles);
    append(to.backward_residues, more.backward_residues);
    append(to.backward_direct, more.backward_direct);
    append(to.bounds, more.bounds);
    append(to.tolerances, more.tolerances);
}

}  // namespace detail

/// Replaces a kernel given at all lags, (2n−1) × d. As compress() for a mixer.
/// \throws shape_error 550, value_error 530, config_error 553, 556, 558
template <Real Scalar>
Compressed<CompressedTno<Scalar>> compress_lags(std::type_identity_t<MatrixView<const Scalar>> lags,
                                                const ChooseOptions& options) {
    const Index n = detail::checked_length(lags, "compress");
    Compressed<CompressedTno<Scalar>> result{CompressedTno<Scalar>({.channels = lags.cols(), .length = n}),
                                             {}};
    auto& groups = result.parameters.groups;
    for (Approximation<Scalar>& part : detail::choose_blocks<Scalar>(lags, options)) {
        // Neighbours of the same shape are one group: one operator, without bounds between its channels.
        if (!groups.empty() && groups.back().has_shape_of(part)) {
            detail::append_channels(groups.back(), part);
        } else {
            groups.push_back(std::move(part));
        }
    }
    return result;
}

/// Replaces the kernel of a trained Tno or FdTno by the cheapest operators that keep the tolerance in every
/// channel, for sequences of one length.
///
/// All channels share taps and rank, or blocks of 16 of them where that is cheaper by the cost model and what
/// operators of few channels cost in addition. Blocks that nothing cheaper qualifies for keep their lags and
/// the exact product.
/// \throws shape_error 405 (parameters), config_error 201, 553, 556, 558
template <class Mixer>
Compressed<CompressedTno<typename Mixer::Scalar>> compress(const Mixer& mixer,
                                                           const typename Mixer::Parameters& parameters,
                                                           Index length, const ChooseOptions& options) {
    static_assert(Mixer::causality() == Causality::bidirectional,
                  "toeplitz: compress() takes bidirectional mixers: W A Wᵀ is never causal.");
    detail::require_positive(length, "compress", "length");
    const Matrix<typename Mixer::Scalar> lags = mixer.kernel_lags(parameters, length);
    return compress_lags<typename Mixer::Scalar>(lags, options);
}

/// What compress() makes of a model.
template <class Mixer, class Norm, class Input>
using CompressedModel = Model<CompressedTno<typename Mixer::Scalar>, Norm, Input>;

/// The options of the model that compress() makes of one, for sequences of `length`.
template <class Mixer, class Norm, class Input>
auto compressed_options(const Model<Mixer, Norm, Input>& model, Index length) {
    typename CompressedModel<Mixer, Norm, Input>::Options options;
    copy_options(model.options(), options);
    options.block.gtu.mixer.length = length;
    for (auto& block : options.blocks) block.gtu.mixer.length = length;
    return options;
}

/// A trained model with the mixers of all layers compressed and everything else as it was.
/// \throws as for a mixer, and shape_error 405 for another number of layers
template <class Mixer, class Norm, class Input>
Compressed<CompressedModel<Mixer, Norm, Input>> compress(
    const Model<Mixer, Norm, Input>& model, const typename Model<Mixer, Norm, Input>::Parameters& parameters,
    Index length, const ChooseOptions& options) {
    using Made = CompressedModel<Mixer, Norm, Input>;
    Compressed<Made> result{Made(compressed_options(model, length)), {}};
    if (static_cast<Index>(parameters.layers.size()) != model.options().layers) {
        detail::raise<shape_error>(405, "compress",
                                   detail::text("parameters of ", model.options().layers, " layers"),
                                   std::to_string(parameters.layers.size()));
    }
    auto& made = result.parameters;
    made.embed = parameters.embed;
    made.norm = parameters.norm;
    made.out = parameters.out;
    for (Index l = 0; l < model.options().layers; ++l) {
        const auto& layer = parameters.layers[static_cast<std::size_t>(l)];
        auto mixer = compress(model.block(l).gtu().mixer(), layer.gtu.toep, length, options);
        made.layers.push_back(
            {{layer.gtu.v_proj, layer.gtu.u_proj, layer.gtu.o, layer.gtu.norm, std::move(mixer.parameters)},
             layer.gtu_norm,
             layer.glu,
             layer.glu_norm});
    }
    return result;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
