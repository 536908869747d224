// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The cheapest band and low rank whose proven error meets a tolerance.

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <toeplitz/approximation/certified.hpp>
#include <toeplitz/approximation/cost_model.hpp>
#include <toeplitz/approximation/dense_bound.hpp>
#include <toeplitz/approximation/norm_estimate.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// absolute: ‖E‖₂ ≤ ε. relative: ‖E‖₂ ≤ ε ‖T‖₂, ‖T‖₂ taken from below.
enum class ToleranceKind { absolute, relative };

/// Whether taps and inducing values are rounded, so that copies of them in float keep the bound.
enum class Rounding { none, to_float };

struct ChooseOptions {
    double tolerance = 0;                          ///< ε > 0, for every channel
    ToleranceKind kind = ToleranceKind::absolute;  ///< of ε
    CostModel cost{};                              ///< what is cheap
    Rounding rounding = Rounding::none;            ///< of the result
    Index dense_length = 128;                      ///< longest sequence for which dense_error_bound is tried

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("tolerance", sets.tolerance...);
        f("kind", sets.kind...);
        f("cost", sets.cost...);
        f("rounding", sets.rounding...);
        f("dense_length", sets.dense_length...);
    }
};

/// Channels first..first + channels − 1 of a kernel, and what stands in for them.
template <Real ScalarType>
struct Choice {
    using Scalar = ScalarType;

    Index first = 0;
    Index channels = 0;
    Certificate certificate;
    Vector<double> bounds;                    ///< proven, of each channel; ≤ tolerances
    Vector<double> tolerances;                ///< absolute, of each channel
    SparsePlusLowRank<Scalar> approximation;  ///< empty for the exact operator

    /// The operator of these channels; `lags` is the kernel that choose() was given, or these channels of it.
    CertifiedOperator<Scalar> make_operator(MatrixView<const Scalar> lags) const {
        if (lags.cols() == channels) return {lags, approximation};
        return {{lags.data() + first * lags.col_stride(), lags.rows(), channels, lags.row_stride(),
                 lags.col_stride()},
                approximation};
    }
};

namespace detail {

template <class T>
MatrixView<T> columns(MatrixView<T> matrix, Index first, Index count) noexcept {
    return {matrix.data() + first * matrix.col_stride(), matrix.rows(), count, matrix.row_stride(),
            matrix.col_stride()};
}

/// Where sampled inducing values come from.
template <Real Scalar>
class Sampler {
public:
    virtual ~Sampler() = default;
    /// Those of r inducing points for channels first..first + count − 1.
    virtual Matrix<Scalar> operator()(Index rank, Index first, Index count) const = 0;
};

/// The kernel between its integer lags, by cubics.
template <Real Scalar>
struct LagSampler final : Sampler<Scalar> {
    MatrixView<const Scalar> lags;

    explicit LagSampler(MatrixView<const Scalar> all) : lags(all) {}
    Matrix<Scalar> operator()(Index rank, Index first, Index count) const override {
        return sample_inducing(columns(lags, first, count), rank);
    }
};

/// The kernel at any lag, from a function of the lags that returns all channels.
template <Real Scalar, class Kernel>
struct FunctionSampler final : Sampler<Scalar> {
    const Kernel* kernel;
    Index length;
    Index channels;

    FunctionSampler(const Kernel& k, MatrixView<const Scalar> lags)
        : kernel(&k), length((lags.rows() + 1) / 2), channels(lags.cols()) {}
    Matrix<Scalar> operator()(Index rank, Index first, Index count) const override {
        const Matrix<Scalar> all = (*kernel)(inducing_lags(length, rank));
        require_kernel_shape(all.rows(), all.cols(), 2 * rank - 1, channels, "choose");
        return all.middleCols(first, count);
    }
};

/// The search for one set of channels that share taps and rank.
template <Real Scalar>
class Search {
public:
    /// `first` is where the channels begin in what the sampler knows.
    Search(MatrixView<const Scalar> lags, Index first, const Sampler<Scalar>& sampler,
           const Vector<double>& tolerances, const ChooseOptions& options,
           const TreeConvolution<Scalar>& tree)
        : lags_(lags),
          first_(first),
          sampler_(&sampler),
          options_(&options),
          tree_(&tree),
          n_((lags.rows() + 1) / 2) {
        best_.first = first;
        best_.channels = lags.cols();
        best_.tolerances = tolerances;
        best_.bounds = Vector<double>::Zero(lags.cols());
        best_.certificate.cost = options.cost.exact(n_);
    }

