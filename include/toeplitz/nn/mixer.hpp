// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a token mixer is, and the template that makes one of a kernel and an operator: y = T(parameters) x.

#include <optional>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/dense/weight_format.hpp>
#include <toeplitz/operators/contract.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A learnable map of sequences of d channels; the only part of a layer that looks along time.
///
/// * `Options` has a member `channels`, which a layer fills in.
/// * `forward(parameters, x, sequences, y, cache, ws)`: y = the mixed x; what backward needs is in `cache`.
/// * `backward(parameters, x, cache, g, dx, gradients, ws)`: x as given to forward; dx = the gradient with
///   respect to x, and gradients += that with respect to the parameters.
/// * `prepare(parameters, length)`: for inference. The result owns what it needs; its
///   `evaluate(x, y, ws, sequences)` is const, takes `required_workspace(batch)` bytes from its workspace and
///   allocates nothing beyond; `state_bytes()` are those held.
/// * Where Cache has a member `precision`, layers set it before forward: what training keeps, see Precision.
/// Outputs at padding are zero. Modules hold options alone; members may run at the same time with distinct
/// caches, gradients and workspaces.
template <class M>
concept TokenMixer = requires(const M& mixer, const typename M::Parameters& parameters,
                              typename M::Parameters& gradients, typename M::Cache& cache,
                              MatrixView<const typename M::Scalar> x, MatrixView<typename M::Scalar> y,
                              const Sequences& sequences, Workspace& ws, typename M::Options& options,
                              const typename M::Prepared& prepared) {
    options.channels = Index{1};
    requires ParameterSet<typename M::Parameters>;
    { mixer.make_parameters(std::uint64_t{0}) } -> std::same_as<typename M::Parameters>;
    mixer.forward(parameters, x, sequences, y, cache, ws);
    mixer.backward(parameters, x, cache, x, y, gradients, ws);
    { mixer.prepare(parameters, Index{1}) } -> std::same_as<typename M::Prepared>;
    prepared.evaluate(x, y, ws, sequences);
    { prepared.required_workspace(Index{1}) } -> std::convertible_to<std::size_t>;
    { prepared.state_bytes() } -> std::convertible_to<std::size_t>;
};

/// Modules that say, by `required_workspace(batch, length)`, how many bytes forward and backward take.
template <class M>
concept HasRequiredWorkspace = requires(const M& module) {
    { module.required_workspace(Index{1}, Index{1}) } -> std::convertible_to<std::size_t>;
};

/// A learnable kernel: a function of lag or frequency with parameters, which fills in the values that an
/// operator's set_kernel takes.
///
/// * `make_parameters(seed)`, `channels()`.
/// * `evaluate(parameters, where, values, ws, cache)`: the values at `where`, which is a length, inducing
///   lags or a frequency grid as the kernel has it; keeps what backward needs unless `cache` is null.
/// * `backward(parameters, cache, dvalues, gradients, ws)`: gradients += ∂⟨dvalues, values⟩/∂parameters.
///   dvalues may be overwritten.
/// * where it can say so, `required_workspace(where)` and `backward_workspace(where)`: bytes that evaluate
///   and backward take from their workspaces. Modules around it know theirs then.
template <class K, class Where, class Values>
concept LearnableKernel = ParameterSet<typename K::Parameters> &&
    requires(const K& kernel, const typename K::Parameters& parameters, typename K::Parameters& gradients,
             typename K::Cache* cache, const Where& where, const Values& values, Workspace& ws) {
    { kernel.channels() } -> std::convertible_to<Index>;
    { kernel.make_parameters(std::uint64_t{0}) } -> std::same_as<typename K::Parameters>;
    kernel.evaluate(parameters, where, values, ws, cache);
    kernel.backward(parameters, std::as_const(*cache), values, gradients, ws);
};

/// Prepared mixers that say which causal kernel they multiply with: `causal_lags()` are n × d, row t is lag
/// t. What streams are planned from.
template <class P>
concept HasCausalLags = requires(const P& prepared) {
    prepared.causal_lags().rows();
};

/// Prepared mixers that say which state space they are: `causal_modes()` are StateSpaceModes, or an
/// std::optional of them where the mixer may be another one. Streams are planned from them, not from lags.
template <class P>
concept HasCausalModes = requires(const P& prepared) {
    static_cast<bool>(std::optional(prepared.causal_modes()));
};

