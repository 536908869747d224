// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Proven bounds on ‖T − (band + W A Wᵀ)‖₂ from the numbers that the operators hold (docs/certificates.md).

#include <vector>

#include <toeplitz/approximation/approximation.hpp>
#include <toeplitz/approximation/interpolation_error.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// window: B1, sums of absolute values, O(n). spectrum: B2, the largest value of the symbol, O(n log n).
/// smallest: the smaller of both, which is proven as well.
enum class ErrorBound { window, spectrum, smallest };

namespace detail {

/// Of one channel of E = T − W A Wᵀ − band, times its scale.
struct WindowSums {
    double scale = 1;
    double bound = 0;     ///< largest window of |center| + radius: B1, rounding included
    double radius = 0;    ///< largest window of radius, rounding included
    double square = 0;    ///< Σ center²
    double total = 0;     ///< Σ |center| + radius
    double rounding = 0;  ///< what the rounding of all entries can do to a norm

    /// A bound of the channel itself from one of the scaled channel.
    double unscaled(double bound_of_scaled) const noexcept { return scaled_back_up(bound_of_scaled, scale); }
};

/// Sums over the windows of n diagonals that a row or a column of T sees.
///
/// The first window holds rows 0..n−1 of the lags; each later one gains row i + n and loses row i, so that
/// one pass finds the largest.
template <Real Scalar>
class WindowSweep {
public:
    explicit WindowSweep(const InterpolationError<Scalar>& error) : error_(&error) {}

    /// sums[c] for channels first..last−1, roundings aside.
    void operator()(Index first, Index last, WindowSums* sums) const {
        const Index n = error_->length();
        const Index width = last - first;
        Buffer<double> state(state_rows * width);
        for (Index begin = 0; begin < n; begin += tile) {
            const Index end = (std::min)(begin + tile, n);
            for_double_lanes(0, width, [&](auto lane, Index c) TOEPLITZ_LAMBDA {
                add_tile<decltype(lane)>(begin, end, first + c, state.data() + c, width);
            });
        }
        for (Index c = 0; c < width; ++c) {
            const auto row = [&](int k) { return state[k * width + c]; };
            sums[c].scale = error_->scale(first + c);
            sums[c].bound = row(first_bound) + row(most_bound);
            sums[c].radius = row(first_radius) + row(most_radius);
            sums[c].square = row(square);
            sums[c].total = 2 * row(first_bound) + row(gain_bound);
        }
    }

private:
    // Rows whose lags and state stay in the first-level cache.
    static constexpr Index tile = 8;

    enum State {
        first_bound,
        gain_bound,
        most_bound,
        first_radius,
        gain_radius,
        most_radius,
        square,
        state_rows
    };

    template <class Value>
    TOEPLITZ_INLINE void add_tile(Index begin, Index end, Index channel, double* state, Index stride) const {
        using Access = DoubleAccess<Value>;
        const Index n = error_->length();
        Value s[state_rows];
        unroll<state_rows>([&](auto k) TOEPLITZ_LAMBDA { s[k] = Access::load(state + k * stride); });
        DiagonalRange<Value> lost[tile];
        error_->template for_rows<Value>(
            begin, end, channel, [&](Index row, DiagonalRange<Value> e) TOEPLITZ_LAMBDA {
                lost[row - begin] = {Access::magnitude(e.center) + e.radius, e.radius};
                s[first_bound] += lost[row - begin].center;
                s[first_radius] += e.radius;
                s[square] += e.center * e.center;
            });
        error_->template for_rows<Value>(begin + n, (std::min)(end + n, 2 * n - 1), channel,
                                         [&](Index row, DiagonalRange<Value> e) TOEPLITZ_LAMBDA {
                                             const DiagonalRange<Value>& old = lost[row - n - begin];
                                             s[gain_bound] +=
                                                 Access::magnitude(e.center) + e.radius - old.center;
                                             s[gain_radius] += e.radius - old.radius;
                                             s[most_bound] = Access::larger(s[most_bound], s[gain_bound]);
                                             s[most_radius] = Access::larger(s[most_radius], s[gain_radius]);
                                             s[square] += e.center * e.center;
                                         });
        unroll<state_rows>([&](auto k) TOEPLITZ_LAMBDA { Access::store(state + k * stride, s[k]); });
    }

    const InterpolationError<Scalar>* error_;
};

/// Threads that share the channels split them at multiples of a cache line.
template <Real Scalar>
inline constexpr Index channels_per_line = static_cast<Index>(buffer_alignment / sizeof(Scalar));

template <Real Scalar>
class BoundEvaluation {
public:
    BoundEvaluation(MatrixView<const Scalar> lags, MatrixView<const Scalar> taps,
                    MatrixView<const Scalar> inducing, const InducingGrid& grid, const ChannelScales& scales)
        : error_(lags, taps, inducing, grid, scales), taps_(taps), inducing_(inducing), grid_(&grid) {}