    Choice<Scalar> run() {
        try_band();
        // From far apart to close together: each find makes later ranks cheaper to rule out.
        std::vector<Index> tried;
        for (const double step : {2.0, 1.3, 1.07}) {
            for (const Index rank : ranks(step)) {
                if (std::find(tried.begin(), tried.end(), rank) != tried.end()) continue;
                tried.push_back(rank);
                if (widest(rank) >= -1) try_rank(rank, step);
            }
        }
        best_.certificate.cost_ratio = best_.certificate.cost / options_->cost.exact(n_);
        return std::move(best_);
    }

private:
    // Ranks a factor `step` apart, the largest of every transform size, and those with inducing points at
    // integer lags.
    std::vector<Index> ranks(double step) const {
        std::vector<Index> ranks;
        for (double r = 1; r < static_cast<double>(n_); r = std::max(r + 1, std::floor(r * step))) {
            ranks.push_back(static_cast<Index>(r));
        }
        if (step < 1.5) {
            for (Index r = 16; r < n_; r = tree_size(r + 1)) ranks.push_back(r);
        }
        if (step < 1.1) {
            for (Index h = 2; h * h < n_; ++h) {
                if ((n_ - 1) % h == 0) ranks.push_back((n_ - 1) / h + 1);
            }
        }
        std::sort(ranks.begin(), ranks.end());
        ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
        return ranks;
    }

    double cost(Index rank, Index half_width) const {
        return options_->cost.sparse_plus_low_rank(n_, 2 * half_width + 1 > 0 ? 2 * half_width + 1 : 0, rank);
    }

    // The largest half width that is cheaper than the best so far; −2: none.
    Index widest(Index rank) const {
        Index fits = -2;
        Index beyond = n_;
        if (rank == 0 && cost(rank, 0) >= best_.certificate.cost) return fits;
        if (cost(rank, rank == 0 ? 0 : -1) >= best_.certificate.cost) return fits;
        fits = rank == 0 ? 0 : -1;
        while (beyond - fits > 1) {
            const Index middle = fits + (beyond - fits) / 2;
            (cost(rank, middle) < best_.certificate.cost ? fits : beyond) = middle;
        }
        return fits;
    }

    void try_band() {
        const Index b = widest(0);
        if (b < 0) return;
        InducingGrid grid(n_, 1);
        narrow(grid, 0, InducingMode::sample, -1, b);
    }

    void try_rank(Index rank, double step) {
        InducingGrid grid(n_, rank, InducingGrid::Rows::none);
        for (const InducingMode mode : {InducingMode::balanced_bridge, InducingMode::balanced_sample,
                                        InducingMode::bridge, InducingMode::sample}) {
            const bool bridges = mode == InducingMode::bridge || mode == InducingMode::balanced_bridge;
            if (bridges && rank < 3) continue;
            Index b = widest(rank);
            // Wider bands are better, but a bridge is worse with every inducing point that it loses.
            while (b >= -1) {
                if (bridges && b < 0) break;
                const Index below =
                    b <= 1 ? b - 1 : std::min(b - 1, static_cast<Index>(static_cast<double>(b) / step));
                if (narrow(grid, rank, mode, below, b)) {
                    b = std::min(below, widest(rank));
                    continue;
                }
                if (!bridges) break;
                b = below;
            }
        }
    }

