// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/choose.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

constexpr InducingMode modes[] = {InducingMode::sample, InducingMode::bridge, InducingMode::balanced_sample,
                                  InducingMode::balanced_bridge};

double true_norm(const Matrix<double>& lags, const Approximation<double>& made, Index c = 0) {
    return spectral_norm(error_matrix(lags, made.taps, made.inducing, c));
}

// The cost of the cheapest of all half widths, ranks and modes that `meets(approximation)`.
template <class F>
double cheapest(const Matrix<double>& lags, const CostModel& model, F&& meets) {
    const Index n = (lags.rows() + 1) / 2;
    struct Candidate {
        double cost;
        Index half_width, rank;
    };
    std::vector<Candidate> candidates;
    for (Index rank = 0; rank < n; ++rank) {
        for (Index b = rank == 0 ? 0 : -1; b < n; ++b) {
            const double cost = model.sparse_plus_low_rank(n, b < 0 ? 0 : 2 * b + 1, rank);
            if (cost < model.exact(n)) candidates.push_back({cost, b, rank});
        }
    }
    std::sort(candidates.begin(), candidates.end(), [](auto& a, auto& b) { return a.cost < b.cost; });
    for (const Candidate& candidate : candidates) {
        for (const InducingMode mode : modes) {
            if (meets(approximate(
                    lags, {.half_width = candidate.half_width, .rank = candidate.rank, .mode = mode}))) {
                return candidate.cost;
            }
        }
    }
    return model.exact(n);
}

TEST(ChooseTest, CostsLittleMoreThanTheBestByTheTrueNorm) {
    constexpr Index n = 65;
    for (const NamedKernel& kernel : typical_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        const double norm = true_norm(lags, {});
        for (const double relative : {0.1, 0.01}) {
            const double tolerance = relative * norm;
            const Approximation<double> choice = choose(lags, {.tolerance = tolerance});
            EXPECT_LE(choice.bound(), tolerance) << kernel.name;
            const double best = cheapest(lags, {}, [&](const auto& made) {
                const Matrix<double> error = error_matrix(lags, made.taps, made.inducing, 0);
                // Two steps of power iteration rule most of them out.
                Vector<double> v = Vector<double>::Constant(n, 1 / std::sqrt(static_cast<double>(n)));
                v = error.transpose() * (error * v);
                const double first = v.norm() > 0 ? (error * v).norm() / v.norm() : 0.0;
                return first <= tolerance && spectral_norm(error) <= tolerance;
            });
            EXPECT_LE(choice.cost, 1.2 * best) << kernel.name << ' ' << relative;
            if (choice.method() != Method::fft) {
                EXPECT_LE(true_norm(lags, choice), choice.bound());
            }
        }
    }
}

TEST(ChooseTest, CostsLittleMoreThanTheBestByTheBound) {
    constexpr Index n = 97;
    for (const NamedKernel& kernel : typical_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        const double tolerance = 0.03 * norm_bound(lags)(0);
        const Approximation<double> choice = choose(lags, {.tolerance = tolerance, .dense_length = 0});
        const double best =
            cheapest(lags, {}, [&](const auto& made) { return error_bound(lags, made)(0) <= tolerance; });
        EXPECT_LE(choice.bound(), tolerance) << kernel.name;
        EXPECT_LE(choice.cost, 1.2 * best) << kernel.name;
        EXPECT_DOUBLE_EQ(choice.cost_ratio(), choice.cost / CostModel{}.exact(n));
    }
}

Matrix<double> typical_lags(Index n) {
    Matrix<double> lags(2 * n - 1, 10);
    const std::vector<NamedKernel> kernels = typical_kernels(n);
    for (Index c = 0; c < 10; ++c) lags.col(c) = lags_of(kernels[static_cast<std::size_t>(c)].value, n);
    return lags;
}

