// SPDX-License-Identifier: MIT
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

template <class T>
long double root_of_squares(std::span<const T> numbers) {
    long double sum = 0;
    for (const T number : numbers) {
        const auto a = static_cast<long double>(number);
        sum += a * a;
    }
    return std::sqrt(sum);
}

}  // namespace

long double norm_of(std::span<const float> numbers) { return root_of_squares(numbers); }
long double norm_of(std::span<const double> numbers) { return root_of_squares(numbers); }
long double norm_of(std::span<const long double> numbers) { return root_of_squares(numbers); }

}  // namespace toeplitz::test
