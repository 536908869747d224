// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Filters that are much shorter than their signals: finite impulse responses, block by block.

#include <cmath>

#include <toeplitz/operators/exact_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct CausalFilterOptions {
    Index length = 0;    ///< n ≥ 1 time steps of a signal
    Index channels = 0;  ///< d ≥ 1
    Index taps = 0;      ///< K ≥ 1; may exceed n

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
        f("taps", sets.taps...);
    }
};

namespace detail {

/// Products with lags 0..K−1 by overlap-save: a block of outputs needs the rows from `history` before it on,
/// history ≥ K − 1, and a transform of block + history points. In the block's own time these are the lags
/// −history..0. Transposed, a block of inputs adds to the rows from `history` before it on (overlap-add).
template <Real Scalar, class Engine>
class BlockedSpectra : public KernelSpectra<Scalar, Engine> {
    using Base = KernelSpectra<Scalar, Engine>;
    using Base::engine;
    using Base::for_items;
    using Base::groups;

public:
    BlockedSpectra(Index length, Index channels, Index taps)
        : BlockedSpectra(length, channels, history_of(taps), window_of(length, channels, taps)) {}

    /// Lags of the blocks: the K taps, and zeros.
    Index lags() const noexcept { return history_ + 1; }

    std::size_t product_workspace(Index batch) const {
        return this->scratch_bytes(groups() * batch * blocks_, product_scratch());
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        if constexpr (direction == Direction::forward) {
            for_items(groups() * sequences.batch() * blocks_, product_scratch(), ws,
                      [&](Index item, Scalar* scratch) {
                          const Index g = item / blocks_ / sequences.batch();
                          save<update>(rows_of(x, sequences, item, g), rows_of(y, sequences, item, g),
                                       item % blocks_ * block_, g, scratch);
                      });
        } else {
            for_items(groups() * sequences.batch(), product_scratch(), ws, [&](Index item, Scalar* scratch) {
                const Index g = item / sequences.batch();
                const MatrixView<const Scalar> from = rows_of(x, sequences, item * blocks_, g);
                const MatrixView<Scalar> to = rows_of(y, sequences, item * blocks_, g);
                if constexpr (update == Update::assign) to.eigen().setZero();
                for (Index begin = 0; begin < from.rows(); begin += block_) {
                    add(from, to, begin, g, scratch);
                }
            });
        }
    }

    /// As KernelSpectra::sum_gradients.
    template <class Take>
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             const Sequences& sequences, Workspace& ws, Take&& take) const {
        this->sum_gradients(
            sequences.batch() * blocks_, 0, ws, take,
            [&](Index group, Index term, Scalar* g_spectrum, Scalar* x_spectrum, Scalar* scratch) {
                const MatrixView<const Scalar> xs = rows_of(x, sequences, term, group);
                const MatrixView<const Scalar> gs = rows_of(g, sequences, term, group);
                const Index begin = (std::min)(term % blocks_ * block_, xs.rows());
                const Index end = (std::min)(begin + block_, xs.rows());
                // The window lies where the spectrum of g will be.
                engine().transform(window(xs, begin, end, g_spectrum), x_spectrum, scratch);
                engine().transform(gs.middle_rows(begin, end - begin), g_spectrum, scratch);
                return x_spectrum;
            });
    }
    std::size_t gradient_workspace() const { return Base::gradient_workspace(0); }

private:
    BlockedSpectra(Index length, Index channels, Index history, Index window)
        : Base(window, channels, history, 0),
          history_(history),
          block_(window - history),
          blocks_((length + block_ - 1) / block_),
          width_((std::min)(channels, Base::lanes)) {}

    // In whole lines of one channel, so that blocks begin where packs of time steps do.
    static Index history_of(Index taps) noexcept { return whole_lines<Scalar>(taps - 1); }

    // The window that costs least per output. Points cost more the further they and the spectrum exceed a
    // second-level cache of 1 MB.
    static Index window_of(Index length, Index channels, Index taps) {
        const Index history = history_of(taps);
        const Index width = (std::min)(channels, Base::lanes);
        const Index last = tree_size(history + length);
        const auto cost = [&](Index window) {
            const auto points = static_cast<double>(window);
            const double bytes = points * static_cast<double>(4 * width) * sizeof(Scalar);
            const double slower = 1 + 0.35 * (std::max)(0.0, std::log2(bytes) - 20);
            return slower * (points + 128) * (8 + std::log2(points)) / static_cast<double>(window - history);
        };
        Index best = last;
        for (Index window = tree_size(history + 64); window < last; window = tree_size(window + 1)) {
            if (window % Base::lanes == 0 && cost(window) < cost(best)) best = window;
        }
        return best;
    }

