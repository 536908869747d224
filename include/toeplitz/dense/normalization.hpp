// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The four normalisations of a row of channels.

#include <cmath>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/core/sweep.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a row x of d channels becomes, with ρ = ‖x‖/√d, μ and σ² its mean and variance:
///   simple_rms  x/(ρ + 1e-8)
///   rms         scale ⊙ x/(ρ + 1e-8) [+ offset]            scale, offset: d
///   scale       scala · x/√(ρ² + 1e-5)                     scala: 1
///   layer       weight ⊙ (x − μ)/√(σ² + 1e-5) + bias       weight, bias: d
enum class Norm { simple_rms, rms, scale, layer };

/// Only the tensors of the norm in use are present.
template <Real Scalar>
struct NormParameters {
    Vector<Scalar> scale;   ///< rms: d
    Vector<Scalar> offset;  ///< rms: d, or empty
    Vector<Scalar> scala;   ///< scale: 1
    Vector<Scalar> weight;  ///< layer: d
    Vector<Scalar> bias;    ///< layer: d

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "scale", sets.scale...);
        detail::visit_present(f, "offset", sets.offset...);
        detail::visit_present(f, "scala", sets.scala...);
        detail::visit_present(f, "weight", sets.weight...);
        detail::visit_present(f, "bias", sets.bias...);
    }
};

/// Gains of one, and a bias of zero.
template <Real Scalar>
NormParameters<Scalar> make_norm(Norm norm, Index channels) {
    NormParameters<Scalar> parameters;
    if (norm == Norm::rms) parameters.scale.setOnes(channels);
    if (norm == Norm::scale) parameters.scala.setOnes(1);
    if (norm == Norm::layer) {
        parameters.weight.setOnes(channels);
        parameters.bias.setZero(channels);
    }
    return parameters;
}

namespace detail {

/// Throws shape_error 405 unless the set has the tensors of this norm.
template <Real Scalar>
void require_norm(Norm norm, const NormParameters<Scalar>& set, Index channels, const char* what,
                  const char* where) {
    const auto check = [&](const Vector<Scalar>& tensor, Index size, const char* name) {
        if (tensor.size() == size) return;
        raise<shape_error>(405, where, detail::text(what, " with ", name, " of size ", size),
                           std::to_string(tensor.size()));
    };
    check(set.scale, norm == Norm::rms ? channels : 0, "scale");
    if (norm != Norm::rms || set.offset.size() != 0) {
        check(set.offset, norm == Norm::rms ? channels : 0, "offset");
    }
    check(set.scala, norm == Norm::scale ? 1 : 0, "scala");
    check(set.weight, norm == Norm::layer ? channels : 0, "weight");
    check(set.bias, norm == Norm::layer ? channels : 0, "bias");
}

/// y = factor · (gain ⊙ (x − mean)·inverse) + offset is every norm; absent vectors are null.
template <class T>
struct NormGains {
    T* gain = nullptr;
    T* offset = nullptr;
    T* factor = nullptr;
};

template <class Parameters>
auto norm_gains(Parameters& parameters) {
    using T = std::remove_pointer_t<decltype(parameters.scale.data())>;
    const auto data = [](auto& v) -> T* { return v.size() == 0 ? nullptr : v.data(); };
    return NormGains<T>{data(parameters.scale.size() != 0 ? parameters.scale : parameters.weight),
                        data(parameters.offset.size() != 0 ? parameters.offset : parameters.bias),
                        data(parameters.scala)};
}

template <Real Scalar>
struct NormStatistics {
    Scalar mean = 0;
    Scalar inverse = 0;  ///< what the centred row is multiplied by
    Scalar ratio = 1;    ///< root mean square of the result: below 1 where eps stands outside the root
};

template <Real Scalar>
[[gnu::noinline]] NormStatistics<Scalar> norm_statistics(Norm norm, const Scalar* x, Index channels) {
    const Scalar count = static_cast<Scalar>(channels);
    NormStatistics<Scalar> s;
    if (norm == Norm::layer) {
        s.mean =
            sweep_sum<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA { return at.load(x + j); }) /
            count;
    }
    const Scalar mean = s.mean;
    const Scalar square = sweep_sum<Scalar>(channels,
                                            [&](auto at, Index j) TOEPLITZ_LAMBDA {
                                                const auto centred = at.load(x + j) - mean;
                                                return centred * centred;
                                            }) /
                          count;
    if (norm == Norm::simple_rms || norm == Norm::rms) {
        const Scalar rms = std::sqrt(square);
        s.inverse = 1 / (rms + Scalar(1e-8));
        s.ratio = rms * s.inverse;
    } else {
        s.inverse = 1 / std::sqrt(square + Scalar(1e-5));
    }
    return s;
}

