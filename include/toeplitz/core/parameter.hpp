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

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Name of a tensor as in an official state dict, for example "rpe.layers.0.2.weight".
///
/// A chain of parts that live on the stack of the visit: nothing is allocated until somebody wants the text.
class ParameterName {
public:
    constexpr ParameterName(const char* part) noexcept
        : part_(part) {}  // NOLINT(google-explicit-constructor)

    /// A tensor that is saved with the others but not trained, such as running statistics. Its place in a set
    /// of gradients holds what it moves by.
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

/// A tensor of a parameter set, whatever its type: rows·cols numbers side by side. What is done with it is
/// compiled once, and not once for each tensor of each set.
class TensorRef {
public:
    template <class Tensor>
    explicit TensorRef(Tensor& tensor) noexcept
        : data_(tensor.data()), rows_(tensor.rows()), cols_(tensor.cols()), is_float_(holds_floats<Tensor>) {
        static_assert(Real<typename Tensor::Scalar>, "toeplitz: parameters are float or double.");
    }

    Index rows() const noexcept { return rows_; }
    Index cols() const noexcept { return cols_; }
    Index size() const noexcept { return rows_ * cols_; }
    bool has_memory_of(const TensorRef& other) const noexcept { return data_ == other.data_; }
    bool has_shape_of(const TensorRef& other) const noexcept {
        return rows_ == other.rows_ && cols_ == other.cols_;
    }

    /// f(a pointer to the first number).
    template <class F>
    void with_data(F&& f) const {
        if (is_float_) {
            f(static_cast<float*>(data_));
        } else {
            f(static_cast<double*>(data_));
        }
    }
    template <Real Scalar>
    bool holds() const noexcept {
        return is_float_ == std::is_same_v<Scalar, float>;
    }
    /// Of a tensor with numbers of this type.
    template <Real Scalar>
    Scalar* data() const noexcept {
        return static_cast<Scalar*>(data_);
    }
    /// The number in a row and a column.
    double at(Index row, Index col) const noexcept {
        const Index i = row * cols_ + col;
        return is_float_ ? static_cast<double>(data<float>()[i]) : data<double>()[i];
    }

private:
    template <class Tensor>
    static constexpr bool holds_floats = std::is_same_v<typename Tensor::Scalar, float>;

    void* data_;
    Index rows_;
    Index cols_;
    bool is_float_;
};

/// A visitor of one type, whatever it does and wherever in a set it is: sets are compiled for it once.
class TensorVisitor {
public:
    /// Calls f(name, tensors), of each set one.
    template <class F>
    explicit TensorVisitor(F& f) noexcept
        : f_(&f), call_([](void* g, const ParameterName& name, const TensorRef* tensors) {
              (*static_cast<F*>(g))(name, tensors);
          }) {}

    template <class... Tensors>
    void operator()(const ParameterName& name, Tensors&... tensors) const {
        const TensorRef all[] = {TensorRef(tensors)...};
        visit(name, all);
    }

    /// The same with every name prefixed; refers to this one.
    TensorVisitor under(std::string_view part, Index number) const noexcept {
        TensorVisitor inner = *this;
        inner.outer_ = this;
        inner.part_ = part;
        inner.number_ = number;
        return inner;
    }

private:
    void visit(const ParameterName& name, const TensorRef* tensors) const {
        if (outer_ == nullptr) return call_(f_, name, tensors);
        outer_->visit(ParameterName(part_, number_, name), tensors);
    }

    void* f_;
    void (*call_)(void*, const ParameterName&, const TensorRef*);
    const TensorVisitor* outer_ = nullptr;
    std::string_view part_;
    Index number_ = -1;
};

/// The visitor f with every name prefixed by `part.` or `part.number.`. Of one type at every depth, so that a
/// set is compiled once for a visitor, and not once for each place that it stands in.
template <class F>
class Prefixed {
public:
    constexpr Prefixed(std::string_view part, Index number, F& f) noexcept
        : f_(f), part_(part), number_(number) {}
    constexpr Prefixed(std::string_view part, Index number, const Prefixed& outer) noexcept
        : f_(outer.f_), outer_(&outer), part_(part), number_(number) {}

