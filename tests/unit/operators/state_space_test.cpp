// SPDX-License-Identifier: MIT
// What the kinds of tests/support/model.hpp leave open: poles that differ, their gradients, any number of
// modes.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/state_space.hpp>

namespace toeplitz::test {
namespace {

using Complex = std::complex<long double>;

/// ⟨g, T x⟩ of one channel and its gradient, term by term.
struct ChannelGradient {
    std::vector<Complex> poles;
    std::vector<Complex> residues;
    long double direct = 0;
};

template <class S>
ChannelGradient gradient_by_definition(const OwnedStateSpace<S>& kernel, Index c, const Matrix<S>& x,
                                       const Matrix<S>& g, Index length) {
    const auto modes = static_cast<std::size_t>(kernel.poles.rows());
    ChannelGradient sum{std::vector<Complex>(modes), std::vector<Complex>(modes), 0};
    for (Index b = 0; b < x.rows() / length; ++b) {
        for (Index t = 0; t < length; ++t) {
            // What falls on lag t.
            long double product = 0;
            for (Index i = t; i < length; ++i) {
                product += static_cast<long double>(g(b * length + i, c)) *
                           static_cast<long double>(x(b * length + i - t, c));
            }
            if (t == 0) sum.direct += product;
            for (std::size_t i = 0; i < modes && t > 0; ++i) {
                const Complex pole(kernel.poles(static_cast<Index>(i), c));
                const Complex residue(kernel.residues(static_cast<Index>(i), c));
                const auto power = [&](Index k) {
                    Complex value = 1;
                    for (Index j = 0; j < k; ++j) value *= pole;
                    return value;
                };
                sum.residues[i] += product * std::conj(power(t - 1));
                if (t > 1) {
                    sum.poles[i] +=
                        product * std::conj(residue * static_cast<long double>(t - 1) * power(t - 2));
                }
            }
        }
    }
    return sum;
}

template <class S>
class StateSpaceTest : public testing::Test {
protected:
    static constexpr Index lanes = Simd<S>::lanes;

    static StateSpace<S> make(Index n, const OwnedStateSpace<S>& kernel) {
        return StateSpace<S>({.length = n, .channels = kernel.cols(), .modes = kernel.poles.rows()},
                             kernel.views());
    }

