// SPDX-License-Identifier: MIT
// One of two units of a program, which differ in their flags. UNIT is its name.
#include <bit>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/fft.hpp>

#include "unit.hpp"

namespace {

using namespace toeplitz;

// What a NaN in a kernel leads to.
[[maybe_unused]] bool refuses_nan() {
    Matrix<float> lags = Matrix<float>::Ones(19, 3);
    Fft<float> op({.length = 10, .channels = 3}, lags);
    lags(7, 2) = std::bit_cast<float>(0x7FC00000U);
#if defined(__cpp_exceptions)
    try {
        op.set_kernel(lags);
    } catch (const value_error& e) {
        return e.id() == 530 &&
               std::string_view(e.what()).find("lag -2, channel 2") != std::string_view::npos;
    }
#endif
    return false;
}

// Products of ones.
bool computes() {
    constexpr Index n = 40;
    constexpr Index d = 19;
    const Fft<float> fft({.length = n, .channels = d}, Matrix<float>(Matrix<float>::Ones(2 * n - 1, d)));
    const Band<float> band({.length = n, .channels = d, .taps = 3}, Matrix<float>(Matrix<float>::Ones(3, d)));
    const Matrix<float> x = Matrix<float>::Ones(n, d);
    Matrix<float> y(n, d);
    Workspace ws;
    fft.apply(x, y, ws);
    band.accumulate(x, y, ws);
    for (Index i = 0; i < n; ++i) {
        const float wanted = static_cast<float>(n + (i == 0 || i == n - 1 ? 2 : 3));
        for (Index c = 0; c < d; ++c) {
            if (!(std::abs(y(i, c) - wanted) < 1e-3F)) return false;
        }
    }
    return true;
}

}  // namespace

bool UNIT() {
#if defined(__cpp_exceptions)
    return computes() && refuses_nan();
#else
    return computes();
#endif
}
