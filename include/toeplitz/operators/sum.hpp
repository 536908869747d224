// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sum of two operators; Band + Ski is the paper's sparse plus low-rank operator.

#include <utility>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/ski.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// y = A x + B x. Written `a + b`, which copies both.
///
/// Band + Ski is computed in one pass over y: each tile of the band starts from the interpolated rows of the
/// low-rank part.
/// Kernel: the pair of both kernels. Cost, causality and exactness are those of the parts.
/// heap: none | thread-safe: yes | same bits for any number of threads
template <class A, class B>
class Sum : public detail::OperatorBase<Sum<A, B>, typename A::Scalar> {
    static_assert(
        std::is_same_v<typename A::Scalar, typename B::Scalar>,
        "toeplitz: the two operators of a sum have different scalars; build both with the same one.");
    using Base = detail::OperatorBase<Sum, typename A::Scalar>;
    friend Base;
    template <class, class>
    friend class Sum;

public:
    using Scalar = typename A::Scalar;
    using Kernel = std::pair<typename A::Kernel, typename B::Kernel>;

    /// \throws shape_error 540 when lengths or channels differ
    Sum(A a, B b) : Base(a.length(), a.channels()), a_(std::move(a)), b_(std::move(b)) {
        if (a_.length() != b_.length() || a_.channels() != b_.channels()) {
            detail::raise<shape_error>(
                540, "Sum",
                detail::text("two operators of n×d = ", detail::shape_text(a_.length(), a_.channels())),
                detail::text("a second one of ", detail::shape_text(b_.length(), b_.channels())));
        }
    }

    const A& first() const noexcept { return a_; }
    const B& second() const noexcept { return b_; }

    /// As of both parts; the first may have changed when the second throws.
    void set_kernel(const Kernel& kernel) {
        a_.set_kernel(kernel.first);
        b_.set_kernel(kernel.second);
    }

    /// As set_kernel, from views of both kernels, with scratch memory from `ws`.
    template <class KernelA, class KernelB>
    void set_kernels(const KernelA& first, const KernelB& second, Workspace& ws) {
        set_kernel_of(a_, first, ws);
        set_kernel_of(b_, second, ws);
    }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, Kernel& dkernel,
                                    Workspace& ws, Lengths lengths = {}) const {
        const Index batch = this->check(x, g, lengths, Base::gradient_call).size;
        ws.reserve(gradient_workspace(batch) + this->strided_bytes(batch, x, g));
        a_.accumulate_kernel_gradient(x, g, dkernel.first, ws, lengths);
        b_.accumulate_kernel_gradient(x, g, dkernel.second, ws, lengths);
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return a_.state_bytes() + b_.state_bytes(); }

private:
    static constexpr const char* name = "Sum";

    template <class Op, class Kernel>
    static void set_kernel_of(Op& op, const Kernel& kernel, Workspace& ws) {
        if constexpr (requires { op.set_kernel(kernel, ws); }) {
            op.set_kernel(kernel, ws);
        } else {
            op.set_kernel(kernel);
        }
    }

    template <class First, class Second>
    static constexpr bool fusable = std::is_same_v<First, Band<Scalar>>&& std::is_same_v<Second, Ski<Scalar>>;

    std::size_t product_workspace(Index batch) const {
        const std::size_t a = a_.product_workspace(batch);
        const std::size_t b = b_.product_workspace(batch);
        return fusable<A, B> || fusable<B, A> ? a + b : std::max(a, b);
    }
    std::size_t gradient_workspace(Index batch) const {
        return std::max(a_.gradient_workspace(batch), b_.gradient_workspace(batch));
    }

    template <Direction direction, Update update>
    void product(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                 Workspace& ws) const {
        if constexpr (update == Update::assign && fusable<A, B>) {
            fused<direction>(a_, b_, x, y, batch, ws);
        } else if constexpr (update == Update::assign && fusable<B, A>) {
            fused<direction>(b_, a_, x, y, batch, ws);
        } else {
            a_.template product<direction, update>(x, y, batch, ws);
            b_.template product<direction, Update::add>(x, y, batch, ws);
        }
    }

    template <Direction direction>
    static void fused(const Band<Scalar>& band, const Ski<Scalar>& ski, detail::Rows<const Scalar> x,
                      detail::Rows<Scalar> y, const detail::Batch& batch, Workspace& ws) {
        ski.template with_interpolation<direction>(x, batch, ws, [&](const auto& interpolation) {
            band.template product_from<direction>(x, y, batch, interpolation, ws);
        });
    }

    A a_;
    B b_;
};

/// The sum of two operators of one shape. \throws shape_error 540
template <ToeplitzOperator A, ToeplitzOperator B>
Sum<A, B> operator+(A a, B b) {
    return Sum<A, B>(std::move(a), std::move(b));
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