    // Whether half width `above` meets the tolerance; then takes the smallest that does, from below + 1 on.
    bool narrow(InducingGrid& grid, Index rank, InducingMode mode, Index below, Index above) {
        if (!take(grid, rank, mode, above)) return false;
        while (above - below > 1) {
            const Index middle = below + (above - below) / 2;
            (take(grid, rank, mode, middle) ? above : below) = middle;
        }
        return true;
    }

    bool take(InducingGrid& grid, Index rank, InducingMode mode, Index half_width) {
        if (is_ruled_out(rank, mode, half_width)) return false;
        if (lags_.cols() > 1 && !meets(grid, rank, mode, half_width, suspect_, 1)) return false;
        return meets(grid, rank, mode, half_width, 0, lags_.cols());
    }

    // Whether a candidate with more inducing points and as wide a band has missed the tolerance by far. For a
    // bridge a much wider band says nothing, and inducing points at integer lags may hit what others miss.
    bool is_ruled_out(Index rank, InducingMode mode, Index half_width) const {
        if (rank < 2 || (n_ - 1) % (rank - 1) == 0) return false;
        const bool bridges = mode == InducingMode::bridge || mode == InducingMode::balanced_bridge;
        const Index widest = bridges ? half_width + half_width / 2 + 1 : n_;
        return std::any_of(misses_.begin(), misses_.end(), [&](const Miss& miss) {
            return miss.mode == mode && miss.rank >= rank && miss.half_width >= half_width &&
                   miss.half_width <= widest;
        });
    }

    // How many times too large both bounds are at least, by the lags around 0: a few where that says enough.
    double least_excess(const InterpolationError<Scalar>& error, InducingGrid& grid, double tolerance) const {
        double sum = 0;
        double radius = 0;
        double square = 0;
        const auto add = [&](Index first, Index last) {
            grid.fill(first, last);
            error.template for_rows<double>(first, last, 0, [&](Index, const auto& e) TOEPLITZ_LAMBDA {
                sum += std::abs(e.center) + e.radius;
                radius += e.radius;
                square += e.center * e.center;
            });
        };
        double excess = 0;
        // Never more than the n lags of one window.
        Index known = 0;
        add(n_ - 1, n_);
        for (Index reach = 16; known < (n_ - 1) / 2 && excess < far; reach *= 4) {
            const Index next = std::min(reach, (n_ - 1) / 2);
            add(n_ - 1 - next, n_ - 1 - known);
            add(n_ + known, n_ + next);
            known = next;
            excess = std::min(sum, std::sqrt(square) + radius) / tolerance;
        }
        return excess;
    }

    // Sampled inducing values. Of one channel they are kept for the next band and the next mode.
    Matrix<Scalar> sampled(Index rank, Index first, Index count) {
        if (count > 1) return (*sampler_)(rank, first_ + first, count);
        if (sampled_rank_ != rank || sampled_channel_ != first) {
            sampled_ = (*sampler_)(rank, first_ + first, 1);
            sampled_rank_ = rank;
            sampled_channel_ = first;
        }
        return sampled_;
    }

