// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How far a result may be from its reference: rounding units of the scalar times what an algorithm of that
/// size loses, and the comparisons that use it.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <gtest/gtest.h>

#include <toeplitz/core/view.hpp>

namespace toeplitz::test {

/// The unit roundoff u: 2⁻²⁴ for float, 2⁻⁵³ for double.
template <class T>
inline constexpr long double unit = static_cast<long double>(std::numeric_limits<T>::epsilon()) / 2;

/// In units of u: what a product by transforms of smooth size N loses. Errors grow like √log N and measure at
/// most 1.1 √log₂N; below N = 16 the fixed number of other roundings is what counts.
///
/// The bound |y − y_ref| ≤ transform_error(N) u ‖k‖₂ ‖x‖₂ holds for each entry; ‖y − y_ref‖₂ ≤
/// transform_error(N) u ‖y_ref‖₂ for kernels that do not cancel. Sums of N products by definition keep both.
inline long double transform_error(Index size) {
    return 4 * std::sqrt(std::log2(static_cast<long double>(std::max<Index>(size, 16))));
}

/// Two numbers within a tolerance; a NaN never is.
inline testing::AssertionResult near(long double actual, long double expected, long double tolerance) {
    if (std::abs(actual - expected) <= tolerance) return testing::AssertionSuccess();
    return testing::AssertionFailure() << actual << " is not within " << tolerance << " of " << expected;
}

/// Every entry within its own tolerance.
template <class T, class Reference, class Tolerance>
testing::AssertionResult near_each(const T& actual, const Reference& expected, const Tolerance& tolerance) {
    if (actual.rows() != expected.rows() || actual.cols() != expected.cols()) {
        return testing::AssertionFailure() << "shapes differ: " << actual.rows() << "x" << actual.cols()
                                           << " and " << expected.rows() << "x" << expected.cols();
    }
    for (Index i = 0; i < actual.rows(); ++i) {
        for (Index j = 0; j < actual.cols(); ++j) {
            const auto a = static_cast<long double>(actual(i, j));
            const auto b = static_cast<long double>(expected(i, j));
            const auto most = static_cast<long double>(tolerance(i, j));
            if (!(std::abs(a - b) <= most)) {
                return testing::AssertionFailure()
                       << "at (" << i << ", " << j << "): " << near(a, b, most).message();
            }
        }
    }
    return testing::AssertionSuccess();
}

/// Every entry within one tolerance.
template <class T, class Reference>
testing::AssertionResult near_all(const T& actual, const Reference& expected, long double tolerance) {
    return near_each(actual, expected, [tolerance](Index, Index) { return tolerance; });
}

/// The same bits, signs of zero aside; a NaN equals nothing.
template <class A, class B>
testing::AssertionResult same_bits(const A& actual, const B& expected) {
    return near_all(actual, expected, 0);
}

/// The same bits; within the tolerance where -ffast-math lets the compiler change the order of sums.
template <class A, class B>
testing::AssertionResult same_sums(const A& actual, const B& expected,
                                   [[maybe_unused]] long double tolerance) {
#if defined(__FAST_MATH__)
    return near_all(actual, expected, tolerance);
#else
    return same_bits(actual, expected);
#endif
}

/// ‖a‖₂ of numbers.
long double norm_of(std::span<const float> numbers);
long double norm_of(std::span<const double> numbers);
long double norm_of(std::span<const long double> numbers);

/// ‖a‖₂ of all entries.
template <class M>
long double norm(const M& matrix) {
    long double sum = 0;
    for (Index i = 0; i < matrix.rows(); ++i) {
        for (Index j = 0; j < matrix.cols(); ++j) {
            const auto a = static_cast<long double>(matrix(i, j));
            sum += a * a;
        }
    }
    return std::sqrt(sum);
}
template <class T>
long double norm(const Matrix<T>& matrix) {
    return norm_of(std::span<const T>(matrix.data(), static_cast<std::size_t>(matrix.size())));
}

/// ‖a − b‖₂ / ‖b‖₂ of all entries.
template <class A, class B>
long double relative_error(const A& actual, const B& expected) {
    return norm((actual.template cast<long double>() - expected.template cast<long double>()).eval()) /
           norm(expected);
}

}  // namespace toeplitz::test
