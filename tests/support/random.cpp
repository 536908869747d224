// SPDX-License-Identifier: MIT
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

template <class T>
void fill(std::span<T> numbers, std::uint64_t seed) {
    const CounterRandom random(seed);
    std::uint64_t next = 0;
    for (T& number : numbers) number = static_cast<T>(random.normal(next++));
}

}  // namespace

void fill_normal(std::span<float> numbers, std::uint64_t seed) { fill(numbers, seed); }
void fill_normal(std::span<double> numbers, std::uint64_t seed) { fill(numbers, seed); }
void fill_normal(std::span<long double> numbers, std::uint64_t seed) { fill(numbers, seed); }

}  // namespace toeplitz::test
