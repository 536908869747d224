// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sum of two operators, in particular of a band and a low-rank part: the paper's operator.

#include <utility>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/ski.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Whether A + B has one pass for both: B has `product_with<direction>(a, x, y, sequences, ws)`, y = (A + B)
/// x, and neither's backward wants anything kept.
template <class A, class B>
concept FusesWith = std::same_as<typename A::Cache, NoCache> && std::same_as<typename B::Cache, NoCache> &&
    requires(const A& a, const B& b, MatrixView<const typename A::Scalar> x, MatrixView<typename A::Scalar> y,
             const Sequences& sequences, Workspace& ws) {
    b.template product_with<Direction::forward>(a, x, y, sequences, ws);
};

template <class A, class B>
class Sum;

/// (A + B) x = A x + B x.
///
/// Kernel: std::pair of both kernels. Where set_kernel refuses the second one, the first is set.
/// Cost of both parts, one pass where they fuse | heap: none | thread-safe: yes | threads as in the parts
template <ToeplitzOperator A, ToeplitzOperator B>
class Sum<A, B> : public Operator<Sum<A, B>, typename A::Scalar> {
    static_assert(
        std::is_same_v<typename A::Scalar, typename B::Scalar>,
        "toeplitz: the two operators of a sum have different scalars; build both with the same one.");
    using Base = Operator<Sum, typename A::Scalar>;
    friend Base;

    static constexpr bool is_fused = FusesWith<A, B> || FusesWith<B, A>;
    static constexpr bool keeps_nothing =
        std::same_as<typename A::Cache, NoCache> && std::same_as<typename B::Cache, NoCache>;
    struct Caches {
        typename A::Cache first;
        typename B::Cache second;
    };

public:
    using Scalar = typename A::Scalar;
    using Kernel = std::pair<typename A::Kernel, typename B::Kernel>;
    using KernelValues = std::pair<typename A::KernelValues, typename B::KernelValues>;
    using Cache = std::conditional_t<keeps_nothing, NoCache, Caches>;

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

    /// Kernel values of the right shapes, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        auto first = a_.take_kernel(scope);
        return {std::move(first), b_.take_kernel(scope)};
    }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const { return (std::max)(a_.kernel_workspace(), b_.kernel_workspace()); }
    /// Bytes held.
    std::size_t state_bytes() const { return a_.state_bytes() + b_.state_bytes(); }

private:
    static constexpr const char* name = "Sum";

    void assign_kernel(const Kernel& kernel, Workspace& ws) {
        a_.set_kernel(kernel.first, ws);
        b_.set_kernel(kernel.second, ws);
    }

    std::size_t product_workspace(Index batch) const {
        const std::size_t a = toeplitz::apply_workspace(a_, batch);
        const std::size_t b = toeplitz::apply_workspace(b_, batch);
        return is_fused ? a + b : (std::max)(a, b) + part_bytes(batch);
    }
    std::size_t gradient_workspace(Index batch) const {
        const std::size_t most = (std::max)(a_.required_workspace(batch, Layout::row_major),
                                            b_.required_workspace(batch, Layout::row_major));
        return most + part_bytes(batch);
    }

    /// Bytes of the second part's result, which forward and backward assign where something is kept.
    std::size_t part_bytes(Index batch) const {
        return keeps_nothing ? 0 : Workspace::bytes_for<Scalar>(batch * this->length() * this->channels());
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        if constexpr (update == Update::assign && FusesWith<A, B>) {
            b_.template product_with<direction>(a_, x, y, sequences, ws);
        } else if constexpr (update == Update::assign && FusesWith<B, A>) {
            a_.template product_with<direction>(b_, x, y, sequences, ws);
        } else if constexpr (direction == Direction::forward) {
            update == Update::assign ? a_.apply(x, y, ws, sequences) : a_.accumulate(x, y, ws, sequences);
            b_.accumulate(x, y, ws, sequences);
        } else {
            update == Update::assign ? a_.apply_adjoint(x, y, ws, sequences)
                                     : a_.accumulate_adjoint(x, y, ws, sequences);
            b_.accumulate_adjoint(x, y, ws, sequences);
        }
    }

    void forward_product(MatrixView<const Scalar> x, MatrixView<Scalar> y, Caches& cache,
                         const Sequences& sequences, Workspace& ws) const {
        a_.forward(x, y, cache.first, ws, sequences);
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> part = scope.template matrix<Scalar>(y.rows(), y.cols());
        b_.forward(x, part, cache.second, ws, sequences);
        add(part, y, sequences);
    }

    void backward_product(MatrixView<const Scalar> x, const Caches& cache, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx, const KernelValues& dkernel, const Sequences& sequences,
                          Workspace& ws) const {
        a_.backward(x, cache.first, g, dx, dkernel.first, ws, sequences);
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> part = scope.template matrix<Scalar>(dx.rows(), dx.cols());
        b_.backward(x, cache.second, g, part, dkernel.second, ws, sequences);
        add(part, dx, sequences);
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, const KernelValues& dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        a_.accumulate_kernel_gradient(x, g, dkernel.first, ws, sequences);
        b_.accumulate_kernel_gradient(x, g, dkernel.second, ws, sequences);
    }

    static void add(MatrixView<const Scalar> part, MatrixView<Scalar> y, const Sequences& sequences) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            sequences.valid_of(y, b).eigen() += sequences.valid_of(part, b).eigen();
        }
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
