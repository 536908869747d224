// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Plain tiling, what KernelStream's bounded steps are held against: as few operations altogether, and all
/// that a block has to give at once when it is complete.

#include <bit>

#include <toeplitz/operators/fft.hpp>

#include "bench.hpp"

namespace toeplitz::bench {

/// The first n outputs of a causal kernel of n lags, step by step; then it starts over.
///
/// After step c, of which U is the lowest set bit, inputs c−U..c−1 are added to the outputs c..c+U−1 by one
/// exact product: the U × U Toeplitz block of the lags 1..2U−1. Lag 0 is multiplied at once.
class TiledStream {
public:
    struct State {
        State(Index n, Index d, std::size_t workspace) : inputs(n, d), sums(n, d), ws(workspace) {}
        Array<float> inputs;
        Array<float> sums;
        Index time = 0;
        Workspace ws;

        std::size_t state_bytes() const {
            return static_cast<std::size_t>(inputs.size() + sums.size()) * sizeof(float) + ws.capacity();
        }
    };

    /// \param lags n × d, n a power of two
    explicit TiledStream(MatrixView<const float> lags) : lags_(lags.eigen()) {
        for (Index u = 1; u < lags.rows(); u *= 2) {
            tiles_.emplace_back(FftOptions{.length = u, .channels = lags.cols()},
                                lags_.middleRows(1, 2 * u - 1));
        }
    }

    Index lags() const noexcept { return lags_.rows(); }
    std::size_t state_bytes() const {
        auto bytes = static_cast<std::size_t>(lags_.size()) * sizeof(float);
        for (const auto& tile : tiles_) bytes += tile.state_bytes();
        return bytes;
    }
    State make_state() const {
        std::size_t most = 0;
        for (const auto& tile : tiles_) most = std::max(most, tile.required_workspace());
        return State(lags(), lags_.cols(), most);
    }
    void reset(State& state) const {
        const MatrixView<float> sums = state.sums;
        sums.eigen().setZero();
        state.time = 0;
    }

    void process(MatrixView<const float> x, MatrixView<float> y, State& state) const {
        const MatrixView<float> inputs = state.inputs;
        const MatrixView<float> sums = state.sums;
        for (Index row = 0; row < x.rows(); ++row) {
            if (state.time == lags()) reset(state);
            const Index t = state.time++;
            inputs.eigen().row(t) = x.eigen().row(row);
            y.eigen().row(row) = sums.eigen().row(t) + lags_.row(0).cwiseProduct(x.eigen().row(row));
            if (state.time == lags()) continue;
            const auto level = std::countr_zero(static_cast<std::uint64_t>(state.time));
            const Index u = Index{1} << level;
            tiles_[static_cast<std::size_t>(level)].accumulate(inputs.middle_rows(state.time - u, u),
                                                               sums.middle_rows(state.time, u), state.ws);
        }
    }

private:
    Matrix<float> lags_;
    std::vector<Fft<float>> tiles_;
};

}  // namespace toeplitz::bench
