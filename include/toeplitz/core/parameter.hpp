// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Learnable parameters are plain structs, visited tensor by tensor in a fixed order.
///
/// A parameter set P has one static member
///
///     template <class F, class... Sets>
///     static void for_each(F&& f, Sets&... sets);   // each of Sets is P or const P
///
/// that calls `f(name, tensor of the first set, tensor of the second set, …)` for every tensor. Gradients and
/// an optimizer's moments are further values of the same type, so an optimizer, a checkpoint, a reduction of
/// gradients and a gradient check are one visitor each.

#include <concepts>
#include <string_view>
#include <type_traits>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Name of a tensor as in an official state dict, for example "rpe.layers.0.2.weight".
///
/// A chain of parts that live on the stack of the visit: nothing is allocated until somebody wants the text.
class ParameterName {
public:
    constexpr ParameterName(const char* part) noexcept
        : part_(part) {}  // NOLINT(google-explicit-constructor)

    /// A tensor that is saved with the others but not trained, such as running statistics.
    static constexpr ParameterName buffer(const char* part) noexcept {
        ParameterName name(part);
        name.is_buffer_ = true;
        return name;
    }

    /// `part.rest`, or `part.number.rest` where number ≥ 0. Refers to `rest`.
    constexpr ParameterName(std::string_view part, Index number, const ParameterName& rest) noexcept
        : part_(part), number_(number), rest_(&rest), is_buffer_(rest.is_buffer_) {}

    /// Optimizers leave buffers alone.
    constexpr bool is_buffer() const noexcept { return is_buffer_; }

    std::string text() const {
        std::string result(part_);
        if (number_ >= 0) result.append(1, '.').append(std::to_string(number_));
        if (rest_ != nullptr) result.append(1, '.').append(rest_->text());
        return result;
    }
    operator std::string() const { return text(); }  // NOLINT(google-explicit-constructor)

private:
    std::string_view part_;
    Index number_ = -1;
    const ParameterName* rest_ = nullptr;
    bool is_buffer_ = false;
};

namespace detail {

struct IgnoreTensors {
    template <class... Tensors>
    void operator()(const ParameterName& /*name*/, Tensors&... /*tensors*/) const {}
};

/// The visitor f with every name prefixed by `part.` or `part.number.`.
template <class F>
auto under(std::string_view part, Index number, F& f) {
    return [&f, part, number](const ParameterName& name, auto&... tensors) {
        f(ParameterName(part, number, name), tensors...);
    };
}
template <class F>
auto under(std::string_view part, F& f) {
    return under(part, -1, f);
}

/// f(name, tensors...) unless the tensor is empty: an option left it out.
template <class F, class Tensor, class... Tensors>
void visit_present(F& f, const char* name, Tensor& tensor, Tensors&... tensors) {
    if (tensor.size() != 0) f(ParameterName(name), tensor, tensors...);
}

}  // namespace detail

/// See the comment of this file.
template <class P>
concept ParameterSet = requires(P& parameters) {
    std::remove_const_t<P>::for_each(detail::IgnoreTensors{}, parameters);
};

/// Calls f(name, tensors...) for every tensor of one or more sets of the same type and shapes, in lockstep.
template <class F, class P, class... Rest>
requires ParameterSet<std::remove_reference_t<P>>
void for_each_parameter(F&& f, P&& first, Rest&&... rest) {
    static_assert((std::is_same_v<std::remove_cvref_t<P>, std::remove_cvref_t<Rest>> && ...),
                  "toeplitz: parameter sets visited together must have the same type.");
    std::remove_cvref_t<P>::for_each(f, first, rest...);
}

/// Numbers in all tensors together.
template <ParameterSet P>
Index parameter_count(const P& parameters) {
    Index count = 0;
    for_each_parameter([&](const ParameterName&, const auto& tensor) { count += tensor.size(); }, parameters);
    return count;
}

/// Sets every number to zero.
template <ParameterSet P>
void set_zero(P& parameters) {
    for_each_parameter([](const ParameterName&, auto& tensor) { tensor.setZero(); }, parameters);
}

/// A set of the same shapes that holds zeros: where gradients are accumulated.
template <ParameterSet P>
P zeros_like(const P& parameters) {
    P result = parameters;
    set_zero(result);
    return result;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
