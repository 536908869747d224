// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/adamw.hpp>

namespace toeplitz::test {
namespace {

template <Real Scalar>
struct Tensors {
    Matrix<Scalar> weight;
    Vector<Scalar> bias;
    Vector<Scalar> running;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets.weight...);
        f(ParameterName("bias"), sets.bias...);
        f(ParameterName::buffer("running"), sets.running...);
    }
};

template <Real Scalar>
Tensors<Scalar> random_tensors(Index rows, Index cols, std::uint64_t seed) {
    return {random_matrix<Scalar>(rows, cols, seed), random_matrix<Scalar>(rows, 1, seed + 100),
            random_matrix<Scalar>(rows, 1, seed + 200)};
}

template <class Scalar>
class AdamWTest : public testing::Test {};
TYPED_TEST_SUITE(AdamWTest, Scalars, );

/// One number through the formulas of the documentation.
struct Oracle {
    long double p = 0;
    long double m = 0;
    long double v = 0;

    void update(long double g, long double rate, long double decay, const AdamWOptions& options, int t) {
        const long double b1 = options.beta1;
        const long double b2 = options.beta2;
        const long double eps = options.epsilon;
        p -= rate * decay * p;
        m = b1 * m + (1 - b1) * g;
        v = b2 * v + (1 - b2) * g * g;
        const long double c1 = 1 - std::pow(b1, static_cast<long double>(t));
        const long double root2 = std::sqrt(1 - std::pow(b2, static_cast<long double>(t)));
        if (options.variant == AdamVariant::pytorch) {
            p -= rate / c1 * m / (std::sqrt(v) / root2 + eps);
        } else {
            p -= rate * root2 / c1 * m / (std::sqrt(v) + eps);
        }
    }
};

TYPED_TEST(AdamWTest, AgreesWithTheFormulas) {
    using Scalar = TypeParam;
    for (const AdamVariant variant : {AdamVariant::pytorch, AdamVariant::fairseq}) {
        for (const double epsilon : {1e-8, 1e-2}) {
            const AdamWOptions options{.beta1 = 0.8,
                                       .beta2 = 0.95,
                                       .epsilon = epsilon,
                                       .weight_decay = 0.1,
                                       .variant = variant,
                                       .decay = decay_matrices};
            Tensors<Scalar> p = random_tensors<Scalar>(13, 97, 1);
            AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
            Eigen::Matrix<Oracle, Eigen::Dynamic, Eigen::Dynamic> weight(13, 97);
            std::vector<Oracle> bias(13);
            for (Index i = 0; i < 13; ++i) {
                for (Index j = 0; j < 97; ++j) weight(i, j).p = p.weight(i, j);
                bias[static_cast<std::size_t>(i)].p = p.bias(i);
            }
            const Vector<Scalar> running = p.running;
            constexpr int steps = 20;
            for (int t = 1; t <= steps; ++t) {
                const double rate = 0.01 * t;
                const auto g = random_tensors<Scalar>(13, 97, static_cast<std::uint64_t>(1000 * t));
                adamw_update(p, g, state, rate, options, 0.5);
                for (Index i = 0; i < 13; ++i) {
                    for (Index j = 0; j < 97; ++j) {
                        weight(i, j).update(0.5L * g.weight(i, j), rate, 0.1L, options, t);
                    }
                    bias[static_cast<std::size_t>(i)].update(0.5L * g.bias(i), rate, 0, options, t);
                }
            }
            EXPECT_EQ(state.step, steps);
            // Rates sum up to 2.1, an update is below 4.5 rates and loses a dozen roundings; so do the
            // moments, and every step rounds p.
            const long double tolerance = (12 * 2.1L * 4.5L + 3.0L * steps * 4) * unit<Scalar>;
            for (Index i = 0; i < 13; ++i) {
                for (Index j = 0; j < 97; ++j) {
                    ASSERT_TRUE(near(p.weight(i, j), weight(i, j).p, tolerance)) << i << ", " << j;
                    ASSERT_TRUE(near(state.first.weight(i, j), weight(i, j).m, 20 * unit<Scalar>));
                    ASSERT_TRUE(near(state.second.weight(i, j), weight(i, j).v, 60 * unit<Scalar>));
                }
                ASSERT_TRUE(near(p.bias(i), bias[static_cast<std::size_t>(i)].p, tolerance)) << i;
            }
            EXPECT_TRUE(same_bits(p.running, running));
            EXPECT_TRUE(state.first.running.isZero(0) && state.second.running.isZero(0));
        }
    }
}