    /// sums[0..d): windows of all channels, with the roundings of their computation.
    void windows(WindowSums* sums) const {
        const Index n = error_.length();
        const Index d = error_.channels();
        const WindowSweep<Scalar> sweep(error_);
        for_groups(d, channels_per_line<Scalar>, n * d, [&](Index first, Index last) {
            sweep(first, last, sums + first);
            add_roundings(first, last, sums + first);
        });
    }

    /// bounds[0..d) = min(bounds, B2), where B2 has a chance to be the smaller one.
    void spectra(const TreeConvolution<Scalar>& tree, const WindowSums* sums, double* bounds) const {
        using Tree = TreeConvolution<Scalar>;
        const Index n = error_.length();
        const Index d = error_.channels();
        for_groups(d, Tree::lanes, n * d * 16, [&](Index begin, Index end) {
            Buffer<Scalar> centers((2 * n - 1) * Tree::lanes);
            Buffer<Scalar> spectrum(tree.spectrum_size());
            Buffer<Scalar> scratch(tree.scratch_size());
            double largest[Tree::lanes];
            for (Index first = begin; first < end; first += Tree::lanes) {
                const Index width = (std::min)(Tree::lanes, end - first);
                if (!any_below(sums + first, bounds + first, width)) continue;
                for (Index row = 0; row < 2 * n - 1; row += tile) {
                    write_centers(row, (std::min)(row + tile, 2 * n - 1), first, width,
                                  centers.data() + row * Tree::lanes);
                }
                tree.transform_kernel({centers.data(), 2 * n - 1, width, Tree::lanes}, n - 1, spectrum.data(),
                                      scratch.data());
                largest_values(spectrum.data(), tree.size(), width, largest);
                for (Index c = 0; c < width; ++c) {
                    const WindowSums& s = sums[first + c];
                    const double bound =
                        s.unscaled(largest[c] + transform_rounding(tree.size(), s.total) + s.radius);
                    if (bound < bounds[first + c]) bounds[first + c] = bound;
                }
            }
        });
    }

private:
    static constexpr double unit = std::numeric_limits<double>::epsilon() / 2;

    static constexpr Index tile = 16;

    // The centers of lag rows begin..end−1, rows of a group of channels.
    void write_centers(Index begin, Index end, Index first, Index width, Scalar* centers) const noexcept {
        for_double_lanes(0, width, [&](auto lane, Index c) TOEPLITZ_LAMBDA {
            using Access = DoubleAccess<decltype(lane)>;
            error_.template for_rows<decltype(lane)>(
                begin, end, first + c, [&](Index row, const auto& e) TOEPLITZ_LAMBDA {
                    Access::store(centers + (row - begin) * channels_per_line<Scalar> + c, e.center);
                });
        });
    }

    // f(first, last) for every thread's share of the channels.
    template <class F>
    static void for_groups(Index channels, Index group, Index work, F&& f) {
        const Index groups = (channels + group - 1) / group;
        const int threads = thread_count(groups, work);
        parallel_chunks<Denormals::keep>(groups, threads, [&](Index begin, Index end, int) {
            if (begin < end) f(begin * group, (std::min)(end * group, channels));
        });
    }

    // A diagonal's range is off by a few roundings of the lag, the tap and the inducing values around it; a
    // running sum of n terms by n roundings of the sum.
    void add_roundings(Index first, Index last, WindowSums* sums) const {
        const std::vector<double> taps = magnitudes(taps_, first, last);
        const std::vector<double> inducing = magnitudes(inducing_, first, last);
        const double terms = static_cast<double>(error_.length());
        const double near = static_cast<double>(4 * (grid_->cell_size() + 1));
        for (std::size_t c = 0; c < taps.size(); ++c) {
            sums[c].rounding =
                unit * ((6 * terms + 64) * sums[c].total + 64 * (taps[c] + near * inducing[c]));
            sums[c].bound += sums[c].rounding;
            sums[c].radius += sums[c].rounding;
            sums[c].total += sums[c].rounding;
        }
    }

    // Σ |·| of columns first..last−1 times their scales, row by row.
    std::vector<double> magnitudes(MatrixView<const Scalar> matrix, Index first, Index last) const {
        std::vector<double> sums(static_cast<std::size_t>(last - first));
        for (Index i = 0; i < matrix.rows(); ++i) {
            const Scalar* row = matrix.row(i) + first;
            for (std::size_t c = 0; c < sums.size(); ++c) {
                sums[c] +=
                    std::abs(static_cast<double>(row[c])) * error_.scale(first + static_cast<Index>(c));
            }
        }
        return sums;
    }

    // In the largest modulus on |z| = 1: one rounding of each coefficient, a few of each term at each of the
    // log₂N levels, and what underflows.
    static double transform_rounding(Index size, double total) noexcept {
        const double points = static_cast<double>(size);
        const double roundings = 8 * std::log2(points) + 40;
        return roundings * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) * total +
               points * points * static_cast<double>((std::numeric_limits<Scalar>::min)());
    }

