// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The state space of the smallest order whose proven error meets a tolerance, from the lags of a causal
/// kernel.

#include <algorithm>

#include <toeplitz/approximation/hankel.hpp>
#include <toeplitz/approximation/search.hpp>
#include <toeplitz/approximation/state_space_bound.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct StateSpaceFitOptions {
    double tolerance = 0;                          ///< ε > 0, for every channel
    ToleranceKind kind = ToleranceKind::absolute;  ///< of ε
    Index taps = 1;                                ///< m of 1..64: the lags below m are exact
    Index most_modes = 64;                         ///< s of a channel at most
    Rounding rounding = Rounding::none;            ///< of the result

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("tolerance", sets.tolerance...);
        f("kind", sets.kind...);
        f("taps", sets.taps...);
        f("most_modes", sets.most_modes...);
        f("rounding", sets.rounding...);
    }
};

/// State spaces of d channels with what is known of their errors.
template <Real ScalarType>
struct StateSpaceFit {
    using Scalar = ScalarType;

    Matrix<std::complex<Scalar>> poles{};     ///< s × d, s that of the channel with the most modes
    Matrix<std::complex<Scalar>> residues{};  ///< s × d; zero, as the poles, after a channel's own modes
    Matrix<Scalar> direct{};                  ///< m × d
    std::vector<Index> modes{};               ///< of each channel
    Vector<double> bounds{};      ///< ‖T − T̂‖₂ of each channel is proven to be no more than this
    Vector<double> tolerances{};  ///< absolute, of each channel

    StateSpaceKernel<const Scalar> kernel() const { return {poles, residues, direct}; }
    /// What products take.
    ModeCount mode_count() const { return count_modes<Scalar>(poles); }
    /// Whether channel c keeps its tolerance.
    bool meets(Index c) const { return bounds(c) <= tolerances(c); }
    bool meets_all() const {
        for (Index c = 0; c < bounds.size(); ++c) {
            if (!meets(c)) return false;
        }
        return true;
    }
    /// The operator for sequences of n time steps.
    StateSpace<Scalar> make_operator(Index length) const {
        return StateSpace<Scalar>(
            {.length = length, .channels = poles.cols(), .modes = poles.rows(), .taps = direct.rows()},
            kernel());
    }
};

namespace detail {

/// A number as it is stored.
template <Real Scalar>
double stored(double value, Rounding rounding) noexcept {
    if (std::is_same_v<Scalar, double> && rounding == Rounding::none) return value;
    float rounded = static_cast<float>(value);
    // GCC 12 leaves out the way to float and back where it takes the parts of a complex number together.
    asm("" : "+m"(rounded));
    return static_cast<double>(rounded);
}

/// A pole as it is stored, not outside the unit circle for that.
template <Real Scalar>
std::complex<double> stored_pole(std::complex<double> pole, Rounding rounding) noexcept {
    const bool narrow = std::is_same_v<Scalar, float> || rounding == Rounding::to_float;
    const double step = narrow ? static_cast<double>(std::numeric_limits<float>::epsilon())
                               : std::numeric_limits<double>::epsilon();
    for (std::complex<double> inner = pole;; inner *= 1 - step) {
        const std::complex<double> made(stored<Scalar>(inner.real(), rounding),
                                        stored<Scalar>(inner.imag(), rounding));
        // To a last place of double, which rounding may hide.
        if (std::norm(made) <= 1) return made;
    }
}

/// Residues of these poles that make Σ_t (h_t − ĥ_t)² over t ≥ 1 the least, by Householder's QR.
template <Real Scalar>
std::vector<std::complex<Scalar>> least_squares_residues(const std::vector<Scalar>& lags,
                                                         const std::vector<std::complex<Scalar>>& poles) {
    const auto rows = static_cast<Index>(lags.size()) - 1;
    std::vector<Index> first;  // column of each mode; a pole that is real has one, others have two
    Index columns = 0;
    for (const std::complex<Scalar>& pole : poles) {
        first.push_back(columns);
        columns += pole.imag() == 0 ? 1 : 2;
    }
    Eigen::MatrixX<Scalar> design(rows, columns);
    for (std::size_t i = 0; i < poles.size(); ++i) {
        Scalar re = 1;
        Scalar im = 0;
        for (Index t = 0; t < rows; ++t) {
            design(t, first[i]) = re;
            if (poles[i].imag() != 0) design(t, first[i] + 1) = -im;
            const Scalar turned = poles[i].real() * re - poles[i].imag() * im;
            im = poles[i].real() * im + poles[i].imag() * re;
            re = turned;
        }
    }
    Vector<Scalar> scales(columns);
    for (Index j = 0; j < columns; ++j) {
        const Scalar norm = design.col(j).norm();
        scales(j) = norm > 0 ? 1 / norm : 0.0;
        design.col(j) *= scales(j);
    }
    const Eigen::Map<const Vector<Scalar>> right(lags.data() + 1, rows);
    const Eigen::ColPivHouseholderQR<Eigen::Ref<Eigen::MatrixX<Scalar>>> qr(design);
    const Vector<Scalar> solution = qr.solve(right).cwiseProduct(scales);
    std::vector<std::complex<Scalar>> residues;
    for (std::size_t i = 0; i < poles.size(); ++i) {
        residues.emplace_back(solution(first[i]), poles[i].imag() != 0 ? solution(first[i] + 1) : Scalar(0));
    }
    return residues;
}

/// \throws config_error 553
inline void require_tolerance(double tolerance, const char* where) {
    if (tolerance > 0 && is_finite(tolerance)) return;
    raise<config_error>(553, where, "a tolerance above 0 that is finite",
                        tolerance > 0 ? "infinity" : "one that is not");
}

/// \throws config_error 556
inline void require_most_modes(Index most_modes, const char* where) {
    if (most_modes < 0) raise<config_error>(556, where, "most_modes >= 0", std::to_string(most_modes));
}

/// The search for one channel.
template <Real Scalar>
class ModalSearch {
public:
    struct Result {
        ModalSystem system{};
        double bound = std::numeric_limits<double>::infinity();
    };

