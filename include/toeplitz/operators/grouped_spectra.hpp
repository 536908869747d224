// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Kernel spectra of all channels, group by group, and the parallel loops that use them.

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Scalars of scratch memory, in whole lines, that the lags of one group of channels take.
struct LagsScratch {
    Index lags = 0;     ///< where they are, for as long as they are read
    Index passing = 0;  ///< for those who make them, and until then

    Index total() const noexcept { return lags + passing; }
};

/// Spectra of a kernel's lags, group by group, in memory that the sequences share.
template <Real Scalar, class Engine>
class KernelSpectra {
public:
    static constexpr Index lanes = Engine::lanes;

    /// \param length rows of the longest sequence; lags are −negative..positive
    KernelSpectra(Index length, Index channels, Index negative, Index positive)
        : engine_(length, channels),
          channels_(channels),
          negative_(negative),
          lags_(negative + positive + 1),
          spectra_(checked_product(groups(), spectrum_size(), "Fft")) {}

    Index groups() const noexcept { return (channels_ + lanes - 1) / lanes; }
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(spectra_.size()) * sizeof(Scalar);
    }

    std::size_t kernel_workspace(const LagsScratch& extra) const {
        return scratch_bytes(groups(), kernel_scratch(extra));
    }
    /// \param extra scalars of scratch that `take` of sum_gradients wants
    std::size_t gradient_workspace(Index extra) const {
        return scratch_bytes(groups(), gradient_scratch() + extra);
    }

    /// Replaces all spectra: `lags_of(first channel, width, scratch for the lags, passing scratch)` returns
    /// the lags of a group. What passes does so where the spectrum will be, if it fits.
    template <class LagsOf>
    void set_kernel(const LagsScratch& extra, Workspace& ws, LagsOf&& lags_of) {
        for_items(groups(), kernel_scratch(extra), ws, [&](Index g, Scalar* scratch) {
            Scalar* passing = passes_in_spectrum(extra) ? spectrum_to_set(g) : scratch + extra.lags;
            const MatrixView<const Scalar> lags = lags_of(g * lanes, width(g), scratch, passing);
            engine_.transform_kernel(lags, negative_, spectrum_to_set(g), scratch + extra.lags);
        });
    }

protected:
    const Engine& engine() const noexcept { return engine_; }
    const Scalar* spectrum(Index g) const noexcept { return spectra_.data() + g * spectrum_size(); }
    Index spectrum_size() const noexcept {
        return whole_lines<Scalar>(widest([&](Index width) { return engine_.spectrum_size(width); }));
    }
    Index scratch_size() const noexcept {
        return whole_lines<Scalar>(widest([&](Index width) { return engine_.scratch_size(width); }));
    }

    /// The channels of a group.
    template <class T>
    MatrixView<T> group_of(MatrixView<T> rows, Index g) const noexcept {
        return rows.middle_cols(g * lanes, width(g));
    }

    /// Sums over `terms` what `transform_both(group, term, G, X, scratch)` has written to G, and the X that
    /// it returns, which may be its own: `take(first channel, dlags, scratch)` is given the gradient with
    /// respect to all lags of a group, and scratch of `extra` scalars. One inverse transform of a group.
    template <class Take, class Transform>
    void sum_gradients(Index terms, Index extra, Workspace& ws, Take& take,
                       Transform&& transform_both) const {
        for_items(groups(), gradient_scratch() + extra, ws, [&](Index group, Scalar* scratch) {
            Scalar* x_spectrum = scratch + scratch_size();
            Scalar* g_spectrum = x_spectrum + spectrum_size();
            Scalar* sum = g_spectrum + spectrum_size();
            const MatrixView<Scalar> dlags(sum + spectrum_size(), lags_, width(group), widest());
            std::fill_n(sum, spectrum_size() + lags_size(), Scalar(0));
            for (Index term = 0; term < terms; ++term) {
                const Scalar* x = transform_both(group, term, g_spectrum, x_spectrum, scratch);
                engine_.accumulate_correlation(x, g_spectrum, width(group), sum);
            }
            engine_.accumulate_lags(sum, dlags, negative_, scratch);
            take(group * lanes, MatrixView<const Scalar>(dlags), dlags.data() + lags_size());
        });
    }

    std::size_t scratch_bytes(Index items, Index scratch_size) const {
        return ThreadScratch<Scalar>::bytes(scratch_size, threads_for(items));
    }

    /// f(item, scratch of the thread), threads taking contiguous items.
    template <class F>
    void for_items(Index items, Index scratch_size, Workspace& ws, F&& f) const {
        const int threads = threads_for(items);
        ws.reserve(ThreadScratch<Scalar>::bytes(scratch_size, threads));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, scratch_size, threads);
        parallel_chunks(items, threads, [&](Index begin, Index end, int thread) {
            for (Index item = begin; item < end; ++item) f(item, scratch[thread]);
        });
    }

