// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/sanitizers.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/choose.hpp>

namespace toeplitz::test {
namespace {

constexpr InducingMode modes[] = {InducingMode::sample, InducingMode::bridge, InducingMode::balanced_sample,
                                  InducingMode::balanced_bridge};

/// For exhaustive searches, which sanitizers make long.
std::vector<NamedKernel> searched_kernels(Index n) {
    std::vector<NamedKernel> kernels = typical_kernels(n);
    if (is_sanitized) kernels.erase(kernels.begin() + 2, kernels.end());
    return kernels;
}

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
    for (const NamedKernel& kernel : searched_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        const double norm = true_norm(lags, {});
        for (const double relative : {0.1, 0.01}) {
            const double tolerance = relative * norm;
            const Approximation<double> choice = choose(lags, {.tolerance = tolerance, .most_modes = 0});
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
    for (const NamedKernel& kernel : searched_kernels(n)) {
        const Matrix<double> lags = lags_of(kernel.value, n);
        const double tolerance = 0.03 * norm_bound(lags)(0);
        const Approximation<double> choice =
            choose(lags, {.tolerance = tolerance, .dense_length = 0, .most_modes = 0});
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
    const Approximation<double> choice =
        choose(lags, {.tolerance = 0.05, .kind = ToleranceKind::relative, .most_modes = 0});
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
    const ChooseOptions options{.tolerance = 0.3, .dense_length = 0, .most_modes = 0};
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
    const Approximation<double> choice = choose(lags, kernel, {.tolerance = 0.5, .most_modes = 0});
    ASSERT_GT(choice.rank(), 1);
    EXPECT_EQ(choice.inducing,
              adjust_inducing(kernel(inducing_lags(n, choice.rank())), n, choice.half_width(), choice.mode));
}

TEST(ChooseTest, CostsDecide) {
    const Matrix<double> lags = lags_of(typical_kernels(257)[0].value, 257);
    CostModel dear_ski;
    dear_ski.ski_step = 1e3;
    const Approximation<double> band = choose(lags, {.tolerance = 0.5, .cost = dear_ski, .most_modes = 0});
    EXPECT_EQ(band.rank(), 0);
    CostModel dear_taps;
    dear_taps.band_tap = 1e3;
    const Approximation<double> ski = choose(lags, {.tolerance = 0.5, .cost = dear_taps, .most_modes = 0});
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

TEST(ChooseTest, RefusesACostThatIsNone) {
    const Matrix<double> lags = random_matrix<double>(9, 1, 1);
    ChooseOptions options{.tolerance = 1};
    const auto refuse = [&](const char* name, double& constant) {
        const double usual = constant;
        for (const double cost : {-0.1, std::nan(""), HUGE_VAL}) {
            constant = cost;
            const std::string message = detail::text("[toeplitz.config.558] choose: expected a finite cost.",
                                                     name, " >= 0, got ", cost);
            expect_error<config_error>(558, message, [&] { choose(lags, options); });
            expect_error<config_error>(558, message, [&] { choose_each(lags, options); });
        }
        constant = usual;
    };
    CostModel::for_each_option(refuse, options.cost);
    choose(lags, options);
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

TEST(ChooseTest, CausalKernelsBecomeStateSpaces) {
    constexpr Index n = 700;
    const Matrix<double> lags = causal_part(typical_lags(n).middleCols(3, 4));
    const ChooseOptions options{
        .tolerance = 1e-3, .kind = ToleranceKind::relative, .rounding = Rounding::to_float};
    const Approximation<double> choice = choose(lags, options);
    ASSERT_EQ(choice.method(), Method::state_space);
    EXPECT_STREQ(name(choice.method()), "state_space");
    EXPECT_EQ(choice.channels(), 4);
    EXPECT_LE(choice.modes(), 8);
    ChooseOptions none = options;
    none.most_modes = 0;
    EXPECT_LT(choice.cost, 0.7 * choose(lags, none).cost);
    EXPECT_EQ(choice.cost, options.cost.state_space(n, count_modes(choice.kernel().state_space.poles),
                                                    choice.tap_count()));
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
    none.most_modes = 0;
    EXPECT_NE(choose(lags, none).method(), Method::two_sided);
    none.most_modes = 1;
    EXPECT_NE(choose(causal_part(typical_lags(n).middleCols(9, 1)), none).method(), Method::state_space);
    none.most_modes = -1;
    expect_error<config_error>(556, "[toeplitz.config.556] choose: expected most_modes >= 0, got -1",
                               [&] { choose(lags, none); });
}

/// Σ_i λ_i^t, t ≥ 0, of five real poles and their negatives, or of ten conjugate pairs.
Matrix<double> lags_of_ten_modes(Index n, bool are_real) {
    Matrix<double> lags = Matrix<double>::Zero(2 * n - 1, 1);
    for (Index i = 0; i < 10; ++i) {
        constexpr double moduli[] = {0.99, 0.9, 0.75, 0.5, 0.2};
        const double angle = 0.3 + 0.25 * static_cast<double>(i);
        const std::complex<double> pole =
            are_real ? (i < 5 ? moduli[i] : -moduli[i - 5]) : std::polar(0.95, angle);
        std::complex<double> power = 1;
        for (Index t = 0; t < n; ++t, power *= pole) lags(n - 1 + t, 0) += power.real();
    }
    return lags;
}

TEST(ChooseTest, RealModesCostLess) {
    constexpr Index n = 60;
    const ChooseOptions options{.tolerance = 1e-9, .kind = ToleranceKind::relative, .most_modes = 16};
    // Between what ten modes cost that are real and that are not.
    const double exact = options.cost.exact(n);
    ASSERT_LT(options.cost.state_space(n, {.real = 10}), 0.5 * exact);
    ASSERT_GT(options.cost.state_space(n, {.complex = 10}), exact);
    const Approximation<double> real = choose(lags_of_ten_modes(n, true), options);
    ASSERT_EQ(real.method(), Method::state_space);
    EXPECT_LE(real.cost, options.cost.state_space(n, {.real = 10}) * (1 + 1e-12));
    EXPECT_EQ(choose(lags_of_ten_modes(n, false), options).method(), Method::fft);
}

/// ‖T − T̂‖₂ of state spaces, by the operator.
double true_error(const Matrix<double>& lags, const Approximation<double>& made, Index c) {
    const Index n = (lags.rows() + 1) / 2;
    Matrix<double> error(n, n);
    const AnyOperator<double> op = made.make_operator(n);
    Matrix<double> impulse = Matrix<double>::Zero(n, lags.cols());
    for (Index j = 0; j < n; ++j) {
        impulse.row(j).setOnes();
        const Matrix<double> response = op * impulse;
        impulse.row(j).setZero();
        for (Index i = 0; i < n; ++i) error(i, j) = lags(n - 1 + i - j, c) - response(i, c);
    }
    return spectral_norm(error);
}

TEST(ChooseTest, OtherKernelsBecomeAStateSpaceForEachDirectionOfTime) {
    constexpr Index n = 300;
    // Spikes beside slow modes, of their own on either side.
    Matrix<double> lags(2 * n - 1, 3);
    for (Index i = 0; i < lags.rows(); ++i) {
        const double t = static_cast<double>(i - n + 1);
        for (Index c = 0; c < 3; ++c) {
            const double slow = (t < 0 ? std::pow(0.9, -t) : std::pow(0.97, t) * std::cos(0.1 * t));
            lags(i, c) = slow * double(c + 1) + (std::abs(t) <= 2 ? std::sin(7 * t) : 0.0);
        }
    }
    const ChooseOptions options{.tolerance = 1e-3, .kind = ToleranceKind::relative, .most_modes = 16};
    const Approximation<double> choice = choose(lags, options);
    ASSERT_EQ(choice.method(), Method::two_sided);
    EXPECT_LE(choice.modes(), 6);
    EXPECT_LE(choice.tap_count(), 8);
    EXPECT_LT(choice.cost, 0.65 * choice.exact_cost);
    EXPECT_EQ(choice.cost, options.cost.state_space(n, count_modes(choice.kernel().state_space.poles),
                                                    choice.direct.rows()) +
                               options.cost.state_space(n, count_modes(choice.kernel().backward.poles),
                                                        choice.backward_direct.rows()));
    const Vector<double> again =
        state_space_bound(lags, choice.kernel().state_space, choice.kernel().backward);
    for (Index c = 0; c < 3; ++c) {
        EXPECT_LE(choice.bounds(c), choice.tolerances(c));
        EXPECT_LE(choice.bounds(c), again(c));
        EXPECT_LE(true_error(lags, choice, c), choice.bounds(c) + 1e-13 * choice.tolerances(c));
    }
    // The same kernel in reversed time.
    const Approximation<double> reversed = choose(Matrix<double>(lags.colwise().reverse()), options);
    ASSERT_EQ(reversed.method(), Method::two_sided);
    EXPECT_NEAR(reversed.cost, choice.cost, 0.1 * choice.cost);
}

/// The cost of the cheapest state space of any taps and modes within a tolerance by the bound, below `limit`;
/// the limit where there is none.
double cheapest_causal(const Matrix<double>& lags, double tolerance, double limit) {
    const CostModel model;
    for (Index taps = 1; taps <= 64 && model.state_space(lags.rows(), {}, taps) < limit; ++taps) {
        const auto fit = fit_state_space(lags, {.tolerance = tolerance, .taps = taps, .most_modes = 24});
        if (fit.meets_all()) {
            limit = (std::min)(limit, model.state_space(lags.rows(), fit.mode_count(), taps));
        }
    }
    return limit;
}

void expect_taps_and_modes_near_the_best(double relative) {
    constexpr Index n = 90;
    const double exact = CostModel{}.exact(n);
    for (const NamedKernel& kernel : searched_kernels(n)) {
        SCOPED_TRACE(testing::Message() << kernel.name << ' ' << relative);
        const Matrix<double> lags = lags_of(kernel.value, n);
        const Matrix<double> causal = causal_part(lags);
        const ChooseOptions options{.tolerance = relative * true_norm(causal, {}), .most_modes = 24};
        const double best = cheapest_causal(causal.bottomRows(n), options.tolerance, exact);
        EXPECT_LE(choose(causal, options).cost, 1.03 * best);

        // Each direction of time with any share of the tolerance.
        Matrix<double> others = lags.topRows(n).colwise().reverse();
        others(0, 0) = 0;
        double best_of_two = exact;
        for (double share = 0.05; share < 1; share += 0.1) {
            const double one = cheapest_causal(lags.bottomRows(n), share * options.tolerance, best_of_two);
            best_of_two =
                (std::min)(best_of_two, one + cheapest_causal(others, (1 - share) * options.tolerance,
                                                              (std::max)(best_of_two - one, 0.0)));
        }
        // A mode more, where all is little.
        EXPECT_LE(choose(lags, options).cost, 1.15 * best_of_two);
    }
}

TEST(ChooseTest, TapsAndModesCostLittleMoreThanTheBest) { expect_taps_and_modes_near_the_best(0.03); }

TEST(SlowChooseTest, TapsAndModesCostLittleMoreThanTheBest) {
    for (const double relative : {0.1, 0.01, 1e-3}) expect_taps_and_modes_near_the_best(relative);
}

}  // namespace
}  // namespace toeplitz::test