/// Gradients that are exact in binary, as in the script that made the constants.
Tensors<double> exact_gradients(int step) {
    Tensors<double> g{Matrix<double>(3, 2), Vector<double>(3), Vector<double>(0)};
    for (int k = 0; k < 6; ++k) g.weight(k / 2, k % 2) = ((step * 7 + k * 5) % 11 - 5) / 8.0;
    for (int k = 0; k < 3; ++k) g.bias(k) = ((step * 3 + k * 4) % 7 - 3) / 4.0;
    return g;
}

Tensors<double> start() {
    Tensors<double> p{Matrix<double>(3, 2), Vector<double>(3), Vector<double>(0)};
    p.weight << 0.5, -0.25, 1.5, 2.0, -1.0, 0.125;
    p.bias << 0.75, -0.5, 0.0;
    return p;
}

/// Results are of size 2 and lose a few roundings per step.
constexpr long double torch_tolerance = 100 * unit<double>;

TEST(AdamWReferenceTest, AgreesWithPyTorchOverTenSteps) {
    Tensors<double> p = start();
    AdamWState<Tensors<double>> state = make_adamw_state(p);
    for (int step = 0; step < 10; ++step) {
        adamw_update(p, exact_gradients(step), state, 0.01, {.weight_decay = 0.1});
    }
    Matrix<double> expected(3, 2);
    expected << 0.5084094705510964, -0.22631141192287782, 1.4544996918378128, 2.0054158430879343,
        -1.0054635589378909, 0.11807009466588736;
    EXPECT_TRUE(near_all(p.weight, expected, torch_tolerance));
    Vector<double> bias(3);
    bias << 0.7605883928670649, -0.4980283347268769, 0.027098810640319198;
    EXPECT_TRUE(near_all(p.bias, bias, torch_tolerance));
    expected << 0.019532914687499993, -0.02458336425, -0.008611963062499998, -0.024806184237499997,
        0.033722841949999985, -0.04703213784999998;
    EXPECT_TRUE(near_all(state.first.weight, expected, unit<double>));
    expected << 0.0016947121871555546, 0.001462499398446531, 0.001648304345934181, 0.0015711277661750072,
        0.001570956575074042, 0.0016493314824297205;
    EXPECT_TRUE(near_all(state.second.weight, expected, unit<double>));
}

TEST(AdamWReferenceTest, AgreesWithPyTorchWhereOnlyMatricesDecay) {
    Tensors<double> p = start();
    AdamWState<Tensors<double>> state = make_adamw_state(p);
    const AdamWOptions options{
        .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-2, .weight_decay = 0.05, .decay = decay_matrices};
    for (int step = 0; step < 25; ++step) adamw_update(p, exact_gradients(step), state, 0.03, options);
    Matrix<double> expected(3, 2);
    expected << 0.5280355318974276, -0.19554325815023751, 1.3706332687748688, 1.9965869608386704,
        -1.006847105293147, 0.10950454860973334;
    EXPECT_TRUE(near_all(p.weight, expected, torch_tolerance));
    Vector<double> bias(3);
    bias << 0.7964374872135499, -0.5118220183295378, 0.07940225894546792;
    EXPECT_TRUE(near_all(p.bias, bias, torch_tolerance));
}

TYPED_TEST(AdamWTest, HasTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    const Tensors<Scalar> original = random_tensors<Scalar>(300, 211, 1);
    const Tensors<Scalar> g = random_tensors<Scalar>(300, 211, 2);
    const auto trained = [&](int threads) {
        Tensors<Scalar> p = original;
        AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
        with_threads(threads, [&] {
            for (int step = 0; step < 3; ++step) adamw_update(p, g, state, 0.1);
        });
        return p;
    };
    EXPECT_TRUE(same_bits(trained(1).weight, trained(2).weight));
    EXPECT_TRUE(same_bits(trained(1).weight, trained(3).weight));
}

