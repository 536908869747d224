// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What stands in for a kernel given at all lags, and what is known of its error.

#include <array>
#include <limits>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/operators/any_operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// How the inducing values come from the kernel.
///
/// * sample: the kernel at the inducing lags.
/// * bridge: inducing lags |δ|h ≤ b get the values with the least sum of squared second differences, so that
///   a spike or a jump that the band takes over is not smeared over their spacing.
/// * balanced: an eighth of the second difference less than either. Linear interpolation errs to one side of
///   a curved kernel; balanced values err to both, which halves the error.
enum class InducingMode { sample, bridge, balanced_sample, balanced_bridge };

constexpr const char* name(InducingMode mode) noexcept {
    constexpr const char* names[] = {"sample", "bridge", "balanced_sample", "balanced_bridge"};
    return names[static_cast<int>(mode)];
}

/// Of d neighbouring channels of a kernel: band + W A Wᵀ, one of the two, all lags, or a state space: one of
/// the lags t ≥ 0, or one of them and one of the lags −t.
///
/// Taps, inducing values, lags and the numbers of state spaces are parameters that can be trained, and bounds
/// are stored beside them; the rest says how they were found.
template <Real ScalarType>
struct Approximation {
    using Scalar = ScalarType;

    Matrix<Scalar> taps{};  ///< m × d, m odd; row (m−1)/2 + q is lag q. No rows: no band.
    Matrix<Scalar> inducing{};  ///< (2r−1) × d; row δ + r − 1 is the value at lag δh. No rows: no low rank.
    Matrix<Scalar> lags{};            ///< (2n−1) × d, where it is exact and has no other part
    Matrix<Scalar> poles{};           ///< s × 2d, of a state space: real and imaginary part of each channel
    Matrix<Scalar> residues{};        ///< s × 2d
    Matrix<Scalar> direct{};          ///< m × d; no row: no state space
    Matrix<Scalar> backward_poles{};  ///< s × 2d: the same of the lags −t
    Matrix<Scalar> backward_residues{};  ///< s × 2d
    Matrix<Scalar> backward_direct{};    ///< m × d; no row: no state space of them
    Vector<double> bounds{};  ///< ‖T − approximation‖₂ of each channel is proven to be no more than this
    Vector<double> tolerances{};               ///< absolute, of each channel, where it was chosen for them
    InducingMode mode = InducingMode::sample;  ///< where the inducing values came from
    double cost = 0;        ///< nanoseconds of a product, per channel and sequence, by a cost model
    double exact_cost = 0;  ///< the same of the exact operator

    Index channels() const noexcept {
        return (std::max)({taps.cols(), inducing.cols(), lags.cols(), direct.cols(), backward_direct.cols()});
    }
    /// m of the band; of state spaces the lags that have values of their own; 0 where there are none.
    Index tap_count() const noexcept { return taps.rows() + direct.rows() + backward_direct.rows(); }
    /// r, or 0 where there is no low-rank part.
    Index rank() const noexcept { return (inducing.rows() + 1) / 2; }
    /// s, of both state spaces; 0 where there is none.
    Index modes() const noexcept { return poles.rows() + backward_poles.rows(); }
    /// Whether channels of both can be channels of one.
    bool has_shape_of(const Approximation& other) const noexcept {
        const auto rows = [](const Approximation& a) {
            return std::array{a.taps.rows(),           a.inducing.rows(), a.lags.rows(),
                              a.poles.rows(),          a.direct.rows(),   a.backward_poles.rows(),
                              a.backward_direct.rows()};
        };
        return rows(*this) == rows(other);
    }
    /// The diagonals that are as they should be: taps, or all lags.
    const Matrix<Scalar>& diagonals() const noexcept { return lags.rows() > 0 ? lags : taps; }
    /// b = (m−1)/2, n−1 where it is exact, or −1 where there are no diagonals.
    Index half_width() const noexcept { return diagonals().rows() == 0 ? -1 : (diagonals().rows() - 1) / 2; }
    Method method() const noexcept { return kernel().method(); }
    /// The largest of the bounds; infinite where there are none.
    double bound() const {
        return bounds.size() > 0 ? bounds.maxCoeff() : std::numeric_limits<double>::infinity();
    }
    /// Cost against the exact operator's.
    double cost_ratio() const noexcept { return exact_cost > 0 ? cost / exact_cost : 1; }

    /// Views of what there is.
    AnyKernel<const Scalar> kernel() const noexcept { return kernel_of(*this); }
    AnyKernel<Scalar> kernel() noexcept { return kernel_of(*this); }
    /// The operator for sequences of n time steps.
    /// \throws shape_error 551, value_error 530, config_error 201 (no part at all)
    AnyOperator<Scalar> make_operator(Index length) const;

    /// Names: taps, inducing, lags, poles, residues, direct, backward_poles, backward_residues,
    /// backward_direct, as far as they are there, and bounds.
    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "taps", sets.taps...);
        detail::visit_present(f, "inducing", sets.inducing...);
        detail::visit_present(f, "lags", sets.lags...);
        detail::visit_present(f, "poles", sets.poles...);
        detail::visit_present(f, "residues", sets.residues...);
        detail::visit_present(f, "direct", sets.direct...);
        detail::visit_present(f, "backward_poles", sets.backward_poles...);
        detail::visit_present(f, "backward_residues", sets.backward_residues...);
        detail::visit_present(f, "backward_direct", sets.backward_direct...);
        f(ParameterName::buffer("bounds"), sets.bounds...);
    }

