// SPDX-License-Identifier: MIT
// Compiled with -ffast-math, which promises the compiler that no number is a NaN or an infinity: what checks
// for them must not believe it.

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <fast_math/numbers.hpp>
#include <toeplitz/kernels/decay.hpp>
#include <toeplitz/nn/dropout.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/dense.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {
namespace {

template <class T>
std::vector<T> finite() {
    using Limits = std::numeric_limits<T>;
    return {Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min(), 0, T(-0.0), 1};
}

template <class S>
class FastMathTest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(FastMathTest, Scalars, );

TYPED_TEST(FastMathTest, FinitenessIsThatOfTheBits) {
    for (const TypeParam value : finite<TypeParam>()) {
        EXPECT_TRUE(detail::is_finite(value));
        EXPECT_TRUE(detail::is_finite(std::complex<TypeParam>(value, value)));
        EXPECT_TRUE(detail::is_finite(static_cast<long double>(value)));
        EXPECT_FALSE(detail::is_nan(static_cast<double>(value)));
    }
    for (const TypeParam value : non_finite<TypeParam>()) {
        EXPECT_FALSE(detail::is_finite(value));
        EXPECT_FALSE(detail::is_finite(std::complex<TypeParam>(1, value)));
        EXPECT_FALSE(detail::is_finite(std::complex<TypeParam>(value, 1)));
        EXPECT_FALSE(detail::is_finite(static_cast<long double>(value)));
        for (const Index size : {1, 2, 3, 4, 7, 16, 65}) {
            for (Index i = 0; i < size; ++i) {
                Vector<TypeParam> values = Vector<TypeParam>::Constant(size, finite<TypeParam>()[0]);
                EXPECT_TRUE(detail::all_finite(values.data(), size));
                values(i) = value;
                EXPECT_FALSE(detail::all_finite(values.data(), size));
            }
        }
    }
    const auto is_nan = [](std::uint64_t bits) { return detail::is_nan(std::bit_cast<double>(bits)); };
    EXPECT_TRUE(is_nan(0x7FF8000000000000U));
    EXPECT_TRUE(is_nan(0xFFF0000000000001U));
    EXPECT_FALSE(is_nan(0x7FF0000000000000U));
    EXPECT_FALSE(is_nan(0xFFF0000000000000U));
}

TYPED_TEST(FastMathTest, ResultsOfArithmeticAreSeen) {
    volatile TypeParam zero = 0;
    EXPECT_FALSE(detail::is_finite(zero / zero));
    EXPECT_FALSE(detail::is_finite(1 / zero));
    EXPECT_FALSE(detail::is_finite(std::sqrt(zero - 1)));
}

template <class Op, class Element>
void expect_refused(const typename Op::Options& options, Index rows) {
    using Kernel = Matrix<Element>;
    Op op(options, Kernel(Kernel::Ones(rows, options.channels)));
    for (const auto bad : non_finite<typename Op::Scalar>()) {
        for (const Index row : {Index{0}, rows - 1}) {
            Kernel kernel = Kernel::Ones(rows, options.channels);
            kernel(row, options.channels - 1) = bad;
            EXPECT_EQ(error_id<value_error>([&] { op.set_kernel(kernel); }), 530);
        }
    }
}

TYPED_TEST(FastMathTest, OperatorsRefuseAKernel) {
    using S = TypeParam;
    for (const Index d : {1, 3, 40}) {
        expect_refused<Dense<S>, S>({.length = 9, .channels = d}, 17);
        expect_refused<Fft<S>, S>({.length = 9, .channels = d}, 17);
        expect_refused<Band<S>, S>({.length = 9, .channels = d, .taps = 3}, 3);
        expect_refused<Ski<S>, S>({.length = 9, .channels = d, .rank = 4}, 7);
        expect_refused<CausalSpectral<S>, S>({.length = 9, .channels = d, .grid = 18}, 10);
        expect_refused<BidirectionalSpectral<S>, std::complex<S>>({.length = 9, .channels = d, .grid = 18},
                                                                  10);
    }
}

template <class S>
struct Weights {
    Vector<S> w = Vector<S>::Ones(5);

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("w"), sets.w...);
    }
};

TYPED_TEST(FastMathTest, ATrainerRefusesLossesAndGradients) {
    using P = Weights<TypeParam>;
    P parameters;
    Trainer<P> trainer(parameters, {.clip_norm = 1});
    const auto step = [&](LossSum loss, TypeParam gradient) {
        return error_id<train_error>([&] {
            trainer.step(parameters, [&](const P&, const Part&, P& gradients) {
                gradients.w.setOnes();
                gradients.w(3) = gradient;
                return loss;
            });
        });
    };
    for (const double bad : non_finite<double>()) {
        EXPECT_EQ(step({bad, 1}, 1), 810);
        EXPECT_EQ(step({1, bad}, 1), 812);
    }
    for (const TypeParam bad : non_finite<TypeParam>()) EXPECT_EQ(step({1, 1}, bad), 811);
    EXPECT_TRUE(parameters.w == P().w);
    EXPECT_EQ(step({1, 1}, 1), 0);
    EXPECT_LT(parameters.w(3), 1);
}

TEST(FastMathOptionsTest, AreRefused) {
    const Weights<double> weights;
    const auto refused = [&](const TrainerOptions& options) {
        return error_id<config_error>([&] { Trainer<Weights<double>>(weights, options); });
    };
    for (const double bad : non_finite<double>()) {
        EXPECT_EQ(refused({.adamw = {.beta1 = bad}}), 801);
        EXPECT_EQ(refused({.adamw = {.beta2 = bad}}), 801);
        EXPECT_EQ(refused({.adamw = {.epsilon = bad}}), 801);
        EXPECT_EQ(refused({.adamw = {.weight_decay = bad}}), 801);
        EXPECT_EQ(refused({.schedule = {.peak = bad}}), 802);
        Weights<double> updated;
        AdamWState<Weights<double>> state = make_adamw_state(updated);
        EXPECT_EQ(error_id<config_error>([&] { adamw_update(updated, weights, state, bad); }), 801);
        EXPECT_EQ(error_id<config_error>([&] { detail::require_dropout_rate(bad, "X"); }), 720);
        EXPECT_EQ(error_id<config_error>([&] { Decay<double>({.lambda = bad}, 3); }), 410);
        Workspace ws;
        const Matrix<double> logits = Matrix<double>::Ones(1, 2);
        const std::vector<Token> targets{0};
        EXPECT_EQ(
            error_id<config_error>([&] { cross_entropy(logits, targets, ws, {.label_smoothing = bad}); }),
            753);
    }
    EXPECT_EQ(refused({.clip_norm = non_finite<double>()[0]}), 803);
}

}  // namespace
}  // namespace toeplitz::test