    Index window_size() const noexcept { return (history_ + block_) * width_; }
    Index product_scratch() const noexcept { return this->scratch_size() + window_size(); }

    // The valid rows of the sequence of an item, channels of a group.
    template <class T>
    MatrixView<T> rows_of(MatrixView<T> rows, const Sequences& sequences, Index item,
                          Index g) const noexcept {
        return this->group_of(sequences.valid_of(rows, item / blocks_ % sequences.batch()), g);
    }

    // Rows begin − history..end − 1, zeros before the first: x itself, or a copy where `room` is.
    MatrixView<const Scalar> window(MatrixView<const Scalar> x, Index begin, Index end,
                                    Scalar* room) const noexcept {
        const Index missing = history_ - begin;
        if (missing <= 0) return x.middle_rows(begin - history_, end - begin + history_);
        const MatrixView<Scalar> copy(room, end - begin + history_, x.cols());
        copy.middle_rows(0, missing).eigen().setZero();
        copy.middle_rows(missing, end).eigen() = x.middle_rows(0, end).eigen();
        return copy;
    }

    template <Update update>
    void save(MatrixView<const Scalar> x, MatrixView<Scalar> y, Index begin, Index g,
              Scalar* scratch) const noexcept {
        if (begin >= x.rows()) return;
        const Index end = (std::min)(begin + block_, x.rows());
        engine().template convolve<Direction::forward, update>(
            window(x, begin, end, scratch + this->scratch_size()), this->spectrum(g),
            y.middle_rows(begin, end - begin), scratch);
    }

    void add(MatrixView<const Scalar> x, MatrixView<Scalar> y, Index begin, Index g,
             Scalar* scratch) const noexcept {
        const Index end = (std::min)(begin + block_, x.rows());
        const MatrixView<const Scalar> from = x.middle_rows(begin, end - begin);
        const Index missing = history_ - begin;
        if (missing <= 0) {
            return engine().template convolve<Direction::adjoint, Update::add>(
                from, this->spectrum(g), y.middle_rows(begin - history_, end - begin + history_), scratch);
        }
        const MatrixView<Scalar> copy(scratch + this->scratch_size(), end - begin + history_, x.cols());
        engine().template convolve<Direction::adjoint, Update::assign>(from, this->spectrum(g), copy,
                                                                       scratch);
        y.middle_rows(0, end).eigen() += copy.middle_rows(missing, end).eigen();
    }

    Index history_;
    Index block_;
    Index blocks_;
    Index width_;
};

}  // namespace detail

/// y_t = Σ_l h_l x_{t−l} over K taps, for 0 ≤ t < n, with x = 0 before its first step: what NumPy calls
/// `convolve(x, h)[:n]` and SciPy `lfilter(h, 1, x)`.
///
/// For signals of any length: they go block by block through transforms whose size depends on K, so that
/// neither memory nor the cost of a time step grow with n. The rest of the full convolution, K − 1 steps
/// more, comes out where K − 1 zeros follow the signal; and a filter centred on its taps is steps
/// (K − 1)/2 .. n + (K − 1)/2 − 1 of that. Up to most_direct_lags taps (fewer where channels leave lanes of
/// a vector free) are multiplied by definition, which keeps causality bit for bit; more keep it to the
/// rounding of the transform.
/// Kernel: K × d; row l is tap l.
/// Cost O(n log K) per channel | heap: none | thread-safe: yes | threads split channels, batch and, but for
/// adjoints and gradients, time; same bits for any number
template <Real ScalarType, class Engine = DefaultConvolution<ScalarType>>
requires ConvolutionEngine<Engine, ScalarType>
class CausalFilter : public Operator<CausalFilter<ScalarType, Engine>, ScalarType> {
    using Base = Operator<CausalFilter, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Cache = NoCache;
    using Options = CausalFilterOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202 or 510 (taps = 0), plan_error 301
    explicit CausalFilter(const Options& options)
        : Base(options.length, options.channels), taps_(checked(options).taps) {
        if (used_taps() <= most_direct_taps()) {
            direct_ = detail::ShortConvolution<Scalar>(options.channels, 0, used_taps() - 1);
        } else {
            spectra_.emplace(options.length, options.channels, used_taps());
        }
    }

    /// \throws config_error 201, 202 or 510, shape_error 501, value_error 530, plan_error 301
    CausalFilter(const Options& options, Kernel kernel) : CausalFilter(options) { this->set_kernel(kernel); }

