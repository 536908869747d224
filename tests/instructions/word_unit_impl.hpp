// SPDX-License-Identifier: MIT
#include <support/bf16_oracle.hpp>
#include <support/word_oracle.hpp>

#include <toeplitz/dense/rounded_product.hpp>

#include "word_unit.hpp"

#define TEXT(x) TEXT_OF(x)
#define TEXT_OF(x) #x

namespace toeplitz::inline TOEPLITZ_ABI {
namespace {

template <class Numbers, detail::Arithmetic arithmetic>
std::vector<float> product(const WordProblem& problem, const Matrix<float>& x, const Matrix<float>& weight,
                           const Vector<float>& bias) {
    Matrix<float> y(problem.rows, problem.outputs);
    Workspace ws;
    constexpr bool is_bf16 = std::is_same_v<Numbers, detail::Bf16>;
    const EncodedMatrix<float> encoded(weight, is_bf16 ? WeightFormat::bf16 : WeightFormat::int8);
    detail::PackedWords<Numbers, float, arithmetic>(encoded, bias).apply(x, y, ws, {});
    return {y.data(), y.data() + y.size()};
}

template <class Numbers>
WordUnit::Results products(const WordProblem& problem) {
    using detail::Arithmetic;
    using Map = Eigen::Map<const Matrix<float>>;
    const Matrix<float> x = Map(problem.x.data(), problem.rows, problem.inputs);
    const Matrix<float> weight = Map(problem.weight.data(), problem.outputs, problem.inputs);
    const Vector<float> bias = Eigen::Map<const Vector<float>>(problem.bias.data(), problem.outputs);
    const Matrix<float> y = word_oracle::word_products<Numbers>(x, weight, bias);
    WordUnit::Results results;
    results.expected.assign(y.data(), y.data() + y.size());
    results.portable = product<Numbers, Arithmetic::portable>(problem, x, weight, bias);
    if constexpr (detail::has_word_instruction<Numbers>) {
        results.native = product<Numbers, Arithmetic::native>(problem, x, weight, bias);
    }
    return results;
}

template <detail::Arithmetic arithmetic>
std::vector<float> trained_product(detail::Product form, const Matrix<float>& a, const Matrix<float>& b,
                                   const WordProblem& problem) {
    Matrix<float> y = Matrix<float>::Ones(problem.rows, problem.outputs);
    Workspace ws;
    detail::multiply_blocks<detail::RoundedFactors<arithmetic>, float>(form, a, b, Update::add,
                                                                       problem.bias.data(), y, ws, {});
    return {y.data(), y.data() + y.size()};
}

WordUnit::Results trained_products(const WordProblem& problem) {
    using detail::Arithmetic;
    using detail::Product;
    using Map = Eigen::Map<const Matrix<float>>;
    const Matrix<float> x = Map(problem.x.data(), problem.rows, problem.inputs);
    const Matrix<float> weight = Map(problem.weight.data(), problem.outputs, problem.inputs);
    const Matrix<float> x_transposed = x.transpose();
    const Matrix<float> weight_transposed = weight.transpose();
    WordUnit::Results results;
    for (const Product form : {Product::plain, Product::right_transposed, Product::left_transposed}) {
        const Matrix<float>& a = form == Product::left_transposed ? x_transposed : x;
        const Matrix<float>& b = form == Product::right_transposed ? weight : weight_transposed;
        const auto append = [](std::vector<float>& to, const std::vector<float>& y) {
            to.insert(to.end(), y.begin(), y.end());
        };
        const Matrix<float> ones = Matrix<float>::Ones(problem.rows, problem.outputs);
        const Matrix<float> y = bf16_oracle::bf16_product(form, a, b, Update::add, problem.bias.data(), ones);
        append(results.expected, {y.data(), y.data() + y.size()});
        append(results.portable, trained_product<Arithmetic::portable>(form, a, b, problem));
        if constexpr (detail::has_word_instruction<detail::Bf16>) {
            append(results.native, trained_product<Arithmetic::native>(form, a, b, problem));
        }
    }
    return results;
}

WordUnit this_unit() {
    return {TEXT(TOEPLITZ_ABI),
            detail::has_word_instruction<detail::Bf16>,
            detail::has_word_instruction<detail::Int8>,
            products<detail::Bf16>,
            trained_products,
            products<detail::Int8>};
}

}  // namespace
}  // namespace toeplitz::inline TOEPLITZ_ABI
