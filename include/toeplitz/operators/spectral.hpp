// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Operators whose kernel is given by its frequency response: causal by the Hilbert transform, and
/// bidirectional.

#include <toeplitz/fft/causal_spectrum.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct SpectralOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1
    Index grid = 0;      ///< N ≥ 2n−1 points of the full spectrum; 0 for default_frequency_grid(n)
};

/// The Toeplitz operator of a kernel given at the frequencies ω_k = 2πk/N, k = 0..N/2.
///
/// Causal: the kernel is the real part R of the response; the imaginary part is its Hilbert transform, so
/// that the kernel h vanishes at negative lags whatever R is (h_t = u_t irfft(R)_t, fft/half_spectrum.hpp).
/// Bidirectional: the kernel is the complex response H, and k(t) = irfft(H)_{t mod N}; imaginary parts at ω =
/// 0 and ω = π do not count. Products are those of the exact operator with these lags. Kernel: (N/2+1) × d,
/// real or complex; gradients with respect to complex ones are ∂/∂Re + i ∂/∂Im. Cost O(N log N) per channel
/// at set_kernel, O(n log n) per product | heap: none | thread-safe: yes | threads split channels and batch,
/// same bits for any number
template <Real ScalarType, Causality kind, class Engine = DefaultConvolution<ScalarType>>
class Spectral : public detail::OperatorBase<Spectral<ScalarType, kind, Engine>, ScalarType> {
    using Base = detail::OperatorBase<Spectral, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    /// Element of the kernel.
    using Response = std::conditional_t<kind == Causality::causal, Scalar, std::complex<Scalar>>;
    using Kernel = Matrix<Response>;
    using Options = SpectralOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202 or 521 (grid < 2n−1), plan_error 301
    explicit Spectral(const Options& options)
        : Base(options.length, options.channels),
          transform_(checked_grid(options)),
          product_(FftOptions{.length = options.length, .channels = options.channels, .causality = kind}) {}

    /// \throws config_error 201, 202 or 521, shape_error 501, value_error 530, plan_error 301
    Spectral(const Options& options, MatrixView<const Response> kernel) : Spectral(options) {
        set_kernel(kernel);
    }

    static constexpr Causality causality() noexcept { return kind; }
    /// Points N of the full spectrum.
    Index grid() const noexcept { return transform_.grid(); }
    /// Rows N/2+1 of the kernel.
    Index frequencies() const noexcept { return transform_.frequencies(); }

    /// \throws shape_error 501, value_error 530; the operator is unchanged then
    void set_kernel(MatrixView<const Response> kernel) {
        Workspace ws;
        set_kernel(kernel, ws);
    }

    /// As set_kernel(kernel), with scratch memory from `ws`.
    void set_kernel(MatrixView<const Response> kernel, Workspace& ws) {
        require_kernel(kernel, "Spectral::set_kernel");
        detail::require_finite(kernel, "Spectral::set_kernel", "frequency", 0);
        ws.reserve(kernel_workspace() + copy_bytes(kernel));
        Workspace::Scope scope(ws);
        if (!kernel.has_contiguous_rows()) {
            const MatrixView<Response> copy(scope.take<Response>(kernel.size()), kernel.rows(),
                                            kernel.cols());
            detail::copy_blocked<Response>(kernel, copy);
            kernel = copy;
        }
        const auto to_lags = [&](Index first, Index width, detail::Rows<Scalar> lag0, Scalar* scratch) {
            transform_.to_lags(kernel.data() + first, kernel.row_stride(), width, kind, this->length() - 1,
                               negative(), lag0.data, lag0.stride, scratch);
        };
        if (product_.spectra_) {
            constexpr Index lanes = HalfSpectrum<Scalar>::lanes;
            product_.spectra_->set_kernel(
                this->length() - 1, negative(), group_scratch(), ws,
                [&](Index first, Index width, Scalar* scratch) -> detail::Rows<const Scalar> {
                    const detail::Rows<Scalar> lag0{scratch + negative() * lanes, lanes};
                    to_lags(first, width, lag0, scratch + lag_rows() * lanes);
                    return {lag0.data, lanes};
                });
            return;
        }
        const MatrixView<Scalar> lags = take_lags(scope);
        detail::for_channel_groups(
            transform_, this->channels(), transform_.scratch_size(), ws,
            [&](Index first, Index width, Scalar* scratch) {
                to_lags(first, width, {lags.row(negative()) + first, lags.row_stride()}, scratch);
            });
        product_.set_kernel(lags, ws);
    }

