// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a token mixer is, and the mixers that are a kernel and an operator: y = T(parameters) x.

#include <memory>
#include <optional>
#include <vector>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/nn/sequences.hpp>
#include <toeplitz/operators/interface.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A learnable map of sequences of d channels; the only part of a layer that looks along time.
///
/// * `Options` has a member `channels`, which a layer fills in.
/// * `forward(parameters, x, sequences, y, cache, ws)`: y = the mixed x; what backward needs is in `cache`.
/// * `backward(parameters, x, cache, g, dx, gradients, ws)`: x as given to forward; dx = the gradient with
///   respect to x, and gradients += that with respect to the parameters.
/// * `prepare(parameters, length)`: for inference; `evaluate(x, y, ws, lengths)` of the result is const.
/// Outputs at padding are zero. Modules hold options alone; members may run at the same time with distinct
/// caches, gradients and workspaces.
template <class M>
concept TokenMixer = requires(const M& mixer, const typename M::Parameters& parameters,
                              typename M::Parameters& gradients, typename M::Cache& cache,
                              MatrixView<const typename M::Scalar> x, MatrixView<typename M::Scalar> y,
                              const Sequences& sequences, Workspace& ws, typename M::Options& options,
                              std::shared_ptr<const typename M::Parameters> shared,
                              const typename M::Prepared& prepared) {
    options.channels = Index{1};
    requires ParameterSet<typename M::Parameters>;
    { mixer.make_parameters(std::uint64_t{0}) } -> std::same_as<typename M::Parameters>;
    mixer.forward(parameters, x, sequences, y, cache, ws);
    mixer.backward(parameters, x, cache, x, y, gradients, ws);
    { mixer.prepare(shared, Index{1}) } -> std::same_as<typename M::Prepared>;
    prepared.evaluate(x, y, ws, Lengths{});
};

namespace detail {

/// A mixer y = T x, from its operator and these functions of Derived:
/// * `make_operator(length)`, and the shape of its kernel, `kernel_rows(length)` × channels;
/// * `evaluate_kernel(parameters, length, kernel, kernel cache or null, ws)`;
/// * `backpropagate_kernel(parameters, length, kernel cache, dkernel, gradients, ws)`.
/// Derived may replace assign_kernel and backpropagate_product, where the operator's kernel is no
/// matrix.
template <class Derived, class OperatorType, class KernelElement, class ParametersType, class KernelCache>
class KernelMixer {
public:
    using Operator = OperatorType;
    using Scalar = typename Operator::Scalar;
    using Parameters = ParametersType;

    struct Cache {
        std::optional<Operator> op;  ///< with the kernel of the last forward pass
        typename Operator::Cache product;
        KernelCache kernel;
        std::vector<Index> lengths;
    };

    /// y = T x, T with the kernel that the parameters describe.
    /// \param x, y (B·n) × d
    /// \throws shape_error 405 (parameters), 502 to 506, 701, 702; value_error 530 (a NaN in the kernel)
    /// Cost the kernel's and O(n log n) or O(n) per channel | heap: the cache when the length changes
    /// | thread-safe: yes | same bits for any number of threads
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        require_sequences(x.rows(), sequences, Derived::name);
        const Index length = sequences.length;
        if (!cache.op || cache.op->length() != length || cache.op->channels() != self().channels()) {
            cache.op.emplace(self().make_operator(length));
        }
        cache.lengths.assign(sequences.lengths.begin(), sequences.lengths.end());
        set_kernel(parameters, *cache.op, &cache.kernel, ws);
        cache.op->forward(x, y, cache.product, ws, sequences.lengths);
    }

    /// dx = Tᵀ g, and gradients += the gradient with respect to the parameters.
    /// \throws shape_error 404 (no forward pass before), 405 (parameters, gradients), 502 to 506
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        if (!cache.op) {
            raise<shape_error>(404, text(Derived::name, "::backward"), "the cache of a forward pass",
                               "an empty one");
        }
        const Operator& op = *cache.op;
        const Lengths lengths(cache.lengths.data(), cache.lengths.size());
        Workspace::Scope scope(ws);
        const MatrixView<KernelElement> dkernel =
            scope.matrix<KernelElement>(self().kernel_rows(op.length()), self().channels());
        dkernel.eigen().setZero();
        self().backpropagate_product(op, x, cache.product, g, dx, dkernel, ws, lengths);
        self().backpropagate_kernel(parameters, op.length(), cache.kernel, dkernel, gradients, ws);
    }

    /// T with the kernel of one length.
    class Prepared {
    public:
        const Operator& op() const noexcept { return op_; }
        Index length() const noexcept { return op_.length(); }
        /// Bytes that evaluate takes from its workspace.
        std::size_t required_workspace(Index batch = 1) const { return op_.required_workspace(batch); }
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      Lengths lengths = {}) const {
            op_.apply(x, y, ws, lengths);
        }

    private:
        friend KernelMixer;
        explicit Prepared(Operator op) : op_(std::move(op)) {}
        Operator op_;
    };

    /// Evaluates the kernel for sequences of `length`, which need not be the one of training.
    Prepared prepare(const Parameters& parameters, Index length) const {
        require_positive(length, Derived::name, "length");
        Operator op = self().make_operator(length);
        Workspace ws;
        set_kernel(parameters, op, nullptr, ws);
        return Prepared(std::move(op));
    }
    Prepared prepare(const std::shared_ptr<const Parameters>& parameters, Index length) const {
        return prepare(*parameters, length);
    }

protected:
    static void assign_kernel(Operator& op, MatrixView<const KernelElement> kernel, Workspace& ws) {
        op.set_kernel(kernel, ws);
    }
    static void backpropagate_product(const Operator& op, MatrixView<const Scalar> x,
                                      const typename Operator::Cache& cache, MatrixView<const Scalar> g,
                                      MatrixView<Scalar> dx, MatrixView<KernelElement> dkernel, Workspace& ws,
                                      Lengths lengths) {
        op.backward(x, cache, g, dx, dkernel, ws, lengths);
    }

private:
    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    void set_kernel(const Parameters& parameters, Operator& op, KernelCache* cache, Workspace& ws) const {
        Workspace::Scope scope(ws);
        const MatrixView<KernelElement> kernel =
            scope.matrix<KernelElement>(self().kernel_rows(op.length()), self().channels());
        self().evaluate_kernel(parameters, op.length(), kernel, cache, ws);
        self().assign_kernel(op, kernel, ws);
    }
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
