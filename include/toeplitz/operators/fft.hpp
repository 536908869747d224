// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exact Toeplitz product by fast transforms: the baseline of the paper.

#include <toeplitz/operators/exact_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct FftOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
    }
};

/// y_i = Σ_j k(i−j) x_j, exactly, in O(n log n).
///
/// The spectrum of the kernel is kept, so a product takes one transform of each channel of x and one of y.
/// Up to most_direct_lags lags are multiplied by definition, which keeps causality bit for bit; more keep it
/// to the rounding of the transform.
/// * Kernel: lags × channels; row t + first_lag_row(n, kind) is lag t.
/// * Cost O(n log n) per channel | heap: none | thread-safe: yes | threads split channels and batch,
///   same bits for any number
template <Real ScalarType, Causality kind = Causality::bidirectional,
          class Engine = DefaultConvolution<ScalarType>>
requires ConvolutionEngine<Engine, ScalarType>
class Fft : public detail::ExactOperator<Fft<ScalarType, kind, Engine>, ScalarType, Engine> {
    using Base = detail::ExactOperator<Fft, ScalarType, Engine>;
    friend Base;
    friend Operator<Fft, ScalarType>;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Options = FftOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201 or 202, plan_error 301
    explicit Fft(const Options& options) : Base(options.length, options.channels, kind) {}

    /// \throws config_error 201 or 202, shape_error 501, value_error 530, plan_error 301
    Fft(const Options& options, Kernel kernel) : Fft(options) { this->set_kernel(kernel); }

    static constexpr Causality causality() noexcept { return kind; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Scalar>(this->lags(), this->channels());
    }

private:
    static constexpr const char* name = "Fft";

    static constexpr detail::LagsScratch extra() noexcept { return {}; }

    void require_kernel(Kernel kernel, const char* where) const {
        require_kernel_shape(kernel, this->lags(), this->channels(), where);
    }

    template <class F>
    void with_lags(Kernel kernel, Workspace& ws, F&& f) const {
        require_kernel(kernel, "Fft::set_kernel");
        require_finite(kernel, "Fft::set_kernel", "lag", -this->negative());
        Workspace::Scope scope(ws);
        kernel = Base::readable(kernel, scope);
        f([&](Index first, Index width, Scalar*, Scalar*) { return kernel.middle_cols(first, width); });
    }

    template <class F>
    void with_taker(KernelValues dkernel, Workspace&, F&& f) const {
        require_kernel(dkernel, "Fft, dkernel");
        f([&](Index first, MatrixView<const Scalar> dlags, Scalar*) {
            dkernel.middle_cols(first, dlags.cols()).eigen() += dlags.eigen();
        });
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
