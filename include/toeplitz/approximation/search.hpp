// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The search for the cheapest band and low rank of a kernel. Over 300 lines, as what it has tried decides
/// what it tries next.

#include <algorithm>
#include <cmath>
#include <vector>

#include <toeplitz/approximation/approximate.hpp>
#include <toeplitz/approximation/cost_model.hpp>
#include <toeplitz/approximation/dense_bound.hpp>
#include <toeplitz/approximation/tolerance.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Whether taps and inducing values are rounded, so that copies of them in float keep the bound.
enum class Rounding { none, to_float };

struct ChooseOptions {
    double tolerance = 0;                          ///< ε > 0, for every channel
    ToleranceKind kind = ToleranceKind::absolute;  ///< of ε
    CostModel cost{};                              ///< what is cheap
    Rounding rounding = Rounding::none;            ///< of the result
    Index dense_length = 128;                      ///< longest sequence for which dense_error_bound is tried
    Index most_modes = 24;                         ///< of a state space, or of each of two; 0: none is tried

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("tolerance", sets.tolerance...);
        f("kind", sets.kind...);
        f("cost", sets.cost...);
        f("rounding", sets.rounding...);
        f("dense_length", sets.dense_length...);
        f("most_modes", sets.most_modes...);
    }
};

namespace detail {

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
        return sample_inducing(lags.middle_cols(first, count), rank);
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
        require_kernel_shape(all, 2 * rank - 1, channels, "choose");
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
          n_((lags.rows() + 1) / 2),
          lag_scales_(lags) {
        best_.tolerances = tolerances;
        best_.bounds = Vector<double>::Zero(lags.cols());
        best_.cost = best_.exact_cost = options.cost.exact(n_);
    }

    Approximation<Scalar> run() {
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
        if (best_.method() == Method::fft) best_.lags = lags_.eigen();
        return std::move(best_);
    }

private:
    // Ranks a factor `step` apart, the largest of every transform size, and those with inducing points at
    // integer lags.
    std::vector<Index> ranks(double step) const {
        std::vector<Index> ranks;
        for (double r = 1; r < static_cast<double>(n_); r = (std::max)(r + 1, std::floor(r * step))) {
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
        if (rank == 0 && cost(rank, 0) >= best_.cost) return fits;
        if (cost(rank, rank == 0 ? 0 : -1) >= best_.cost) return fits;
        fits = rank == 0 ? 0 : -1;
        while (beyond - fits > 1) {
            const Index middle = fits + (beyond - fits) / 2;
            (cost(rank, middle) < best_.cost ? fits : beyond) = middle;
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
                    b <= 1 ? b - 1 : (std::min)(b - 1, static_cast<Index>(static_cast<double>(b) / step));
                if (narrow(grid, rank, mode, below, b)) {
                    b = (std::min)(below, widest(rank));
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
            const Index next = (std::min)(reach, (n_ - 1) / 2);
            add(n_ - 1 - next, n_ - 1 - known);
            add(n_ + known, n_ + next);
            known = next;
            excess = (std::min)(sum, std::sqrt(square) + radius) / error.scale(0) / tolerance;
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

    // `scales` are those of the lags, and take in all that the approximation holds.
    Approximation<Scalar> make(InducingGrid& grid, Index rank, InducingMode mode, Index half_width,
                               Index first, Index count, ChannelScales& scales) {
        Approximation<Scalar> made{.mode = mode};
        if (rank > 0) {
            made.inducing = adjust_inducing(sampled(rank, first, count), n_, half_width, mode);
            round(made.inducing);
            scales.include(MatrixView<const Scalar>(made.inducing));
        }
        if (half_width >= 0) {
            grid.fill(n_ - 1 - half_width, n_ + half_width);
            made.taps = middle_taps(
                InterpolationError<Scalar>(lags_.middle_cols(first, count), {}, made.inducing, grid, scales),
                half_width);
            round(made.taps);
            scales.include(MatrixView<const Scalar>(made.taps));
        }
        return made;
    }

    // Tries the approximation of `count` channels; all of them become the best one where they meet the
    // tolerance, and one that does not is the first to be asked the next time.
    bool meets(InducingGrid& grid, Index rank, InducingMode mode, Index half_width, Index first,
               Index count) {
        ChannelScales scales = lag_scales_.segment(first, count);
        Approximation<Scalar> made = make(grid, rank, mode, half_width, first, count, scales);
        if (count == 1 && !is_short()) {
            const InterpolationError<Scalar> error(lags_.middle_cols(first, 1), made.taps, made.inducing,
                                                   grid, scales);
            const double excess = least_excess(error, grid, best_.tolerances(first));
            if (excess >= far) misses_.push_back({rank, half_width, mode});
            if (excess > 1) return fail(first);
        }
        if (!prove(made, grid, first, scales)) return false;
        if (count < lags_.cols()) return true;
        made.tolerances = std::move(best_.tolerances);
        made.cost = cost(rank, half_width);
        made.exact_cost = best_.exact_cost;
        best_ = std::move(made);
        return true;
    }

    // Whether the channels from `first` on keep their tolerances, with bounds that prove it.
    bool prove(Approximation<Scalar>& made, InducingGrid& grid, Index first, const ChannelScales& scales) {
        const Index count = made.channels();
        const MatrixView<const Scalar> lags = lags_.middle_cols(first, count);
        grid.fill(0, 2 * n_ - 1);
        const BoundEvaluation<Scalar> evaluation(lags, made.taps, made.inducing, grid, scales);
        std::vector<WindowSums> sums(static_cast<std::size_t>(count));
        evaluation.windows(sums.data());
        made.bounds.resize(count);
        const auto fails = [&](Index c) {
            return !(is_finite(made.bounds(c)) && made.bounds(c) <= best_.tolerances(first + c));
        };
        bool wants_spectra = false;
        for (Index c = 0; c < count; ++c) {
            const WindowSums& s = sums[static_cast<std::size_t>(c)];
            made.bounds(c) = s.unscaled(s.bound);
            if (!fails(c)) continue;
            // No spectrum helps where the radius and the root mean square are too much already.
            const bool hopeless =
                !(s.unscaled(std::sqrt(s.square) + s.radius) <= best_.tolerances(first + c));
            if (hopeless && !is_short()) return fail(first + c);
            wants_spectra = wants_spectra || !hopeless;
        }
        if (wants_spectra) evaluation.spectra(*tree_, sums.data(), made.bounds.data());
        for (Index c = 0; c < count; ++c) {
            if (fails(c) && is_short()) {
                const WindowSums& s = sums[static_cast<std::size_t>(c)];
                const double tolerance = best_.tolerances(first + c);
                const Matrix<double> error = dense_error(lags, made, c, s.scale);
                DenseNorm norm(error);
                const double estimate = norm.estimate(tolerance * s.scale);
                if (s.unscaled(estimate) <= tolerance) {
                    made.bounds(c) = s.unscaled(norm.bound(estimate) + s.rounding);
                }
            }
            if (fails(c)) return fail(first + c);
        }
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
    ChannelScales lag_scales_;
    Index suspect_ = 0;
    std::vector<Miss> misses_;
    Matrix<Scalar> sampled_;
    Index sampled_rank_ = -1;
    Index sampled_channel_ = -1;
    Approximation<Scalar> best_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
