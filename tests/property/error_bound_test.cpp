// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>

#include <toeplitz/approximation/approximate.hpp>
#include <toeplitz/approximation/dense_bound.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/dense/activation.hpp>

namespace toeplitz::test {
namespace {

// Random numbers one after another.
class Draw {
public:
    explicit Draw(std::uint64_t seed) : random_(seed) {}
    double uniform(double low, double high) { return random_.uniform(next_++, low, high); }
    double normal() { return random_.normal(next_++); }
    Index whole(Index low, Index high) {  // inclusive
        return low + static_cast<Index>(random_.bits(next_++) % static_cast<std::uint64_t>(high - low + 1));
    }

private:
    CounterRandom random_;
    std::uint64_t next_ = 0;
};

constexpr Activation activations[] = {Activation::identity,    Activation::relu, Activation::silu,
                                      Activation::gelu,        Activation::sine, Activation::sigmoid,
                                      Activation::leaky_relu,  Activation::elu,  Activation::elu_plus_one,
                                      Activation::elu_plus_two};

std::function<double(double)> random_kernel(Index family, Index length, Draw& draw) {
    const double n = static_cast<double>(length);
    const double center = draw.uniform(-n, n);
    const double width = draw.uniform(1, n + 1);
    const double scale = std::pow(10, draw.uniform(-6, 6));
    const auto smooth = [=](double t) { return scale * std::exp(-std::pow((t - center) / width, 2)); };
    switch (family) {
        case 0:
            return smooth;
        case 1: {
            const double period = draw.uniform(1.5, 2 * n);
            return [=](double t) { return std::sin(6.28 * (t - center) / period) * smooth(t); };
        }
        case 2: {
            const double height = scale * draw.uniform(-100, 100);
            const double at = std::floor(draw.uniform(-4, 4));
            return [=](double t) { return smooth(t) + height * std::max(0.0, 1 - std::abs(t - at)); };
        }
        case 3: {
            const double jump = scale * draw.uniform(-5, 5);
            return [=](double t) { return t < 0 ? smooth(t) : smooth(t) + jump; };
        }
        case 4: {
            const auto activation = activations[draw.whole(0, 9)];
            const auto unit = [=](double x) {
                activate(activation, MatrixView<double>(&x, 1, 1));
                return x;
            };
            return random_perceptron(draw.uniform(0.5, 1), static_cast<std::uint64_t>(draw.whole(0, 1 << 30)),
                                     unit);
        }
        default: {
            const CounterRandom noise(static_cast<std::uint64_t>(draw.whole(0, 1 << 30)));
            return [=](double t) { return scale * noise.normal(static_cast<std::uint64_t>(t + 2 * n)); };
        }
    }
}

/// Any taps and inducing values: optimal ones, or those and something at random.
template <class S>
Approximation<S> random_approximation(const Matrix<S>& lags, Draw& draw) {
    const Index n = (lags.rows() + 1) / 2;
    const ApproximationOptions options{.half_width = draw.whole(-1, std::min<Index>(n - 1, 20)),
                                       .rank = draw.whole(0, n),
                                       .mode = static_cast<InducingMode>(draw.whole(0, 3))};
    Approximation<S> made = approximate(lags, options);
    if (draw.whole(0, 3) == 0) {
        const double size = static_cast<double>(lags.cwiseAbs().maxCoeff());
        for (Index i = 0; i < made.taps.rows(); ++i) made.taps(i, 0) += static_cast<S>(size * draw.normal());
        for (Index i = 0; i < made.inducing.rows(); ++i) {
            made.inducing(i, 0) += static_cast<S>(size * draw.normal());
        }
    }
    return made;
}

template <class S>
void expect_bounds_to_hold(Index n, Index family, Draw& draw) {
    const Matrix<S> lags = lags_of(random_kernel(family, n, draw), n).cast<S>();
    const Approximation<S> made = random_approximation(lags, draw);
    const double norm =
        spectral_norm(error_matrix(lags.template cast<double>(), made.taps.template cast<double>(),
                                   made.inducing.template cast<double>(), 0));
    // The norm is rounded as well.
    const double least = norm * (1 - 4 * static_cast<double>(n) * std::numeric_limits<double>::epsilon());
    const auto about = [&] {
        return testing::Message() << "family " << family << " n = " << n << " m = " << made.tap_count()
                                  << " r = " << made.rank();
    };
    EXPECT_GE(error_bound(lags, made, ErrorBound::window)(0), least) << about();
    EXPECT_GE(error_bound(lags, made, ErrorBound::spectrum)(0), least) << about();
    if (n <= 40) {
        EXPECT_GE(dense_error_bound(lags, made)(0), least) << about();
    }
}

TEST(ErrorBoundProperty, HoldsForThousandsOfShortKernels) {
    Draw draw(1);
    for (Index round = 0; round < 4000; ++round) {
        const Index n = draw.whole(1, 40);
        expect_bounds_to_hold<double>(n, round % 6, draw);
        if (round % 4 == 0) expect_bounds_to_hold<float>(n, round % 6, draw);
        if (HasFailure()) return;
    }
}

TEST(ErrorBoundProperty, HoldsForLongerKernels) {
    Draw draw(2);
    for (Index round = 0; round < 60; ++round) {
        expect_bounds_to_hold<double>(draw.whole(41, 160), round % 6, draw);
    }
    for (Index round = 0; round < 6; ++round) {
        expect_bounds_to_hold<double>(513, round, draw);
    }
}

}  // namespace
}  // namespace toeplitz::test
