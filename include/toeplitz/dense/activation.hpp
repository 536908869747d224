// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Pointwise nonlinearities and their derivatives.

#include <algorithm>
#include <cmath>
#include <numbers>

#include <toeplitz/core/denormals.hpp>
#include <toeplitz/core/sweep.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// relu max(x, 0) · silu x/(1+e^{−x}) · gelu x Φ(x) with the exact normal distribution Φ · sine sin x ·
/// sigmoid 1/(1+e^{−x}) · leaky_relu max(x, x/100) · elu x, or eˣ − 1 where x < 0; elu_plus_one,
/// elu_plus_two. All of them map NaN to NaN; relu'(0) = 0.
enum class Activation {
    identity,
    relu,
    silu,
    gelu,
    sine,
    sigmoid,
    leaky_relu,
    elu,
    elu_plus_one,
    elu_plus_two
};

namespace detail {

/// eʳ = 1 + r + r² Σ series[i] rⁱ for |r| ≤ ln(2)/2; ln 2 in two parts, the first with so few bits that small
/// multiples of it are exact. Φ(−a) = e^{−a²/2} Σ tail[i] qⁱ / (1 + a) with q = (a − centre)/(a + centre),
/// for a ≥ 0. Both are Chebyshev sums of relative error below the scalar's unit.
template <Real Scalar>
struct Exponential;
template <>
struct Exponential<float> {
    static constexpr float series[] = {0.500000001F, 0.16666577F, 0.041666465F, 0.0083631801F, 0.001393365F};
    static constexpr float ln2[] = {0.693359375F, -2.12194440e-4F};
    static constexpr float smallest = -87.6F;  ///< below it the result would not be a normal number
    static constexpr int mantissa_bits = 23, bias = 127, half_mantissa = 12;
    static constexpr float centre = 3;
    static constexpr float tail[] = {0.486055799F,     -0.0965267397F,  -0.016432612F,  0.045163443F,
                                     -0.0227244513F,   0.00116405374F,  0.00298669728F, -0.000365392183F,
                                     -0.000474006716F, 3.57751049e-05F, 5.97190541e-05F};
};
template <>
struct Exponential<double> {
    static constexpr double series[] = {0.5,
                                        0.16666666666666671177,
                                        0.041666666666624089567,
                                        0.0083333333333259850637,
                                        0.0013888888917221917599,
                                        0.0001984126987525312423,
                                        2.4801521290035985819e-05,
                                        2.7557254927233531493e-06,
                                        2.7620089571770032712e-07,
                                        2.5105387955142224359e-08};
    static constexpr double ln2[] = {6.93145751953125e-1, 1.42860682030941723212e-6};
    static constexpr double smallest = -708.7;
    static constexpr int mantissa_bits = 52, bias = 1023, half_mantissa = 27;
    static constexpr double centre = 5;
    static constexpr double tail[] = {
        0.46151582985003776602,     -0.091552281834009184986,   0.031030368425965381584,
        0.010002352385243861668,    -0.02640104296637922949,    0.024536963243269052584,
        -0.015170415401356851446,   0.0065220006730604032991,   -0.0016760723541430875075,
        7.7915600568231185834e-06,  0.00018233419094173877738,  -5.3607421149319267604e-05,
        -9.8962329561957940171e-06, 9.0593886354861652422e-06,  -7.0092553532408174982e-08,
        -1.3066757357638181248e-06, 1.2757432002352686595e-07,  1.9539136255630751293e-07,
        -2.60618454106520403e-08,   -3.0317202757146333168e-08, 3.5342968374152405886e-09,
        4.1435083630858571267e-09,  -2.6561110644252039493e-10, -3.3632318263698834927e-10};
};

template <class Pack, class Scalar, std::size_t size>
TOEPLITZ_INLINE Pack horner(const Scalar (&coefficients)[size], Pack x) noexcept {
    Pack sum = coefficients[size - 1] - Pack{};
    for (std::size_t i = size - 1; i-- > 0;) sum = sum * x + coefficients[i];
    return sum;
}

/// e^{x + rest} for x ≤ 0 and a small rest; NaN where x is.
template <Real Scalar>
TOEPLITZ_INLINE auto exponential(typename Simd<Scalar>::Pack x,
                                 typename Simd<Scalar>::Pack rest = typename Simd<Scalar>::Pack{}) noexcept {
    using E = Exponential<Scalar>;
    using Pack = typename Simd<Scalar>::Pack;
    using Bits = decltype(x < x);
    const Pack bounded = x < E::smallest - 1 ? Pack{} + (E::smallest - 1) : x;
    // By way of integers, which holds under -ffast-math too.
    const Bits exponent =
        __builtin_convertvector(bounded * static_cast<Scalar>(std::numbers::log2e) - Scalar(0.5), Bits);
    const Pack k = __builtin_convertvector(exponent, Pack);
    const Pack r = ((bounded - k * E::ln2[0]) - k * E::ln2[1]) + rest;
    const Pack power = reinterpret_cast<Pack>((exponent + E::bias) << E::mantissa_bits);  // 2ᵏ
    const Pack result = ((horner(E::series, r) * r) * r + r + Scalar(1)) * power;
    return bounded < E::smallest ? Pack{} : result;
}

template <class Pack>
TOEPLITZ_INLINE Pack absolute(Pack x) noexcept {
    return x < 0 ? -x : x;
}
/// Within ±limit; NaN stays NaN.
template <class Pack, class Scalar>
TOEPLITZ_INLINE Pack clamped(Pack x, Scalar limit) noexcept {
    const Pack most = Pack{} + limit;
    x = x > most ? most : x;
    return x < -most ? -most : x;
}

/// The sigmoid s and s(1 − s), both with their tails.
template <Real Scalar, class Pack>
TOEPLITZ_INLINE void sigmoid(Pack x, Pack& value, Pack& slope) noexcept {
    const Pack e = exponential<Scalar>(-absolute(x));
    const Pack inverse = 1 / (1 + e);
    slope = e * inverse * inverse;
    value = x < 0 ? e * inverse : inverse;
}

/// Φ and φ, the standard normal distribution and its density.
template <Real Scalar, class Pack>
TOEPLITZ_INLINE void normal_distribution(Pack x, Pack& distribution, Pack& density) noexcept {
    using E = Exponential<Scalar>;
    using Bits = decltype(x < x);
    // x² with twice the digits: e^{−x²/2} has x² units of error else.
    constexpr auto low = (std::int64_t{1} << E::half_mantissa) - 1;
    const Bits mask = ~(Bits{} + static_cast<decltype(+Bits{}[0])>(low));
    const Pack high = reinterpret_cast<Pack>(reinterpret_cast<Bits>(x) & mask);
    const Pack e = exponential<Scalar>(high * high * Scalar(-0.5), (high - x) * (x + high) * Scalar(0.5));
    const Pack a = absolute(x);
    const Pack tail = e * horner(E::tail, (a - E::centre) / (a + E::centre)) / (a + 1);
    distribution = x < 0 ? tail : 1 - tail;
    density = e * static_cast<Scalar>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
}

/// x P(x) and its derivative for a distribution P that is 0 and 1 beyond ∓limit: within the limit 0 · ∞, a
/// NaN, does not occur.
template <class Pack, class Scalar, class Distribution>
TOEPLITZ_INLINE void gate(Pack x, Scalar limit, Distribution&& distribution, Pack& value,
                          Pack& slope) noexcept {
    const Pack near = clamped(x, limit);
    Pack p;
    distribution(near, p, slope);
    value = (x < 0 ? near : x) * p;
    slope = near * slope + p;
}

/// The rarer ones, element by element.
template <Real Scalar>
void rare_activation(Activation activation, Scalar x, Scalar& value, Scalar& slope) noexcept {
    if (activation == Activation::identity) {
        value = x;
        slope = 1;
    } else if (activation == Activation::sine) {
        value = std::sin(x);
        slope = std::cos(x);
    } else if (activation == Activation::leaky_relu) {
        value = x < 0 ? x / 100 : x;
        slope = x > 0 ? Scalar(1) : Scalar(0.01);
    } else {
        value = x < 0 ? std::expm1(x) : x;
        slope = x < 0 ? value + 1 : Scalar(1);
        if (activation != Activation::elu) value += activation == Activation::elu_plus_one ? 1 : 2;
    }
}

/// value = act(x) and, unless it is null, slope = act'(x), for neighbours in memory; value may be x.
template <Real Scalar>
[[gnu::noinline]] void activate(Activation activation, const Scalar* x, Scalar* value, Scalar* slope,
                                Index count) {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    const auto each = [&](auto&& f) TOEPLITZ_LAMBDA {
        for (Index i = 0; i < count; i += S::lanes) {
            const Index lanes = (std::min)(S::lanes, count - i);
            Pack v;
            Pack s;
            f(S::load_row(x + i, lanes), v, s);
            S::store_row(value + i, v, lanes);
            if (slope != nullptr) S::store_row(slope + i, s, lanes);
        }
    };
    switch (activation) {
        case Activation::relu:
            return each([](Pack v, Pack& y, Pack& s) TOEPLITZ_LAMBDA {
                y = v < 0 ? Pack{} : v;  // in this order NaN stays NaN
                s = v > 0 ? Pack{} + 1 : Pack{};
            });
        case Activation::silu:
            return each([](Pack v, Pack& y, Pack& s)
                            TOEPLITZ_LAMBDA { gate(v, Scalar(1000), sigmoid<Scalar, Pack>, y, s); });
        case Activation::gelu:
            return each([](Pack v, Pack& y, Pack& s) TOEPLITZ_LAMBDA {
                gate(v, Scalar(50), normal_distribution<Scalar, Pack>, y, s);
            });
        case Activation::sigmoid:
            return each([](Pack v, Pack& y, Pack& s) TOEPLITZ_LAMBDA { sigmoid<Scalar>(v, y, s); });
        default:
            for (Index i = 0; i < count; ++i) {
                Scalar s;
                rare_activation(activation, x[i], value[i], s);
                if (slope != nullptr) slope[i] = s;
            }
    }
}

/// Elements whose activations are kept in the first cache until they are used.
inline constexpr Index activation_block = 512;

/// y = act(x) ⊙ factor, for neighbours in memory; y may be one of them.
template <Real Scalar>
[[gnu::noinline]] void activate_times(Activation activation, const Scalar* x, const Scalar* factor, Scalar* y,
                                      Index count) {
    Scalar value[activation_block];
    for (Index first = 0; first < count; first += activation_block) {
        const Index size = (std::min)(activation_block, count - first);
        activate<Scalar>(activation, x + first, value, nullptr, size);
        sweep<Scalar>(size, [&](auto at, Index i) TOEPLITZ_LAMBDA {
            at.store(y + first + i, at.load(value + i) * at.load(factor + first + i));
        });
    }
}

/// Backward through y = act(x) ⊙ factor, given g with respect to y. All are neighbours in memory; results may
/// overwrite what they are made from.
template <Real Scalar>
[[gnu::noinline]] void activate_times_backward(Activation activation, const Scalar* x, const Scalar* factor,
                                               const Scalar* g, Scalar* y, Scalar* dx, Scalar* dfactor,
                                               Index count) {
    Scalar value[activation_block];
    Scalar slope[activation_block];
    for (Index first = 0; first < count; first += activation_block) {
        const Index size = (std::min)(activation_block, count - first);
        activate<Scalar>(activation, x + first, value, slope, size);
        sweep<Scalar>(size, [&](auto at, Index i) TOEPLITZ_LAMBDA {
            const auto v = at.load(value + i);
            const auto f = at.load(factor + first + i);
            const auto upstream = at.load(g + first + i);
            at.store(dx + first + i, upstream * f * at.load(slope + i));
            at.store(dfactor + first + i, upstream * v);
            at.store(y + first + i, v * f);
        });
    }
}

/// g *= act'(x), for neighbours in memory.
template <Real Scalar>
[[gnu::noinline]] void multiply_by_slope(Activation activation, const Scalar* x, Scalar* g, Index count) {
    if (activation == Activation::identity) return;
    Scalar value[activation_block];
    Scalar slope[activation_block];
    for (Index first = 0; first < count; first += activation_block) {
        const Index size = (std::min)(activation_block, count - first);
        activate<Scalar>(activation, x + first, value, slope, size);
        sweep<Scalar>(size, [&](auto at, Index i) TOEPLITZ_LAMBDA {
            at.store(g + first + i, at.load(g + first + i) * at.load(slope + i));
        });
    }
}

}  // namespace detail

/// x = act(x), element by element. Denormal numbers are zeros.
/// Cost O(size) | heap: none | thread-safe: yes
template <Real Scalar>
void activate(Activation activation, MatrixView<Scalar> x) {
    const detail::FlushDenormals guard;
    for (Index i = 0; i < x.rows(); ++i) {
        if (x.has_contiguous_rows()) {
            detail::activate<Scalar>(activation, x.row(i), x.row(i), nullptr, x.cols());
        } else {
            for (Index j = 0; j < x.cols(); ++j) {
                detail::activate<Scalar>(activation, &x(i, j), &x(i, j), nullptr, 1);
            }
        }
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
