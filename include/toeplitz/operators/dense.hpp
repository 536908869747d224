// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The product by its definition: O(n²), any floating-point scalar; the oracle of the other operators.

#include <toeplitz/core/denormals.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct DenseOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
    }
};

/// y_i = Σ_j k(i−j) x_j, summed term by term.
///
/// \tparam ScalarType float, double or long double
/// Kernel: lags × channels; row t + first_lag_row(n, kind) is lag t.
/// Cost O(n² d) | heap: none | thread-safe: yes | one thread
template <ReferenceReal ScalarType, Causality kind = Causality::bidirectional>
class Dense : public Operator<Dense<ScalarType, kind>, ScalarType> {
    using Base = Operator<Dense, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Cache = NoCache;
    using Options = DenseOptions;

    /// \throws config_error 201 or 202, shape_error 501, value_error 530
    Dense(const Options& options, Kernel kernel) : Base(options.length, options.channels) {
        this->set_kernel(kernel);
    }

    static constexpr Causality causality() noexcept { return kind; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Scalar>(lags_.rows(), lags_.cols());
    }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const noexcept { return 0; }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(lags_.size()) * sizeof(Scalar);
    }

private:
    static constexpr const char* name = "Dense";

    std::size_t product_workspace(Index) const noexcept { return 0; }
    std::size_t gradient_workspace(Index) const noexcept { return 0; }

    void assign_kernel(Kernel kernel, Workspace&) {
        require_kernel_shape(kernel, lag_count(this->length(), kind), this->channels(), "Dense::set_kernel");
        require_finite(kernel, "Dense::set_kernel", "lag", -first_lag_row(this->length(), kind));
        lags_ = kernel.eigen();
    }

    // f(row of x_j, row of y_i, row of lag i−j) for every entry of T inside the valid lengths.
    template <class F>
    void for_each_entry(const Sequences& sequences, F&& f) const {
        const detail::FlushDenormals guard;
        const Index lag0 = first_lag_row(this->length(), kind);
        for (Index b = 0; b < sequences.batch(); ++b) {
            const Index valid = sequences.valid(b);
            for (Index i = 0; i < valid; ++i) {
                const Index last = kind == Causality::causal ? i + 1 : valid;
                for (Index j = 0; j < last; ++j) f(sequences.row(b, j), sequences.row(b, i), lag0 + i - j);
            }
        }
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace&) const {
        for (Index b = 0; update == Update::assign && b < sequences.batch(); ++b) {
            sequences.of(y, b).eigen().setZero();
        }
        for_each_entry(sequences, [&](Index xj, Index yi, Index lag) {
            const Scalar* from = x.row(direction == Direction::forward ? xj : yi);
            Scalar* to = y.row(direction == Direction::forward ? yi : xj);
            for (Index c = 0; c < this->channels(); ++c) to[c] += lags_(lag, c) * from[c];
        });
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace&) const {
        require_kernel_shape(dkernel, lags_.rows(), lags_.cols(), "Dense, dkernel");
        for_each_entry(sequences, [&](Index xj, Index yi, Index lag) {
            for (Index c = 0; c < this->channels(); ++c) dkernel(lag, c) += g(yi, c) * x(xj, c);
        });
    }

    Matrix<Scalar> lags_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