private:
    Index width(Index g) const noexcept { return (std::min)(lanes, channels_ - g * lanes); }
    Scalar* spectrum_to_set(Index g) noexcept { return spectra_.data() + g * spectrum_size(); }

    // All groups are given the room of the widest, or of the last, whose few channels may want more.
    Index widest() const noexcept { return (std::min)(lanes, channels_); }
    template <class Size>
    Index widest(Size&& size) const noexcept {
        return (std::max)(size(widest()), size(width(groups() - 1)));
    }
    Index lags_size() const noexcept { return whole_lines<Scalar>(lags_ * widest()); }
    Index gradient_scratch() const noexcept { return scratch_size() + 3 * spectrum_size() + lags_size(); }
    bool passes_in_spectrum(const LagsScratch& extra) const noexcept {
        return extra.passing <= spectrum_size();
    }
    Index kernel_scratch(const LagsScratch& extra) const noexcept {
        const Index passing = passes_in_spectrum(extra) ? 0 : extra.passing;
        return extra.lags + (std::max)(passing, engine_.kernel_scratch_size());
    }

    // A transform point costs about a nanosecond.
    int threads_for(Index items) const noexcept { return thread_count(items, items * spectrum_size() / 2); }

    Engine engine_;
    Index channels_;
    Index negative_;
    Index lags_;
    Buffer<Scalar> spectra_;
};

/// Products of whole sequences with lags −negative..n−1.
template <Real Scalar, class Engine>
class GroupedSpectra : public KernelSpectra<Scalar, Engine> {
    using Base = KernelSpectra<Scalar, Engine>;
    using Base::engine;
    using Base::for_items;
    using Base::scratch_size;
    using Base::spectrum;
    using Base::spectrum_size;

public:
    using Base::groups;

    GroupedSpectra(Index length, Index channels, Index negative)
        : Base(length, channels, negative, length - 1) {}

    std::size_t product_workspace(Index batch) const {
        return this->scratch_bytes(groups() * batch, scratch_size());
    }
    /// Scalars that keep the spectra of a batch.
    Index kept_size(Index batch) const noexcept { return groups() * batch * spectrum_size(); }

    /// Products of all groups and sequences; a group's sequences follow each other and reuse its spectrum.
    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        const Index batch = sequences.batch();
        for_items(groups() * batch, scratch_size(), ws, [&](Index item, Scalar* scratch) {
            const Index g = item / batch;
            const Index b = item % batch;
            engine().template convolve<direction, update>(group_rows(x, sequences, b, g), spectrum(g),
                                                          group_rows(y, sequences, b, g), scratch);
        });
    }

    /// y = T x, and the spectra of x to `kept`, kept_size(batch) scalars.
    void forward(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences, Scalar* kept,
                 Workspace& ws) const {
        const Index batch = sequences.batch();
        for_items(groups() * batch, scratch_size(), ws, [&](Index item, Scalar* scratch) {
            const Index g = item / batch;
            const Index b = item % batch;
            Scalar* x_spectrum = kept + item * spectrum_size();
            engine().transform(group_rows(x, sequences, b, g), x_spectrum, scratch);
            engine().template convolve_spectrum<Direction::forward, Update::assign>(
                x_spectrum, spectrum(g), group_rows(y, sequences, b, g), scratch);
        });
    }

    /// dx = Tᵀ g, and `take` as in accumulate_gradient: one transform of each sequence of g, one of dx, and
    /// one of the gradient, from the spectra of x that forward has kept; one more of x where `kept` is null.
    template <class Take>
    void backward(const Scalar* kept, MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dx, const Sequences& sequences, Index extra, Workspace& ws,
                  Take&& take) const {
        this->sum_gradients(
            sequences.batch(), extra, ws, take,
            [&](Index group, Index b, Scalar* g_spectrum, Scalar* x_spectrum, Scalar* scratch) {
                const Scalar* result = x_spectrum;
                if (kept != nullptr) {
                    result = kept + (group * sequences.batch() + b) * spectrum_size();
                } else {
                    engine().transform(group_rows(x, sequences, b, group), x_spectrum, scratch);
                }
                engine().transform(group_rows(g, sequences, b, group), g_spectrum, scratch);
                engine().template convolve_spectrum<Direction::adjoint, Update::assign>(
                    g_spectrum, spectrum(group), group_rows(dx, sequences, b, group), scratch);
                return result;
            });
    }

    /// The gradient with respect to the lags, group by group, as sum_gradients takes it.
    template <class Take>
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             const Sequences& sequences, Index extra, Workspace& ws, Take&& take) const {
        this->sum_gradients(
            sequences.batch(), extra, ws, take,
            [&](Index group, Index b, Scalar* g_spectrum, Scalar* x_spectrum, Scalar* scratch) {
                engine().transform(group_rows(x, sequences, b, group), x_spectrum, scratch);
                engine().transform(group_rows(g, sequences, b, group), g_spectrum, scratch);
                return x_spectrum;
            });
    }

private:
    /// The valid rows of sequence b, channels of a group.
    template <class T>
    MatrixView<T> group_rows(MatrixView<T> rows, const Sequences& sequences, Index b,
                             Index g) const noexcept {
        return this->group_of(sequences.valid_of(rows, b), g);
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
