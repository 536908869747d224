// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Two operators as a user would write them, one with the library's base and one without it.

#include <algorithm>

#include <toeplitz/operators/operator.hpp>

namespace toeplitz::test {

/// y_i = k ⊙ x_i. Kernel: 1 × d.
template <class ScalarType>
class Diagonal : public Operator<Diagonal<ScalarType>, ScalarType> {
    using Base = Operator<Diagonal, ScalarType>;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Cache = NoCache;
    static constexpr const char* name = "Diagonal";

    Diagonal(Index length, Index channels)
        : Base(length, channels), factors_(Matrix<Scalar>::Zero(1, channels)) {}

    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Scalar>(1, this->channels());
    }
    std::size_t kernel_workspace() const { return 0; }
    std::size_t state_bytes() const { return static_cast<std::size_t>(factors_.size()) * sizeof(Scalar); }

    // For the base.
    void assign_kernel(Kernel kernel, Workspace&) { factors_ = kernel.eigen(); }
    std::size_t product_workspace(Index) const { return 0; }
    std::size_t gradient_workspace(Index) const { return 0; }

    template <Direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace&) const {
        for_each_step(sequences, [&](Index i) {
            for (Index c = 0; c < x.cols(); ++c) {
                const Scalar value = factors_(0, c) * x(i, c);
                y(i, c) = update == Update::add ? y(i, c) + value : value;
            }
        });
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace&) const {
        for_each_step(sequences, [&](Index i) {
            for (Index c = 0; c < x.cols(); ++c) dkernel(0, c) += g(i, c) * x(i, c);
        });
    }

private:
    template <class F>
    static void for_each_step(const Sequences& sequences, F&& f) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            for (Index i = 0; i < sequences.valid(b); ++i) f(sequences.row(b, i));
        }
    }

    Matrix<Scalar> factors_;
};

/// y_i = k ⊙ x_{i−1}, zero at i = 0. Kernel: a struct of one view, 1 × d.
template <class ScalarType>
class Shift {
public:
    using Scalar = ScalarType;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;
    struct Kernel {
        ConstView factors;
    };
    struct KernelValues {
        View factors;
        operator Kernel() const { return {factors}; }
        friend void set_kernel_zero(const KernelValues& values) { values.factors.eigen().setZero(); }
    };
    struct Cache {};

    Shift(Index length, Index channels)
        : length_(length), channels_(channels), factors_(Matrix<Scalar>::Zero(1, channels)) {}

    Index length() const { return length_; }
    Index channels() const { return channels_; }
    std::size_t required_workspace(Index, Layout) const { return 0; }
    std::size_t kernel_workspace() const { return 0; }
    std::size_t state_bytes() const { return sizeof(*this); }

    KernelValues take_kernel(Workspace::Scope& scope) const {
        return {scope.template matrix<Scalar>(1, channels_)};
    }
    void set_kernel(const Kernel& kernel, Workspace&) { factors_ = kernel.factors.eigen(); }

    void apply(ConstView x, View y, Workspace&, const Sequences& sequences) const {
        product<0, 1>(x, y, sequences, true);
    }
    void accumulate(ConstView x, View y, Workspace&, const Sequences& sequences) const {
        product<0, 1>(x, y, sequences, false);
    }
    void apply_adjoint(ConstView g, View dx, Workspace&, const Sequences& sequences) const {
        product<1, 0>(g, dx, sequences, true);
    }
    void accumulate_adjoint(ConstView g, View dx, Workspace&, const Sequences& sequences) const {
        product<1, 0>(g, dx, sequences, false);
    }

    void forward(ConstView x, View y, Cache&, Workspace& ws, const Sequences& sequences) const {
        apply(x, y, ws, sequences);
    }
    void backward(ConstView x, const Cache&, ConstView g, View dx, const KernelValues& dkernel, Workspace& ws,
                  const Sequences& sequences) const {
        apply_adjoint(g, dx, ws, sequences);
        for_each_pair(x.rows(), sequences, [&](Index before, Index after) {
            for (Index c = 0; c < channels_; ++c) dkernel.factors(0, c) += g(after, c) * x(before, c);
        });
    }

private:
    /// f(row of step i−1, row of step i) for all valid steps but the first.
    template <class F>
    void for_each_pair(Index rows, const Sequences& sequences, F&& f) const {
        const Sequences all = sequences.within(rows, length_, "Shift");
        for (Index b = 0; b < all.batch(); ++b) {
            for (Index i = 1; i < all.valid(b); ++i) f(all.row(b, i - 1), all.row(b, i));
        }
    }

    template <int from, int to>
    void product(ConstView x, View y, const Sequences& sequences, bool assign) const {
        if (assign) y.eigen().setZero();
        for_each_pair(x.rows(), sequences, [&](Index before, Index after) {
            const Index rows[] = {before, after};
            for (Index c = 0; c < channels_; ++c) y(rows[to], c) += factors_(0, c) * x(rows[from], c);
        });
    }

    Index length_;
    Index channels_;
    Matrix<Scalar> factors_;
};

static_assert(ToeplitzOperator<Diagonal<double>> && ToeplitzOperator<Shift<double>>);

}  // namespace toeplitz::test
