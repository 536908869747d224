// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The right-angle convolution on FFTW's complex transforms: any length, and the reference of the tree.

#include <algorithm>
#include <cmath>
#include <numbers>

#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/fft/fftw.hpp>
#include <toeplitz/fft/row_tiles.hpp>
#include <toeplitz/fft/size.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Toeplitz products of a group of channels by FFTW. Implements ConvolutionEngine (fft/convolution.hpp).
///
/// Let ζ = e^{iπ/(2N)}, so ζ^N = i. Evaluating Σ c_t z^t at z_q = ζ e^{−2πi q/N}, the N roots of z^N = i, is
/// a plain DFT of c_t ζ^t. With c_t = k(t) − i k(t−N) the product modulo z^N − i returns the negative lags
/// in the place of the positive ones, turned by the right angle, and its real part is y = T x for N ≥ n:
/// one complex transform of N points per real channel, no padding to 2n.
///
/// A spectrum holds, for each channel of the group, N complex values in the DFT's order.
template <Real Scalar>
class FftwConvolution {
public:
    using Complex = std::complex<Scalar>;

    /// Channels per group: one cache line of a row.
    static constexpr Index lanes = detail::tile_lanes<Scalar>;

    /// \throws config_error 201 or 202, plan_error 301
    explicit FftwConvolution(Index length, Index /*channels*/ = lanes) {
        detail::require_positive(length, "FftwConvolution", "length");
        size_ = smooth_even_size(length);
        // Lanes of a power-of-two size would all fall into the same cache sets.
        stride_ = size_ + static_cast<Index>(buffer_alignment / sizeof(Complex));
        forward_ = fftw_plan<Scalar>(FftwKind::complex_forward, size_);
        backward_ = fftw_plan<Scalar>(FftwKind::complex_backward, size_);
        weights_ = Buffer<Complex>(size_);
        for (Index t = 0; t < size_; ++t) {
            const double angle =
                std::numbers::pi * static_cast<double>(t) / (2.0 * static_cast<double>(size_));
            weights_[t] = Complex(static_cast<Scalar>(std::cos(angle)), static_cast<Scalar>(std::sin(angle)));
        }
    }

    Index size() const noexcept { return size_; }
    Index spectrum_size(Index width = lanes) const noexcept { return 2 * width * stride_; }
    Index scratch_size(Index width = lanes) const noexcept { return 2 * (width + 1) * stride_; }
    Index kernel_scratch_size() const noexcept { return 2 * stride_; }

    void transform_kernel(MatrixView<const Scalar> lags, Index negative, Scalar* spectrum,
                          Scalar* scratch) const noexcept {
        const Scalar scale = Scalar(1) / static_cast<Scalar>(size_);
        for (Index c = 0; c < lags.cols(); ++c) std::fill_n(lane(spectrum, c), size_, Complex());
        detail::read_columns<lanes>(
            lags.middle_rows(negative, lags.rows() - negative),
            [&](Index t, Index c, Scalar value) { lane(spectrum, c)[t].real(value * scale); });
        detail::read_columns<lanes>(lags.middle_rows(0, negative), [&](Index row, Index c, Scalar value) {
            lane(spectrum, c)[size_ - negative + row].imag(-value * scale);
        });
        for (Index c = 0; c < lags.cols(); ++c) {
            Complex* turned = lane(scratch, 0);
            const Complex* a = lane(spectrum, c);
            for (Index t = 0; t < size_; ++t) turned[t] = multiply(a[t], weights_[t]);
            forward_->execute(turned, lane(spectrum, c));
        }
    }

    void transform(MatrixView<const Scalar> x, Scalar* spectrum, Scalar* scratch) const noexcept {
        load(x, scratch);
        for (Index c = 0; c < x.cols(); ++c) forward_->execute(lane(scratch, c), lane(spectrum, c));
    }

    template <Direction direction, Update update>
    void convolve(MatrixView<const Scalar> x, const Scalar* kernel_spectrum, MatrixView<Scalar> y,
                  Scalar* scratch) const noexcept {
        load(x, scratch);
        Complex* points = lane(scratch, x.cols());
        for (Index c = 0; c < x.cols(); ++c) {
            Complex* a = lane(scratch, c);
            forward_->execute(a, points);
            multiply<direction>(points, lane(kernel_spectrum, c), points);
            backward_->execute(points, a);
        }
        store<update>(scratch, y);
    }