namespace detail {

/// Tells a cache what training keeps, where it asks.
template <class Cache>
void set_precision(Cache& cache, Precision precision) {
    if constexpr (requires { cache.precision = precision; }) cache.precision = precision;
}

/// Mixers whose type says that they are causal.
template <class M>
concept CausalMixer = requires {
    requires(M::causality() == Causality::causal);
};

/// What a KernelMixer asks of the class that it is the base of.
template <class M, class Operator>
concept MakesOperators = requires(const M& mixer, const Operator& op) {
    { M::name } -> std::convertible_to<const char*>;
    { mixer.make_operator(Index{1}) } -> std::same_as<Operator>;
    mixer.where(op);
};

/// Kernels that say how many bytes evaluate and backward take from their workspaces.
template <class K, class Where>
concept KnowsWorkspace = requires(const K& kernel, const Where& where) {
    { kernel.required_workspace(where) } -> std::convertible_to<std::size_t>;
    { kernel.backward_workspace(where) } -> std::convertible_to<std::size_t>;
};

}  // namespace detail

/// The mixer y = T x of an operator whose kernel is learned.
///
/// Members that not every operator has are templates: clang 14 puts others into every explicit instantiation.
///
/// Derived gives, publicly, `name` for messages, `make_operator(length)` and `where(op)`, what the kernel is
/// evaluated at for that operator.
template <class Derived, class KernelType, ToeplitzOperator OperatorType>
class KernelMixer {
public:
    using Kernel = KernelType;
    using Operator = OperatorType;
    using Scalar = typename Operator::Scalar;
    using Parameters = typename Kernel::Parameters;

    struct Cache {
        std::optional<Operator> op;  ///< with the kernel of the last forward pass
        typename Operator::Cache product;
        typename Kernel::Cache kernel;
        KeptSequences sequences;
        Precision precision = Precision::exact;
    };

    const Kernel& kernel() const noexcept { return kernel_; }
    Index channels() const noexcept { return kernel_.channels(); }

    /// Drawn from `seed`: those of the kernel.
    Parameters make_parameters(std::uint64_t seed = 0) const { return kernel_.make_parameters(seed); }

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    /// Cost makes an operator to ask
    template <class D = Derived>
    std::size_t required_workspace(Index batch, Index length) const requires
        detail::KnowsWorkspace<Kernel, decltype(std::declval<const D&>().where(std::declval<Operator>()))> {
        const Operator op = self().make_operator(length);
        const auto where = self().where(op);
        Workspace ws;
        Workspace::Scope scope(ws);
        static_cast<void>(op.take_kernel(scope));
        return ws.most_used() +
               (std::max)({kernel_.required_workspace(where), kernel_.backward_workspace(where),
                           op.kernel_workspace(), op.required_workspace(batch, Layout::row_major)});
    }

    /// y = T x, T with the kernel that the parameters describe; x and y are (B·n) × d.
    /// \throws shape_error 405 (parameters), 210 to 212, 502 to 504; value_error 530 (a NaN in the kernel)
    /// Cost the kernel's and the operator's | heap: the cache when the length changes | thread-safe: yes |
    /// same bits for any number of threads
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const;

    /// dx = Tᵀ g, and gradients += the gradient with respect to the parameters.
    /// \throws shape_error 705 (no forward pass before), 405 (parameters, gradients), 502 to 504
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const;

    /// T with the kernel of one length.
    class Prepared {
    public:
        using Scalar = typename Operator::Scalar;

        const Operator& op() const noexcept { return op_; }
        Index length() const { return op_.length(); }
        /// Bytes that evaluate takes from its workspace.
        std::size_t required_workspace(Index batch = 1) const { return apply_workspace(op_, batch); }
        /// Bytes held.
        std::size_t state_bytes() const {
            return op_.state_bytes() +
                   (source_ ? static_cast<std::size_t>(parameter_count(source_->parameters)) * sizeof(Scalar)
                            : 0);
        }
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            op_.apply(x, y, ws, sequences);
        }
        /// The kernel, n × d: row t is lag t.
        /// Cost evaluates the kernel again | heap: the result, an operator, a workspace | thread-safe: yes
        template <class D = Derived>
        Matrix<Scalar> causal_lags() const requires(detail::CausalMixer<D>&& HasKernelLags<Operator>) {
            return source_->mixer.kernel_lags(source_->parameters, length()).bottomRows(length());
        }
        /// The kernel of a state space. heap: the result | thread-safe: yes
        template <class Op = Operator>
        auto causal_modes() const requires requires(const Op& op) {
            op.stored_kernel().poles;
        }
        { return op_.stored_kernel(); }

