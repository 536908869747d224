// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Rounding to bf16 by arithmetic, and products of what is rounded, one number after another.

#include <cmath>

#include <toeplitz/dense/product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::bf16_oracle {

/// The nearest number of 8 significant bits, the even one of two; too large ones are infinite.
template <class T>
T nearest_bf16(T x) requires std::is_floating_point_v<T> {
    if (!std::isfinite(x) || x == 0) return x;
    int exponent = 0;
    std::frexp(x, &exponent);
    const long double unit = std::ldexp(1.0L, (std::max)(exponent, -125) - 8);  // fewer bits below it
    return static_cast<T>(std::nearbyint(static_cast<long double>(x) / unit) * unit);
}
template <class M>
M nearest_bf16(const M& m) requires(!std::is_floating_point_v<M>) {
    return m.unaryExpr([](auto x) { return nearest_bf16(x); });
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …, as products of bf16 define it: each 512 terms are summed by
/// themselves, of each two neighbours the later one first.
inline Matrix<float> bf16_product(detail::Product form, const Matrix<float>& a, const Matrix<float>& b,
                                  Update update, const float* bias, const Matrix<float>& c) {
    using detail::Product;
    const Matrix<float> left =
        nearest_bf16(form == Product::left_transposed ? Matrix<float>(a.transpose()) : a);
    const Matrix<float> right =
        nearest_bf16(form == Product::right_transposed ? Matrix<float>(b.transpose()) : b);
    Matrix<float> result = c;
    for (Index i = 0; i < c.rows(); ++i) {
        for (Index j = 0; j < c.cols(); ++j) {
            for (Index first = 0; first == 0 || first < left.cols(); first += 512) {
                const Index last = (std::min)(first + 512, left.cols());
                float sum = 0;
                for (Index k = first; k < last; k += 2) {
                    if (k + 1 < last) sum = std::fma(left(i, k + 1), right(k + 1, j), sum);
                    sum = std::fma(left(i, k), right(k, j), sum);
                }
                if (first == 0 && bias != nullptr) sum += bias[j];
                result(i, j) = first == 0 && update == Update::assign ? sum : sum + result(i, j);
            }
        }
    }
    return result;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::bf16_oracle
