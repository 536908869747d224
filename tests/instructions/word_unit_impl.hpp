// SPDX-License-Identifier: MIT
#include <support/word_oracle.hpp>

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

WordUnit this_unit() {
    return {TEXT(TOEPLITZ_ABI), detail::has_word_instruction<detail::Bf16>,
            detail::has_word_instruction<detail::Int8>, products<detail::Bf16>, products<detail::Int8>};
}

}  // namespace
}  // namespace toeplitz::inline TOEPLITZ_ABI