    private:
        friend KernelMixer;
        // What the kernel comes from, where it may be asked for.
        struct Source {
            Derived mixer;
            Parameters parameters;
        };
        Prepared(Operator op, const Derived& mixer, const Parameters& parameters) : op_(std::move(op)) {
            if constexpr (detail::CausalMixer<Derived>) source_.emplace(Source{mixer, parameters});
        }
        Operator op_;
        std::optional<Source> source_;
    };

    /// Evaluates the kernel for sequences of `length`, which need not be the one of training.
    Prepared prepare(const Parameters& parameters, Index length) const;

    /// The kernel at all lags, (2n−1) × d: row t + n − 1 is lag t; zero at t < 0 where causal.
    /// \throws shape_error 405
    /// heap: the result, an operator and a workspace | thread-safe: yes
    template <class Op = Operator>
    Matrix<Scalar> kernel_lags(const Parameters& parameters, Index length) const requires HasKernelLags<Op> {
        const Operator op = self().make_operator(length);
        Matrix<Scalar> lags(2 * length - 1, channels());
        Workspace ws;
        Workspace::Scope scope(ws);
        const typename Operator::KernelValues values = op.take_kernel(scope);
        kernel_.evaluate(parameters, self().where(op), values, ws, nullptr);
        op.kernel_lags(values, lags, ws);
        return lags;
    }

protected:
    explicit KernelMixer(Kernel kernel) : kernel_(std::move(kernel)) {
        static_assert(
            detail::MakesOperators<Derived, Operator>,
            "toeplitz: a mixer that is a KernelMixer needs static constexpr const char* name, "
            "make_operator(length), which returns its Operator, and where(op), what the kernel is evaluated "
            "at, all public: see docs/guide/4-own-parts.md, \"A kernel and a mixer\".");
        static_assert(LearnableKernel<Kernel, decltype(self().where(std::declval<const Operator&>())),
                                      typename Operator::KernelValues>,
                      "toeplitz: the mixer's kernel does not fill in what its operator takes: it needs "
                      "channels(), make_parameters(seed), evaluate(parameters, where, values, ws, cache) and "
                      "backward(parameters, cache, dvalues, gradients, ws); see LearnableKernel and "
                      "docs/guide/4-own-parts.md, \"A kernel and a mixer\".");
    }

private:
    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    void set_kernel(const Parameters& parameters, Operator& op, typename Kernel::Cache* cache,
                    Workspace& ws) const;

    Kernel kernel_;
};

template <class Derived, class KernelType, ToeplitzOperator OperatorType>
void KernelMixer<Derived, KernelType, OperatorType>::forward(const Parameters& parameters,
                                                             MatrixView<const Scalar> x,
                                                             const Sequences& sequences, MatrixView<Scalar> y,
                                                             Cache& cache, Workspace& ws) const {
    const Sequences checked = sequences.within(x.rows(), 0, Derived::name);
    const Index length = checked.length();
    cache.sequences.forget();
    if (!cache.op || cache.op->length() != length || cache.op->channels() != channels()) {
        cache.op.emplace(self().make_operator(length));
    }
    set_kernel(parameters, *cache.op, &cache.kernel, ws);
    detail::set_precision(cache.product, cache.precision);
    cache.op->forward(x, y, cache.product, ws, checked);
    cache.sequences.keep(sequences, checked);
}

template <class Derived, class KernelType, ToeplitzOperator OperatorType>
void KernelMixer<Derived, KernelType, OperatorType>::backward(const Parameters& parameters,
                                                              MatrixView<const Scalar> x, const Cache& cache,
                                                              MatrixView<const Scalar> g,
                                                              MatrixView<Scalar> dx, Parameters& gradients,
                                                              Workspace& ws) const {
    if (cache.sequences.empty()) {
        detail::raise<shape_error>(705, Derived::name, "the cache of a forward pass", "an empty one");
    }
    Workspace::Scope scope(ws);
    const typename Operator::KernelValues dvalues = cache.op->take_kernel(scope);
    set_kernel_zero(dvalues);
    cache.op->backward(x, cache.product, g, dx, dvalues, ws, cache.sequences.get());
    kernel_.backward(parameters, cache.kernel, dvalues, gradients, ws);
}

template <class Derived, class KernelType, ToeplitzOperator OperatorType>
typename KernelMixer<Derived, KernelType, OperatorType>::Prepared
KernelMixer<Derived, KernelType, OperatorType>::prepare(const Parameters& parameters, Index length) const {
    detail::require_positive(length, Derived::name, "length");
    Operator op = self().make_operator(length);
    Workspace ws;
    set_kernel(parameters, op, nullptr, ws);
    return Prepared(std::move(op), self(), parameters);
}

template <class Derived, class KernelType, ToeplitzOperator OperatorType>
void KernelMixer<Derived, KernelType, OperatorType>::set_kernel(const Parameters& parameters, Operator& op,
                                                                typename Kernel::Cache* cache,
                                                                Workspace& ws) const {
    Workspace::Scope scope(ws);
    const typename Operator::KernelValues values = op.take_kernel(scope);
    kernel_.evaluate(parameters, self().where(op), values, ws, cache);
    op.set_kernel(values, ws);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
