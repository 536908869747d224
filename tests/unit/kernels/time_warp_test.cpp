// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/kinds.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/time_warp.hpp>

namespace toeplitz::test {
namespace {

/// The definition on the table of 2R+1 knots, or R+1 where it is causal.
template <class Scalar>
long double reference(const TimeWarpParameters<Scalar>& p, long double lambda, long double t, Index c) {
    const Index knots = p.alphas.cols();
    const bool causal = p.betas.size() == 0;
    if (causal && t < 0) return 0;
    std::vector<long double> table;
    for (Index q = 0; q < p.betas.cols(); ++q) table.push_back(p.betas(c, q));
    table.push_back(0);
    for (Index q = 0; q < knots; ++q) table.push_back(p.alphas(c, q));
    const long double x = (t < 0 ? -1 : 1) * std::pow(lambda, std::abs(t));
    const long double u = (causal ? x : x + 1) * static_cast<long double>(knots);
    const auto cell = std::min<std::size_t>(static_cast<std::size_t>(u), table.size() - 2);
    const long double f = u - static_cast<long double>(cell);
    return (1 - f) * table[cell] + f * table[cell + 1];
}

template <class Scalar>
class TimeWarpTest : public testing::Test {};
TYPED_TEST_SUITE(TimeWarpTest, Scalars, );

TYPED_TEST(TimeWarpTest, AgreesWithTheDefinitionAtAllLags) {
    using Scalar = TypeParam;
    for_each_kind([&](auto causality) {
        for (const Index knots : {1, 2, 7, 64}) {
            for (const double lambda : {0.3, 0.99, 1.0}) {
                for (const Index d : {1, 5, 20}) {
                    const TimeWarp<Scalar, causality> warp(
                        {.channels = d, .knots = knots, .decay = {.lambda = lambda}});
                    const auto parameters = warp.make_parameters(3);
                    Vector<Scalar> lags(9);
                    lags << -1000, -17.5, -3, -0.25, 0, 0.75, 1, 12, 500;
                    Matrix<Scalar> values(9, d);
                    Workspace ws(warp.required_workspace(9));
                    const std::size_t bytes = ws.capacity();
                    warp.evaluate(parameters, lags, values, ws);
                    EXPECT_EQ(ws.capacity(), bytes);
                    // Values are continuous in the fraction f, whose error is that of R λ^|t| in double, and
                    // f and the two products are rounded to the scalar.
                    const long double tolerance =
                        8 * 4 * (unit<Scalar> + static_cast<long double>(knots) * unit<double>);
                    for (Index i = 0; i < 9; ++i) {
                        for (Index c = 0; c < d; ++c) {
                            ASSERT_TRUE(
                                near(values(i, c),
                                     reference(parameters, lambda, static_cast<long double>(lags(i)), c),
                                     tolerance))
                                << "lag " << lags(i) << " knots " << knots << " lambda " << lambda;
                        }
                    }
                }
            }
        }
    });
}

TYPED_TEST(TimeWarpTest, RowsAreTheLagsOfAnOperator) {
    using Scalar = TypeParam;
    for_each_kind([&](auto causality) {
        const TimeWarp<Scalar, causality> warp({.channels = 3, .knots = 4});
        const auto parameters = warp.make_parameters();
        for (const Index n : {1, 2, 50}) {
            const Index rows = lag_count(n, causality);
            Vector<Scalar> lags(rows);
            for (Index i = 0; i < rows; ++i) lags(i) = static_cast<Scalar>(i - first_lag_row(n, causality));
            Matrix<Scalar> values(rows, 3);
            Matrix<Scalar> at(rows, 3);
            Workspace ws;
            warp.evaluate(parameters, n, values, ws);
            warp.evaluate(parameters, lags, at, ws);
            EXPECT_TRUE(same_bits(values, at));
        }
    });
}

TYPED_TEST(TimeWarpTest, TheTailIsExactlyExponential) {
    using Scalar = TypeParam;
    const double lambda = 0.95;
    const Index knots = 16;
    const TimeWarp<Scalar> warp({.channels = 2, .knots = knots, .decay = {.lambda = lambda}});
    const auto parameters = warp.make_parameters(6);
    const auto first = static_cast<Index>(std::ceil(std::log(16.0) / -std::log(lambda)));
    const Index n = first + 200;
    Matrix<Scalar> values(2 * n - 1, 2);
    Workspace ws;
    warp.evaluate(parameters, n, values, ws);
    for (Index t = first; t < n; ++t) {
        const long double power =
            16 * std::pow(static_cast<long double>(lambda), static_cast<long double>(t));
        for (Index c = 0; c < 2; ++c) {
            const long double right = power * static_cast<long double>(parameters.alphas(c, 0));
            const long double left = power * static_cast<long double>(parameters.betas(c, knots - 1));
            const long double relative = 4 * unit<Scalar> + 64 * unit<double>;
            EXPECT_TRUE(near(values(n - 1 + t, c), right, relative * std::abs(right)));
            EXPECT_TRUE(near(values(n - 1 - t, c), left, relative * std::abs(left)));
        }
    }
}

TYPED_TEST(TimeWarpTest, KnotsThatNoLagReachesGetNoGradient) {
    using Scalar = TypeParam;
    const double lambda = 0.99;
    const Index knots = 64;
    const Index n = 100;
    const TimeWarp<Scalar> warp({.channels = 2, .knots = knots, .decay = {.lambda = lambda}});
    const auto parameters = warp.make_parameters();
    Matrix<Scalar> values(2 * n - 1, 2);
    TimeWarpCache<Scalar> cache;
    Workspace ws;
    warp.evaluate(parameters, n, values, ws, &cache);
    auto gradients = zeros_like(parameters);
    const Matrix<Scalar> g = Matrix<Scalar>::Ones(2 * n - 1, 2);
    warp.backward(parameters, cache, g, gradients, ws);
    const double bound = std::pow(lambda, n - 1) - 1.0 / 64;
    for (Index q = 1; q <= knots; ++q) {
        const bool is_dead = static_cast<double>(q) / 64 < bound;
        EXPECT_EQ(gradients.alphas.col(q - 1).isZero(0), is_dead) << q;
        EXPECT_EQ(gradients.betas.col(knots - q).isZero(0), is_dead) << q;
    }
    // The weights of a lag sum to 1, or to its share of the two knots beside 0.
    const double total = static_cast<double>(gradients.alphas.sum() + gradients.betas.sum());
    EXPECT_NEAR(total, 2 * (2 * n - 1), 1e-3);
}

TYPED_TEST(TimeWarpTest, LagZeroIsTheLastPositiveKnot) {
    using Scalar = TypeParam;
    const TimeWarp<Scalar> warp({.channels = 3, .knots = 5});
    const auto parameters = warp.make_parameters();
    Matrix<Scalar> values(1, 3);
    Workspace ws;
    warp.evaluate(parameters, 1, values, ws);
    EXPECT_TRUE(same_bits(values.transpose(), parameters.alphas.col(4)));
}

TYPED_TEST(TimeWarpTest, NanReachesTheValues) {
    using Scalar = TypeParam;
    const TimeWarp<Scalar> warp(
        {.channels = 1, .knots = 5, .decay = {.mode = DecayMode::learned, .lambda = 0.5}});
    auto parameters = warp.make_parameters();
    parameters.decay.gamma(0) = std::numeric_limits<Scalar>::quiet_NaN();
    Matrix<Scalar> values(3, 1);
    Workspace ws;
    warp.evaluate(parameters, 2, values, ws);
    EXPECT_TRUE(std::isnan(values(0, 0)) && std::isnan(values(2, 0)));
}

TYPED_TEST(TimeWarpTest, GivesTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    const TimeWarp<Scalar> warp(
        {.channels = 70, .knots = 32, .decay = {.mode = DecayMode::learned, .lambda = 0.99}});
    const auto parameters = warp.make_parameters();
    const Index n = 1000;
    const Matrix<Scalar> g = random_matrix<Scalar>(2 * n - 1, 70, 1);
    Matrix<Scalar> expected;
    auto expected_gradients = zeros_like(parameters);
    for (const int threads : {1, 2, 3}) {
        with_threads(threads, [&] {
            Workspace ws;
            Matrix<Scalar> values(2 * n - 1, 70);
            TimeWarpCache<Scalar> cache;
            auto gradients = zeros_like(parameters);
            warp.evaluate(parameters, n, values, ws, &cache);
            warp.backward(parameters, cache, g, gradients, ws);
            if (threads == 1) {
                expected = values;
                expected_gradients = gradients;
            }
            EXPECT_TRUE(same_bits(values, expected));
            for_each_parameter(
                [](const ParameterName&, const auto& a, const auto& b) { EXPECT_TRUE(same_bits(a, b)); },
                gradients, expected_gradients);
        });
    }
}

TEST(TimeWarpNamesTest, AreTheOfficialOnes) {
    const auto names = [](const auto& warp) {
        std::vector<std::string> result;
        for_each_parameter([&](const std::string& name, const auto&) { result.push_back(name); },
                           warp.make_parameters());
        return result;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names(TimeWarp<float>({.channels = 2})), (Names{"alphas", "betas"}));
    const TimeWarp<float, Causality::causal> learned({.channels = 2, .decay = {.mode = DecayMode::learned}});
    EXPECT_EQ(names(learned), (Names{"alphas", "gamma"}));
}

TEST(TimeWarpTest, SaysHowMuchOfAWorkspaceALengthTakes) {
    for_each_kind([](auto causality) {
        const TimeWarp<float, causality> warp({.channels = 1, .knots = 1});
        const auto parameters = warp.make_parameters();
        constexpr Index n = 1000;
        Matrix<float> values(lag_count(n, causality), 1);
        Workspace ws(warp.required_workspace(n));
        const std::size_t bytes = ws.capacity();
        warp.evaluate(parameters, n, values, ws);
        EXPECT_EQ(ws.capacity(), bytes);
        EXPECT_LE(bytes, 2 * ws.most_used());
    });
}

TEST(TimeWarpErrorTest, NamesWhatIsWrong) {
    constexpr Index huge = Index{1} << 62;
    expect_error<config_error>(202,
                               "[toeplitz.config.202] TimeWarp: expected a size below 2^63, got "
                               "4 * 4611686018427387904",
                               [] { TimeWarp<float>({.channels = huge, .knots = 1}); });
    expect_error<config_error>(202,
                               "[toeplitz.config.202] TimeWarp: expected a size below 2^63, got "
                               "4 * 9223372036854775807",
                               [] { TimeWarp<float>({.channels = 1, .knots = 2 * (huge - 1) + 1}); });
    expect_error<config_error>(201, "[toeplitz.config.201] TimeWarp: expected channels >= 1, got 0",
                               [] { TimeWarp<float>({}); });
    expect_error<config_error>(201, "[toeplitz.config.201] TimeWarp: expected knots >= 1, got 0",
                               [] { TimeWarp<float>({.channels = 1, .knots = 0}); });
    expect_error<config_error>(410, "[toeplitz.config.410] Decay: expected lambda in (0, 1], got 1.010000",
                               [] { TimeWarp<float>({.channels = 1, .decay = {.lambda = 1.01}}); });
    const TimeWarp<double> warp({.channels = 2, .knots = 3});
    auto parameters = warp.make_parameters();
    Matrix<double> values(5, 3);
    Workspace ws;
    expect_error<shape_error>(
        403, "[toeplitz.shape.403] TimeWarp::evaluate: expected values of shape 5×2, got 5×3",
        [&] { warp.evaluate(parameters, 3, values, ws); });
    parameters.betas.resize(2, 2);
    Matrix<double> right(5, 2);
    expect_error<shape_error>(405,
                              "[toeplitz.shape.405] TimeWarp::evaluate: expected parameters with betas of "
                              "shape 2×3, got 2×2",
                              [&] { warp.evaluate(parameters, 3, right, ws); });
}

}  // namespace
}  // namespace toeplitz::test
