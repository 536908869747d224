// SPDX-License-Identifier: MIT
// Products of small integers, which rounded to the nearest integer are exact: no tolerance at all. The oracle
// is a convolution by number-theoretic transforms.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::test {
namespace {

// Integers modulo a prime p = 119·2²³ + 1 with the primitive root 3.
using Residue = std::uint64_t;
constexpr Residue prime = 998244353;

Residue power(Residue base, Residue exponent) {
    Residue result = 1;
    for (; exponent != 0; exponent >>= 1U, base = base * base % prime) {
        if ((exponent & 1U) != 0) result = result * base % prime;
    }
    return result;
}

// By decimation in frequency: the result is in bit-reversed order, as the inverse wants it.
void transform(std::vector<Residue>& a) {
    for (std::size_t length = a.size(); length > 1; length /= 2) {
        const Residue root = power(3, (prime - 1) / length);
        std::vector<Residue> roots(length / 2, 1);
        for (std::size_t k = 1; k < roots.size(); ++k) roots[k] = roots[k - 1] * root % prime;
        for (std::size_t start = 0; start < a.size(); start += length) {
            for (std::size_t k = 0; k < length / 2; ++k) {
                Residue& low = a[start + k];
                Residue& high = a[start + k + length / 2];
                const Residue difference = low + prime - high;
                low = (low + high) % prime;
                high = difference % prime * roots[k] % prime;
            }
        }
    }
}

void transform_back(std::vector<Residue>& a) {
    for (std::size_t length = 2; length <= a.size(); length *= 2) {
        const Residue root = power(3, prime - 1 - (prime - 1) / length);
        std::vector<Residue> roots(length / 2, 1);
        for (std::size_t k = 1; k < roots.size(); ++k) roots[k] = roots[k - 1] * root % prime;
        for (std::size_t start = 0; start < a.size(); start += length) {
            for (std::size_t k = 0; k < length / 2; ++k) {
                Residue& low = a[start + k];
                Residue& high = a[start + k + length / 2];
                const Residue turned = high * roots[k] % prime;
                high = (low + prime - turned) % prime;
                low = (low + turned) % prime;
            }
        }
    }
    const Residue scale = power(a.size() % prime, prime - 2);
    for (Residue& value : a) value = value * scale % prime;
}

// Entry t of the cyclic convolution of two sequences of as many residues, |value| < p/2.
std::vector<std::int64_t> convolution(std::vector<Residue> a, std::vector<Residue> b) {
    transform(a);
    transform(b);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] * b[i] % prime;
    transform_back(a);
    std::vector<std::int64_t> values;
    values.reserve(a.size());
    for (const Residue r : a) {
        values.push_back(r > prime / 2 ? static_cast<std::int64_t>(r) - static_cast<std::int64_t>(prime)
                                       : static_cast<std::int64_t>(r));
    }
    return values;
}

Residue residue(std::int64_t value) {
    return static_cast<Residue>(value < 0 ? value + static_cast<std::int64_t>(prime) : value);
}

// −largest..largest, or 0 but for a share of them.
std::int64_t digit(const CounterRandom& random, Index i, std::int64_t largest, double share) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    if (random.uniform(at + 1) >= share) return 0;
    return static_cast<std::int64_t>(random.bits(at) % static_cast<std::uint64_t>(2 * largest + 1)) - largest;
}