    /// Bytes that set_kernel(kernel, ws) takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const {
        if (product_.spectra_) return product_.spectra_->kernel_workspace(group_scratch());
        return lag_bytes() + std::max(transform_bytes(), product_.kernel_workspace());
    }

    /// As of Fft.
    using Cache = typename Fft<Scalar, Engine>::Cache;
    void forward(MatrixView<const Scalar> x, MatrixView<Scalar> y, Cache& cache, Workspace& ws,
                 Lengths lengths = {}) const {
        product_.forward(x, y, cache, ws, lengths);
    }
    /// As of Fft.
    /// \throws shape_error 501 to 507
    void backward(MatrixView<const Scalar> x, const Cache& cache, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dx, MatrixView<Response> dkernel, Workspace& ws,
                  Lengths lengths = {}) const {
        require_kernel(dkernel, "Spectral::backward");
        if (!product_.serves(cache, g, dx)) {
            this->apply_adjoint(g, dx, ws, lengths);
            accumulate_kernel_gradient(x, g, dkernel, ws, lengths);
            return;
        }
        with_response_rows(dkernel, ws, [&](MatrixView<Response> rows) {
            product_.backward_to(cache, g, dx, transform_.scratch_size(), ws, lengths, adder(rows));
        });
    }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                                    MatrixView<Response> dkernel, Workspace& ws, Lengths lengths = {}) const {
        require_kernel(dkernel, "Spectral::accumulate_kernel_gradient");
        const Index batch_size = this->check(x, g, lengths, Base::gradient_call).size;
        ws.reserve(gradient_workspace(batch_size) + this->strided_bytes(batch_size, x, g) +
                   copy_bytes(dkernel));
        with_response_rows(dkernel, ws, [&](MatrixView<Response> rows) {
            if (product_.spectra_) {
                this->with_gradient_arguments(
                    x, g, lengths, ws,
                    [&](detail::Rows<const Scalar> x_rows, detail::Rows<const Scalar> g_rows,
                        const detail::Batch& batch) {
                        product_.spectra_->accumulate_gradient(x_rows, g_rows, batch, lag_rows(), negative(),
                                                               transform_.scratch_size(), ws, adder(rows));
                    });
                return;
            }
            Workspace::Scope scope(ws);
            const MatrixView<Scalar> dlags = take_lags(scope);
            std::fill_n(dlags.data(), dlags.size(), Scalar(0));
            product_.accumulate_kernel_gradient(x, g, dlags, ws, lengths);
            const auto add = adder(rows);
            detail::for_channel_groups(
                transform_, this->channels(), transform_.scratch_size(), ws,
                [&](Index first, Index width, Scalar* scratch) {
                    add(first, width, {dlags.row(negative()) + first, dlags.row_stride()}, scratch);
                });
        });
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return product_.state_bytes(); }

private:
    static constexpr const char* name = "Spectral";

    template <class A, class B>
    friend class Sum;

    static Index checked_grid(const Options& options) {
        if (options.grid == 0) return default_frequency_grid(options.length);
        if (options.grid < 2 * options.length - 1) {
            detail::raise<config_error>(521, "Spectral",
                                        detail::text("a grid of at least 2n-1 = ", 2 * options.length - 1),
                                        std::to_string(options.grid));
        }
        return options.grid;
    }

    static constexpr bool is_causal = kind == Causality::causal;
    Index negative() const noexcept { return is_causal ? 0 : this->length() - 1; }
    Index lag_rows() const noexcept { return lag_count(this->length(), kind); }

    void require_kernel(MatrixView<const Response> kernel, const char* where) const {
        detail::require_kernel_shape(kernel.rows(), kernel.cols(), frequencies(), this->channels(), where);
    }

    /// Scratch of one group: its lags, and that of the transform.
    Index group_scratch() const noexcept {
        return lag_rows() * HalfSpectrum<Scalar>::lanes + transform_.scratch_size();
    }
    static std::size_t copy_bytes(MatrixView<const Response> kernel) {
        return kernel.has_contiguous_rows() ? 0 : Workspace::bytes_for<Response>(kernel.size());
    }

    /// Adds the gradient of a group of channels, given by lags, to that of the response.
    auto adder(MatrixView<Response> dkernel) const {
        return [=, this](Index first, Index width, detail::Rows<const Scalar> dlag0, Scalar* scratch) {
            transform_.accumulate_spectrum(dlag0.data, dlag0.stride, kind, this->length() - 1, negative(),
                                           width, dkernel.data() + first, dkernel.row_stride(), scratch);
        };
    }

    /// f(dkernel), or f of a copy with neighbouring channels.
    template <class F>
    void with_response_rows(MatrixView<Response> dkernel, Workspace& ws, F&& f) const {
        if (dkernel.has_contiguous_rows()) return f(dkernel);
        Workspace::Scope scope(ws);
        const MatrixView<Response> rows(scope.take<Response>(dkernel.size()), dkernel.rows(), dkernel.cols());
        detail::copy_blocked<Response>(dkernel, rows);
        f(rows);
        detail::copy_blocked<Response>(rows, dkernel);
    }

    MatrixView<Scalar> take_lags(Workspace::Scope& scope) const {
        return {scope.template take<Scalar>(lag_rows() * this->channels()), lag_rows(), this->channels()};
    }
    std::size_t lag_bytes() const { return Workspace::bytes_for<Scalar>(lag_rows() * this->channels()); }
    std::size_t transform_bytes() const {
        return ThreadScratch<Scalar>::bytes(transform_.scratch_size(),
                                            detail::transform_threads(transform_, this->channels()));
    }

    std::size_t product_workspace(Index batch) const { return product_.required_workspace(batch); }
    std::size_t gradient_workspace(Index batch) const {
        if (product_.spectra_) {
            return product_.spectra_->gradient_workspace(lag_rows(), transform_.scratch_size());
        }
        return lag_bytes() + std::max(transform_bytes(), product_.required_workspace(batch));
    }

    template <Direction direction, Update update>
    void product(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                 Workspace& ws) const {
        product_.template product<direction, update>(x, y, batch, ws);
    }

    HalfSpectrum<Scalar> transform_;
    Fft<Scalar, Engine> product_;
};

/// Causal by construction: the Hilbert transform supplies the imaginary part.
template <Real Scalar>
using CausalSpectral = Spectral<Scalar, Causality::causal>;

/// Both directions, from a complex response.
template <Real Scalar>
using BidirectionalSpectral = Spectral<Scalar, Causality::bidirectional>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
