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
        ws.reserve(spectra_->kernel_workspace(0) +
                   (kernel.has_contiguous_rows() ? 0 : Workspace::bytes_for<Scalar>(kernel.size())));
        Workspace::Scope scope(ws);
        const detail::Rows<const Scalar> lags = Base::readable(kernel, scope);
        spectra_->set_kernel(positive(), negative(), 0, ws, [&](Index first, Index, Scalar*) {
            return detail::Rows<const Scalar>{lags.row(negative()) + first, lags.stride};
        });
    }

    /// Bytes that set_kernel(kernel, ws) takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const { return spectra_ ? spectra_->kernel_workspace(0) : 0; }

    /// What backward needs of a forward call: the spectra of x, 2N scalars per channel and sequence.
    struct Cache {
        Buffer<Scalar> spectra;
        Index batch = 0;
    };

    /// y = T x as apply, and keeps in `cache` what backward needs.
    /// \throws shape_error 502 to 506
    /// Cost of apply | heap: the cache, when the batch grows | thread-safe: yes, with distinct caches
    void forward(MatrixView<const Scalar> x, MatrixView<Scalar> y, Cache& cache, Workspace& ws,
                 Lengths lengths = {}) const {
        cache.batch = 0;
        if (!spectra_ || !x.has_contiguous_rows() || !y.has_contiguous_rows()) {
            this->apply(x, y, ws, lengths);
            return;
        }
        this->with_product_arguments(
            x, y, lengths, {"forward", "x", "y"}, ws,
            [&](detail::Rows<const Scalar> x_rows, detail::Rows<Scalar> y_rows, const detail::Batch& batch) {
                const Index size = spectra_->kept_size(batch.size);
                if (cache.spectra.size() < size) cache.spectra = Buffer<Scalar>(size);
                spectra_->forward(x_rows, y_rows, batch, cache.spectra.data(), ws);
            });
        cache.batch = x.rows() / this->length();
    }

    /// dx = Tᵀ g, and dkernel += the gradient of ⟨g, T x⟩ with respect to the kernel, for the x of a forward
    /// call with the same lengths.
    ///
    /// Takes one transform of each sequence of g and one of dx, the kernel gradient one more: half of what
    /// apply_adjoint and accumulate_kernel_gradient take together.
    /// \throws shape_error 501 to 507
    void backward(MatrixView<const Scalar> x, const Cache& cache, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dx, MatrixView<Scalar> dkernel, Workspace& ws,
                  Lengths lengths = {}) const {
        require_kernel(dkernel, "Fft::backward");
        if (!this->serves(cache, g, dx)) {
            this->apply_adjoint(g, dx, ws, lengths);
            accumulate_kernel_gradient(x, g, dkernel, ws, lengths);
            return;
        }
        backward_to(cache, g, dx, 0, ws, lengths, adder(dkernel));
    }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                                    MatrixView<Scalar> dkernel, Workspace& ws, Lengths lengths = {}) const {
        require_kernel(dkernel, "Fft::accumulate_kernel_gradient");
        this->with_gradient_arguments(x, g, lengths, ws,
                                      [&](detail::Rows<const Scalar> x_rows,
                                          detail::Rows<const Scalar> g_rows, const detail::Batch& batch) {
                                          if (spectra_) {
                                              spectra_->accumulate_gradient(x_rows, g_rows, batch,
                                                                            dkernel.rows(), negative(), 0, ws,
                                                                            adder(dkernel));
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

    /// Whether backward can use the cache of a forward call.
    /// \throws shape_error 507 when it is one of another batch
    bool serves(const Cache& cache, MatrixView<const Scalar> g, MatrixView<const Scalar> dx) const {
        if (cache.batch == 0) return false;
        if (g.rows() != cache.batch * this->length()) {
            detail::raise<shape_error>(507, "Fft::backward",
                                       detail::text("g of the ", cache.batch, " sequences of forward"),
                                       detail::text(g.rows(), " rows for sequences of ", this->length()));
        }
        return g.has_contiguous_rows() && dx.has_contiguous_rows();
    }

    /// dx = Tᵀ g, and `take` as in GroupedSpectra::backward.
    template <class Take>
    void backward_to(const Cache& cache, MatrixView<const Scalar> g, MatrixView<Scalar> dx, Index extra,
                     Workspace& ws, Lengths lengths, Take&& take) const {
        this->with_product_arguments(
            g, dx, lengths, {"backward", "g", "dx"}, ws,
            [&](detail::Rows<const Scalar> g_rows, detail::Rows<Scalar> dx_rows, const detail::Batch& batch) {
                spectra_->backward(cache.spectra.data(), g_rows, dx_rows, batch, positive() + negative() + 1,
                                   negative(), extra, ws, take);
            });
    }

    /// Adds the gradient of a group of channels to dkernel.
    auto adder(MatrixView<Scalar> dkernel) const {
        return [=, this](Index first, Index width, detail::Rows<const Scalar> dlag0, Scalar*) {
            for (Index t = -negative(); t <= positive(); ++t) {
                for (Index c = 0; c < width; ++c) dkernel(t + negative(), first + c) += dlag0.row(t)[c];
            }
        };
    }

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
        return spectra_ ? spectra_->gradient_workspace(positive() + negative() + 1, 0)
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
