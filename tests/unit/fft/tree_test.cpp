// SPDX-License-Identifier: MIT
#include <array>
#include <bit>
#include <complex>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/sanitizers.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/fft/tree_convolution.hpp>

namespace toeplitz::test {
namespace {

// ---- butterflies ---------------------------------------------------------------------------------------

/// One node with every channel different, beside its definition. Radices that this target's trees do not use
/// are tested too.
template <class S>
class TreeButterflyTest : public testing::Test {
protected:
    using Complex = detail::ComplexPack<S>;
    using Pack = typename Simd<S>::Pack;
    using LongComplex = std::complex<long double>;

    static constexpr Index lanes = Simd<S>::lanes;

    static LongComplex lane(const Complex& z, Index c) {
        const auto i = static_cast<int>(c);
        return {static_cast<long double>(z.re[i]), static_cast<long double>(z.im[i])};
    }

    static LongComplex unit_circle(long double turn) {
        const long double angle = 2 * std::numbers::pi_v<long double> * turn;
        return {std::cos(angle), std::sin(angle)};
    }

    static Complex random_complex(const CounterRandom& random, std::uint64_t first) {
        Complex z{};
        for (int c = 0; c < static_cast<int>(lanes); ++c) {
            const auto i = first + 2 * static_cast<std::uint64_t>(c);
            z.re[c] = static_cast<S>(random.normal(i));
            z.im[c] = static_cast<S>(random.normal(i + 1));
        }
        return z;
    }

    /// \param turns the angles of the children's roots r_k, in units of 2π
    template <class Radix, Index R>
    static void expect_definition(const std::vector<S>& factors, const std::vector<long double>& turns) {
        SCOPED_TRACE("radix " + std::to_string(R));
        const typename Radix::template Factors<S> f(factors.data());
        const CounterRandom random(R);
        Complex a[R];
        Complex z[R];
        Complex back[R];
        for (Index m = 0; m < R; ++m) {
            a[m] = z[m] = random_complex(random, static_cast<std::uint64_t>(100 * m));
        }
        Radix::split(z, f);
        for (Index m = 0; m < R; ++m) back[m] = z[m];
        Radix::join(back, f);

        Pack real[R];
        Complex real_z[R];
        for (Index m = 0; m < R; ++m) real[m] = a[m].re;
        Radix::split_real(real, real_z, f);
        Complex scrap[R];
        Pack real_back[R];
        for (Index m = 0; m < R; ++m) scrap[m] = z[m];
        Radix::join_real(scrap, real_back, f);

        for (Index c = 0; c < lanes; ++c) {
            long double size = 0;
            for (Index m = 0; m < R; ++m) size += std::abs(lane(a[m], c));
            const long double tolerance = 8 * unit<S> * size;
            for (Index k = 0; k < R; ++k) {
                LongComplex expected = 0;
                LongComplex expected_real = 0;
                for (Index m = 0; m < R; ++m) {
                    const auto power =
                        unit_circle(turns[static_cast<std::size_t>(k)] * static_cast<long double>(m));
                    expected += lane(a[m], c) * power;
                    expected_real += lane(a[m], c).real() * power;
                }
                EXPECT_LE(std::abs(lane(z[k], c) - expected), tolerance) << "point " << k;
                EXPECT_LE(std::abs(lane(real_z[k], c) - expected_real), tolerance) << "point " << k;
                const LongComplex original = lane(a[k], c) * static_cast<long double>(R);
                EXPECT_LE(std::abs(lane(back[k], c) - original), R * tolerance) << "coefficient " << k;
                const auto real_part = static_cast<long double>(real_back[k][static_cast<int>(c)]);
                EXPECT_LE(std::abs(real_part - original.real()), R * tolerance) << "coefficient " << k;
            }
        }
    }

    template <Index R>
    static void expect_node(detail::Turn node) {
        std::vector<S> factors;
        for (Index m = 1; m < R; ++m) {
            const auto power = unit_circle(static_cast<long double>(m * node.numerator) /
                                           static_cast<long double>(R * node.denominator));
            factors.push_back(static_cast<S>(power.real()));
            factors.push_back(static_cast<S>(power.imag()));
        }
        ASSERT_EQ(static_cast<Index>(factors.size()), detail::NodeRadix<R>::factor_size);
        std::vector<detail::Turn> roots;
        for (Index k = 0; k < R; ++k)
            roots.push_back(node.root(std::countr_zero(static_cast<unsigned>(R)), k));
        expect_definition<detail::NodeRadix<R>, R>(factors, turns_of(roots));
    }

