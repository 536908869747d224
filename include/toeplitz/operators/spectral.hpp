// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Operators whose kernel is given by its frequency response: causal by the Hilbert transform, and
/// bidirectional.

#include <toeplitz/fft/half_spectrum.hpp>
#include <toeplitz/operators/exact_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct SpectralOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1
    Index grid = 0;      ///< N ≥ 2n−1 points of the full spectrum; 0 for default_frequency_grid(n)

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
        f("grid", sets.grid...);
    }
};

/// The Toeplitz operator of a kernel given at the frequencies ω_k = 2πk/N, k = 0..N/2.
///
/// Causal: the kernel is the real part R of the response; the imaginary part is its Hilbert transform, so
/// that the kernel h vanishes at negative lags whatever R is (h_t = u_t irfft(R)_t, fft/half_spectrum.hpp).
/// Bidirectional: the kernel is the complex response H, and k(t) = irfft(H)_{t mod N}; imaginary parts at ω =
/// 0 and ω = π do not count. Products are those of the exact operator with these lags.
/// Kernel: (N/2+1) × d, real or complex; gradients with respect to complex ones are ∂/∂Re + i ∂/∂Im.
/// Cost O(N log N) per channel at set_kernel, O(n log n) per product | heap: none | thread-safe: yes |
/// threads split channels and batch, same bits for any number
template <Real ScalarType, Causality kind, class Engine = DefaultConvolution<ScalarType>>
class Spectral : public detail::ExactOperator<Spectral<ScalarType, kind, Engine>, ScalarType, Engine> {
    using Base = detail::ExactOperator<Spectral, ScalarType, Engine>;
    friend Base;
    friend Operator<Spectral, ScalarType>;

public:
    using Scalar = ScalarType;
    /// Element of the kernel.
    using Response = std::conditional_t<kind == Causality::causal, Scalar, std::complex<Scalar>>;
    using Kernel = MatrixView<const Response>;
    using KernelValues = MatrixView<Response>;
    using Options = SpectralOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202 or 521 (grid < 2n−1), plan_error 301
    explicit Spectral(const Options& options)
        : Base(options.length, options.channels, kind), transform_(checked_grid(options), options.channels) {}

    /// \throws config_error 201, 202 or 521, shape_error 501, value_error 530, plan_error 301
    Spectral(const Options& options, Kernel kernel) : Spectral(options) { this->set_kernel(kernel); }

    static constexpr Causality causality() noexcept { return kind; }
    /// Points N of the full spectrum.
    Index grid() const noexcept { return transform_.grid(); }
    /// Rows N/2+1 of the kernel.
    Index frequencies() const noexcept { return transform_.frequencies(); }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Response>(frequencies(), this->channels());
    }

private:
    static constexpr const char* name = "Spectral";
    static constexpr Index lanes = HalfSpectrum<Scalar>::lanes;

    static Index checked_grid(const Options& options) {
        if (options.grid == 0) return default_frequency_grid(options.length);
        if (options.grid < 2 * options.length - 1) {
            detail::raise<config_error>(521, "Spectral",
                                        detail::text("a grid of at least 2n-1 = ", 2 * options.length - 1),
                                        std::to_string(options.grid));
        }
        return options.grid;
    }

    void require_kernel(Kernel kernel, const char* where) const {
        require_kernel_shape(kernel, frequencies(), this->channels(), where);
    }

    detail::LagsScratch extra() const noexcept {
        return {detail::whole_lines<Scalar>(this->lags() * lags_stride()),
                detail::whole_lines<Scalar>(transform_.scratch_size())};
    }
    Index lags_stride() const noexcept { return (std::min)(lanes, this->channels()); }

    template <class F>
    void with_lags(Kernel kernel, Workspace& ws, F&& f) const {
        require_kernel(kernel, "Spectral::set_kernel");
        require_finite(kernel, "Spectral::set_kernel", "frequency", 0);
        Workspace::Scope scope(ws);
        kernel = Base::readable(kernel, scope);
        f([&](Index first, Index width, Scalar* scratch, Scalar* passing) {
            const MatrixView<Scalar> lags(scratch, this->lags(), width, lags_stride());
            transform_.to_lags(kernel.middle_cols(first, width), kind, lags, this->negative(), passing);
            return MatrixView<const Scalar>(lags);
        });
    }

    template <class F>
    void with_taker(KernelValues dkernel, Workspace& ws, F&& f) const {
        require_kernel(dkernel, "Spectral, dkernel");
        Workspace::Scope scope(ws);
        KernelValues rows = dkernel;
        if (!dkernel.has_contiguous_rows()) {
            rows = scope.template matrix<Response>(dkernel.rows(), dkernel.cols());
            detail::copy_blocked<Response>(dkernel, rows);
        }
        f([&](Index first, MatrixView<const Scalar> dlags, Scalar* scratch) {
            transform_.accumulate_spectrum(dlags, this->negative(), kind,
                                           rows.middle_cols(first, dlags.cols()), scratch);
        });
        if (!dkernel.has_contiguous_rows()) detail::copy_blocked<Response>(rows, dkernel);
    }

    HalfSpectrum<Scalar> transform_;
};

/// Causal by construction: the Hilbert transform supplies the imaginary part.
template <Real Scalar>
using CausalSpectral = Spectral<Scalar, Causality::causal>;

/// Both directions, from a complex response.
template <Real Scalar>
using BidirectionalSpectral = Spectral<Scalar, Causality::bidirectional>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
