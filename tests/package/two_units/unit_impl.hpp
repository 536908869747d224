// SPDX-License-Identifier: MIT
#pragma once

// The same code in both units. It includes every header, so a definition that is not inline clashes.
#include TOEPLITZ_ALL_HEADERS

#include "units.hpp"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static std::vector<float> product(const std::vector<float>& x) {
    const auto n = static_cast<toeplitz::Index>(x.size());
    toeplitz::Matrix<float> lags(2 * n - 1, 8);
    for (toeplitz::Index t = 0; t < lags.rows(); ++t) lags.row(t).setConstant(1.0F / static_cast<float>(t + 1));
    toeplitz::Matrix<float> taps(3, 8);
    taps << lags.topRows(3);
    toeplitz::Matrix<float> from(n, 8);
    for (toeplitz::Index t = 0; t < n; ++t) from.row(t).setConstant(x[static_cast<std::size_t>(t)]);

    const toeplitz::Fft<float> exact({.length = n, .channels = 8}, lags);
    const toeplitz::Band<float> band({.length = n, .channels = 8, .taps = 3}, taps);
    toeplitz::Workspace ws;
    toeplitz::Matrix<float> to(n, 8);
    exact.apply(from, to, ws);
    band.accumulate(from, to, ws);
    std::vector<float> y(x.size());
    for (toeplitz::Index t = 0; t < n; ++t) y[static_cast<std::size_t>(t)] = to(t, 7);
    return y;
}

static void fail() { toeplitz::Fft<float>({.length = 0, .channels = 1}); }

static Unit this_unit() { return {TEXT(TOEPLITZ_ABI), product, fail}; }