    template <Index R>
    static void expect_odd_root() {
        std::vector<detail::Turn> roots;
        for (Index k = 0; k < R; ++k) {
            roots.push_back({(detail::OddRoot<R>::quarter_turns * R + 4 * k) % (4 * R), 4 * R});
            const auto power = unit_circle(turns_of(roots).back() * R);
            EXPECT_LE(std::abs(power - LongComplex(0, 1)), 1e-15L) << "root " << k << " of z^" << R << " = i";
        }
        expect_definition<detail::OddRoot<R>, R>({}, turns_of(roots));
    }

    static std::vector<long double> turns_of(const std::vector<detail::Turn>& turns) {
        std::vector<long double> values;
        for (const detail::Turn& turn : turns) {
            values.push_back(static_cast<long double>(turn.numerator) /
                             static_cast<long double>(turn.denominator));
        }
        return values;
    }
};

TYPED_TEST_SUITE(TreeButterflyTest, Scalars);

TYPED_TEST(TreeButterflyTest, BinaryNodesEvaluateAtTheirRoots) {
    for (const detail::Turn node :
         {detail::Turn{1, 4}, detail::Turn{0, 1}, detail::Turn{5, 12}, detail::Turn{27, 28}}) {
        this->template expect_node<2>(node);
        this->template expect_node<4>(node);
        this->template expect_node<8>(node);
        this->template expect_node<16>(node);
    }
}

TYPED_TEST(TreeButterflyTest, OddRootsEvaluateAtTheRootsOfI) {
    this->template expect_odd_root<3>();
    this->template expect_odd_root<5>();
    this->template expect_odd_root<7>();
}

TYPED_TEST(TreeButterflyTest, RootsOfUnityAreOneRoundingFromTheCircle) {
    // A table's entry and the last sum: u/2 near 1, and next to nothing beside.
    for (const Index order : {Index{1}, Index{2}, Index{3}, Index{7}, Index{64}, Index{100}, Index{99991},
                              Index{1} << 22, 5 * (Index{1} << 19), (Index{1} << 40) + 3}) {
        const detail::RootsOfUnity roots(order);
        EXPECT_EQ(roots.order(), order);
        const Index step = std::max<Index>(1, order / 9973);
        for (Index j = 0; j < order; j += step) {
            const auto point = roots.template at<TypeParam>(j);
            const auto exact =
                this->unit_circle(static_cast<long double>(j) / static_cast<long double>(order));
            ASSERT_TRUE(near(point[0], exact.real(), 0.6L * unit<TypeParam>)) << j << "/" << order;
            ASSERT_TRUE(near(point[1], exact.imag(), 0.6L * unit<TypeParam>)) << j << "/" << order;
        }
        if (order % 4 == 0) {
            EXPECT_EQ(roots.template at<TypeParam>(order / 4)[0], 0);
            EXPECT_EQ(roots.template at<TypeParam>(order / 4)[1], 1);
            EXPECT_EQ(roots.template at<TypeParam>(order / 2)[0], -1);
        }
    }
}

TEST(TreeOrderTest, HoldsEveryRootOfIOnceAsSplitsLeaveThem) {
    for (const Index size : {16, 20, 24, 28, 96, 1280}) {
        const Buffer<Index> order = detail::tree_order(size);
        std::vector<bool> seen(static_cast<std::size_t>(size));
        for (Index p = 0; p < size; ++p) {
            ASSERT_TRUE(order[p] >= 0 && order[p] < size && !seen[static_cast<std::size_t>(order[p])]);
            seen[static_cast<std::size_t>(order[p])] = true;
            // The other square root of the same number is the neighbour, half a turn further.
            if (p % 2 == 0) {
                EXPECT_EQ(order[p + 1], order[p] + size / 2) << p;
            }
        }
    }
}

// ---- the engine ----------------------------------------------------------------------------------------

template <class S>
class TreeConvolutionTest : public testing::Test {
protected:
    using Engine = TreeConvolution<S>;

