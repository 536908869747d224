// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of weights and rows in fewer bits, one number after another: what all kernels compute bit for
/// bit.

#include <vector>

#include <toeplitz/dense/packed_words.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::word_oracle {

/// One element of y = W x + b, of encoded rows of `size` numbers.
inline float word_product(const detail::Bf16::Number* weight, float /*weight_scale*/,
                          const detail::Bf16::Number* x, float /*x_scale*/, Index size, float bias) {
    const auto at = [](const detail::Bf16::Number* row, Index i, Index end) {
        return i < end ? detail::Bf16::decode(row[i], 1) : 0.0F;
    };
    float sum = 0;
    for (Index k = 0; k < size; k += 2) {
        for (const Index i : {k + 1, k}) sum = std::fma(at(x, i, size), at(weight, i, size), sum);
    }
    sum += bias;
    return sum;
}
inline float word_product(const detail::Int8::Number* weight, float weight_scale,
                          const detail::Int8::Number* x, float x_scale, Index size, float bias) {
    std::int64_t sum = 0;
    for (Index k = 0; k < size; ++k) {
        sum += std::int64_t{std::bit_cast<std::int8_t>(weight[k])} * std::bit_cast<std::int8_t>(x[k]);
    }
    float y = static_cast<float>(sum);
    const float scale = weight_scale * x_scale;
    y *= scale;
    y += bias;
    return y;
}

/// Y = X Wᵀ + 1 bᵀ of some rows.
template <class Numbers, Real Scalar>
Matrix<Scalar> word_products(const Matrix<Scalar>& x, const Matrix<Scalar>& weight,
                             const Vector<Scalar>& bias) {
    using Number = typename Numbers::Number;
    const auto encoded = [](const Matrix<Scalar>& m, std::vector<float>& scales) {
        std::vector<Number> numbers(static_cast<std::size_t>(m.size()) + 1);
        for (Index i = 0; i < m.rows(); ++i) {
            scales.push_back(Numbers::encode(m.row(i).data(), m.cols(), numbers.data() + i * m.cols()));
        }
        return numbers;
    };
    std::vector<float> x_scales;
    std::vector<float> weight_scales;
    const std::vector<Number> x_numbers = encoded(x, x_scales);
    const std::vector<Number> weights = encoded(weight, weight_scales);
    Matrix<Scalar> y(x.rows(), weight.rows());
    for (Index i = 0; i < y.rows(); ++i) {
        for (Index j = 0; j < y.cols(); ++j) {
            const auto row = static_cast<std::size_t>(i);
            const auto col = static_cast<std::size_t>(j);
            y(i, j) = static_cast<Scalar>(word_product(
                weights.data() + j * x.cols(), weight_scales[col], x_numbers.data() + i * x.cols(),
                x_scales[row], x.cols(), bias.size() == 0 ? 0 : static_cast<float>(bias[j])));
        }
    }
    return y;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::word_oracle
