// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An operator whose kind is known at run time.

#include <variant>

#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Which operator computes a product.
enum class Method { fft, band, ski, band_ski, state_space, two_sided };

constexpr const char* name(Method method) noexcept {
    constexpr const char* names[] = {"fft", "band", "ski", "band+ski", "state_space", "two_sided"};
    return names[static_cast<int>(method)];
}

/// Kernel values of an operator of any method, each as Band, Ski, Fft and StateSpace take them. An operator
/// uses its own and leaves the others alone.
template <class T>
struct AnyKernel {
    MatrixView<T> taps{};               ///< m × d
    MatrixView<T> inducing{};           ///< (2r−1) × d
    MatrixView<T> lags{};               ///< (2n−1) × d
    StateSpaceKernel<T> state_space{};  ///< s × d poles and residues, m × d direct
    StateSpaceKernel<T> backward{};     ///< the same of the lags −t

    /// Values that can be written can be read.
    operator AnyKernel<const T>() const noexcept requires(!std::is_const_v<T>) {
        return {taps, inducing, lags, state_space, backward};
    }

    /// By what there is of state spaces, taps and inducing values; the exact product where there is none.
    Method method() const noexcept {
        if (backward.direct.rows() > 0) return Method::two_sided;
        if (state_space.direct.rows() > 0) return Method::state_space;
        if (taps.rows() == 0) return inducing.rows() == 0 ? Method::fft : Method::ski;
        return inducing.rows() == 0 ? Method::band : Method::band_ski;
    }
};

template <class T>
void set_kernel_zero(const AnyKernel<T>& values) {
    set_kernel_zero(values.taps);
    set_kernel_zero(values.inducing);
    set_kernel_zero(values.lags);
    set_kernel_zero(values.state_space);
    set_kernel_zero(values.backward);
}

/// Fft, Band, Ski or Band + Ski of all lags, or a StateSpace, or the sum of one for each direction of time,
/// whichever the kernel is for that it is made of.
///
/// Cost, threads and promises of the operator in it | heap: none
template <Real ScalarType>
class AnyOperator {
public:
    using Scalar = ScalarType;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;
    using Kernel = AnyKernel<const Scalar>;
    using KernelValues = AnyKernel<Scalar>;
    using Cache = KeptSpectra<Scalar>;  ///< of Fft; the others leave it as it is

    /// \throws config_error 201, 202, 511; shape_error 501, 540; value_error 530
    AnyOperator(Index length, const Kernel& kernel) : operator_(make(length, kernel)) {}

    Method method() const noexcept { return static_cast<Method>(operator_.index()); }
    Index length() const {
        return visit([](const auto& op) { return op.length(); });
    }
    Index channels() const {
        return visit([](const auto& op) { return op.channels(); });
    }

    /// Bytes that a call on a batch of B sequences takes from its workspace.
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        return visit([&](const auto& op) { return op.required_workspace(batch, layout); });
    }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const {
        return visit([](const auto& op) { return op.kernel_workspace(); });
    }
    /// Bytes held.
    std::size_t state_bytes() const {
        return visit([](const auto& op) { return op.state_bytes(); });
    }

    /// Kernel values of the right shapes, not initialised; no rows where the method has none.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        KernelValues values;
        visit([&](const auto& op) { part(op, values) = op.take_kernel(scope); });
        return values;
    }
    /// Replaces T by another one of the same method and shapes. \throws shape_error 501, value_error 530
    void set_kernel(const Kernel& kernel, Workspace& ws) {
        std::visit([&](auto& op) { op.set_kernel(part(op, kernel), ws); }, operator_);
    }

    /// y = T x, as every operator's. \throws shape_error 502 to 504, 210 to 212
    void apply(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.apply(x, y, ws, sequences); });
    }
    /// dx = Tᵀ g.
    void apply_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.apply_adjoint(g, dx, ws, sequences); });
    }
    /// y += T x.
    void accumulate(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.accumulate(x, y, ws, sequences); });
    }
    /// dx += Tᵀ g.
    void accumulate_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.accumulate_adjoint(g, dx, ws, sequences); });
    }

    /// y = T x, and keeps in `cache` what backward needs.
    void forward(ConstView x, View y, Cache& cache, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&]<class Op>(const Op& op) {
            if constexpr (std::is_same_v<typename Op::Cache, Cache>) {
                op.forward(x, y, cache, ws, sequences);
            } else {
                op.apply(x, y, ws, sequences);
            }
        });
    }
    /// dx = Tᵀ g, and dkernel += ∂⟨g, T x⟩/∂kernel. \throws shape_error 501 to 504, 507, 210 to 212
    void backward(ConstView x, const Cache& cache, ConstView g, View dx, const KernelValues& dkernel,
                  Workspace& ws, const Sequences& sequences = {}) const {
        visit([&]<class Op>(const Op& op) {
            if constexpr (std::is_same_v<typename Op::Cache, Cache>) {
                op.backward(x, cache, g, dx, part(op, dkernel), ws, sequences);
            } else {
                op.backward(x, NoCache{}, g, dx, part(op, dkernel), ws, sequences);
            }
        });
    }

    /// The operator of Tᵀ, a view of this one.
    auto transpose() const noexcept { return Transpose<AnyOperator>(*this); }