/// y = norm(x) for one row; y may be x. Statistics are of the first `measured` channels.
template <Real Scalar>
[[gnu::noinline]] void normalize_row(Norm norm, NormGains<const Scalar> gains, const Scalar* x, Scalar* y,
                                     Index channels, Index measured) {
    NormStatistics<Scalar> s = norm_statistics(norm, x, measured);
    if (gains.factor != nullptr) s.inverse *= *gains.factor;
    if (gains.gain == nullptr) {
        sweep<Scalar>(channels,
                      [&](auto at, Index j) TOEPLITZ_LAMBDA { at.store(y + j, at.load(x + j) * s.inverse); });
    } else if (gains.offset == nullptr) {
        sweep<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            at.store(y + j, at.load(x + j) * s.inverse * at.load(gains.gain + j));
        });
    } else {
        sweep<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            at.store(y + j, (at.load(x + j) - s.mean) * s.inverse * at.load(gains.gain + j) +
                                at.load(gains.offset + j));
        });
    }
}

/// dx = normᵀ g for one row, and the gains' gradients are added to; dx may be g.
/// With x̂ = (x − mean)·inverse and ĝ = gains ⊙ g: dx = inverse · (ĝ − [mean ĝ] − x̂ ⟨x̂, ĝ⟩/(d·ratio)), the
/// last term for the d measured channels alone.
template <Real Scalar>
[[gnu::noinline]] void normalize_row_backward(Norm norm, NormGains<const Scalar> gains, const Scalar* x,
                                              const Scalar* g, Scalar* dx, NormGains<Scalar> gradients,
                                              Index channels, Index measured) {
    const NormStatistics<Scalar> s = norm_statistics(norm, x, measured);
    const Scalar count = static_cast<Scalar>(measured);
    const Scalar factor = gains.factor == nullptr ? Scalar(1) : *gains.factor;
    const auto hat = [&](auto at, Index j) TOEPLITZ_LAMBDA { return (at.load(x + j) - s.mean) * s.inverse; };
    const auto scaled = [&](auto at, Index j) TOEPLITZ_LAMBDA {
        const auto value = at.load(g + j) * factor;
        return gains.gain == nullptr ? value : value * at.load(gains.gain + j);
    };
    if (gradients.gain != nullptr) {
        sweep<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            at.store(gradients.gain + j, at.load(gradients.gain + j) + at.load(g + j) * hat(at, j));
        });
    }
    if (gradients.offset != nullptr) {
        sweep<Scalar>(channels, [&](auto at, Index j) TOEPLITZ_LAMBDA {
            at.store(gradients.offset + j, at.load(gradients.offset + j) + at.load(g + j));
        });
    }
    if (gradients.factor != nullptr) {
        *gradients.factor += sweep_sum<Scalar>(
            channels, [&](auto at, Index j) TOEPLITZ_LAMBDA { return at.load(g + j) * hat(at, j); });
    }
    Scalar mean = 0;
    if (norm == Norm::layer) mean = sweep_sum<Scalar>(channels, scaled) / count;
    const Scalar along = sweep_sum<Scalar>(
        channels, [&](auto at, Index j) TOEPLITZ_LAMBDA { return hat(at, j) * scaled(at, j); });
    const Scalar slope = s.ratio > 0 ? along / (count * s.ratio) : along * 0;
    sweep<Scalar>(measured, [&](auto at, Index j) TOEPLITZ_LAMBDA {
        at.store(dx + j, s.inverse * (scaled(at, j) - mean - slope * hat(at, j)));
    });
    for (Index j = measured; j < channels; ++j) dx[j] = s.inverse * scaled(ScalarAccess<Scalar>{}, j);
}

/// Channels that the statistics are of, given an option that is 0 for all.
/// \throws config_error 407
inline Index measured_channels(Norm norm, Index channels, Index measured, const char* where) {
    if (measured == 0 || measured == channels) return channels;
    if (measured < 0 || measured > channels || (norm != Norm::rms && norm != Norm::simple_rms)) {
        raise<config_error>(407, where, text("0 or, for rms norms, 1..", channels, " measured channels"),
                            std::to_string(measured));
    }
    return measured;
}

}  // namespace detail

}  // namespace toeplitz::inline TOEPLITZ_ABI