    // Makes the approximation of `count` channels; all of them become the best choice where they meet the
    // tolerance, and one that does not is the first to be asked the next time.
    bool meets(InducingGrid& grid, Index rank, InducingMode mode, Index half_width, Index first,
               Index count) {
        const MatrixView<const Scalar> lags = columns(lags_, first, count);
        SparsePlusLowRank<Scalar> made;
        if (rank > 0) {
            made.inducing = adjust_inducing(sampled(rank, first, count), n_, half_width, mode);
            round(made.inducing);
        }
        if (half_width >= 0) {
            grid.fill(n_ - 1 - half_width, n_ + half_width);
            made.taps = middle_taps(InterpolationError<Scalar>(lags, {}, made.inducing, grid), half_width);
            round(made.taps);
        }
        if (count == 1 && !is_short()) {
            const InterpolationError<Scalar> error(lags, made.taps, made.inducing, grid);
            const double excess = least_excess(error, grid, best_.tolerances(first));
            if (excess >= far) misses_.push_back({rank, half_width, mode});
            if (excess > 1) return fail(first);
        }
        grid.fill(0, 2 * n_ - 1);
        const BoundEvaluation<Scalar> evaluation(lags, made.taps, made.inducing, grid);
        std::vector<WindowSums> sums(static_cast<std::size_t>(count));
        evaluation.windows(sums.data());
        Vector<double> bounds(count);
        const auto fails = [&](Index c) {
            return !(is_finite(bounds(c)) && bounds(c) <= best_.tolerances(first + c));
        };
        bool wants_spectra = false;
        for (Index c = 0; c < count; ++c) {
            const WindowSums& s = sums[static_cast<std::size_t>(c)];
            bounds(c) = s.bound;
            if (!fails(c)) continue;
            // No spectrum helps where the radius and the root mean square are too much already.
            const bool hopeless = !(std::sqrt(s.square) + s.radius <= best_.tolerances(first + c));
            if (hopeless && !is_short()) return fail(first + c);
            wants_spectra = wants_spectra || !hopeless;
        }
        if (wants_spectra) evaluation.spectra(*tree_, sums.data(), bounds.data());
        for (Index c = 0; c < count; ++c) {
            if (fails(c) && is_short()) {
                const double tolerance = best_.tolerances(first + c);
                const Matrix<double> error = dense_error(lags, made, c);
                DenseNorm norm(error);
                const double estimate = norm.estimate(tolerance);
                if (estimate <= tolerance) {
                    bounds(c) = norm.bound(estimate) + sums[static_cast<std::size_t>(c)].rounding;
                }
            }
            if (fails(c)) return fail(first + c);
        }
        if (count < lags_.cols()) return true;
        Certificate& certificate = best_.certificate;
        certificate.bound = bounds.maxCoeff();
        certificate.taps = made.tap_count();
        certificate.rank = rank;
        certificate.method = rank == 0 ? Method::band : half_width < 0 ? Method::ski : Method::band_ski;
        certificate.inducing = mode;
        certificate.cost = cost(rank, half_width);
        best_.bounds = std::move(bounds);
        best_.approximation = std::move(made);
        return true;
    }

    void round(Matrix<Scalar>& values) const {
        if (options_->rounding == Rounding::none) return;
        for (Index i = 0; i < values.size(); ++i) {
            values.data()[i] = static_cast<Scalar>(static_cast<float>(values.data()[i]));
        }
    }

    bool is_short() const noexcept { return n_ <= options_->dense_length; }

    bool fail(Index channel) noexcept {
        suspect_ = channel;
        return false;
    }

    // A candidate whose error is far too large, and what counts as far.
    struct Miss {
        Index rank;
        Index half_width;
        InducingMode mode;
    };
    static constexpr double far = 2;

