// SPDX-License-Identifier: MIT
// Returns 0 if y = T x is right in float and double.
#include <cmath>
#include <cstdio>

#include <toeplitz/toeplitz.hpp>

template <class Scalar>
bool product_is_right() {
    const toeplitz::Index n = 100;
    toeplitz::Matrix<Scalar> lags(2 * n - 1, 1);
    toeplitz::Matrix<Scalar> x(n, 1);
    for (toeplitz::Index t = 0; t < 2 * n - 1; ++t) lags(t, 0) = Scalar(1) / static_cast<Scalar>(t + 1);
    for (toeplitz::Index t = 0; t < n; ++t) x(t, 0) = static_cast<Scalar>(t % 7);

    const toeplitz::Fft<Scalar> op({.length = n, .channels = 1}, lags);
    toeplitz::Matrix<Scalar> y(n, 1);
    toeplitz::Workspace ws;
    op.apply(x, y, ws);

    for (toeplitz::Index i = 0; i < n; ++i) {
        double sum = 0;
        for (toeplitz::Index j = 0; j < n; ++j) {
            sum += static_cast<double>(lags(i - j + n - 1, 0)) * static_cast<double>(x(j, 0));
        }
        if (!(std::abs(sum - static_cast<double>(y(i, 0))) < 1e-4)) return false;
    }
    return true;
}

int main() {
    const bool right = product_is_right<float>() && product_is_right<double>();
    std::puts(right ? "right" : "wrong");
    return right ? 0 : 1;
}
