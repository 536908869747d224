// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Running statistics, which no gradient descends on.

#include <string>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parameter.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// The name of the first buffer that update_buffers would leave with a number that is not finite; empty where
/// there is none.
template <ParameterSet P>
std::string unbounded_buffer(const P& parameters, const P& gradients, double scale) {
    std::string found;
    for_each_tensor(
        [&](const ParameterName& name, const TensorRef* tensors) {
            if (!name.is_buffer() || !found.empty()) return;
            tensors->with_data([&]<class Scalar>(const Scalar* buffer) {
                const Scalar* const moved = tensors[1].data<Scalar>();
                for (Index i = 0; i < tensors->size() && found.empty(); ++i) {
                    if (!is_finite(buffer[i] + static_cast<Scalar>(scale) * moved[i])) found = name.text();
                }
            });
        },
        parameters, gradients);
    return found;
}

}  // namespace detail

/// Buffers += scale · what backward has added to their gradients: the means over `1 / scale` passes of what
/// each batch moves them by. For loops of one's own, after adamw_update; Trainer does it.
/// Cost O(buffers) | heap: none | thread-safe: with distinct parameters
template <ParameterSet P>
void update_buffers(P& parameters, const P& gradients, double scale = 1) {
    detail::for_each_tensor(
        [&](const ParameterName& name, const detail::TensorRef* tensors) {
            if (!name.is_buffer()) return;
            tensors->with_data([&]<class Scalar>(Scalar* buffer) {
                const Scalar* const moved = tensors[1].data<Scalar>();
                for (Index i = 0; i < tensors->size(); ++i)
                    buffer[i] += static_cast<Scalar>(scale) * moved[i];
            });
        },
        parameters, gradients);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