    static constexpr S untouched = S(-77);

    /// Row t + negative of `lags` is lag t.
    static Buffer<S> spectrum_of(const Engine& engine, const Matrix<S>& lags, Index negative) {
        Buffer<S> spectrum(engine.spectrum_size());
        Buffer<S> scratch(engine.scratch_size());
        engine.transform_kernel(lags, negative, spectrum.data(), scratch.data());
        return spectrum;
    }

    template <Direction direction = Direction::forward>
    static Matrix<S> convolve(const Engine& engine, const Buffer<S>& kernel, const Matrix<S>& x) {
        Buffer<S> scratch(engine.scratch_size());
        Matrix<S> y = Matrix<S>::Constant(x.rows(), x.cols(), untouched);
        engine.template convolve<direction, Update::assign>(x, kernel.data(), y, scratch.data());
        return y;
    }

    /// `rows` rows of T x, or of Tᵀ x, by definition.
    static LongMatrix product(const Matrix<S>& lags, Index negative, const Matrix<S>& x, Index rows,
                              Direction direction = Direction::forward) {
        return toeplitz_product(direction, lags.template cast<long double>(), negative,
                                x.template cast<long double>(), rows);
    }

    /// Every way to T x for one direction, at length n.
    template <Direction direction>
    static void expect_products(const Engine& engine, Index n, Index width) {
        SCOPED_TRACE("n = " + std::to_string(n) + ", width = " + std::to_string(width));
        const Matrix<S> lags = random_matrix<S>(2 * n - 1, width, 1);
        const Matrix<S> x = random_matrix<S>(n, width, 2);
        const Buffer<S> kernel = spectrum_of(engine, lags, n - 1);
        const LongMatrix expected = product(lags, n - 1, x, n, direction);
        const long double error = transform_error(engine.size()) * unit<S>;

        // Rows wider than the group: what lies beside it is neither used nor written.
        Buffer<S> scratch(engine.scratch_size());
        Matrix<S> wide_x = Matrix<S>::Constant(n, width + 3, std::numeric_limits<S>::quiet_NaN());
        wide_x.leftCols(width) = x;
        Matrix<S> wide_y = Matrix<S>::Constant(n, width + 2, untouched);
        engine.template convolve<direction, Update::assign>(wide_x.leftCols(width), kernel.data(),
                                                            wide_y.leftCols(width), scratch.data());
        const Matrix<S> y = wide_y.leftCols(width);
        EXPECT_TRUE(near_all(y, expected, error * norm(lags) * norm(x)));
        EXPECT_LE(relative_error(y, expected), error);
        EXPECT_TRUE((wide_y.rightCols(2).array() == untouched).all());

        const Matrix<S> start = random_matrix<S>(n, width, 3);
        Matrix<S> sum = start;
        engine.template convolve<direction, Update::add>(x, kernel.data(), sum, scratch.data());
        EXPECT_TRUE(same_bits(sum, start + y));

        Matrix<S> in_place = x;
        engine.template convolve<direction, Update::assign>(in_place, kernel.data(), in_place,
                                                            scratch.data());
        EXPECT_TRUE(same_bits(in_place, y));

        Buffer<S> x_spectrum(engine.spectrum_size());
        engine.transform(x, x_spectrum.data(), scratch.data());
        Matrix<S> again(n, width);
        engine.template convolve_spectrum<direction, Update::assign>(x_spectrum.data(), kernel.data(), again,
                                                                     scratch.data());
        EXPECT_TRUE(near_all(again, expected, error * norm(lags) * norm(x)));
        sum = start;
        engine.template convolve_spectrum<direction, Update::add>(x_spectrum.data(), kernel.data(), sum,
                                                                  scratch.data());
        EXPECT_TRUE(same_bits(sum, start + again));
    }

    /// With a channel in each lane, and with channels and time steps in the lanes.
    static std::array<Engine, 2> engines(Index n, Index width) { return {Engine(n), Engine(n, width)}; }