    /// \param lags of numbers that Scalar has
    ModalSearch(const std::vector<double>& lags, double tolerance, const StateSpaceFitOptions& options,
                Index most_order)
        : lags_(&lags),
          tolerance_(tolerance),
          options_(options),
          most_order_((std::min)(most_order, 2 * options.most_modes)),
          exponent_(common_exponent(lags)) {
        const auto n = static_cast<Index>(lags.size());
        for (Index t = (std::min)(options.taps, n) - 1; t < n; ++t) {
            scaled_.push_back(std::ldexp(lags[static_cast<std::size_t>(t)], -exponent_));
        }
    }

    /// The smallest order that is proven to meet the tolerance; the best that was tried where none is.
    Result run() {
        Result best = make({});
        if (best.bound <= tolerance_) return best;
        if (scaled_.size() == 2) {
            return better(best, make({std::complex<double>(0)}));
        }
        HalfHankel<double> hankel(scaled_);
        // Orders one by one; after some misses in larger steps, and back over what a step that hits left out.
        Index misses = 0;
        Index missed = 0;
        for (Index order = 1; is_order(hankel, order);) {
            if (!is_worth_trying(hankel, order)) {
                missed = order++;
                continue;
            }
            Result made = make(hankel.poles(order));
            if (made.bound <= tolerance_) return smallest(hankel, missed + 1, order, std::move(made));
            best = better(std::move(best), std::move(made));
            missed = order;
            order += 1 + ++misses / 4;
        }
        if (!(best.bound <= tolerance_)) best = better(best, closest(hankel));
        return best;
    }

private:
    // Whether there is a system of this order.
    bool is_order(HalfHankel<double>& hankel, Index order) const {
        if (order > (std::min)(hankel.size(), most_order_)) return false;
        if (order >= hankel.count()) hankel.compute(std::max<Index>(16, 2 * order));
        return order <= hankel.count();
    }

    // No state space of this order is closer than the next singular value, rounding aside.
    bool is_worth_trying(const HalfHankel<double>& hankel, Index order) const {
        const double least = std::ldexp(tolerance_, -exponent_);
        return !(order < hankel.count() && hankel.value(order) * (1 - 1e-9) > least);
    }

    // The first order from `first` on that meets the tolerance, as `last` does.
    Result smallest(const HalfHankel<double>& hankel, Index first, Index last, Result made) const {
        for (Index order = first; order < last; ++order) {
            Result smaller = make(hankel.poles(order));
            if (smaller.bound <= tolerance_) return smaller;
        }
        return made;
    }

    // The one of the most modes, where no order was worth trying.
    Result closest(const HalfHankel<double>& hankel) const {
        for (Index order = (std::min)(hankel.count(), most_order_); order > 0; --order) {
            const std::vector<std::complex<double>> poles = hankel.poles(order);
            if (static_cast<Index>(poles.size()) <= options_.most_modes) return make(poles);
        }
        return {};
    }

    static Result better(Result a, Result b) { return b.bound < a.bound ? b : a; }

