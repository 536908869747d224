// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Proven bounds on ‖T − T̂‖₂ of a causal kernel and a state space, from the numbers that are stored.

#include <cmath>
#include <complex>
#include <vector>

#include <toeplitz/approximation/error_bound.hpp>
#include <toeplitz/operators/state_space.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// One channel's state space: what it stores, in double.
struct ModalSystem {
    std::vector<std::complex<double>> poles{};
    std::vector<std::complex<double>> residues{};
    std::vector<double> direct = std::vector<double>(1);
};

/// The exponent e with |values| < 2^e, all of them; 0 where all are zero.
template <class... Values>
int common_exponent(const Values&... values) noexcept {
    double largest = 0;
    const auto see = [&](double value) { largest = (std::max)(largest, std::abs(value)); };
    (
        [&] {
            for (const auto& value : values) {
                see(std::real(value));
                see(std::imag(value));
            }
        }(),
        ...);
    return largest > 0 ? std::ilogb(largest) + 1 : 0;
}

/// The difference of a kernel and a state space, and what its computation may have lost.
struct ModalError {
    Matrix<double> lags;  ///< (2n−1) × 1, zero at negative lags; times 2^−exponent
    double rounding = 0;  ///< the 2-norm of what the lags are wrong by is no more than this
    int exponent = 0;
};

/// Numbers are scaled to the size of 1 first, which is exact but for what underflows: the bound of a kernel
/// times a power of two is the bound times it.
/// \param exponent common_exponent of these numbers, or a larger one
inline ModalError modal_error(const std::vector<double>& lags, const ModalSystem& system, int exponent) {
    constexpr double unit = std::numeric_limits<double>::epsilon() / 2;
    const auto n = static_cast<Index>(lags.size());
    const std::size_t modes = system.poles.size();
    ModalError error;
    error.exponent = exponent;
    double lost = 0;
    const auto scaled = [&](double value) {
        const double made = std::ldexp(value, -exponent);
        if (std::ldexp(made, exponent) != value) lost += std::numeric_limits<double>::denorm_min();
        return made;
    };

    // Responses r λ^{t−m}, as real and imaginary parts.
    std::vector<double> re(modes);
    std::vector<double> im(modes);
    double growth = 1;
    for (std::size_t i = 0; i < modes; ++i) {
        re[i] = scaled(system.residues[i].real());
        im[i] = scaled(system.residues[i].imag());
        growth = (std::max)(growth, std::abs(system.poles[i]) * (1 + 8 * unit));
    }

    error.lags = Matrix<double>::Zero(2 * n - 1, 1);
    double rounding = 0;
    const auto taps = static_cast<Index>(system.direct.size());
    for (Index t = 0; t < n; ++t) {
        double lag = 0;
        double magnitude = 0;
        if (t < taps) {
            lag = scaled(system.direct[static_cast<std::size_t>(t)]);
        } else {
            for (std::size_t i = 0; i < modes; ++i) {
                lag += re[i];
                magnitude += std::abs(re[i]) + std::abs(im[i]);
                const double a = system.poles[i].real();
                const double b = system.poles[i].imag();
                const double turned = a * re[i] - b * im[i];
                im[i] = a * im[i] + b * re[i];
                re[i] = turned;
            }
        }
        const double difference = scaled(lags[static_cast<std::size_t>(t)]) - lag;
        error.lags(t + n - 1, 0) = difference;
        // A complex product is off by √5 u of its modulus, a sum of s terms by s u of theirs.
        rounding += unit * (static_cast<double>(4 * t + static_cast<Index>(modes) + 4) * magnitude +
                            std::abs(difference));
    }
    // What underflows, once per number and step, may grow as the modes do.
    double underflow = lost;
    if (modes > 0) {
        const double steps = static_cast<double>(n);
        underflow += steps * steps * static_cast<double>(modes + 1) * 8 *
                     (std::numeric_limits<double>::min)() * std::pow(growth, steps);
    }
    error.rounding = 1.01 * rounding + underflow;
    return error;
}

/// A proven bound on the 2-norm of a difference; infinite where lags overflow.
inline double modal_error_bound(const ModalError& error) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (!all_finite(error.lags.data(), error.lags.size()) || !is_finite(error.rounding)) return infinity;
    const double bound =
        (norm_bound(error.lags)(0) + error.rounding) * (1 + 4 * std::numeric_limits<double>::epsilon());
    const double result = std::ldexp(bound, error.exponent);
    // Among numbers that are not normal the scaling rounds.
    return bound > 0 && result < (std::numeric_limits<double>::min)()
               ? result + std::numeric_limits<double>::denorm_min()
               : result;
}