TEST(ChooseTest, AGroupKeepsTheRelativeToleranceOfEveryChannel) {
    constexpr Index n = 257;
    const Matrix<double> lags = typical_lags(n).rightCols(5);
    const Approximation<double> choice = choose(lags, {.tolerance = 0.05, .kind = ToleranceKind::relative});
    ASSERT_NE(choice.method(), Method::fft);
    EXPECT_EQ(choice.channels(), 5);
    EXPECT_LT(choice.cost_ratio(), 1);
    EXPECT_EQ(choice.bound(), choice.bounds.maxCoeff());
    for (Index c = 0; c < 5; ++c) {
        EXPECT_LE(choice.tolerances(c), 0.05 * true_norm(lags, {}, c) * (1 + 1e-4));
        EXPECT_LE(choice.bounds(c), choice.tolerances(c));
        EXPECT_LE(true_norm(lags, choice, c), choice.bounds(c));
    }
}

TEST(ChooseTest, EachChannelIsNoDearerThanTheGroup) {
    constexpr Index n = 129;
    const Matrix<double> lags = typical_lags(n).leftCols(4);
    const ChooseOptions options{.tolerance = 0.3, .dense_length = 0};
    const Approximation<double> group = choose(lags, options);
    const std::vector<Approximation<double>> each = choose_each(lags, options);
    ASSERT_EQ(each.size(), 4u);
    for (Index c = 0; c < 4; ++c) {
        const Approximation<double>& choice = each[static_cast<std::size_t>(c)];
        EXPECT_EQ(choice.channels(), 1);
        EXPECT_LE(choice.cost, group.cost);
        EXPECT_LE(choice.bound(), 0.3);
        // Of the channel that its place says.
        EXPECT_LE(spectral_norm(error_matrix(lags.col(c), choice.diagonals(), choice.inducing, 0)),
                  choice.bound());
    }
}

TEST(ChooseTest, FallsBackToTheExactOperatorAndSaysSo) {
    constexpr Index n = 200;
    const Matrix<double> lags = random_matrix<double>(2 * n - 1, 2, 1);
    const Approximation<double> choice = choose(lags, {.tolerance = 1e-3});
    EXPECT_EQ(choice.method(), Method::fft);
    EXPECT_STREQ(name(choice.method()), "fft");
    EXPECT_EQ(choice.bound(), 0);
    EXPECT_EQ(choice.cost_ratio(), 1);
    EXPECT_EQ(choice.tap_count() + choice.rank(), 0);
    EXPECT_EQ(choice.lags, lags);
    EXPECT_LT(error_bound(lags, choice).maxCoeff(), 1e-10 * norm_bound(lags).minCoeff());
}

TEST(ChooseTest, AFunctionGivesTheInducingValues) {
    constexpr Index n = 257;
    const std::vector<NamedKernel> kernels = typical_kernels(n);
    const Matrix<double> lags = lags_of(kernels[0].value, n);
    const auto kernel = [&](const Vector<double>& at) {
        Matrix<double> values(at.size(), 1);
        for (Index i = 0; i < at.size(); ++i) values(i, 0) = kernels[0].value(at(i));
        return values;
    };
    const Approximation<double> choice = choose(lags, kernel, {.tolerance = 0.5});
    ASSERT_GT(choice.rank(), 1);
    EXPECT_EQ(choice.inducing,
              adjust_inducing(kernel(inducing_lags(n, choice.rank())), n, choice.half_width(), choice.mode));
}

TEST(ChooseTest, CostsDecide) {
    const Matrix<double> lags = lags_of(typical_kernels(257)[0].value, 257);
    CostModel dear_ski;
    dear_ski.ski_step = 1e3;
    const Approximation<double> band = choose(lags, {.tolerance = 0.5, .cost = dear_ski});
    EXPECT_EQ(band.rank(), 0);
    CostModel dear_taps;
    dear_taps.band_tap = 1e3;
    const Approximation<double> ski = choose(lags, {.tolerance = 0.5, .cost = dear_taps});
    EXPECT_EQ(ski.method(), Method::ski);
}