TYPED_TEST(AdamWTest, ZeroGradientsOnlyDecay) {
    using Scalar = TypeParam;
    Tensors<Scalar> p = random_tensors<Scalar>(4, 5, 1);
    const Tensors<Scalar> before = p;
    AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
    adamw_update(p, zeros_like(p), state, 0.5, {.weight_decay = 0.5});
    EXPECT_TRUE(same_bits(p.weight, (before.weight * Scalar(0.75)).eval()));
}

TEST(AdamWErrorTest, NamesTheOption) {
    Tensors<double> p = start();
    AdamWState<Tensors<double>> state = make_adamw_state(p);
    const auto expect = [&](const AdamWOptions& options, const char* text) {
        expect_error<config_error>(801, detail::text("[toeplitz.config.801] AdamW: expected ", text),
                                   [&] { adamw_update(p, start(), state, 0.1, options); });
    };
    expect({.beta1 = 1}, "beta1 in [0, 1), got 1");
    expect({.beta2 = -0.5}, "beta2 in [0, 1), got -0.5");
    expect({.epsilon = -1}, "epsilon in [2.22507e-308, 1.79769e+308], got -1");
    expect({.epsilon = 0}, "epsilon in [2.22507e-308, 1.79769e+308], got 0");
    expect({.weight_decay = std::nan("")}, "weight_decay in [0, 1.79769e+308], got nan");
    expect({.decay = nullptr}, "a rule for decay, got none");
    for (const double rate : {-1.0, HUGE_VAL, std::nan("")}) {
        expect_error<config_error>(
            801,
            detail::text("[toeplitz.config.801] AdamW: expected a rate in [0, 1.79769e+308], got ", rate),
            [&] { adamw_update(p, start(), state, rate); });
    }
    EXPECT_EQ(state.step, 0);
    EXPECT_TRUE(same_bits(p.weight, start().weight));
}

TEST(AdamWErrorTest, OptionsAreNumbersOfTheParameters) {
    Tensors<float> p = random_tensors<float>(3, 2, 1);
    AdamWState<Tensors<float>> state = make_adamw_state(p);
    const auto refused = [&](double rate, const AdamWOptions& options) {
        try {
            adamw_update(p, zeros_like(p), state, rate, options);
        } catch (const config_error& caught) {
            return caught.id() == 801;
        }
        return false;
    };
    for (const double epsilon : {0.0, 1e-50, 1e-39, 1e39}) EXPECT_TRUE(refused(0.1, {.epsilon = epsilon}));
    EXPECT_TRUE(refused(0.1, {.weight_decay = 1e39}));
    EXPECT_TRUE(refused(1e39, {}));
    EXPECT_EQ(state.step, 0);
    EXPECT_FALSE(refused(0.1, {.epsilon = 2e-38}));
    EXPECT_FALSE(refused(1e30, {}));
}

TYPED_TEST(AdamWTest, SquaresOfLargeGradientsDoNotOverflow) {
    using Scalar = TypeParam;
    // g² leaves the type, (1−β₂) g² does not.
    const Scalar large = std::sqrt(std::numeric_limits<Scalar>::max()) * 2;
    Tensors<Scalar> p = random_tensors<Scalar>(3, 2, 1);
    Tensors<Scalar> g = zeros_like(p);
    g.weight.setConstant(large);
    AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
    const Matrix<Scalar> before = p.weight;
    adamw_update(p, g, state, 0.25, {.weight_decay = 0});
    // The first step is one rate long.
    EXPECT_TRUE(near_all(p.weight, (before.array() - Scalar(0.25)).matrix().eval(), 20 * unit<Scalar>));
}

/// An update that must be refused as a whole.
template <Real Scalar>
struct Refused {
    Tensors<Scalar> p = random_tensors<Scalar>(40, 50, 1);
    Tensors<Scalar> g = random_tensors<Scalar>(40, 50, 2);
    AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
    double rate = 0.1;
    AdamWOptions options{};
    double scale = 1;

