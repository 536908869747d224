// SPDX-License-Identifier: MIT
// Needs toeplitz::fftw alone: returns 0 if FFTW's engine computes what the library's own does.
#include <toeplitz/fft/fftw_convolution.hpp>
#include <toeplitz/operators/fft.hpp>

template <class Scalar>
bool engines_agree() {
    using toeplitz::Fft, toeplitz::Matrix;
    const toeplitz::FftOptions options{.length = 100, .channels = 2};
    const Matrix<Scalar> lags = Matrix<Scalar>::Random(199, 2);
    const Matrix<Scalar> x = Matrix<Scalar>::Random(100, 2);
    Matrix<Scalar> own(100, 2);
    Matrix<Scalar> other(100, 2);
    toeplitz::Workspace ws;
    Fft<Scalar>(options, lags).apply(x, own, ws);
    using Engine = toeplitz::FftwConvolution<Scalar>;
    Fft<Scalar, toeplitz::Causality::bidirectional, Engine>(options, lags).apply(x, other, ws);
    return (own - other).norm() < Scalar(1e-5) * own.norm();
}

int main() { return engines_agree<float>() && engines_agree<double>() ? 0 : 1; }