TEST(ChooseTest, RefusesATolerance) {
    const Matrix<double> lags = random_matrix<double>(9, 1, 1);
    for (const double tolerance : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
        expect_error<config_error>(
            553,
            "[toeplitz.config.553] choose: expected a tolerance above 0 that is finite, got one that is not",
            [&] { choose(lags, {.tolerance = tolerance}); });
    }
}

TEST(ChooseTest, NamesTheChannelThatIsNotFiniteForAnyNumberOfThreads) {
    Matrix<double> lags = random_matrix<double>(99, 40, 1);
    lags(49 - 3, 37) = std::numeric_limits<double>::infinity();
    lags(49, 39) = std::numeric_limits<double>::quiet_NaN();
    const std::string message =
        "[toeplitz.value.530] choose: expected a finite kernel, got a NaN or an infinity at lag -3, channel "
        "37";
    for (const int threads : {1, 2, 7}) {
        with_threads(threads, [&] {
            expect_error<value_error>(530, message, [&] { choose(lags, {.tolerance = 1}); });
            expect_error<value_error>(530, message, [&] { choose_each(lags, {.tolerance = 1}); });
        });
    }
}

/// Lags of a kernel that is zero at negative ones.
Matrix<double> causal_part(Matrix<double> lags) {
    lags.topRows((lags.rows() - 1) / 2).setZero();
    return lags;
}

TEST(ChooseTest, CausalKernelsBecomeStateSpacesWhereThatIsAllowed) {
    constexpr Index n = 700;
    const Matrix<double> lags = causal_part(typical_lags(n).middleCols(3, 4));
    const ChooseOptions options{
        .tolerance = 1e-3, .kind = ToleranceKind::relative, .rounding = Rounding::to_float, .most_modes = 32};
    const Approximation<double> choice = choose(lags, options);
    ASSERT_EQ(choice.method(), Method::state_space);
    EXPECT_STREQ(name(choice.method()), "state_space");
    EXPECT_EQ(choice.channels(), 4);
    EXPECT_LE(choice.modes(), 8);
    EXPECT_LT(choice.cost, 0.7 * choose(lags, {.tolerance = 1e-3, .kind = ToleranceKind::relative}).cost);
    EXPECT_EQ(choice.cost, options.cost.state_space(n, choice.modes()));
    EXPECT_EQ(choice.poles.cast<float>().cast<double>(), choice.poles);

    const Fft<double> exact({.length = n, .channels = 4}, lags);
    const AnyOperator<double> op = choice.make_operator(n);
    const Vector<double> errors = norm_estimate(Difference(exact, op));
    for (Index c = 0; c < 4; ++c) {
        EXPECT_LE(choice.bounds(c), choice.tolerances(c));
        EXPECT_LE(errors(c), choice.bounds(c) * (1 + 1e-9));
        EXPECT_GE(errors(c), 0.3 * choice.bounds(c));
    }

    const std::vector<Approximation<double>> each = choose_each(lags, options);
    double fewest = 32;
    for (const Approximation<double>& one : each) {
        EXPECT_EQ(one.method(), Method::state_space);
        EXPECT_LE(one.modes(), choice.modes());
        fewest = (std::min)(fewest, static_cast<double>(one.modes()));
    }
    EXPECT_LT(fewest, choice.modes()) << "each has an order of its own";
}

TEST(ChooseTest, StateSpacesAreForCausalKernelsThatNeedFewModes) {
    constexpr Index n = 300;
    const Matrix<double> lags = typical_lags(n).middleCols(3, 1);
    const ChooseOptions options{.tolerance = 1e-3, .kind = ToleranceKind::relative, .most_modes = 32};
    EXPECT_NE(choose(lags, options).method(), Method::state_space) << "not causal";
    ChooseOptions none = options;
    none.most_modes = 1;
    EXPECT_NE(choose(causal_part(typical_lags(n).middleCols(9, 1)), none).method(), Method::state_space);
    none.most_modes = -1;
    expect_error<config_error>(556, "[toeplitz.config.556] choose: expected most_modes >= 0, got -1",
                               [&] { choose(lags, none); });
}

}  // namespace
}  // namespace toeplitz::test