    void expect(const std::string& got) {
        const Tensors<Scalar> before = p;
        const AdamWState<Tensors<Scalar>> old = state;
        expect_error<train_error>(
            813, "[toeplitz.train.813] adamw_update: expected an update 1 to finite numbers, got " + got,
            [&] { adamw_update(p, g, state, rate, options, scale); });
        EXPECT_TRUE(p.weight == before.weight && p.bias == before.bias);
        EXPECT_TRUE(state.first.weight == old.first.weight && state.first.bias == old.first.bias);
        EXPECT_TRUE(state.second.weight == old.second.weight && state.second.bias == old.second.bias);
        EXPECT_EQ(state.step, 0);
    }
};

TYPED_TEST(AdamWTest, AnUpdateToWhatIsNotFiniteChangesNothing) {
    using Scalar = TypeParam;
    constexpr Scalar most = std::numeric_limits<Scalar>::max();
    using Case = Refused<Scalar>;
    const auto expect = [](const std::string& got, const auto& change) {
        Case refused;
        change(refused);
        refused.expect(got);
    };
    // The last element of the last tensor: everything before it would have been committed.
    expect("inf in the second moment of bias(39, 0)", [](Case& c) { c.g.bias(39) = most; });
    expect("nan in bias(39, 0)", [](Case& c) { c.g.bias(39) = std::numeric_limits<Scalar>::quiet_NaN(); });
    expect("inf in bias(39, 0)", [](Case& c) { c.p.bias(39) = std::numeric_limits<Scalar>::infinity(); });
    expect("nan in bias(39, 0)", [](Case& c) { c.state.second.bias(39) = -1; });
    expect("inf in the second moment of weight(21, 7)", [](Case& c) { c.g.weight(21, 7) = -most; });
    expect("-inf in weight(0, 0)", [](Case& c) {
        c.rate = static_cast<double>(most) / 2;
        c.g.weight.setOnes();
    });
    expect("-inf in weight(0, 0)", [](Case& c) {
        c.p.weight.setConstant(most / 4);
        c.options.weight_decay = 1000;
    });
    expect("inf in the second moment of weight(0, 0)", [](Case& c) {
        c.g.weight.setOnes();
        c.scale = static_cast<double>(most);
    });
    if constexpr (std::is_same_v<Scalar, float>) {
        expect("nan in weight(0, 0)", [](Case& c) {
            c.g.weight.setZero();
            c.scale = 1e300;  // infinite as a float
        });
    }
}

TYPED_TEST(AdamWTest, LargeNumbersThatStayFiniteAreUpdated) {
    using Scalar = TypeParam;
    Tensors<Scalar> p = random_tensors<Scalar>(3, 2, 1);
    p.weight.setConstant(std::numeric_limits<Scalar>::max() / 2);
    Tensors<Scalar> g = zeros_like(p);
    g.bias.setConstant(std::sqrt(std::numeric_limits<Scalar>::max()));
    AdamWState<Tensors<Scalar>> state = make_adamw_state(p);
    adamw_update(p, g, state, 0.5, {.weight_decay = 1});
    EXPECT_TRUE((p.weight.array() == std::numeric_limits<Scalar>::max() / 4).all());
    EXPECT_EQ(state.step, 1);
}

TEST(AdamWErrorTest, AllSetsHaveTheSameShapes) {
    Tensors<double> p = start();
    AdamWState<Tensors<double>> state = make_adamw_state(p);
    const auto expect = [&](const char* text, const Tensors<double>& g) {
        expect_error<shape_error>(820, detail::text("[toeplitz.shape.820] adamw_update: expected ", text),
                                  [&] { adamw_update(p, g, state, 0.1); });
        EXPECT_TRUE(same_bits(p.weight, start().weight));
    };
    Tensors<double> g = start();
    g.weight.resize(2, 2);
    expect("gradients with weight of shape 3×2, got 2×2", g);
    state.first.bias.resize(1);
    expect("first moments with bias of shape 3×1, got 1×1", start());
    state = make_adamw_state(p);
    state.second.weight.resize(6, 1);
    expect("second moments with weight of shape 3×2, got 6×1", start());
    state = make_adamw_state(p);
    state.step = std::numeric_limits<Index>::max();
    EXPECT_THROW(adamw_update(p, start(), state, 0.1), value_error);
}

}  // namespace
}  // namespace toeplitz::test
