// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Kernel spectra of all channels, group by group, and the parallel loops that use them.

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

template <Real Scalar, class Engine>
class GroupedSpectra {
public:
    static constexpr Index lanes = Engine::lanes;

    GroupedSpectra(Index length, Index channels)
        : engine_(length),
          channels_(channels),
          spectra_(checked_product(groups(), engine_.spectrum_size(), "Fft")) {}

    Index groups() const noexcept { return (channels_ + lanes - 1) / lanes; }
    std::size_t state_bytes() const noexcept {
        return static_cast<std::size_t>(spectra_.size()) * sizeof(Scalar);
    }

    /// \param extra scalars of scratch that `lags_of` of set_kernel wants
    std::size_t kernel_workspace(Index extra) const {
        return scratch_bytes(groups(), engine_.scratch_size() + extra);
    }
    std::size_t product_workspace(Index batch) const {
        return scratch_bytes(groups() * batch, engine_.scratch_size());
    }
    /// \param extra scalars of scratch that `take` of accumulate_gradient or backward wants
    std::size_t gradient_workspace(Index lags, Index extra) const {
        return scratch_bytes(groups(), gradient_scratch(lags) + extra);
    }
    /// Scalars that keep the spectra of a batch.
    Index kept_size(Index batch) const noexcept { return groups() * batch * engine_.spectrum_size(); }

    /// Replaces all spectra by those of lags −negative..positive: `lags_of(first channel, width, scratch)`
    /// returns rows of channels whose row 0 is lag 0; they may lie in its scratch of `extra` scalars.
    template <class LagsOf>
    void set_kernel(Index positive, Index negative, Index extra, Workspace& ws, LagsOf&& lags_of) {
        for_items(groups(), engine_.scratch_size() + extra, ws, [&](Index g, Scalar* scratch) {
            const Rows<const Scalar> lag0 = lags_of(g * lanes, width(g), scratch + engine_.scratch_size());
            engine_.transform_kernel(lag0.data, lag0.stride, positive, negative, width(g), spectrum(g),
                                     scratch);
        });
    }

    /// Products of all groups and sequences; a group's sequences follow each other and reuse its spectrum.
    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        const Index batch = sequences.batch();
        for_items(groups() * batch, engine_.scratch_size(), ws, [&](Index item, Scalar* scratch) {
            const Index g = item / batch;
            const Index b = item % batch;
            const Rows<const Scalar> from = group_rows(x, sequences, b, g);
            const Rows<Scalar> to = group_rows(y, sequences, b, g);
            engine_.template convolve<direction, update>(from.data, from.stride, sequences.valid(b), width(g),
                                                         spectrum(g), to.data, to.stride, sequences.valid(b),
                                                         scratch);
        });
    }

    /// y = T x, and the spectra of x to `kept`, kept_size(batch) scalars.
    void forward(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences, Scalar* kept,
                 Workspace& ws) const {
        const Index batch = sequences.batch();
        for_items(groups() * batch, engine_.scratch_size(), ws, [&](Index item, Scalar* scratch) {
            const Index g = item / batch;
            const Index b = item % batch;
            Scalar* x_spectrum = kept + item * engine_.spectrum_size();
            transform(x, sequences, b, g, x_spectrum, scratch);
            const Rows<Scalar> to = group_rows(y, sequences, b, g);
            engine_.template convolve_spectrum<Direction::forward, Update::assign>(
                x_spectrum, spectrum(g), width(g), to.data, to.stride, sequences.valid(b), scratch);
        });
    }

    /// dx = Tᵀ g, and `take` as in accumulate_gradient, from the spectra of x that forward has kept: one
    /// transform of each sequence of g, one of dx, and one of the gradient.
    template <class Take>
    void backward(const Scalar* kept, MatrixView<const Scalar> g, MatrixView<Scalar> dx,
                  const Sequences& sequences, Index lags, Index negative, Index extra, Workspace& ws,
                  Take&& take) const {
        sum_gradients(sequences.batch(), lags, negative, extra, ws, take,
                      [&](Index group, Index b, Scalar* g_spectrum, Scalar*, Scalar* scratch) {
                          transform(g, sequences, b, group, g_spectrum, scratch);
                          const Rows<Scalar> to = group_rows(dx, sequences, b, group);
                          engine_.template convolve_spectrum<Direction::adjoint, Update::assign>(
                              g_spectrum, spectrum(group), width(group), to.data, to.stride,
                              sequences.valid(b), scratch);
                          return kept + (group * sequences.batch() + b) * engine_.spectrum_size();
                      });
    }

    /// The gradient with respect to lags −negative..lags−1−negative, group by group: `take(first channel,
    /// width, dlags, scratch)` is given rows of channels whose row 0 is lag 0, and scratch of `extra`
    /// scalars. Sequences are summed before the one inverse transform of a group.
    template <class Take>
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             const Sequences& sequences, Index lags, Index negative, Index extra,
                             Workspace& ws, Take&& take) const {
        sum_gradients(sequences.batch(), lags, negative, extra, ws, take,
                      [&](Index group, Index b, Scalar* g_spectrum, Scalar* x_spectrum, Scalar* scratch) {
                          transform(x, sequences, b, group, x_spectrum, scratch);
                          transform(g, sequences, b, group, g_spectrum, scratch);
                          return x_spectrum;
                      });
    }