    /// Roundings of modes that do not cancel: each state forgets its own within 1/(1 − |λ|) steps.
    static long double tolerance(const OwnedStateSpace<S>& kernel) {
        return unit<S> * (32 + 16 * static_cast<long double>(kernel.poles.rows())) / (1 - 0.9L);
    }
};

using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(StateSpaceTest, Scalars);

TYPED_TEST(StateSpaceTest, OutputComesBeforeTheUpdate) {
    using S = TypeParam;
    OwnedStateSpace<S> kernel = zero_state_space<S>(2, 1);
    kernel.poles << S(0.5), std::complex<S>(0, 1);
    kernel.residues << S(8), std::complex<S>(1, -2);
    kernel.direct << S(3);
    const StateSpace<S> op = this->make(5, kernel);
    const Vector<S> x{{1, 0, 0, 0, 0}};
    // 3; 8 + Re(1 − 2i); 4 + Re(i(1 − 2i)); 2 − 1; 1 − 2
    EXPECT_TRUE(same_bits(op * x, Vector<S>{{3, 9, 6, 1, -1}}));
    EXPECT_TRUE(same_bits(transpose(op) * Vector<S>{{0, 0, 0, 0, 1}}, Vector<S>{{-1, 1, 6, 9, 3}}));
    EXPECT_EQ(op.modes(), 2);
    EXPECT_EQ(op.causality(), Causality::causal);
}

TYPED_TEST(StateSpaceTest, EveryChannelHasItsOwnPoles) {
    using S = TypeParam;
    for (const Index modes : {0, 1, 2, 3, 4, 5, 6, 7, 8, 11}) {
        for (const Index d : {Index{1}, this->lanes - 1, this->lanes, 4 * this->lanes + 1}) {
            for (const Index n : {1, 2, 63, 64, 65, 200}) {
                SCOPED_TRACE(testing::Message() << "s = " << modes << ", d = " << d << ", n = " << n);
                const auto kernel = random_state_space<S>(modes, d, 1);
                const LongMatrix lags = lags_by_definition(kernel, n);
                const Matrix<S> x = random_matrix<S>(n, d, 2);
                LongMatrix expected = LongMatrix::Zero(n, d);
                LongMatrix tolerance = LongMatrix::Zero(n, d);
                for (Index c = 0; c < d; ++c) {
                    for (Index i = 0; i < n; ++i) {
                        for (Index j = 0; j <= i; ++j) {
                            expected(i, c) += lags(i - j, c) * static_cast<long double>(x(j, c));
                        }
                    }
                    tolerance.col(c).setConstant(
                        this->tolerance(kernel) * norm(x.col(c)) *
                        (norm(lags.col(c)) + norm(kernel.residues.col(c).cwiseAbs())));
                }
                ASSERT_TRUE(near_each(this->make(n, kernel) * x, expected, tolerance));
            }
        }
    }
}

TYPED_TEST(StateSpaceTest, GradientsAreThoseOfTheDefinition) {
    using S = TypeParam;
    for (const Index modes : {0, 1, 2, 3, 5}) {
        for (const Index d : {Index{2}, this->lanes + 1}) {
            for (const Index n : {1, 2, 3, 63, 64, 65, 150}) {
                SCOPED_TRACE(testing::Message() << "s = " << modes << ", d = " << d << ", n = " << n);
                const auto kernel = random_state_space<S>(modes, d, 3, 0.8);
                const StateSpace<S> op = this->make(n, kernel);
                const Matrix<S> x = random_matrix<S>(2 * n, d, 4);
                const Matrix<S> g = random_matrix<S>(2 * n, d, 5);
                OwnedStateSpace<S> sums = zero_state_space<S>(modes, d);
                Matrix<S> dx(2 * n, d);
                Workspace ws;
                op.backward(x, NoCache{}, g, dx, sums.views(), ws);
                for (Index c = 0; c < d; ++c) {
                    const ChannelGradient expected = gradient_by_definition(kernel, c, x, g, n);
                    // Two states that forget within five steps each, and their product with the residue.
                    const long double tolerance = 64 * 25 * unit<S> * norm(x.col(c)) * norm(g.col(c)) *
                                                  (1 + norm(kernel.residues.col(c).cwiseAbs()));
                    EXPECT_TRUE(
                        near(static_cast<long double>(sums.direct(0, c)), expected.direct, tolerance));
                    for (Index i = 0; i < modes; ++i) {
                        const auto k = static_cast<std::size_t>(i);
                        EXPECT_LE(std::abs(Complex(sums.residues(i, c)) - expected.residues[k]), tolerance);
                        EXPECT_LE(std::abs(Complex(sums.poles(i, c)) - expected.poles[k]), tolerance);
                    }
                }
                EXPECT_TRUE(same_bits(dx, transpose(op) * g));
                if (testing::Test::HasFailure()) return;
            }
        }
    }
}

TYPED_TEST(StateSpaceTest, AShorterSequenceHasTheSameBits) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(5, 7, 6);
    const Matrix<S> x = random_matrix<S>(150, 7, 7);
    const Matrix<S> y = this->make(150, kernel) * x;
    for (const Index n : {1, 63, 64, 100}) {
        const Matrix<S> first = x.topRows(n);
        EXPECT_TRUE(same_bits(this->make(n, kernel) * first, y.topRows(n))) << n;
        const std::vector<Index> lengths = {n};
        Matrix<S> padded(150, 7);
        Workspace ws;
        this->make(150, kernel).apply(x, padded, ws, lengths);
        EXPECT_TRUE(same_bits(padded.topRows(n), y.topRows(n))) << n;
    }
}

TYPED_TEST(StateSpaceTest, SilenceEndsInZeros) {
    using S = TypeParam;
    OwnedStateSpace<S> kernel = zero_state_space<S>(1, 1);
    kernel.poles << S(0.5);
    kernel.residues << S(1);
    const Index n = 2000;
    Matrix<S> x = Matrix<S>::Zero(n, 1);
    x(0, 0) = 1;
    const Matrix<S> y = this->make(n, kernel) * x;
    for (Index t = 1; t < n; ++t) {
        const S exact = std::ldexp(S(1), static_cast<int>(1 - t));
        EXPECT_TRUE(y(t, 0) == exact || (exact < std::numeric_limits<S>::min() && y(t, 0) == 0)) << t;
    }
#if defined(__SSE__) || defined(__aarch64__)
    EXPECT_EQ(y(n - 1, 0), S(0));
    const Index last_normal = 1 - std::numeric_limits<S>::min_exponent;
    EXPECT_EQ(y(last_normal + 2, 0), S(0)) << "no number below the smallest normal one";
#endif
    // Others still have them.
    volatile S least = std::numeric_limits<S>::min();
    EXPECT_GT(least / 2, S(0));
}

TYPED_TEST(StateSpaceTest, WritesTheLagsOfAKernel) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(4, 3, 8);
    const Index n = 30;
    const StateSpace<S> op({.length = n, .channels = 3, .modes = 4});
    Matrix<S> lags(2 * n - 1, 3);
    Workspace ws;
    op.kernel_lags(kernel.views(), lags, ws);
    LongMatrix expected = LongMatrix::Zero(2 * n - 1, 3);
    expected.bottomRows(n) = lags_by_definition(kernel, n);
    EXPECT_TRUE(near_all(lags, expected, 8 * unit<S> * expected.cwiseAbs().maxCoeff()));
    static_assert(HasKernelLags<StateSpace<S>>);
}

TYPED_TEST(StateSpaceTest, RefusesKernelsOfOtherShapesAndStaysAsItWas) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(2, 3, 9);
    StateSpace<S> op = this->make(4, kernel);
    const Matrix<S> x = random_matrix<S>(4, 3, 10);
    const Matrix<S> y = op * x;
    auto more = random_state_space<S>(3, 3, 9);
    const std::string shape =
        "[toeplitz.shape.501] StateSpace::set_kernel: expected a kernel of 2×3, got 3×3";
    expect_error<shape_error>(501, shape, [&] { op.set_kernel(more.views()); });
    more.poles = kernel.poles;
    expect_error<shape_error>(501, shape, [&] { op.set_kernel(more.views()); });
    auto bad = kernel;
    bad.residues(1, 2).imag(std::numeric_limits<S>::quiet_NaN());
    expect_error<value_error>(530,
                              "[toeplitz.value.530] StateSpace::set_kernel: expected a finite kernel, got a "
                              "NaN or an infinity at residue 1, channel 2",
                              [&] { op.set_kernel(bad.views()); });
    bad = kernel;
    bad.direct(0, 1) = std::numeric_limits<S>::infinity();
    expect_error<value_error>(530,
                              "[toeplitz.value.530] StateSpace::set_kernel: expected a finite kernel, got a "
                              "NaN or an infinity at direct 0, channel 1",
                              [&] { op.set_kernel(bad.views()); });
    EXPECT_TRUE(same_bits(op * x, y));
    expect_error<config_error>(512, "[toeplitz.config.512] StateSpace: expected modes >= 0, got -1",
                               [] { StateSpace<S>({.length = 1, .channels = 1, .modes = -1}); });
}

}  // namespace
}  // namespace toeplitz::test