    // The largest of N values is at least their root mean square, which is √Σ c².
    static bool any_below(const WindowSums* sums, const double* bounds, Index width) noexcept {
        bool any = false;
        for (Index c = 0; c < width; ++c) {
            any = any || !(sums[c].unscaled(std::sqrt(sums[c].square) + sums[c].radius) >= bounds[c]);
        }
        return any;
    }

    // max |C| of each channel; the spectrum holds C/N.
    static void largest_values(const Scalar* spectrum, Index size, Index width, double* largest) noexcept {
        constexpr Index lanes = Simd<Scalar>::lanes;
        for (Index first = 0; first < width; first += lanes) {
            const Scalar* points = spectrum + first * 2 * size;
            for_double_lanes(0, (std::min)(lanes, width - first), [&](auto lane, Index c) TOEPLITZ_LAMBDA {
                using Access = DoubleAccess<decltype(lane)>;
                decltype(lane) most{};
                for (Index p = 0; p < size; ++p) {
                    const auto re = Access::load(points + p * 2 * lanes + c);
                    const auto im = Access::load(points + p * 2 * lanes + lanes + c);
                    most = Access::larger(most, re * re + im * im);
                }
                Access::store(largest + first + c, most);
            });
        }
        for (Index c = 0; c < width; ++c) {
            largest[c] = std::sqrt(largest[c]) * static_cast<double>(size) * (1 + 8 * unit);
        }
    }

    InterpolationError<Scalar> error_;
    MatrixView<const Scalar> taps_;
    MatrixView<const Scalar> inducing_;
    const InducingGrid* grid_;
};

/// Of all numbers that a bound reads.
template <Real Scalar>
ChannelScales scales_of(MatrixView<const Scalar> lags, const Approximation<Scalar>& approximation) {
    ChannelScales scales(lags);
    scales.include(MatrixView<const Scalar>(approximation.diagonals()));
    scales.include(MatrixView<const Scalar>(approximation.inducing));
    return scales;
}

}  // namespace detail

/// Bounds of ‖T − (band + W A Wᵀ)‖₂, one per channel, for the operators as they are stored.
///
/// Proven for any taps and inducing values of any amplitude, the roundings of its own arithmetic included;
/// those of the operators' products are not. W holds exact weights. Never below the norm, infinite beyond the
/// largest double, and zero but for rounding with inducing values at all integer lags (r = n), or where the
/// approximation is exact. docs/certificates.md has the formulas and the proofs.
/// \param lags (2n−1) × d, neighbouring channels; row t + n − 1 is lag t
/// \throws shape_error 550 or 551, value_error 530
/// Cost O(n d), with a spectrum O(n log n · d) | heap: O(n) per thread | thread-safe: yes | threads split the
/// channels, same bits for any number
template <Real Scalar>
Vector<double> error_bound(std::type_identity_t<MatrixView<const Scalar>> lags,
                           const Approximation<Scalar>& approximation,
                           ErrorBound kind = ErrorBound::smallest) {
    const Index n = detail::checked_length(lags, "error_bound");
    detail::refuse_state_space(approximation, "error_bound");
    detail::check_approximation(n, lags.cols(), approximation, "error_bound");
    const detail::InducingGrid grid(n, std::max<Index>(approximation.rank(), 1));
    const detail::ChannelScales scales = detail::scales_of(lags, approximation);
    const detail::BoundEvaluation<Scalar> evaluation(lags, approximation.diagonals(), approximation.inducing,
                                                     grid, scales);
    std::vector<detail::WindowSums> sums(static_cast<std::size_t>(lags.cols()));
    evaluation.windows(sums.data());
    // Nothing that is not finite stays out of a sum of squares: the lags need no pass of their own.
    for (const detail::WindowSums& s : sums) {
        if (!detail::is_finite(s.square)) require_finite(lags, "error_bound", "lag", 1 - n);
    }
    Vector<double> bounds(lags.cols());
    for (Index c = 0; c < lags.cols(); ++c) {
        const detail::WindowSums& s = sums[static_cast<std::size_t>(c)];
        bounds(c) =
            kind == ErrorBound::spectrum ? std::numeric_limits<double>::infinity() : s.unscaled(s.bound);
    }
    if (kind != ErrorBound::window) {
        evaluation.spectra(TreeConvolution<Scalar>(n), sums.data(), bounds.data());
    }
    return bounds;
}

/// Bounds of ‖T‖₂ itself, one per channel. As error_bound of no approximation.
template <class Lags>
Vector<double> norm_bound(const Lags& lags, ErrorBound kind = ErrorBound::smallest) {
    return error_bound(lags, Approximation<typename Lags::Scalar>{}, kind);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
