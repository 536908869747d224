// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The cheapest band and low rank, or state spaces, whose proven error meets a tolerance.

#include <toeplitz/approximation/prefer_state_space.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Throws shape_error 550, value_error 530 or config_error 553, 556, 558: before the channels are split, so
/// that messages name the caller's.
template <Real Scalar>
void check_choice(MatrixView<const Scalar> lags, const ChooseOptions& options) {
    const Index n = checked_length(lags, "choose");
    require_finite(lags, "choose", "lag", 1 - n);
    require_tolerance(options.tolerance, "choose");
    require_most_modes(options.most_modes, "choose");
    require_cost(options.cost, "choose");
}

/// Of lags and options that check_choice has seen.
template <Real Scalar>
Approximation<Scalar> choose_group(MatrixView<const Scalar> lags, const Sampler<Scalar>& sampler,
                                   const ChooseOptions& options) {
    const Vector<double> tolerances =
        absolute_tolerances<Causality::bidirectional>(lags, options.tolerance, options.kind);
    const TreeConvolution<Scalar> tree((lags.rows() + 1) / 2);
    Approximation<Scalar> best = Search<Scalar>(lags, 0, sampler, tolerances, options, tree).run();
    prefer_state_space(lags, options, best);
    return best;
}

template <Real Scalar>
std::vector<Approximation<Scalar>> choose_channels(MatrixView<const Scalar> lags,
                                                   const Sampler<Scalar>& sampler,
                                                   const ChooseOptions& options) {
    check_choice(lags, options);
    const Vector<double> tolerances =
        absolute_tolerances<Causality::bidirectional>(lags, options.tolerance, options.kind);
    const TreeConvolution<Scalar> tree((lags.rows() + 1) / 2);
    std::vector<Approximation<Scalar>> choices(static_cast<std::size_t>(lags.cols()));
    const int threads = thread_count(lags.cols(), lags.size() * 1000);
    parallel_chunks<Denormals::keep>(lags.cols(), threads, [&](Index begin, Index end, int) {
        for (Index c = begin; c < end; ++c) {
            // A column of its own, so that every bound reads neighbours.
            const Matrix<Scalar> column = lags.middle_cols(c, 1).eigen();
            Approximation<Scalar>& best = choices[static_cast<std::size_t>(c)];
            best = Search<Scalar>(column, c, sampler, tolerances.segment(c, 1), options, tree).run();
            prefer_state_space<Scalar>(column, options, best);
        }
    });
    return choices;
}

}  // namespace detail

/// The cheapest taps and rank for all channels together that keep every channel's tolerance.
///
/// Among the bands, ranks and inducing modes that it tries, whose errors are proven by error_bound for the
/// taps and inducing values as they are returned. Unless most_modes is 0, state spaces as well, each with a
/// few exact lags in front of its modes where that is cheaper (fit_state_space): one of a kernel that is zero
/// at negative lags, of others one for each direction of time. Where nothing is cheaper than the exact
/// operator, the approximation is exact: all lags, with bounds of 0.
///
/// \param lags (2n−1) × d, row t + n − 1 is lag t; between them inducing values are cubic interpolants
/// \throws shape_error 550, value_error 530, config_error 553, 556, 558
///
/// Cost hundreds of bounds of one channel, a few of all, dozens of fits of state spaces | heap: yes |
/// thread-safe: yes | same choice for any number of threads
template <class Lags>
Approximation<typename Lags::Scalar> choose(const Lags& lags, const ChooseOptions& options) {
    const MatrixView<const typename Lags::Scalar> view(lags);
    detail::check_choice(view, options);
    return detail::choose_group(view, detail::LagSampler<typename Lags::Scalar>(view), options);
}

/// As choose(lags, options), with inducing values kernel(inducing_lags(n, r)), (2r−1) × d.
/// \throws shape_error 501 for another shape
template <class Lags, class Kernel>
Approximation<typename Lags::Scalar> choose(const Lags& lags, const Kernel& kernel,
                                            const ChooseOptions& options) {
    using Scalar = typename Lags::Scalar;
    const MatrixView<const Scalar> view(lags);
    detail::check_choice(view, options);
    const detail::FunctionSampler<Scalar, Kernel> sampler(kernel, view);
    return detail::choose_group(view, sampler, options);
}

/// The cheapest taps and rank of each channel for itself. As choose; threads split the channels.
template <class Lags>
std::vector<Approximation<typename Lags::Scalar>> choose_each(const Lags& lags,
                                                              const ChooseOptions& options) {
    const MatrixView<const typename Lags::Scalar> view(lags);
    return detail::choose_channels(view, detail::LagSampler<typename Lags::Scalar>(view), options);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/approximation/compiled.hpp>
#endif
