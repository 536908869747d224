// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The norm of all gradients together: to limit it, and to notice what is not finite.

#include <array>
#include <cmath>
#include <optional>
#include <string>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/parameter.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Σ x², in double, in an order that depends on the size alone.
template <Real Scalar>
double square_sum(const Scalar* data, Index size) {
    constexpr Index parts = 64;
    std::array<double, parts> sums;
    parallel_chunks(parts, thread_count(parts, size / 2), [&](Index begin, Index end, int) {
        for (Index part = begin; part < end; ++part) {
            const Index first = size * part / parts;
            const Eigen::Map<const Eigen::Array<Scalar, Eigen::Dynamic, 1>> values(
                data + first, size * (part + 1) / parts - first);
            sums[static_cast<std::size_t>(part)] = values.template cast<double>().square().sum();
        }
    });
    double sum = 0;
    for (const double part : sums) sum += part;
    return sum;
}

}  // namespace detail

/// √Σ g² over all tensors that are not buffers, in double; the same bits for any number of threads.
/// Cost O(parameters) | heap: none | thread-safe: yes
template <ParameterSet P>
double gradient_norm(const P& gradients) {
    double sum = 0;
    detail::for_each_tensor(
        [&](const ParameterName& name, const detail::TensorRef* g) {
            if (name.is_buffer()) return;
            g->with_data([&](const auto* data) { sum += detail::square_sum(data, g->size()); });
        },
        gradients);
    return std::sqrt(sum);
}

/// The factor min(1, limit/(norm + 1e-6)) of PyTorch's clip_grad_norm_, for the gradient_scale of
/// adamw_update.
inline double clip_factor(double norm, double limit) noexcept { return std::fmin(1, limit / (norm + 1e-6)); }

/// An element that is NaN or infinite.
struct NonFinite {
    std::string tensor;
    Index row;
    Index col;
    double value;

    /// "nan in name(row, col)"
    std::string text() const { return detail::text(value, " in ", tensor, "(", row, ", ", col, ")"); }
};

/// The first element, in the order of the visit, that is not finite; buffers aside.
template <ParameterSet P>
std::optional<NonFinite> find_non_finite(const P& parameters) {
    std::optional<NonFinite> found;
    detail::for_each_tensor(
        [&](const ParameterName& name, const detail::TensorRef* tensor) {
            if (name.is_buffer()) return;
            for (Index i = 0; i < tensor->rows() && !found; ++i) {
                for (Index j = 0; j < tensor->cols() && !found; ++j) {
                    const double value = tensor->at(i, j);
                    if (!detail::is_finite(value)) found = NonFinite{name.text(), i, j, value};
                }
            }
        },
        parameters);
    return found;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
