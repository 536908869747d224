// SPDX-License-Identifier: MIT
// What the kinds of tests/support/any_operator.hpp leave open: poles that differ, their gradients, any number
// of modes.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
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
    std::vector<long double> direct;
};

template <class S>
ChannelGradient gradient_by_definition(const OwnedStateSpace<S>& kernel, Index c, const Matrix<S>& x,
                                       const Matrix<S>& g, Index length) {
    const auto modes = static_cast<std::size_t>(kernel.poles.rows());
    const Index taps = kernel.direct.rows();
    ChannelGradient sum{std::vector<Complex>(modes), std::vector<Complex>(modes),
                        std::vector<long double>(static_cast<std::size_t>(taps))};
    for (Index b = 0; b < x.rows() / length; ++b) {
        for (Index t = 0; t < length; ++t) {
            // What falls on lag t.
            long double product = 0;
            for (Index i = t; i < length; ++i) {
                product += static_cast<long double>(g(b * length + i, c)) *
                           static_cast<long double>(x(b * length + i - t, c));
            }
            if (t < taps) sum.direct[static_cast<std::size_t>(t)] += product;
            for (std::size_t i = 0; i < modes && t >= taps; ++i) {
                const Complex pole(kernel.poles(static_cast<Index>(i), c));
                const Complex residue(kernel.residues(static_cast<Index>(i), c));
                const auto power = [&](Index k) { return std::pow(pole, static_cast<int>(k)); };
                const Index k = t - taps;
                sum.residues[i] += product * std::conj(power(k));
                if (k > 0) {
                    sum.poles[i] += product * std::conj(residue * static_cast<long double>(k) * power(k - 1));
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
        return StateSpace<S>({.length = n,
                              .channels = kernel.cols(),
                              .modes = kernel.poles.rows(),
                              .taps = kernel.direct.rows()},
                             kernel.views());
    }

    /// Roundings of modes that do not cancel: each state forgets its own within 1/(1 − |λ|) steps.
    static long double tolerance(const OwnedStateSpace<S>& kernel) {
        return unit<S> * (32 + 16 * static_cast<long double>(kernel.poles.rows() + kernel.direct.rows())) /
               (1 - 0.9L);
    }

    /// T x of each channel by definition, and how far an entry may be from it.
    static Reference by_definition(const OwnedStateSpace<S>& kernel, const Matrix<S>& x) {
        const LongMatrix lags = lags_by_definition(kernel, x.rows());
        Reference result{
            toeplitz_product(Direction::forward, lags, 0, x.template cast<long double>(), x.rows()),
            LongMatrix::Zero(x.rows(), x.cols())};
        for (Index c = 0; c < x.cols(); ++c) {
            result.tolerance.col(c).setConstant(
                tolerance(kernel) * norm(x.col(c)) *
                (norm(lags.col(c)) + norm(kernel.residues.col(c).cwiseAbs())));
        }
        return result;
    }
};

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

TYPED_TEST(StateSpaceTest, TapsComeBeforeTheModes) {
    using S = TypeParam;
    OwnedStateSpace<S> kernel = zero_state_space<S>(1, 1, 3);
    kernel.poles << S(0.5);
    kernel.residues << S(8);
    kernel.direct << S(3), S(-1), S(2);
    const StateSpace<S> op = this->make(6, kernel);
    EXPECT_TRUE(same_bits(op * Vector<S>{{1, 0, 0, 0, 0, 0}}, Vector<S>{{3, -1, 2, 8, 4, 2}}));
    EXPECT_TRUE(same_bits(op * Vector<S>{{0, 0, 1, 0, 0, 0}}, Vector<S>{{0, 0, 3, -1, 2, 8}}));
    EXPECT_TRUE(same_bits(transpose(op) * Vector<S>{{0, 0, 0, 0, 0, 1}}, Vector<S>{{2, 4, 8, 2, -1, 3}}));
    EXPECT_EQ(op.taps(), 3);
    const Matrix<S> two = Vector<S>{{1, 0}};
    EXPECT_TRUE(same_bits(this->make(2, kernel) * two, Vector<S>{{3, -1}})) << "more taps than steps";
}

TYPED_TEST(StateSpaceTest, EveryChannelHasItsOwnPoles) {
    using S = TypeParam;
    for (const Index modes : {0, 1, 2, 3, 4, 5, 6, 7, 8, 11}) {
        for (const Index d : {Index{1}, this->lanes - 1, this->lanes, 4 * this->lanes + 1}) {
            for (const Index n : {1, 2, 63, 64, 65, 200}) {
                for (const Index taps : {Index{1}, 2 + 5 * modes}) {
                    SCOPED_TRACE(testing::Message()
                                 << "s = " << modes << ", d = " << d << ", n = " << n << ", m = " << taps);
                    const auto kernel = random_state_space<S>(modes, d, 1, 0.9, taps);
                    const Matrix<S> x = random_matrix<S>(n, d, 2);
                    const Reference expected = this->by_definition(kernel, x);
                    ASSERT_TRUE(near_each(this->make(n, kernel) * x, expected.value, expected.tolerance));
                }
            }
        }
    }
}

// Modes share vectors then: those that do not fill the last one, real ones beside complex ones.
TYPED_TEST(StateSpaceTest, FewChannelsAreChannelsOfMany) {
    using S = TypeParam;
    const Index n = 2 * 64 + 2 * this->lanes + 3;
    for (Index d = 1; d <= this->lanes + 1; ++d) {
        for (const Index modes :
             {Index{0}, Index{1}, this->lanes, 2 * this->lanes + 1, 5 * this->lanes + 3}) {
            for (const Index taps : {1, 6}) {
                SCOPED_TRACE(testing::Message() << "s = " << modes << ", d = " << d << ", m = " << taps);
                auto kernel = random_state_space<S>(modes, d, 21, 0.8, taps);
                make_real(kernel, modes / 3);
                const Matrix<S> x = random_matrix<S>(n, d, 22);
                const Matrix<S> g = random_matrix<S>(n, d, 23);
                const Reference expected = this->by_definition(kernel, x);
                StateSpace<S> op = this->make(n, kernel);
                ASSERT_TRUE(near_each(op * x, expected.value, expected.tolerance));
                // Views whose rows are apart, and y that is added to.
                Matrix<S> wide = Matrix<S>::Constant(n, d + 1, S(1));
                MatrixView<S> y(wide.data(), n, d, d + 1);
                Workspace ws;
                op.accumulate(x, y, ws);
                const LongMatrix more = expected.value.array() + 1;
                ASSERT_TRUE(near_each(Matrix<S>(y.eigen()), more, 2 * expected.tolerance));
                EXPECT_TRUE(same_bits(Matrix<S>(wide.col(d)), Matrix<S>::Ones(n, 1)));
                // Tᵀ x is T of reversed time.
                EXPECT_TRUE(same_bits(Matrix<S>((transpose(op) * x).colwise().reverse()),
                                      op * Matrix<S>(x.colwise().reverse())));
                EXPECT_EQ(op.stored_kernel().poles, kernel.poles);
                EXPECT_EQ(op.stored_kernel().residues, kernel.residues);
                EXPECT_EQ(op.stored_kernel().direct, kernel.direct);
                // The gradient of each channel is that which it has beside others, up to its roundings.
                OwnedStateSpace<S> many = kernel;
                const Index copies = this->lanes + 1;
                for (auto* numbers : {&many.poles, &many.residues}) {
                    *numbers = numbers->replicate(1, copies).eval();
                }
                many.direct = kernel.direct.replicate(1, copies);
                OwnedStateSpace<S> own = zero_state_space<S>(modes, d, taps);
                OwnedStateSpace<S> others = zero_state_space<S>(modes, d * copies, taps);
                Matrix<S> dx(n, d);
                Matrix<S> dxs(n, d * copies);
                op.backward(x, NoCache{}, g, dx, own.views(), ws);
                this->make(n, many).backward(Matrix<S>(x.replicate(1, copies)), NoCache{},
                                             Matrix<S>(g.replicate(1, copies)), dxs, others.views(), ws);
                EXPECT_TRUE(same_bits(dx, transpose(op) * g));
                const long double tolerance = 64 * 25 * unit<S> * norm(x) * norm(g);
                EXPECT_TRUE(
                    near_all(own.direct, others.direct.leftCols(d).template cast<long double>(), tolerance));
                if (modes == 0) continue;
                EXPECT_LE((own.residues - others.residues.leftCols(d)).cwiseAbs().maxCoeff(), tolerance);
                EXPECT_LE((own.poles - others.poles.leftCols(d)).cwiseAbs().maxCoeff(),
                          tolerance * (1 + norm(kernel.residues.cwiseAbs())));
            }
        }
    }
}

TYPED_TEST(StateSpaceTest, PolesMayBeReal) {
    using S = TypeParam;
    const Index n = 100;
    for (const Index modes : {1, 4, 7}) {
        for (const Index complex : {Index{0}, Index{1}, modes - 1}) {
            for (const Index taps : {1, 3}) {
                SCOPED_TRACE(testing::Message() << complex << " of " << modes << ", m = " << taps);
                const Index d = 3 * this->lanes + 1;
                auto kernel = random_state_space<S>(modes, d, 1, 0.9, taps);
                const StateSpace<S> other = this->make(n, kernel);
                make_real(kernel, complex);
                // A pack with one pole that is not, and one with a residue, which does not matter.
                kernel.poles(modes - 1, 1) = {S(0.3), S(0.5)};
                kernel.residues(modes - 1, 1) = {S(1), S(-2)};
                kernel.residues(modes - 1, this->lanes) = {S(1), S(-2)};
                const Matrix<S> x = random_matrix<S>(n, d, 2);
                const Reference expected = this->by_definition(kernel, x);
                StateSpace<S> op = this->make(n, kernel);
                EXPECT_TRUE(near_each(op * x, expected.value, expected.tolerance));
                const Matrix<S> g = random_matrix<S>(n, d, 3);
                const auto dot = [](const Matrix<S>& a, const Matrix<S>& b) {
                    return a.template cast<long double>().cwiseProduct(b.template cast<long double>()).sum();
                };
                EXPECT_NEAR(static_cast<double>(dot(g, op * x)),
                            static_cast<double>(dot(transpose(op) * g, x)),
                            static_cast<double>(norm(g) * expected.tolerance.maxCoeff()));
                // Another kernel forgets which ones were real.
                const auto before = op.stored_kernel();
                op.set_kernel(other.stored_kernel().kernel());
                EXPECT_TRUE(same_bits(op * x, other * x));
                op.set_kernel(before.kernel());
                EXPECT_TRUE(same_bits(op * x, this->make(n, kernel) * x));
            }
        }
    }
}

TYPED_TEST(StateSpaceTest, ReversedTimeIsTheTranspose) {
    using S = TypeParam;
    using Backward = StateSpace<S, Direction::adjoint>;
    static_assert(Backward::causality() == Causality::bidirectional);
    const Index n = 100;
    const Index d = this->lanes + 1;
    for (const Index taps : {1, 5}) {
        const auto kernel = random_state_space<S>(3, d, 11, 0.9, taps);
        const StateSpace<S> op = this->make(n, kernel);
        const Backward backward({.length = n, .channels = d, .modes = 3, .taps = taps}, kernel.views());
        const Matrix<S> x = random_matrix<S>(2 * n, d, 12);
        const Matrix<S> g = random_matrix<S>(2 * n, d, 13);
        EXPECT_TRUE(same_bits(backward * x, transpose(op) * x));
        EXPECT_TRUE(same_bits(transpose(backward) * x, op * x));
        // ⟨g, Tᵀ x⟩ = ⟨x, T g⟩.
        const std::vector<Index> lengths = {n, n - 30};
        OwnedStateSpace<S> sums = zero_state_space<S>(3, d, taps);
        OwnedStateSpace<S> expected = zero_state_space<S>(3, d, taps);
        Matrix<S> dx(2 * n, d);
        Matrix<S> expected_dx(2 * n, d);
        Workspace ws;
        backward.backward(x, NoCache{}, g, dx, sums.views(), ws, lengths);
        op.backward(g, NoCache{}, x, expected_dx, expected.views(), ws, lengths);
        const long double tolerance =
            64 * 100 * unit<S> * norm(x) * norm(g) * norm(kernel.residues.cwiseAbs());
        EXPECT_TRUE(near_all(sums.direct, expected.direct.template cast<long double>(), tolerance));
        EXPECT_LE((sums.poles - expected.poles).cwiseAbs().maxCoeff(), tolerance);
        EXPECT_LE((sums.residues - expected.residues).cwiseAbs().maxCoeff(), tolerance);
        Matrix<S> product(2 * n, d);
        op.apply(g, product, ws, lengths);
        EXPECT_TRUE(same_bits(dx, product));
        Matrix<S> lags(2 * n - 1, d);
        Matrix<S> mirrored(2 * n - 1, d);
        op.kernel_lags(kernel.views(), lags, ws);
        backward.kernel_lags(kernel.views(), mirrored, ws);
        EXPECT_TRUE(same_sums(mirrored, lags.colwise().reverse(), 64 * unit<S> * norm(lags)));
    }
}

TYPED_TEST(StateSpaceTest, GradientsAreThoseOfTheDefinition) {
    using S = TypeParam;
    for (const Index modes : {0, 1, 2, 3, 5}) {
        for (const Index d : {Index{1}, Index{2}, this->lanes + 1}) {
            for (const Index n : {1, 2, 3, 63, 64, 65, 150}) {
                const Index taps = 1 + (modes + n) % 4;
                SCOPED_TRACE(testing::Message()
                             << "s = " << modes << ", d = " << d << ", n = " << n << ", m = " << taps);
                const auto kernel = random_state_space<S>(modes, d, 3, 0.8, taps);
                const StateSpace<S> op = this->make(n, kernel);
                const Matrix<S> x = random_matrix<S>(2 * n, d, 4);
                const Matrix<S> g = random_matrix<S>(2 * n, d, 5);
                OwnedStateSpace<S> sums = zero_state_space<S>(modes, d, taps);
                Matrix<S> dx(2 * n, d);
                Workspace ws;
                op.backward(x, NoCache{}, g, dx, sums.views(), ws);
                for (Index c = 0; c < d; ++c) {
                    const ChannelGradient expected = gradient_by_definition(kernel, c, x, g, n);
                    // Two states that forget within five steps each, and their product with the residue.
                    const long double tolerance = 64 * 25 * unit<S> * norm(x.col(c)) * norm(g.col(c)) *
                                                  (1 + norm(kernel.residues.col(c).cwiseAbs()));
                    for (Index q = 0; q < taps; ++q) {
                        EXPECT_TRUE(near(static_cast<long double>(sums.direct(q, c)),
                                         expected.direct[static_cast<std::size_t>(q)], tolerance));
                    }
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
    const long double tolerance = 64 * unit<S> * norm(y);
    for (const Index n : {1, 63, 64, 100}) {
        const Matrix<S> first = x.topRows(n);
        EXPECT_TRUE(same_sums(this->make(n, kernel) * first, y.topRows(n), tolerance)) << n;
        const std::vector<Index> lengths = {n};
        Matrix<S> padded(150, 7);
        Workspace ws;
        this->make(150, kernel).apply(x, padded, ws, lengths);
        EXPECT_TRUE(same_sums(padded.topRows(n), y.topRows(n), tolerance)) << n;
    }
}

TYPED_TEST(StateSpaceTest, SilenceEndsInZeros) {
    using S = TypeParam;
    volatile S least = std::numeric_limits<S>::min();
    const S denormal = least / 2;
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
    // Others still have them, if they had.
    EXPECT_EQ(least / 2, denormal);
}

TYPED_TEST(StateSpaceTest, WritesTheLagsOfAKernel) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(4, 3, 8, 0.9, 4);
    const Index n = 30;
    const StateSpace<S> op({.length = n, .channels = 3, .modes = 4, .taps = 4});
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
    for (const Index taps : {0, 65}) {
        expect_error<config_error>(
            513, "[toeplitz.config.513] StateSpace: expected taps of 1..64, got " + std::to_string(taps),
            [&] { StateSpace<S>({.length = 1, .channels = 1, .taps = taps}); });
    }
}

}  // namespace
}  // namespace toeplitz::test