inline int common_exponent(const std::vector<double>& lags, const ModalSystem& system) noexcept {
    return common_exponent(lags, system.residues, system.direct);
}

/// A proven bound on ‖T − T̂‖₂.
inline double modal_error_bound(const std::vector<double>& lags, const ModalSystem& system) {
    return modal_error_bound(modal_error(lags, system, common_exponent(lags, system)));
}

/// The same of a state space for each direction of time, of lags 0..n−1 and of lags 0, −1, .., 1−n, of which
/// either may hold lag 0, or a part of it.
inline double modal_error_bound(const std::vector<double>& lags, const ModalSystem& system,
                                const std::vector<double>& backward_lags, const ModalSystem& backward) {
    const int exponent = (std::max)(common_exponent(lags, system), common_exponent(backward_lags, backward));
    ModalError error = modal_error(lags, system, exponent);
    const ModalError other = modal_error(backward_lags, backward, exponent);
    const Index last = error.lags.rows() - 1;
    for (Index row = 0; row <= last; ++row) error.lags(row, 0) += other.lags(last - row, 0);
    error.rounding +=
        other.rounding + std::numeric_limits<double>::epsilon() * std::abs(error.lags(last / 2, 0));
    return modal_error_bound(error);
}

/// Lags 0..n−1 of one channel.
template <Real Scalar>
std::vector<double> channel_lags(MatrixView<const Scalar> lags, Index channel) {
    std::vector<double> column(static_cast<std::size_t>(lags.rows()));
    for (Index t = 0; t < lags.rows(); ++t) {
        column[static_cast<std::size_t>(t)] = static_cast<double>(lags(t, channel));
    }
    return column;
}

template <Real Scalar>
ModalSystem modal_system(const StateSpaceKernel<const Scalar>& kernel, Index channel) {
    ModalSystem system;
    for (Index i = 0; i < kernel.poles.rows(); ++i) {
        if (kernel.residues(i, channel) == std::complex<Scalar>(0)) continue;  // it adds nothing
        system.poles.emplace_back(kernel.poles(i, channel));
        system.residues.emplace_back(kernel.residues(i, channel));
    }
    system.direct = channel_lags(kernel.direct, channel);
    return system;
}

/// Of (2n−1) × d lags, those from 0 on, and those from 0 back, of which the 0 is left out: both n × d.
template <Real Scalar>
std::pair<Matrix<Scalar>, Matrix<Scalar>> halves_of(MatrixView<const Scalar> lags) {
    const Index n = (lags.rows() + 1) / 2;
    std::pair<Matrix<Scalar>, Matrix<Scalar>> halves(lags.middle_rows(n - 1, n).eigen(),
                                                     lags.middle_rows(0, n).eigen().colwise().reverse());
    halves.second.row(0).setZero();
    return halves;
}

/// Throws shape_error 550 unless there are lags, value_error 530 unless they are finite.
template <Real Scalar>
void require_causal_lags(MatrixView<const Scalar> lags, const char* where) {
    if (lags.rows() < 1 || lags.cols() < 1) {
        raise<shape_error>(550, where, "lags of n×d", shape_text(lags.rows(), lags.cols()));
    }
    require_finite(lags, where, "lag", 0);
}

/// Calls f(channel) for all channels; threads split them.
template <class F>
void for_each_channel(Index channels, Index work, F&& f) {
    parallel_chunks<Denormals::keep>(channels, thread_count(channels, work),
                                     [&](Index begin, Index end, int) {
                                         for (Index c = begin; c < end; ++c) f(c);
                                     });
}

/// Throws shape_error 501 or value_error 530 unless these are state spaces of d channels.
template <Real Scalar>
void require_state_space(const StateSpaceKernel<const Scalar>& kernel, Index channels, const char* where) {
    require_kernel_shape(kernel.poles, kernel.poles.rows(), channels, where);
    require_kernel_shape(kernel.residues, kernel.poles.rows(), channels, where);
    require_kernel_shape(kernel.direct, (std::max)(kernel.direct.rows(), Index{1}), channels, where);
    require_finite(kernel.poles, where, "pole", 0);
    require_finite(kernel.residues, where, "residue", 0);
    require_finite(kernel.direct, where, "direct", 0);
}

}  // namespace detail