private:
    template <class Self>
    static auto kernel_of(Self& self) noexcept {
        using T = std::conditional_t<std::is_const_v<Self>, const Scalar, Scalar>;
        return AnyKernel<T>{self.taps,
                            self.inducing,
                            self.lags,
                            {detail::complex_view(self.poles, self.direct.cols()),
                             detail::complex_view(self.residues, self.direct.cols()), self.direct},
                            {detail::complex_view(self.backward_poles, self.backward_direct.cols()),
                             detail::complex_view(self.backward_residues, self.backward_direct.cols()),
                             self.backward_direct}};
    }
};

namespace detail {

/// Throws shape_error 550 unless the lags are rows of neighbouring channels, an odd number of them; returns
/// n.
template <Real Scalar>
Index checked_length(MatrixView<const Scalar> lags, const char* where) {
    if (lags.rows() % 2 == 0 || lags.cols() < 1 || !lags.has_contiguous_rows()) {
        raise<shape_error>(550, where, "lags of (2n−1)×d in row-major order",
                           shape_text(lags.rows(), lags.cols()));
    }
    return (lags.rows() + 1) / 2;
}

/// The same for one with state spaces.
template <Real Scalar>
void check_state_spaces(Index channels, const Approximation<Scalar>& approximation, const char* where) {
    const auto check = [&](const Matrix<Scalar>& poles, const Matrix<Scalar>& residues,
                           const Matrix<Scalar>& direct) {
        const auto fits = [&](const Matrix<Scalar>& parts) {
            return parts.rows() == poles.rows() && (parts.rows() == 0 || parts.cols() == 2 * channels);
        };
        if (!fits(poles) || !fits(residues) || direct.rows() < 1 || direct.cols() != channels ||
            approximation.half_width() >= 0 || approximation.rank() > 0) {
            raise<shape_error>(551, where,
                               text("poles and residues of s×", 2 * channels, ", direct of m×", channels,
                                    " and nothing else"),
                               text(shape_text(poles.rows(), poles.cols()), ", ",
                                    shape_text(residues.rows(), residues.cols()), " and ",
                                    shape_text(direct.rows(), direct.cols())));
        }
        require_finite(MatrixView<const Scalar>(poles), where, "pole", 0);
        require_finite(MatrixView<const Scalar>(residues), where, "residue", 0);
        require_finite(MatrixView<const Scalar>(direct), where, "direct", 0);
    };
    const auto& a = approximation;
    check(a.poles, a.residues, a.direct);
    if (a.method() == Method::two_sided) check(a.backward_poles, a.backward_residues, a.backward_direct);
}

/// Throws shape_error 551 for a state space, whose bound is another one.
template <Real Scalar>
void refuse_state_space(const Approximation<Scalar>& approximation, const char* where) {
    if (approximation.direct.rows() + approximation.backward_direct.rows() == 0) return;
    raise<shape_error>(551, where, "taps, inducing values or lags", "a state space: see state_space_bound");
}

/// Throws shape_error 551 unless all parts have d columns and fit sequences of n, value_error 530 unless they
/// are finite.
template <Real Scalar>
void check_approximation(Index length, Index channels, const Approximation<Scalar>& approximation,
                         const char* where) {
    if (approximation.direct.rows() + approximation.backward_direct.rows() > 0) {
        check_state_spaces(channels, approximation, where);
        return;
    }
    const MatrixView<const Scalar> taps(approximation.taps);
    const MatrixView<const Scalar> inducing(approximation.inducing);
    const MatrixView<const Scalar> lags(approximation.lags);
    const auto fits = [&](MatrixView<const Scalar> part) {
        return part.rows() == 0 || (part.rows() % 2 == 1 && part.cols() == channels);
    };
    const bool exact = lags.rows() > 0;
    if (!fits(taps) || !fits(inducing) || !fits(lags) || approximation.rank() > length ||
        (exact && (lags.rows() != 2 * length - 1 || taps.rows() > 0 || inducing.rows() > 0))) {
        raise<shape_error>(
            551, where,
            text("taps of m×", channels, ", m odd, and inducing values of (2r−1)×", channels,
                 ", r <= ", length, ", or lags of ", shape_text(2 * length - 1, channels)),
            text(shape_text(taps.rows(), taps.cols()), ", ", shape_text(inducing.rows(), inducing.cols()),
                 " and ", shape_text(lags.rows(), lags.cols())));
    }
    require_finite(taps, where, "tap", -approximation.half_width());
    require_finite(inducing, where, "inducing lag", 1 - approximation.rank());
    require_finite(lags, where, "lag", 1 - length);
}

}  // namespace detail

template <Real ScalarType>
AnyOperator<ScalarType> Approximation<ScalarType>::make_operator(Index length) const {
    detail::check_approximation(length, channels(), *this, "Approximation::make_operator");
    return {length, kernel()};
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