private:
    Index width(Index g) const noexcept { return std::min(lanes, channels_ - g * lanes); }
    Scalar* spectrum(Index g) noexcept { return spectra_.data() + g * engine_.spectrum_size(); }
    const Scalar* spectrum(Index g) const noexcept { return spectra_.data() + g * engine_.spectrum_size(); }

    /// Sequence b of the channels of a group.
    template <class T>
    static Rows<T> group_rows(MatrixView<T> rows, const Sequences& sequences, Index b, Index g) noexcept {
        const Rows<T> all = sequence_rows(rows, sequences, b);
        return {all.data + g * lanes, all.stride};
    }
    void transform(MatrixView<const Scalar> x, const Sequences& sequences, Index b, Index g, Scalar* to,
                   Scalar* scratch) const {
        const Rows<const Scalar> from = group_rows(x, sequences, b, g);
        engine_.transform(from.data, from.stride, sequences.valid(b), width(g), to, scratch);
    }

    Index gradient_scratch(Index lags) const noexcept {
        return engine_.scratch_size() + 3 * engine_.spectrum_size() + lags * lanes;
    }

    // Sums over the batch what `transform_both(group, sequence, G, X, scratch)` has written to G, and the X
    // that it returns, which may be its own.
    template <class Take, class Transform>
    void sum_gradients(Index batch, Index lags, Index negative, Index extra, Workspace& ws, Take& take,
                       Transform&& transform_both) const {
        for_items(groups(), gradient_scratch(lags) + extra, ws, [&](Index group, Scalar* scratch) {
            Scalar* x_spectrum = scratch + engine_.scratch_size();
            Scalar* g_spectrum = x_spectrum + engine_.spectrum_size();
            Scalar* sum = g_spectrum + engine_.spectrum_size();
            Scalar* dlags = sum + engine_.spectrum_size();
            std::fill_n(sum, engine_.spectrum_size() + lags * lanes, Scalar(0));
            for (Index b = 0; b < batch; ++b) {
                const Scalar* x = transform_both(group, b, g_spectrum, x_spectrum, scratch);
                engine_.accumulate_correlation(x, g_spectrum, width(group), sum);
            }
            Scalar* lag0 = dlags + negative * lanes;
            engine_.accumulate_lags(sum, lag0, lanes, lags - 1 - negative, negative, width(group), scratch);
            take(group * lanes, width(group), Rows<const Scalar>{lag0, lanes}, dlags + lags * lanes);
        });
    }

    // A transform point costs a few nanoseconds for a whole group.
    int threads_for(Index items) const noexcept { return thread_count(items, items * engine_.size() * 16); }

    std::size_t scratch_bytes(Index items, Index scratch_size) const {
        return ThreadScratch<Scalar>::bytes(scratch_size, threads_for(items));
    }

    // f(item, scratch of the thread), threads taking contiguous items.
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

    Engine engine_;
    Index channels_;
    Buffer<Scalar> spectra_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
