// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The numbers of state spaces in modal form: what operators and streams take, and what mixers hand over.

#include <algorithm>
#include <complex>

#include <toeplitz/core/simd.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Of d channels with m taps and s complex modes each: the lags below m are `direct`, lag t ≥ m is
/// Re Σ_i residue_i pole_i^{t−m}.
///
/// A column for each channel; a pair of conjugate modes is one of them with twice its residue. Gradients are
/// ∂/∂Re + i ∂/∂Im.
template <class T>
struct StateSpaceKernel {
    using Scalar = std::remove_const_t<T>;
    using Complex = std::conditional_t<std::is_const_v<T>, const std::complex<Scalar>, std::complex<Scalar>>;

    MatrixView<Complex> poles{};     ///< s × d
    MatrixView<Complex> residues{};  ///< s × d
    MatrixView<T> direct{};          ///< m × d, m ≥ 1: row t is lag t

    /// Values that can be written can be read.
    operator StateSpaceKernel<const T>() const noexcept requires(!std::is_const_v<T>) {
        return {poles, residues, direct};
    }
};

template <class T>
void set_kernel_zero(const StateSpaceKernel<T>& values) {
    values.poles.eigen().setZero();
    values.residues.eigen().setZero();
    values.direct.eigen().setZero();
}

/// The same in matrices of its own.
template <Real Scalar>
struct StateSpaceModes {
    Matrix<std::complex<Scalar>> poles{};     ///< s × d
    Matrix<std::complex<Scalar>> residues{};  ///< s × d
    Matrix<Scalar> direct{};                  ///< m × d

    StateSpaceKernel<const Scalar> kernel() const { return {poles, residues, direct}; }
};

/// Modes as products take them, in the mean over vectors of channels.
struct ModeCount {
    double complex = 0;  ///< up to the last one whose pole is not real in all channels of a vector
    double real = 0;     ///< those behind, which take fewer operations
};

namespace detail {

/// Modes up to the last one whose pole is not real in all channels.
template <Real Scalar>
Index complex_modes(MatrixView<const std::complex<Scalar>> poles) noexcept {
    for (Index i = poles.rows(); i > 0; --i) {
        for (Index c = 0; c < poles.cols(); ++c) {
            if (poles(i - 1, c).imag() != 0) return i;
        }
    }
    return 0;
}

/// Rows of 2d numbers, real and imaginary parts of neighbours, as d complex ones, whose layout that is.
template <Real Scalar>
MatrixView<const std::complex<Scalar>> complex_view(const Matrix<Scalar>& parts, Index channels) noexcept {
    return {reinterpret_cast<const std::complex<Scalar>*>(parts.data()), parts.rows(), channels};
}
template <Real Scalar>
MatrixView<std::complex<Scalar>> complex_view(Matrix<Scalar>& parts, Index channels) noexcept {
    return {reinterpret_cast<std::complex<Scalar>*>(parts.data()), parts.rows(), channels};
}

/// The real and imaginary parts of complex numbers side by side.
template <Real Scalar>
Matrix<Scalar> parts_of(const Matrix<std::complex<Scalar>>& numbers) {
    return Eigen::Map<const Matrix<Scalar>>(reinterpret_cast<const Scalar*>(numbers.data()), numbers.rows(),
                                            2 * numbers.cols());
}

}  // namespace detail

/// What products with these poles, s × d, d ≥ 1, take.
template <Real Scalar>
ModeCount count_modes(MatrixView<const std::complex<Scalar>> poles) noexcept {
    constexpr Index lanes = Simd<Scalar>::lanes;
    const Index packs = (poles.cols() + lanes - 1) / lanes;
    Index complex = 0;
    for (Index c = 0; c < poles.cols(); c += lanes) {
        complex += detail::complex_modes(poles.middle_cols(c, (std::min)(lanes, poles.cols() - c)));
    }
    const double mean = static_cast<double>(complex) / static_cast<double>(packs);
    return {mean, static_cast<double>(poles.rows()) - mean};
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