/// Bounds of ‖T − T̂‖₂, one per channel, T the causal operator of these lags and T̂ the state space for
/// sequences of n, as it is stored.
///
/// Proven, whatever the kernel is and however it was found, with the roundings of its own arithmetic:
/// min(Σ|e_t|, max_k |Σ_t e_t z_k^t|) over the roots of z^N = i, e_t = h_t − ĥ_t computed in double
/// (docs/certificates.md). What a product in floating point rounds is not included; see
/// state_space_rounding. Infinite where ĥ overflows.
/// \param lags n × d; row t is lag t
/// \throws shape_error 550 or 501, value_error 530
/// Cost O(n (s + log n) d) | heap: O(n) per thread | thread-safe: yes | threads split the channels, same bits
/// for any number
template <class Lags>
Vector<double> state_space_bound(const Lags& lags,
                                 const StateSpaceKernel<const typename Lags::Scalar>& kernel) {
    using Scalar = typename Lags::Scalar;
    constexpr const char* where = "state_space_bound";
    const MatrixView<const Scalar> view(lags);
    detail::require_causal_lags(view, where);
    detail::require_state_space(kernel, view.cols(), where);
    Vector<double> bounds(view.cols());
    detail::for_each_channel(view.cols(), view.size() * (kernel.poles.rows() + 16), [&](Index c) {
        bounds(c) = detail::modal_error_bound(detail::channel_lags(view, c), detail::modal_system(kernel, c));
    });
    return bounds;
}

/// The same of a bidirectional kernel and the sum of a state space and the transpose of another one,
/// `backward`, whose lag t stands for lag −t.
/// \param lags (2n−1) × d; row t + n − 1 is lag t
template <class Lags>
Vector<double> state_space_bound(const Lags& lags,
                                 const StateSpaceKernel<const typename Lags::Scalar>& forward,
                                 const StateSpaceKernel<const typename Lags::Scalar>& backward) {
    using Scalar = typename Lags::Scalar;
    constexpr const char* where = "state_space_bound";
    const MatrixView<const Scalar> view(lags);
    static_cast<void>(detail::checked_length(view, where));
    detail::require_causal_lags(view, where);
    detail::require_state_space(forward, view.cols(), where);
    detail::require_state_space(backward, view.cols(), where);
    Vector<double> bounds(view.cols());
    const Index modes = forward.poles.rows() + backward.poles.rows();
    detail::for_each_channel(view.cols(), view.size() * (modes + 16), [&](Index c) {
        const auto halves = detail::halves_of(view.middle_cols(c, 1));
        bounds(c) = detail::modal_error_bound(
            detail::channel_lags<Scalar>(halves.first, 0), detail::modal_system(forward, c),
            detail::channel_lags<Scalar>(halves.second, 0), detail::modal_system(backward, c));
    });
    return bounds;
}

/// How much a product in floating point may round: ‖ŷ − T̂ x‖₂ ≤ rounding ‖x‖₂ for each channel of
/// StateSpace<Scalar>, whatever x is, as long as nothing over- or underflows.
///
/// Each step of a mode rounds by 4u of what it adds up, each output by (2s + m + 3)u, and a mode carries what
/// it was off by on to later steps as it does its inputs: with G = Σ_{t<n} |λ|^t it loses at most 4u G · G
/// per unit of input. An output is 2s + m products one after another, or, where modes share vectors, sums of
/// fewer that are added up: no term is rounded more often. A worst case, some ten times what is seen.
/// \throws shape_error 501
/// Cost O((s + m) d) | heap: the result | thread-safe: yes
template <Real Scalar>
Vector<double> state_space_rounding(const StateSpaceKernel<const Scalar>& kernel, Index length) {
    constexpr const char* where = "state_space_rounding";
    const Index modes = kernel.poles.rows();
    const Index channels = kernel.poles.cols();
    const Index taps = kernel.direct.rows();
    require_kernel_shape(kernel.residues, modes, channels, where);
    require_kernel_shape(kernel.direct, (std::max)(taps, Index{1}), channels, where);
    const double unit = static_cast<double>(std::numeric_limits<Scalar>::epsilon()) / 2;
    const double steps = static_cast<double>(length);
    Vector<double> roundings(channels);
    for (Index c = 0; c < channels; ++c) {
        double carried = 0;
        double gains = 0;
        for (Index q = 0; q < taps; ++q) gains += std::abs(static_cast<double>(kernel.direct(q, c)));
        for (Index i = 0; i < modes; ++i) {
            const double modulus = std::abs(std::complex<double>(kernel.poles(i, c)));
            const double residue = std::abs(std::complex<double>(kernel.residues(i, c)));
            // (1 − |λ|^n)/(1 − |λ|), at most n where |λ| ≤ 1.
            const double gain = modulus == 1 ? steps : (1 - std::pow(modulus, steps)) / (1 - modulus);
            carried += residue * gain * gain;
            gains += 2 * residue * gain;
        }
        // Twice for the terms of higher order, as long as they are small.
        roundings(c) = 2 * unit * (4 * carried + static_cast<double>(2 * modes + taps + 3) * gains);
    }
    return roundings;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
