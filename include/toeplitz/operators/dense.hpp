// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The product by its definition: O(n²), any floating-point scalar; the oracle of the other operators.

#include <toeplitz/operators/interface.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct DenseOptions {
    Index length = 0;                                ///< n ≥ 1
    Index channels = 0;                              ///< d ≥ 1
    Causality causality = Causality::bidirectional;  ///< which lags the kernel has
};

/// y_i = Σ_j k(i−j) x_j, summed term by term.
///
/// \tparam ScalarType float, double or long double
/// Kernel: lags × channels; row t + first_lag_row(n, causality) is lag t.
/// Cost O(n² d) | heap: none | thread-safe: yes | one thread
template <ReferenceReal ScalarType>
class Dense : public detail::OperatorBase<Dense<ScalarType>, ScalarType> {
    using Base = detail::OperatorBase<Dense, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = Matrix<Scalar>;
    using Options = DenseOptions;

    /// \throws config_error 201 or 202, shape_error 501, value_error 530
    Dense(const Options& options, MatrixView<const Scalar> kernel)
        : Base(options.length, options.channels), causality_(options.causality) {
        set_kernel(kernel);
    }

    Causality causality() const noexcept { return causality_; }

    /// \throws shape_error 501, value_error 530; the operator is unchanged then
    void set_kernel(MatrixView<const Scalar> kernel) {
        detail::require_kernel_shape(kernel.rows(), kernel.cols(), lag_count(this->length(), causality_),
                                     this->channels(), "Dense::set_kernel");
        detail::require_finite(kernel, "Dense::set_kernel", "lag",
                               -first_lag_row(this->length(), causality_));
        lags_ = kernel.eigen();
    }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                                    MatrixView<Scalar> dkernel, Workspace& ws, Lengths lengths = {}) const {
        detail::require_kernel_shape(dkernel.rows(), dkernel.cols(), lags_.rows(), lags_.cols(),
                                     "Dense::accumulate_kernel_gradient");
        this->with_gradient_arguments(x, g, lengths, ws,
                                      [&](detail::Rows<const Scalar> x_rows,
                                          detail::Rows<const Scalar> g_rows, const detail::Batch& batch) {
                                          for_each_entry(
                                              batch, [&](Index b, Index i, Index j, Index lag_row) {
                                                  const Scalar* xj = x_rows.row(b * batch.length + j);
                                                  const Scalar* gi = g_rows.row(b * batch.length + i);
                                                  for (Index c = 0; c < this->channels(); ++c)
                                                      dkernel(lag_row, c) += gi[c] * xj[c];
                                              });
                                      });
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(lags_.size()) * sizeof(Scalar);
    }

private:
    static constexpr const char* name = "Dense";

    template <class A, class B>
    friend class Sum;

    std::size_t product_workspace(Index) const noexcept { return 0; }
    std::size_t gradient_workspace(Index) const noexcept { return 0; }

    // f(sequence, i, j, row of lag i−j) for every entry of T inside the valid lengths.
    template <class F>
    void for_each_entry(const detail::Batch& batch, F&& f) const {
        const Index lag0 = first_lag_row(this->length(), causality_);
        for (Index b = 0; b < batch.size; ++b) {
            const Index rows = batch.rows(b);
            for (Index i = 0; i < rows; ++i) {
                const Index last = causality_ == Causality::causal ? i + 1 : rows;
                for (Index j = 0; j < last; ++j) f(b, i, j, lag0 + i - j);
            }
        }
    }

    template <Direction direction, Update update>
    void product(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                 Workspace&) const {
        if constexpr (update == Update::assign) {
            for (Index i = 0; i < batch.size * batch.length; ++i)
                std::fill_n(y.row(i), this->channels(), Scalar(0));
        }
        for_each_entry(batch, [&](Index b, Index i, Index j, Index lag_row) {
            const Index to = direction == Direction::forward ? i : j;
            const Index from = direction == Direction::forward ? j : i;
            const Scalar* k = lags_.data() + lag_row * lags_.cols();
            const Scalar* xs = x.row(b * batch.length + from);
            Scalar* ys = y.row(b * batch.length + to);
            for (Index c = 0; c < this->channels(); ++c) ys[c] += k[c] * xs[c];
        });
    }

    Causality causality_;
    Matrix<Scalar> lags_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