// T x and Tᵀ x, and the gradient of ⟨g, T x⟩ at all lags, for n steps of d channels.
template <class S, Causality kind>
void expect_exact(Index n, Index d, std::int64_t largest, double share) {
    SCOPED_TRACE("n = " + std::to_string(n) + ", d = " + std::to_string(d));
    const Index first = first_lag_row(n, kind);
    const Index lags = lag_count(n, kind);
    const CounterRandom kernel_digits(1);
    const CounterRandom x_digits(2);
    const CounterRandom g_digits(3);
    Matrix<S> kernel(lags, d);
    Matrix<S> x(n, d);
    Matrix<S> g(n, d);
    for (Index i = 0; i < kernel.size(); ++i) {
        kernel.data()[i] = static_cast<S>(digit(kernel_digits, i, largest, share));
    }
    for (Index i = 0; i < x.size(); ++i) {
        x.data()[i] = static_cast<S>(digit(x_digits, i, largest, 1));
        g.data()[i] = static_cast<S>(digit(g_digits, i, largest, share));
    }
    const Fft<S, kind> op({.length = n, .channels = d}, kernel);
    Workspace ws;
    Matrix<S> y(n, d);
    op.apply(x, y, ws);
    Matrix<S> adjoint(n, d);
    op.apply_adjoint(x, adjoint, ws);
    Matrix<S> gradient = Matrix<S>::Zero(lags, d);
    op.accumulate_kernel_gradient(x, g, gradient, ws);

    std::size_t size = 2;
    while (static_cast<Index>(size) < 2 * n) size *= 2;
    const auto place = [&](Index t) { return static_cast<std::size_t>(t < 0 ? t + Index(size) : t); };
    for (Index c = 0; c < d; ++c) {
        std::vector<Residue> k(size), k_back(size), u(size), u_back(size), v(size);
        for (Index t = -first; t < n; ++t) {
            k[place(t)] = residue(static_cast<std::int64_t>(kernel(t + first, c)));
            k_back[place(-t)] = k[place(t)];
        }
        for (Index i = 0; i < n; ++i) {
            u[place(i)] = residue(static_cast<std::int64_t>(x(i, c)));
            u_back[place(-i)] = u[place(i)];
            v[place(i)] = residue(static_cast<std::int64_t>(g(i, c)));
        }
        const std::vector<std::int64_t> product = convolution(k, u);
        const std::vector<std::int64_t> back = convolution(k_back, u);
        const std::vector<std::int64_t> slope = convolution(v, u_back);
        for (Index i = 0; i < n; ++i) {
            ASSERT_EQ(std::llround(y(i, c)), product[place(i)]) << "product, time " << i << ", channel " << c;
            ASSERT_EQ(std::llround(adjoint(i, c)), back[place(i)]) << "adjoint, time " << i;
        }
        for (Index t = -first; t < n; ++t) {
            ASSERT_EQ(std::llround(gradient(t + first, c)), slope[place(t)]) << "gradient, lag " << t;
        }
    }
}

// Errors are within 4 √log₂N u ‖k‖‖x‖ (support/tolerance.hpp): the kernel and g are as dense as keeps that
// below 1/4.
template <class S>
void expect_exact(Index n, Index d) {
    const std::int64_t largest = std::is_same_v<S, float> ? 1 : 8;
    const auto steps = static_cast<double>(n);
    const double unit = static_cast<double>(std::numeric_limits<S>::epsilon()) / 2;
    const double error = 4 * std::sqrt(std::log2(2 * steps)) * unit * static_cast<double>(largest * largest) *
                         std::sqrt(2.0) * steps;
    const double share = (std::min)(1.0, 1 / (16 * error * error));
    expect_exact<S, Causality::bidirectional>(n, d, largest, share);
    expect_exact<S, Causality::causal>(n, d, largest, share);
}

TEST(ExactIntegers, FloatProductsAreExactWhenRounded) {
    for (const Index n : {65, 100, 1000, 1024, 5000}) expect_exact<float>(n, 3);
    for (const Index d : {2, 8, 13}) expect_exact<float>(700, d);
    for (const Index n : {20000, 65536}) expect_exact<float>(n, 1);
}
TEST(ExactIntegers, DoubleProductsAreExactWhenRounded) {
    for (const Index n : {65, 100, 1000, 1024, 5000}) expect_exact<double>(n, 3);
    for (const Index d : {2, 4, 7}) expect_exact<double>(700, d);
    for (const Index n : {20000, 65536}) expect_exact<double>(n, 1);
}
TEST(SlowExactIntegers, FloatProductsOfMillionsOfStepsAreExactWhenRounded) {
    for (const Index n : {Index{1} << 18, Index{1000003}, Index{1} << 22}) expect_exact<float>(n, 1);
}
TEST(SlowExactIntegers, DoubleProductsOfMillionsOfStepsAreExactWhenRounded) {
    for (const Index n : {Index{1} << 18, Index{1000003}, Index{1} << 22}) expect_exact<double>(n, 1);
}

}  // namespace
}  // namespace toeplitz::test