    template <class... Tensors>
    void operator()(const ParameterName& name, Tensors&... tensors) const {
        const ParameterName longer(part_, number_, name);
        if (outer_ != nullptr) {
            (*outer_)(longer, tensors...);
        } else {
            f_(longer, tensors...);
        }
    }

private:
    F& f_;
    const Prefixed* outer_ = nullptr;
    std::string_view part_;
    Index number_;
};

/// See Prefixed; refers to f.
template <class F>
Prefixed<F> under(std::string_view part, Index number, F& f) {
    return {part, number, f};
}
template <class F>
Prefixed<F> under(std::string_view part, Index number, Prefixed<F>& outer) {
    return {part, number, std::as_const(outer)};
}
inline TensorVisitor under(std::string_view part, Index number, TensorVisitor& outer) {
    return outer.under(part, number);
}
template <class F>
auto under(std::string_view part, F& f) {
    return under(part, -1, f);
}

/// f(name, tensors...) unless the first set's tensor is empty: an option left it out.
template <class F, class Tensor, class... Tensors>
void visit_present(F& f, const ParameterName& name, Tensor& tensor, Tensors&... tensors) {
    if (tensor.size() != 0) f(name, tensor, tensors...);
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

namespace detail {

/// Calls f(name, tensors) for every tensor of one or more sets in lockstep: tensors[i] is that of the i-th
/// set. Sets that are constant are visited as others, and f must leave them as they are.
template <class F, ParameterSet P, std::same_as<P>... Rest>
void for_each_tensor(F&& f, const P& first, const Rest&... rest) {
    TensorVisitor visitor(f);
    P::for_each(visitor, const_cast<P&>(first), const_cast<Rest&>(rest)...);
}

/// Calls f(name, parts) for the parts of one or more sets whose weight inference may have in fewer bits: each
/// has a matrix `weight`, or `encoded` in its place (dense/encoded_matrix.hpp). None where a set knows of
/// none.
template <class F, class P, class... Rest>
void for_each_weight(F&& f, P& first, Rest&... rest) {
    using Set = std::remove_const_t<P>;
    if constexpr (requires { Set::for_each_weight(f, first, rest...); }) {
        Set::for_each_weight(f, first, rest...);
    }
}

}  // namespace detail

/// Numbers in all tensors together; weights in fewer bits are not counted.
template <ParameterSet P>
Index parameter_count(const P& parameters) {
    Index count = 0;
    detail::for_each_tensor(
        [&](const ParameterName&, const detail::TensorRef* tensor) { count += tensor->size(); }, parameters);
    return count;
}

/// Sets every number to zero.
template <ParameterSet P>
void set_zero(P& parameters) {
    detail::for_each_tensor(
        [](const ParameterName&, const detail::TensorRef* tensor) {
            tensor->with_data([&](auto* data) {
                std::fill_n(data, tensor->size(), std::remove_pointer_t<decltype(data)>{});
            });
        },
        parameters);
}

namespace detail {

/// Visits parts of sets, one each, unless the first set's has no numbers.
template <class F, class Part, class... Parts>
void visit_present_set(F&& f, Part& first, Parts&... rest) {
    if (parameter_count(first) != 0) std::remove_const_t<Part>::for_each(f, first, rest...);
}

}  // namespace detail

/// A set of the same shapes that holds zeros: where gradients are accumulated.
template <ParameterSet P>
P zeros_like(const P& parameters) {
    P result = parameters;
    set_zero(result);
    return result;
}

/// Hears of gradients that nothing is added to any more, while others are still computed.
class FinishedGradients {
public:
    /// Nobody listens.
    FinishedGradients() = default;
    /// Calls f(tensor) for each tensor with numbers; refers to f.
    template <class F>
    explicit FinishedGradients(const F& f) noexcept
        : f_(&f),
          call_([](const void* g, const detail::TensorRef& tensor) { (*static_cast<const F*>(g))(tensor); }) {
    }

    /// Those of a set, or of a part of one, are finished.
    /// \throws what the listener does | heap: none | thread-safe: as the listener
    template <ParameterSet P>
    void operator()(const P& gradients) const {
        if (call_ == nullptr) return;
        detail::for_each_tensor(
            [&](const ParameterName&, const detail::TensorRef* tensor) {
                if (tensor->size() > 0) call_(f_, *tensor);
            },
            gradients);
    }

private:
    const void* f_ = nullptr;
    void (*call_)(const void*, const detail::TensorRef&) = nullptr;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
