// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exact Toeplitz product by fast transforms: the baseline of the paper.

#include <optional>

#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/operators/grouped_spectra.hpp>
#include <toeplitz/operators/short_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

template <Real ScalarType, Causality kind, class Engine>
class Spectral;

struct FftOptions {
    Index length = 0;                                ///< n ≥ 1
    Index channels = 0;                              ///< d ≥ 1
    Causality causality = Causality::bidirectional;  ///< which lags the kernel has
};

/// y_i = Σ_j k(i−j) x_j, exactly, in O(n log n).
///
/// The spectrum of the kernel is kept, so a product takes one transform of each channel of x and one of y.
/// Sequences no longer than `direct_length` are multiplied by definition, which is faster and keeps
/// causality bit for bit; longer ones keep it to the rounding of the transform.
/// Kernel: lags × channels; row t + first_lag_row(n, causality) is lag t.
/// Cost O(n log n) per channel | heap: none | thread-safe: yes | threads split channels and batch, same bits
/// for any number
template <Real ScalarType, class Engine = DefaultConvolution<ScalarType>>
requires ConvolutionEngine<Engine, ScalarType>
class Fft : public detail::OperatorBase<Fft<ScalarType, Engine>, ScalarType> {
    using Base = detail::OperatorBase<Fft, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = Matrix<Scalar>;
    using Options = FftOptions;

    /// Longest sequence that is multiplied directly.
    static constexpr Index direct_length = 64;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201 or 202, plan_error 301
    explicit Fft(const Options& options)
        : Base(options.length, options.channels), causality_(options.causality) {
        if (options.length <= direct_length) {
            direct_ = detail::ShortConvolution<Scalar>(options.channels, negative(), positive());
        } else {
            spectra_.emplace(options.length, options.channels);
        }
    }

    /// \throws config_error 201 or 202, shape_error 501, value_error 530, plan_error 301
    Fft(const Options& options, MatrixView<const Scalar> kernel) : Fft(options) { set_kernel(kernel); }

    Causality causality() const noexcept { return causality_; }

    /// \throws shape_error 501, value_error 530; the operator is unchanged then
    void set_kernel(MatrixView<const Scalar> kernel) {
        Workspace ws;
        set_kernel(kernel, ws);
    }

    /// As set_kernel(kernel), with scratch memory from `ws`: training changes the kernel at every step.
    void set_kernel(MatrixView<const Scalar> kernel, Workspace& ws) {
        require_kernel(kernel, "Fft::set_kernel");
        detail::require_finite(kernel, "Fft::set_kernel", "lag", -negative());
        if (!spectra_) {
            direct_.set_kernel(kernel);
            return;
        }
        ws.reserve(spectra_->kernel_workspace() +
                   (kernel.has_contiguous_rows() ? 0 : Workspace::bytes_for<Scalar>(kernel.size())));
        Workspace::Scope scope(ws);
        const detail::Rows<const Scalar> lags = Base::readable(kernel, scope);
        spectra_->set_kernel({lags.row(negative()), lags.stride}, positive(), negative(), ws);
    }

    /// Bytes that set_kernel(kernel, ws) takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const { return spectra_ ? spectra_->kernel_workspace() : 0; }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                                    MatrixView<Scalar> dkernel, Workspace& ws, Lengths lengths = {}) const {
        require_kernel(dkernel, "Fft::accumulate_kernel_gradient");
        this->with_gradient_arguments(x, g, lengths, ws,
                                      [&](detail::Rows<const Scalar> x_rows,
                                          detail::Rows<const Scalar> g_rows, const detail::Batch& batch) {
                                          if (spectra_) {
                                              spectra_->accumulate_gradient(x_rows, g_rows, batch, dkernel,
                                                                            negative(), ws);
                                          } else {
                                              direct_.accumulate_gradient(x_rows, g_rows, dkernel, batch, ws);
                                          }
                                      });
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return direct_.state_bytes() + (spectra_ ? spectra_->state_bytes() : 0);
    }

private:
    static constexpr const char* name = "Fft";

    template <class A, class B>
    friend class Sum;
    template <Real S, Causality kind, class E>
    friend class Spectral;

    using Spectra = detail::GroupedSpectra<Scalar, Engine>;

    Index positive() const noexcept { return this->length() - 1; }
    Index negative() const noexcept { return causality_ == Causality::causal ? 0 : this->length() - 1; }

    void require_kernel(MatrixView<const Scalar> kernel, const char* where) const {
        detail::require_kernel_shape(kernel.rows(), kernel.cols(), lag_count(this->length(), causality_),
                                     this->channels(), where);
    }

    std::size_t product_workspace(Index batch) const {
        return spectra_ ? spectra_->product_workspace(batch)
                        : direct_.product_workspace(batch, this->length());
    }
    std::size_t gradient_workspace(Index batch) const {
        return spectra_ ? spectra_->gradient_workspace(positive() + negative() + 1)
                        : direct_.gradient_workspace(batch, this->length());
    }

    template <Direction direction, Update update>
    void product(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                 Workspace& ws) const {
        if (spectra_) {
            spectra_->template product<direction, update>(x, y, batch, ws);
        } else if constexpr (update == Update::add) {
            direct_.template product<direction>(
                x, y, batch, detail::StartFromRows<Scalar>{{y.data, y.stride}, batch.length}, ws);
        } else {
            direct_.template product<direction>(x, y, batch, detail::StartFromZero{}, ws);
        }
    }

    Causality causality_;
    detail::ShortConvolution<Scalar> direct_;
    std::optional<Spectra> spectra_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