    template <Direction direction, Update update>
    void convolve_spectrum(const Scalar* x_spectrum, const Scalar* kernel_spectrum, MatrixView<Scalar> y,
                           Scalar* scratch) const noexcept {
        Complex* points = lane(scratch, y.cols());
        for (Index c = 0; c < y.cols(); ++c) {
            multiply<direction>(lane(x_spectrum, c), lane(kernel_spectrum, c), points);
            backward_->execute(points, lane(scratch, c));
        }
        store<update>(scratch, y);
    }

    void accumulate_correlation(const Scalar* x_spectrum, const Scalar* g_spectrum, Index width,
                                Scalar* sum) const noexcept {
        for (Index c = 0; c < width; ++c) {
            const Complex* x = lane(x_spectrum, c);
            const Complex* g = lane(g_spectrum, c);
            Complex* d = lane(sum, c);
            for (Index q = 0; q < size_; ++q) d[q] += multiply(g[q], std::conj(x[q]));
        }
    }

    void accumulate_lags(Scalar* sum, MatrixView<Scalar> lags, Index negative,
                         Scalar* scratch) const noexcept {
        const Scalar scale = Scalar(1) / static_cast<Scalar>(size_);
        for (Index c = 0; c < lags.cols(); ++c) backward_->execute(lane(sum, c), lane(scratch, c));
        const auto turned_back = [&](Index k, Index c) {
            return multiply(lane(scratch, c)[k], std::conj(weights_[k])) * scale;
        };
        detail::write_columns<lanes, Update::add>(lags.middle_rows(negative, lags.rows() - negative),
                                                  [&](Index t, Index c) { return turned_back(t, c).real(); });
        detail::write_columns<lanes, Update::add>(lags.middle_rows(0, negative), [&](Index row, Index c) {
            return -turned_back(size_ - negative + row, c).imag();
        });
    }

private:
    // std::complex's own product checks for infinities.
    static Complex multiply(Complex a, Complex b) noexcept {
        return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
    }

    // On |z| = 1 the transposed kernel has the conjugate spectrum.
    template <Direction direction>
    void multiply(const Complex* x, const Complex* kernel, Complex* product) const noexcept {
        for (Index q = 0; q < size_; ++q) {
            product[q] = multiply(x[q], direction == Direction::forward ? kernel[q] : std::conj(kernel[q]));
        }
    }

    Complex* lane(Scalar* base, Index c) const noexcept {
        return reinterpret_cast<Complex*>(base) + c * stride_;
    }
    const Complex* lane(const Scalar* base, Index c) const noexcept {
        return reinterpret_cast<const Complex*>(base) + c * stride_;
    }

    // Rows to lanes, turned by ζ^t.
    void load(MatrixView<const Scalar> x, Scalar* lanes_out) const noexcept {
        detail::read_columns<lanes>(x, [&](Index t, Index c, Scalar value) {
            lane(lanes_out, c)[t] = {value * weights_[t].real(), value * weights_[t].imag()};
        });
        for (Index c = 0; c < x.cols(); ++c) {
            std::fill_n(lane(lanes_out, c) + x.rows(), size_ - x.rows(), Complex());
        }
    }

    // The real part of lanes turned back.
    template <Update update>
    void store(Scalar* lanes_in, MatrixView<Scalar> y) const noexcept {
        detail::write_columns<lanes, update>(y, [&](Index t, Index c) {
            const Complex a = lane(lanes_in, c)[t];
            return a.real() * weights_[t].real() + a.imag() * weights_[t].imag();
        });
    }

    Index size_ = 0;
    Index stride_ = 0;
    std::shared_ptr<const FftwPlan<Scalar>> forward_;
    std::shared_ptr<const FftwPlan<Scalar>> backward_;
    Buffer<Complex> weights_;
};

static_assert(ConvolutionEngine<FftwConvolution<float>, float>);

}  // namespace toeplitz::inline TOEPLITZ_ABI
