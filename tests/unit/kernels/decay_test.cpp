// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/decay.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class DecayTest : public testing::Test {};
TYPED_TEST_SUITE(DecayTest, Scalars, );

TYPED_TEST(DecayTest, PowersKeepTheStatedErrorAtAllLags) {
    using Scalar = TypeParam;
    Vector<double> rates(19);
    rates << 1, 0.999999, 0.99999, 0.9999, 0.999, 0.995, 0.99, 0.97, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1, 1e-3,
        1e-9, 1e-300, 0.123456789;
    const Index n = 131072;
    for (const bool shared : {false, true}) {
        for (Index c = 0; c < (shared ? rates.size() : 1); ++c) {
            DecayOptions options{.lambda = rates(c)};
            if (!shared) options.per_channel = rates;
            const Decay<Scalar> decay(options, rates.size());
            Workspace ws(detail::DecayPowers<Scalar>::bytes(decay, n - 1));
            Workspace::Scope scope(ws);
            const detail::DecayPowers<Scalar> powers(scope, decay, {}, n - 1);
            for (Index t = 0; t < n; t = t < 1000 ? t + 1 : t + 97) {
                Vector<Scalar> row = Vector<Scalar>::Ones(rates.size());
                const double lag = static_cast<double>(t % 2 == 0 ? t : -t);
                powers.multiply_row(lag, row.data(), rates.size());
                for (Index j = 0; j < rates.size(); ++j) {
                    const long double lambda = rates(shared ? c : j);
                    const long double exponent = static_cast<long double>(t) * std::log(lambda);
                    const long double expected = std::exp(exponent);
                    const long double relative = 3 * unit<Scalar> + (-exponent + 4) * 0x1p-52L;
                    const long double smallest = std::numeric_limits<Scalar>::min();
                    ASSERT_TRUE(near(row(j), expected, relative * expected + 2 * smallest))
                        << "lag " << t << " lambda " << lambda;
                }
            }
        }
    }
}

TYPED_TEST(DecayTest, RealLagsAndLagsBeyondTheTablesAreServed) {
    using Scalar = TypeParam;
    const Decay<Scalar> decay({.per_channel = Vector<double>::LinSpaced(3, 0.5, 1)}, 3);
    Workspace ws(detail::DecayPowers<Scalar>::bytes(decay, 10));
    Workspace::Scope scope(ws);
    const detail::DecayPowers<Scalar> powers(scope, decay, {}, 10);
    for (const double lag : {0.5, -2.25, 11.0, 1000.0}) {
        Vector<Scalar> row = Vector<Scalar>::Constant(3, 2);
        powers.multiply_row(lag, row.data(), 3);
        for (Index c = 0; c < 3; ++c) {
            const long double expected = 2 * std::pow(0.5L + 0.25L * static_cast<long double>(c),
                                                      std::abs(static_cast<long double>(lag)));
            EXPECT_TRUE(near(row(c), expected, 4 * unit<Scalar> * expected + 1e-37L));
        }
    }
}

TYPED_TEST(DecayTest, LearnedRatesLieBetweenTheOptionAndOne) {
    using Scalar = TypeParam;
    const Decay<Scalar> decay({.mode = DecayMode::learned, .lambda = 0.9}, 3);
    DecayParameters<Scalar> parameters = decay.make_parameters(1);
    EXPECT_EQ(parameters.gamma.size(), 3);
    parameters.gamma << -1000, 0, 1000;
    EXPECT_DOUBLE_EQ(decay.lambda(parameters, 0), 0.9);
    EXPECT_DOUBLE_EQ(decay.lambda(parameters, 1), 0.95);
    EXPECT_DOUBLE_EQ(decay.lambda(parameters, 2), 1);
}

TYPED_TEST(DecayTest, NoneLeavesRowsAlone) {
    using Scalar = TypeParam;
    const Decay<Scalar> decay({.mode = DecayMode::none, .lambda = 17}, 2);
    EXPECT_EQ(decay.make_parameters().gamma.size(), 0);
    Workspace ws(detail::DecayPowers<Scalar>::bytes(decay, 5));
    Workspace::Scope scope(ws);
    const detail::DecayPowers<Scalar> powers(scope, decay, {}, 5);
    Vector<Scalar> row = Vector<Scalar>::Constant(2, 3);
    powers.multiply_row(4, row.data(), 2);
    EXPECT_TRUE((row.array() == 3).all());
}

TEST(DecayErrorTest, RatesLieInZeroToOne) {
    const std::pair<double, const char*> cases[] = {
        {0, "0.000000"}, {-0.5, "-0.500000"}, {1.5, "1.500000"}, {std::nan(""), "nan"}};
    for (const auto& entry : cases) {
        const double lambda = entry.first;
        const std::string message =
            std::string("[toeplitz.config.410] Decay: expected lambda in (0, 1], got ") + entry.second;
        for (const DecayMode mode : {DecayMode::fixed, DecayMode::learned}) {
            expect_error<config_error>(410, message,
                                       [&] { Decay<float>({.mode = mode, .lambda = lambda}, 2); });
        }
        Vector<double> rates(2);
        rates << 0.5, lambda;
        expect_error<config_error>(410, message, [&] { Decay<float>({.per_channel = rates}, 2); });
    }
    expect_error<config_error>(411, "[toeplitz.config.411] Decay: expected per_channel of size 3, got 2",
                               [] { Decay<float>({.per_channel = Vector<double>::Ones(2)}, 3); });
}

}  // namespace
}  // namespace toeplitz::test