    MatrixView<const Scalar> lags_;
    Index first_;
    const Sampler<Scalar>* sampler_;
    const ChooseOptions* options_;
    const TreeConvolution<Scalar>* tree_;
    Index n_;
    Index suspect_ = 0;
    std::vector<Miss> misses_;
    Matrix<Scalar> sampled_;
    Index sampled_rank_ = -1;
    Index sampled_channel_ = -1;
    Choice<Scalar> best_;
};

/// Throws shape_error 550, value_error 530 or config_error 553: before the channels are split, so that
/// messages name the caller's.
template <Real Scalar>
void check_choice(MatrixView<const Scalar> lags, const ChooseOptions& options) {
    const Index n = checked_length(lags, "choose");
    require_finite(lags, "choose", "lag", 1 - n);
    if (!(options.tolerance > 0) || !is_finite(options.tolerance)) {
        raise<config_error>(553, "choose", "a tolerance above 0 that is finite",
                            options.tolerance > 0 ? "infinity" : "one that is not");
    }
}

/// Absolute tolerances of all channels, from a lower estimate of the norm where they are relative.
template <Real Scalar>
Vector<double> absolute_tolerances(MatrixView<const Scalar> lags, const ChooseOptions& options) {
    if (options.kind == ToleranceKind::absolute) {
        return Vector<double>::Constant(lags.cols(), options.tolerance);
    }
    const Fft<Scalar> exact({.length = (lags.rows() + 1) / 2, .channels = lags.cols()}, lags);
    // Less by what the products may round.
    constexpr double safety = 1 - 1e4 * std::numeric_limits<Scalar>::epsilon();
    Vector<double> tolerances = norm_estimate(exact);
    for (Index c = 0; c < tolerances.size(); ++c) tolerances(c) *= options.tolerance * safety;
    return tolerances;
}

/// Of lags and options that check_choice has seen.
template <Real Scalar>
Choice<Scalar> choose_group(MatrixView<const Scalar> lags, const Sampler<Scalar>& sampler,
                            const ChooseOptions& options) {
    const Vector<double> tolerances = absolute_tolerances(lags, options);
    const TreeConvolution<Scalar> tree((lags.rows() + 1) / 2);
    return Search<Scalar>(lags, 0, sampler, tolerances, options, tree).run();
}

template <Real Scalar>
std::vector<Choice<Scalar>> choose_channels(MatrixView<const Scalar> lags, const Sampler<Scalar>& sampler,
                                            const ChooseOptions& options) {
    check_choice(lags, options);
    const Vector<double> tolerances = absolute_tolerances(lags, options);
    const TreeConvolution<Scalar> tree((lags.rows() + 1) / 2);
    std::vector<Choice<Scalar>> choices(static_cast<std::size_t>(lags.cols()));
    const int threads = thread_count(lags.cols(), lags.size() * 1000);
    parallel_chunks(lags.cols(), threads, [&](Index begin, Index end, int) {
        for (Index c = begin; c < end; ++c) {
            // A column of its own, so that every bound reads neighbours.
            const Matrix<Scalar> column = columns(lags, c, 1).eigen();
            choices[static_cast<std::size_t>(c)] =
                Search<Scalar>(column, c, sampler, tolerances.segment(c, 1), options, tree).run();
        }
    });
    return choices;
}

}  // namespace detail

/// The cheapest taps and rank for all channels together that keep every channel's tolerance.
///
/// Among the bands, ranks and inducing modes that it tries, whose errors are proven by error_bound for the
/// taps and inducing values as they are returned. Where nothing is cheaper than the exact operator, the
/// certificate's method is fft and its bound 0.
/// \param lags (2n−1) × d, row t + n − 1 is lag t; between them inducing values are cubic interpolants
/// \throws shape_error 550, value_error 530, config_error 553
/// Cost hundreds of bounds of one channel, a few of all | heap: yes | thread-safe: yes | same choice for any
/// number of threads
template <class Lags>
Choice<typename Lags::Scalar> choose(const Lags& lags, const ChooseOptions& options) {
    const MatrixView<const typename Lags::Scalar> view(lags);
    detail::check_choice(view, options);
    return detail::choose_group(view, detail::LagSampler<typename Lags::Scalar>(view), options);
}

/// As choose(lags, options), with inducing values kernel(inducing_lags(n, r)), (2r−1) × d.
/// \throws shape_error 501 for another shape
template <class Lags, class Kernel>
Choice<typename Lags::Scalar> choose(const Lags& lags, const Kernel& kernel, const ChooseOptions& options) {
    using Scalar = typename Lags::Scalar;
    const MatrixView<const Scalar> view(lags);
    detail::check_choice(view, options);
    const detail::FunctionSampler<Scalar, Kernel> sampler(kernel, view);
    return detail::choose_group(view, sampler, options);
}

/// The cheapest taps and rank of each channel for itself. As choose; threads split the channels.
template <class Lags>
std::vector<Choice<typename Lags::Scalar>> choose_each(const Lags& lags, const ChooseOptions& options) {
    const MatrixView<const typename Lags::Scalar> view(lags);
    return detail::choose_channels(view, detail::LagSampler<typename Lags::Scalar>(view), options);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