    Result make(std::vector<std::complex<double>> poles) const {
        Result made;
        if (static_cast<Index>(poles.size()) > options_.most_modes) return made;
        for (std::complex<double>& pole : poles) pole = stored_pole<Scalar>(pole, options_.rounding);
        // Real ones last, where products of several channels take fewer operations for them.
        std::stable_partition(poles.begin(), poles.end(), [](const auto& pole) { return pole.imag() != 0; });
        made.system.poles = poles;
        if (!poles.empty()) made.system.residues = least_squares_residues(scaled_, poles);
        for (std::complex<double>& residue : made.system.residues) {
            residue = {std::ldexp(residue.real(), exponent_), std::ldexp(residue.imag(), exponent_)};
            residue = {stored<Scalar>(residue.real(), options_.rounding),
                       stored<Scalar>(residue.imag(), options_.rounding)};
            if (!is_finite(residue)) return {};
        }
        made.system.direct.clear();
        for (Index t = 0; t < options_.taps; ++t) {
            const auto at = static_cast<std::size_t>(t);
            made.system.direct.push_back(at < lags_->size() ? stored<Scalar>((*lags_)[at], options_.rounding)
                                                            : 0.0);
            if (!is_finite(made.system.direct.back())) return {};
        }
        made.bound = modal_error_bound(*lags_, made.system);
        return made;
    }

    const std::vector<double>* lags_;
    double tolerance_;
    StateSpaceFitOptions options_;
    Index most_order_;
    int exponent_;
    std::vector<double> scaled_;  // what modes are for, behind the last tap
};

/// \param tolerances absolute
/// \param most_order eigenvalues at most, of which conjugate ones are two
template <Real Scalar>
StateSpaceFit<Scalar> fit_state_space(MatrixView<const Scalar> lags, const Vector<double>& tolerances,
                                      const StateSpaceFitOptions& options, Index most_order) {
    const Index d = lags.cols();
    std::vector<typename ModalSearch<Scalar>::Result> results(static_cast<std::size_t>(d));
    for_each_channel(d, lags.size() * 1000, [&](Index c) {
        const std::vector<double> column = channel_lags(lags, c);
        results[static_cast<std::size_t>(c)] =
            ModalSearch<Scalar>(column, tolerances(c), options, most_order).run();
    });
    StateSpaceFit<Scalar> fit;
    Index most = 0;
    for (const auto& result : results) {
        fit.modes.push_back(static_cast<Index>(result.system.poles.size()));
        most = (std::max)(most, fit.modes.back());
    }
    fit.poles = Matrix<std::complex<Scalar>>::Zero(most, d);
    fit.residues = Matrix<std::complex<Scalar>>::Zero(most, d);
    fit.direct = Matrix<Scalar>::Zero(options.taps, d);
    fit.bounds.resize(d);
    fit.tolerances = tolerances;
    for (Index c = 0; c < d; ++c) {
        const auto& result = results[static_cast<std::size_t>(c)];
        for (std::size_t i = 0; i < result.system.poles.size(); ++i) {
            fit.poles(static_cast<Index>(i), c) = std::complex<Scalar>(result.system.poles[i]);
            fit.residues(static_cast<Index>(i), c) = std::complex<Scalar>(result.system.residues[i]);
        }
        for (std::size_t t = 0; t < result.system.direct.size(); ++t) {
            fit.direct(static_cast<Index>(t), c) = static_cast<Scalar>(result.system.direct[t]);
        }
        fit.bounds(c) = result.bound;
    }
    return fit;
}

}  // namespace detail

/// A state space for each channel of a causal kernel, of the smallest order that is proven to be within the
/// tolerance, behind `taps` lags that are as they are.
///
/// Poles are those of the realisation by Kung from the half Hankel matrix of the lags, rounded to Scalar and
/// not outside the unit circle; residues are the least squares of what they leave, rounded; bounds are
/// state_space_bound of these numbers. An order counts eigenvalues, of which a conjugate pair is one mode.
/// Where none of up to most_modes modes will do, the channel has the best that was tried, and its bound is
/// above its tolerance.
/// \param lags n × d; row t is lag t
/// \throws shape_error 550, value_error 530, config_error 553 (tolerance), 556 (most_modes < 0), 513 (taps)
/// Cost O(n (s² + log n)) for each order that is tried, and n³ for n < 200 | heap: yes | thread-safe: yes |
/// threads split the channels, same result for any number
template <class Lags>
StateSpaceFit<typename Lags::Scalar> fit_state_space(const Lags& lags, const StateSpaceFitOptions& options) {
    using Scalar = typename Lags::Scalar;
    const MatrixView<const Scalar> view(lags);
    detail::require_causal_lags(view, "fit_state_space");
    detail::require_tolerance(options.tolerance, "fit_state_space");
    detail::require_most_modes(options.most_modes, "fit_state_space");
    detail::ModalRecurrence<Scalar>::require_taps(options.taps, "fit_state_space");
    return detail::fit_state_space(
        view, detail::absolute_tolerances<Causality::causal>(view, options.tolerance, options.kind), options,
        2 * options.most_modes);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI

// A program that links toeplitz::compiled.
#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/approximation/compiled_fit.hpp>
#endif