    static void expect_products(Index n, Index width) {
        for (const Engine& engine : engines(n, width)) {
            SCOPED_TRACE(std::to_string(engine.spectrum_size(width)) + " scalars");
            expect_products<Direction::forward>(engine, n, width);
            expect_products<Direction::adjoint>(engine, n, width);
        }
    }

    static void expect_lag_gradient(Index n, Index width, Index positive, Index negative) {
        expect_lag_gradient(Engine(n), n, width, positive, negative);
        expect_lag_gradient(Engine(n, width), n, width, positive, negative);
    }
    static void expect_lag_gradient(const Engine& engine, Index n, Index width, Index positive,
                                    Index negative) {
        SCOPED_TRACE("n = " + std::to_string(n) + ", width = " + std::to_string(width));
        Buffer<S> scratch(engine.scratch_size());
        Buffer<S> x_spectrum(engine.spectrum_size());
        Buffer<S> g_spectrum(engine.spectrum_size());
        Buffer<S> sum(engine.spectrum_size());
        // Columns beside the group stay as they are.
        const Matrix<S> start = random_matrix<S>(positive + negative + 1, width + 1, 4);
        LongMatrix expected = start.template cast<long double>();
        long double norms = norm(start);
        for (const std::uint64_t sequence : {5U, 6U}) {
            const Matrix<S> x = random_matrix<S>(n, width, sequence);
            const Matrix<S> g = random_matrix<S>(n, width, sequence + 10);
            engine.transform(x, x_spectrum.data(), scratch.data());
            engine.transform(g, g_spectrum.data(), scratch.data());
            engine.accumulate_correlation(x_spectrum.data(), g_spectrum.data(), width, sum.data());
            norms += norm(x) * norm(g);
            for (Index i = 0; i < n; ++i) {
                for (Index j = std::max<Index>(0, i - positive); j <= std::min(n - 1, i + negative); ++j) {
                    for (Index c = 0; c < width; ++c) {
                        expected(i - j + negative, c) +=
                            static_cast<long double>(g(i, c)) * static_cast<long double>(x(j, c));
                    }
                }
            }
        }
        Matrix<S> lags = start;
        engine.accumulate_lags(sum.data(), lags.leftCols(width), negative, scratch.data());
        EXPECT_TRUE(near_all(lags, expected, transform_error(engine.size()) * unit<S> * norms));
        EXPECT_TRUE(same_bits(lags.col(width), start.col(width)));
    }
};

TYPED_TEST_SUITE(TreeConvolutionTest, Scalars);

TYPED_TEST(TreeConvolutionTest, IsAnEngineOfTheNextSizeOfItsForm) {
    using S = TypeParam;
    static_assert(ConvolutionEngine<TreeConvolution<S>, S>);
    Index expected = 16;
    for (Index n = 1; n <= 3000; ++n) {
        const auto of_the_form = [](Index size) {
            while (size >= 8 && size % 2 == 0) size /= 2;
            return size >= 4 && size <= 7;
        };
        while (expected < n || !of_the_form(expected)) ++expected;
        ASSERT_EQ(detail::tree_size(n), expected) << "n = " << n;
    }
    for (const Index n : {1, 20, 131072}) {
        const TreeConvolution<S> engine(n);
        EXPECT_EQ(engine.size(), detail::tree_size(n));
        EXPECT_EQ(engine.spectrum_size(), 2 * engine.size() * TreeConvolution<S>::lanes);
        // Whole registers.
        EXPECT_EQ(engine.spectrum_size(1), 2 * engine.size() * Simd<S>::lanes);
        EXPECT_EQ(engine.kernel_scratch_size(), 0);
        EXPECT_GE(engine.scratch_size(), engine.spectrum_size());
    }
}

TYPED_TEST(TreeConvolutionTest, RejectsLengthsThatAreNone) {
    expect_error<config_error>(201, "[toeplitz.config.201] TreeConvolution: expected length >= 1, got 0",
                               [] { TreeConvolution<TypeParam>(0); });
    EXPECT_THROW(TreeConvolution<TypeParam>(-5), config_error);
    EXPECT_THROW(TreeConvolution<TypeParam>(Index{1} << 60), config_error);
}

TYPED_TEST(TreeConvolutionTest, ShortLengthsEqualTheDefinition) {
    for (Index n = 1; n <= 40; ++n) this->expect_products(n, 2);
}

TYPED_TEST(TreeConvolutionTest, EveryShapeOfTreeEqualsTheDefinition) {
    for (Index unit = 4; unit <= 256; unit *= is_sanitized ? 8 : 2) {
        for (const Index root : {4, 5, 6, 7}) this->expect_products(root * unit, 1);
    }
}

TYPED_TEST(TreeConvolutionTest, PrimesAndNeighboursOfPowersOfTwoEqualTheDefinition) {
    for (const Index n : {63, 65, 97, 127, 129, 211, 255, 257, 509, 1021, 1025, 1999}) {
        if (is_sanitized && n > 1000) break;
        this->expect_products(n, 1);
    }
}

TYPED_TEST(TreeConvolutionTest, EveryWidthOfAGroup) {
    for (Index width = 1; width <= TreeConvolution<TypeParam>::lanes; ++width) {
        this->expect_products(33, width);
        this->expect_products(100, width);
    }
}

TYPED_TEST(TreeConvolutionTest, KernelsMayStopAtAnyLag) {
    using S = TypeParam;
    for (const Index n : {21, 64}) {
        const Index last = detail::tree_size(n) - 1;
        const Matrix<S> x = random_matrix<S>(n, 3, 2);
        for (const TreeConvolution<S>& engine : this->engines(n, 3))
            for (const auto& [positive, negative] : std::vector<std::pair<Index, Index>>{
                     {0, 0}, {20, 0}, {0, 20}, {3, 7}, {20, 5}, {last, last}, {last, 0}, {0, last}}) {
                const Matrix<S> lags = random_matrix<S>(positive + negative + 1, 3, 1);
                const Matrix<S> y = this->convolve(engine, this->spectrum_of(engine, lags, negative), x);
                EXPECT_TRUE(near_all(y, this->product(lags, negative, x, n),
                                     transform_error(engine.size()) * unit<S> * norm(lags) * norm(x)))
                    << "n = " << n << ", lags " << -negative << ".." << positive;
            }
    }
}

TYPED_TEST(TreeConvolutionTest, ReadsAndWritesOnlyTheRowsItIsGiven) {
    using S = TypeParam;
    for (const Index width : {TreeConvolution<S>::lanes - 1, Index{2}, Index{1}})
        for (const Index n : {50, 64})
            for (const TreeConvolution<S>& engine : this->engines(n, width)) {
                const Matrix<S> lags = random_matrix<S>(2 * n - 1, width, 1);
                const Buffer<S> kernel = this->spectrum_of(engine, lags, n - 1);
                Buffer<S> scratch(engine.scratch_size());
                for (const Index rows_in : {Index{0}, Index{1}, Index{30}, n}) {
                    for (const Index rows_out : {Index{0}, Index{1}, Index{17}, n}) {
                        Matrix<S> x = random_matrix<S>(n, width, 2);
                        x.bottomRows(n - rows_in).setConstant(std::numeric_limits<S>::quiet_NaN());
                        Matrix<S> y = Matrix<S>::Constant(n, width, this->untouched);
                        engine.template convolve<Direction::forward, Update::assign>(
                            x.topRows(rows_in), kernel.data(), y.topRows(rows_out), scratch.data());
                        const Matrix<S> valid = x.topRows(rows_in);
                        EXPECT_TRUE(
                            near_all(y.topRows(rows_out), this->product(lags, n - 1, valid, rows_out),
                                     transform_error(engine.size()) * unit<S> * norm(lags) * norm(valid)));
                        EXPECT_TRUE((y.bottomRows(n - rows_out).array() == this->untouched).all());
                    }
                }
            }
}

TYPED_TEST(TreeConvolutionTest, AdjointMovesToTheOtherSideOfTheInnerProduct) {
    using S = TypeParam;
    for (const Index n : {7, 96, 320, 1024})
        for (const TreeConvolution<S>& engine : this->engines(n, 1)) {
            const Matrix<S> lags = random_matrix<S>(2 * n - 1, 1, 1);
            const Matrix<S> x = random_matrix<S>(n, 1, 2);
            const Matrix<S> g = random_matrix<S>(n, 1, 3);
            const Buffer<S> kernel = this->spectrum_of(engine, lags, n - 1);
            const auto inner = [](const Matrix<S>& a, const Matrix<S>& b) {
                return a.template cast<long double>().cwiseProduct(b.template cast<long double>()).sum();
            };
            const Matrix<S> y = this->convolve(engine, kernel, x);
            const Matrix<S> back = this->template convolve<Direction::adjoint>(engine, kernel, g);
            const long double tolerance =
                transform_error(engine.size()) * unit<S> * (norm(y) * norm(g) + norm(x) * norm(back));
            EXPECT_TRUE(near(inner(y, g), inner(x, back), tolerance)) << "n = " << n;
        }
}

TYPED_TEST(TreeConvolutionTest, LagGradientIsTheCorrelation) {
    for (const Index n : {1, 2, 3, 16, 28, 37, 64, 101, 320}) {
        this->expect_lag_gradient(n, 3, n - 1, n - 1);
        this->expect_lag_gradient(n, TreeConvolution<TypeParam>::lanes, n - 1, 0);
        this->expect_lag_gradient(n, 1, n / 2, n / 3);
    }
}

TYPED_TEST(TreeConvolutionTest, CausalKernelsLeakNoMoreThanRoundingIntoThePast) {
    using S = TypeParam;
    for (const Index n : {100, 512, 1280})
        for (const TreeConvolution<S>& engine : this->engines(n, 1)) {
            const Matrix<S> lags = random_matrix<S>(n, 1, 1);
            const Buffer<S> kernel = this->spectrum_of(engine, lags, 0);
            Matrix<S> x = random_matrix<S>(n, 1, 2);
            const Matrix<S> before = this->convolve(engine, kernel, x);
            const Index now = 2 * n / 3;
            x.bottomRows(n - now) *= S(1e6);
            const Matrix<S> after = this->convolve(engine, kernel, x);
            EXPECT_TRUE(near_all(after.topRows(now), before.topRows(now).template cast<long double>(),
                                 2 * unit<S> * norm(lags) * norm(x)));
        }
}

TYPED_TEST(TreeConvolutionTest, LongKernelsOfOneLagShift) {
    using S = TypeParam;
    for (const Index width : {TreeConvolution<S>::lanes, Index{3}})
        for (const Index n : {65536, 80000, 98304, 114688, 131072}) {
            if (is_sanitized && n > 80000) break;
            const TreeConvolution<S> engine(n, width);
            const Matrix<S> x = random_matrix<S>(n, width, 1);
            // Column c is shifted by its own lag, the last one backwards.
            std::vector<Index> shift(static_cast<std::size_t>(width));
            Index positive = 0;
            for (Index c = 0; c < width; ++c) {
                shift[static_cast<std::size_t>(c)] = c == width - 1 ? -3 : c * 37;
                positive = std::max(positive, c * 37);
            }
            Matrix<S> lags = Matrix<S>::Zero(positive + 4, width);
            LongMatrix expected = LongMatrix::Zero(n, width);
            for (Index c = 0; c < width; ++c) {
                const Index s = shift[static_cast<std::size_t>(c)];
                lags(s + 3, c) = S(1);
                for (Index i = std::max<Index>(0, s); i < std::min(n, n + s); ++i) {
                    expected(i, c) = static_cast<long double>(x(i - s, c));
                }
            }
            const Matrix<S> y = this->convolve(engine, this->spectrum_of(engine, lags, 3), x);
            EXPECT_LE(relative_error(y, expected), transform_error(engine.size()) * unit<S>) << "n = " << n;
        }
}

TYPED_TEST(TreeConvolutionTest, CopiesComputeTheSameAfterTheOriginalIsGone) {
    using S = TypeParam;
    auto engine = std::make_unique<TreeConvolution<S>>(48, 2);
    const Matrix<S> lags = random_matrix<S>(95, 2, 1);
    const Matrix<S> x = random_matrix<S>(48, 2, 2);
    const Matrix<S> y = this->convolve(*engine, this->spectrum_of(*engine, lags, 47), x);
    const TreeConvolution<S> copy = *engine;
    engine.reset();
    EXPECT_TRUE(same_bits(this->convolve(copy, this->spectrum_of(copy, lags, 47), x), y));
}

}  // namespace
}  // namespace toeplitz::test