    static constexpr Causality causality() noexcept { return Causality::causal; }
    Index taps() const noexcept { return taps_; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Scalar>(taps_, this->channels());
    }
    /// Bytes that set_kernel takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const { return spectra_ ? spectra_->kernel_workspace(extra()) : 0; }

    /// Bytes held.
    std::size_t state_bytes() const noexcept {
        return direct_.state_bytes() + (spectra_ ? spectra_->state_bytes() : 0);
    }

private:
    static constexpr const char* name = "CausalFilter";

    static const Options& checked(const Options& options) {
        if (options.taps < 1) {
            detail::raise<config_error>(510, "CausalFilter", "taps >= 1", std::to_string(options.taps));
        }
        return options;
    }

    // By definition a time step of all packs costs as much as its taps, by transforms as its channels.
    Index most_direct_taps() const noexcept {
        constexpr Index lanes = Simd<Scalar>::lanes;
        const Index packs = (this->channels() + lanes - 1) / lanes;
        return most_direct_lags * this->channels() / (packs * lanes);
    }

    // Those that meet a time step.
    Index used_taps() const noexcept { return (std::min)(taps_, this->length()); }

    // The lags of one group: a copy of the taps, and zeros.
    detail::LagsScratch extra() const noexcept {
        const Index width = (std::min)(Engine::lanes, this->channels());
        return {detail::whole_lines<Scalar>(spectra_->lags() * width), 0};
    }

    void require_kernel(Kernel kernel, const char* where) const {
        require_kernel_shape(kernel, taps_, this->channels(), where);
    }

    void assign_kernel(Kernel kernel, Workspace& ws) {
        require_kernel(kernel, "CausalFilter::set_kernel");
        require_finite(kernel, "CausalFilter::set_kernel", "tap", 0);
        const Kernel used = kernel.middle_rows(0, used_taps());
        if (!spectra_) return direct_.set_kernel(0, used);
        spectra_->set_kernel(extra(), ws, [&](Index first, Index width, Scalar* scratch, Scalar*) {
            const MatrixView<Scalar> lags(scratch, spectra_->lags(), width);
            lags.middle_rows(0, used.rows()).eigen() = used.middle_cols(first, width).eigen();
            lags.middle_rows(used.rows(), lags.rows() - used.rows()).eigen().setZero();
            return MatrixView<const Scalar>(lags);
        });
    }

    std::size_t product_workspace(Index batch) const {
        return spectra_ ? spectra_->product_workspace(batch)
                        : direct_.product_workspace(batch, this->length());
    }
    std::size_t gradient_workspace(Index batch) const {
        return spectra_ ? spectra_->gradient_workspace() : direct_.gradient_workspace(batch, this->length());
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        if (spectra_) {
            spectra_->template product<direction, update>(x, y, sequences, ws);
        } else {
            direct_.template product<direction, update>(x, y, sequences, ws);
        }
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        require_kernel(dkernel, "CausalFilter, dkernel");
        const MatrixView<Scalar> used = dkernel.middle_rows(0, used_taps());
        if (!spectra_) return direct_.accumulate_gradient(x, g, used, sequences, ws);
        spectra_->accumulate_gradient(
            x, g, sequences, ws, [&](Index first, MatrixView<const Scalar> dlags, Scalar*) {
                used.middle_cols(first, dlags.cols()).eigen() += dlags.middle_rows(0, used.rows()).eigen();
            });
    }

    Index taps_;
    detail::ShortConvolution<Scalar> direct_;
    std::optional<detail::BlockedSpectra<Scalar, Engine>> spectra_;
};

/// The signals in the columns of x, m × d, filtered by the taps in the columns of h, K × d; m × d. For one
/// call: whoever filters again keeps a CausalFilter and a workspace.
/// \throws shape_error 501 (as many columns), value_error 530, config_error 201 (nothing in h or x)
/// Cost O(m log K) per channel, and that of the transform's tables | heap: all of it | thread-safe: yes
template <class Taps, class Signals>
auto causal_filter(const Taps& h, const Signals& x) {
    using Scalar = std::remove_const_t<typename Signals::Scalar>;
    const MatrixView<const Scalar> taps(h);
    const MatrixView<const Scalar> signals(x);
    return CausalFilter<Scalar>({.length = signals.rows(), .channels = signals.cols(), .taps = taps.rows()},
                                taps) *
           signals;
}
/// The same of one signal whose numbers are neighbours: a std::vector, a std::span, an array.
template <class Taps, class Signal>
requires(!requires { typename Signal::Scalar; }) auto causal_filter(const Taps& h, const Signal& x) {
    return causal_filter(h, MatrixView<const typename decltype(std::span(x))::value_type>(x));
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