private:
    // In the order of Method.
    using BandSki = Sum<Band<Scalar>, Ski<Scalar>>;
    using Backward = StateSpace<Scalar, Direction::adjoint>;
    using TwoSided = Sum<StateSpace<Scalar>, Backward>;
    using Any = std::variant<Fft<Scalar>, Band<Scalar>, Ski<Scalar>, BandSki, StateSpace<Scalar>, TwoSided>;

    static Any make(Index length, const Kernel& kernel) {
        const auto band = [&] {
            return Band<Scalar>(
                {.length = length, .channels = kernel.taps.cols(), .taps = kernel.taps.rows()}, kernel.taps);
        };
        const auto ski = [&] {
            return Ski<Scalar>({.length = length,
                                .channels = kernel.inducing.cols(),
                                .rank = (kernel.inducing.rows() + 1) / 2},
                               kernel.inducing);
        };
        const auto state_space = [&]<class Op>(std::type_identity<Op>,
                                               const StateSpaceKernel<const Scalar>& own) {
            return Op({.length = length,
                       .channels = own.direct.cols(),
                       .modes = own.poles.rows(),
                       .taps = own.direct.rows()},
                      own);
        };
        const std::type_identity<StateSpace<Scalar>> forward;
        switch (kernel.method()) {
            case Method::band:
                return Any(band());
            case Method::ski:
                return Any(ski());
            case Method::band_ski:
                return Any(band() + ski());
            case Method::state_space:
                return Any(state_space(forward, kernel.state_space));
            case Method::two_sided:
                return Any(state_space(forward, kernel.state_space) +
                           state_space(std::type_identity<Backward>{}, kernel.backward));
            default:
                return Any(Fft<Scalar>({.length = length, .channels = kernel.lags.cols()}, kernel.lags));
        }
    }

    // What an operator takes of all kernel values.
    template <class Values>
    static auto& part(const Fft<Scalar>&, Values& values) noexcept {
        return values.lags;
    }
    template <class Values>
    static auto& part(const Band<Scalar>&, Values& values) noexcept {
        return values.taps;
    }
    template <class Values>
    static auto& part(const Ski<Scalar>&, Values& values) noexcept {
        return values.inducing;
    }
    template <class Values>
    static auto& part(const StateSpace<Scalar>&, Values& values) noexcept {
        return values.state_space;
    }
    template <class Values>
    static auto part(const BandSki&, Values& values) noexcept {
        return std::pair<decltype((values.taps)), decltype((values.inducing))>(values.taps, values.inducing);
    }
    template <class Values>
    static auto part(const TwoSided&, Values& values) noexcept {
        return std::pair<decltype((values.state_space)), decltype((values.backward))>(values.state_space,
                                                                                      values.backward);
    }

    // The variant cannot be without a value: it is never assigned to, but by a copy of the whole.
    template <class F>
    auto visit(F&& f) const {
        return std::visit(std::forward<F>(f), operator_);
    }

    Any operator_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
