// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Pointwise nonlinearities and their derivatives.

#include <algorithm>
#include <cmath>
#include <numbers>

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

/// The standard normal distribution Φ and its density φ.
template <Real Scalar>
Scalar normal_distribution(Scalar x) noexcept {
    return std::erfc(-x * static_cast<Scalar>(1 / std::numbers::sqrt2)) / 2;
}
template <Real Scalar>
Scalar normal_density(Scalar x) noexcept {
    return std::exp(-x * x / 2) * static_cast<Scalar>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
}

/// The rarer ones, element by element.
template <Real Scalar>
Scalar activated(Activation activation, Scalar x) noexcept {
    if (activation == Activation::sigmoid) return 1 / (1 + std::exp(-x));
    if (activation == Activation::leaky_relu) return x < 0 ? x / 100 : x;
    const Scalar elu = x < 0 ? std::expm1(x) : x;
    if (activation == Activation::elu) return elu;
    return elu + (activation == Activation::elu_plus_one ? Scalar(1) : Scalar(2));
}
template <Real Scalar>
Scalar activated_slope(Activation activation, Scalar x) noexcept {
    if (activation == Activation::sigmoid) {
        const Scalar y = activated(activation, x);
        return y * (1 - y);
    }
    if (activation == Activation::leaky_relu) return x > 0 ? Scalar(1) : Scalar(0.01);
    return x < 0 ? std::exp(x) : Scalar(1);
}

template <Real Scalar>
auto as_array(Scalar* data, Index count) noexcept {
    return Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>(data, count);
}

/// x = act(x) for neighbours in memory.
template <Real Scalar>
void activate(Activation activation, Scalar* x, Index count) {
    auto array = as_array(x, count);
    switch (activation) {
        case Activation::identity:
            break;
        case Activation::relu:
            sweep<Scalar>(count, [&](auto at, Index i) TOEPLITZ_LAMBDA {
                using Value = typename decltype(at)::Value;
                const Value v = at.load(x + i);
                at.store(x + i, v < Scalar(0) ? Value{} : v);  // in this order NaN stays NaN
            });
            break;
        case Activation::silu:
            array /= 1 + (-array).exp();
            break;
        case Activation::gelu:
            for (Index i = 0; i < count; ++i) x[i] *= normal_distribution(x[i]);
            break;
        case Activation::sine:
            array = array.sin();
            break;
        default:
            for (Index i = 0; i < count; ++i) x[i] = activated(activation, x[i]);
    }
}

/// x = act(x) and slope = act'(x) at the old x, for neighbours in memory.
template <Real Scalar>
void activate_with_slope(Activation activation, Scalar* x, Scalar* slope, Index count) {
    auto array = as_array(x, count);
    auto slopes = as_array(slope, count);
    switch (activation) {
        case Activation::identity:
            slopes.setOnes();
            break;
        case Activation::relu:
            sweep<Scalar>(count, [&](auto at, Index i) TOEPLITZ_LAMBDA {
                using Value = typename decltype(at)::Value;
                const Value v = at.load(x + i);
                at.store(slope + i, v > Scalar(0) ? Value{} + Scalar(1) : Value{});
            });
            activate(activation, x, count);
            break;
        case Activation::silu:
            slopes = (1 + (-array).exp()).inverse();
            sweep<Scalar>(count, [&](auto at, Index i) TOEPLITZ_LAMBDA {
                const auto v = at.load(x + i);
                const auto sigmoid = at.load(slope + i);
                at.store(x + i, v * sigmoid);
                at.store(slope + i, sigmoid * (Scalar(1) + v * (Scalar(1) - sigmoid)));
            });
            break;
        case Activation::gelu:
            for (Index i = 0; i < count; ++i) {
                const Scalar v = x[i];
                const Scalar distribution = normal_distribution(v);
                x[i] = v * distribution;
                slope[i] = distribution + v * normal_density(v);
            }
            break;
        case Activation::sine:
            slopes = array.cos();
            array = array.sin();
            break;
        default:
            for (Index i = 0; i < count; ++i) slope[i] = activated_slope(activation, x[i]);
            activate(activation, x, count);
    }
}

}  // namespace detail

/// x = act(x), element by element.
/// Cost O(size) | heap: none | thread-safe: yes
template <Real Scalar>
void activate(Activation activation, MatrixView<Scalar> x) {
    for (Index i = 0; i < x.rows(); ++i) {
        if (x.has_contiguous_rows()) {
            detail::activate(activation, x.row(i), x.cols());
        } else {
            for (Index j = 0; j < x.cols(); ++j) detail::activate(activation, &x(i, j), 1);
        }
    }
}

/// g = g · act'(x), element by element: the gradient with respect to x of a loss whose gradient with respect
/// to act(x) is g. Same shapes, rows of neighbours; x becomes act(x).
/// Cost O(size) | heap: none | thread-safe: yes
template <Real Scalar>
void activate_backward(Activation activation, MatrixView<Scalar> x, MatrixView<Scalar> g) {
    constexpr Index block = 256;
    Scalar slope[block];
    for (Index i = 0; i < x.rows(); ++i) {
        for (Index first = 0; first < x.cols(); first += block) {
            const Index count = std::min(block, x.cols() - first);
            detail::activate_with_slope(activation, x.row(i) + first, slope, count);
            detail::as_array(g.row(i) + first, count) *= detail::as_array(slope, count);
        }
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
