// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Kernel spectra of all channels, group by group, and the parallel loops that use them.

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/operators/interface.hpp>

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

    std::size_t kernel_workspace() const { return scratch_bytes(groups(), engine_.scratch_size()); }
    std::size_t product_workspace(Index batch) const {
        return scratch_bytes(groups() * batch, engine_.scratch_size());
    }
    std::size_t gradient_workspace(Index lags) const {
        return scratch_bytes(groups(), gradient_scratch(lags));
    }

    /// Replaces all spectra by those of lags −negative..positive; row 0 of `lag0` is lag 0.
    void set_kernel(Rows<const Scalar> lag0, Index positive, Index negative, Workspace& ws) {
        for_items(groups(), engine_.scratch_size(), ws, [&](Index g, Scalar* scratch) {
            engine_.transform_kernel(lag0.data + g * lanes, lag0.stride, positive, negative, width(g),
                                     spectrum(g), scratch);
        });
    }

    /// Products of all groups and sequences; a group's sequences follow each other and reuse its spectrum.
    template <Direction direction, Update update>
    void product(Rows<const Scalar> x, Rows<Scalar> y, const Batch& batch, Workspace& ws) const {
        for_items(groups() * batch.size, engine_.scratch_size(), ws, [&](Index item, Scalar* scratch) {
            const Index g = item / batch.size;
            const Index b = item % batch.size;
            engine_.template convolve<direction, update>(
                x.row(b * batch.length) + g * lanes, x.stride, batch.rows(b), width(g), spectrum(g),
                y.row(b * batch.length) + g * lanes, y.stride, batch.rows(b), scratch);
        });
    }

    /// dlag0 += the gradient with respect to lags −negative..positive; row 0 of `dlag0` is lag 0.
    /// Sequences are summed before the one inverse transform of a group.
    void accumulate_gradient(Rows<const Scalar> x, Rows<const Scalar> g, const Batch& batch,
                             MatrixView<Scalar> dkernel, Index negative, Workspace& ws) const {
        const Index lags = dkernel.rows();
        for_items(groups(), gradient_scratch(lags), ws, [&](Index group, Scalar* scratch) {
            Scalar* x_spectrum = scratch + engine_.scratch_size();
            Scalar* g_spectrum = x_spectrum + engine_.spectrum_size();
            Scalar* sum = g_spectrum + engine_.spectrum_size();
            Scalar* dlags = sum + engine_.spectrum_size();
            std::fill_n(sum, engine_.spectrum_size() + lags * lanes, Scalar(0));
            const Index w = width(group);
            for (Index b = 0; b < batch.size; ++b) {
                const Index first = b * batch.length;
                engine_.transform(x.row(first) + group * lanes, x.stride, batch.rows(b), w, x_spectrum,
                                  scratch);
                engine_.transform(g.row(first) + group * lanes, g.stride, batch.rows(b), w, g_spectrum,
                                  scratch);
                engine_.accumulate_correlation(x_spectrum, g_spectrum, w, sum);
            }
            engine_.accumulate_lags(sum, dlags + negative * lanes, lanes, lags - 1 - negative, negative, w,
                                    scratch);
            for (Index row = 0; row < lags; ++row) {
                for (Index c = 0; c < w; ++c) dkernel(row, group * lanes + c) += dlags[row * lanes + c];
            }
        });
    }

private:
    Index width(Index g) const noexcept { return std::min(lanes, channels_ - g * lanes); }
    Scalar* spectrum(Index g) noexcept { return spectra_.data() + g * engine_.spectrum_size(); }
    const Scalar* spectrum(Index g) const noexcept { return spectra_.data() + g * engine_.spectrum_size(); }

    Index gradient_scratch(Index lags) const noexcept {
        return engine_.scratch_size() + 3 * engine_.spectrum_size() + lags * lanes;
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
