// SPDX-License-Identifier: MIT
// One allocation fails, whichever: an exception says so, and then everything works as before.

#include <support/allocations.hpp>
#include <support/linear_model.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/nn/compress.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {
namespace {

class FailingAllocations : public Allocations {
protected:
    /// f() makes a result from nothing: it must throw, or be as without a failure; with 1, 2 and 7 threads.
    template <class F>
    static void expect_result(F&& f, long dense = 64) {
        const auto right = f();
        for (const int threads : {1, 2, 7}) {
            with_threads(threads, [&] {
                const auto check = [&] { EXPECT_TRUE(f() == right) << threads << " threads"; };
                check();  // OpenMP's runtime has its threads now
                EXPECT_GT(fail_each(
                              check, [] {}, dense),
                          0);
                check();
            });
        }
    }
};

TEST_F(FailingAllocations, InParallelRegionsOfBounds) {
    const Matrix<double> lags = random_matrix<double>(999, 64, 1);
    const Approximation<double> made{.taps = random_matrix<double>(5, 64, 2),
                                     .inducing = random_matrix<double>(39, 64, 3)};
    expect_result([&] { return error_bound(lags, made); });
    expect_result([&] { return norm_bound(lags); });
}

TEST_F(FailingAllocations, InParallelRegionsOfAChoice) {
    const Matrix<double> lags = random_matrix<double>(47, 20, 1);
    const ChooseOptions options{.tolerance = 0.3, .kind = ToleranceKind::relative, .most_modes = 0};
    expect_result(
        [&] {
            std::vector<Index> taps;
            for (const auto& choice : choose_each(lags, options)) taps.push_back(choice.tap_count());
            return taps;
        },
        1);
    expect_result(
        [&] {
            const auto made = compress_lags<double>(lags, options);
            return made.parameters.groups[0].bounds;
        },
        1);
}

TEST_F(FailingAllocations, InFitsOfStateSpaces) {
    // Causal, 0.9^t and 0.8^t.
    Matrix<double> lags = Matrix<double>::Zero(59, 2);
    for (Index t = 0; t < 30; ++t) {
        for (Index c = 0; c < 2; ++c) lags(29 + t, c) = std::pow(0.9 - 0.1 * static_cast<double>(c), t);
    }
    expect_result(
        [&] {
            std::vector<Matrix<double>> poles;
            for (const auto& choice : choose_each(lags, {.tolerance = 1e-6})) {
                if (choice.method() == Method::state_space) poles.push_back(choice.poles.real());
            }
            return poles.size() == 2 ? poles : std::vector<Matrix<double>>{};
        },
        1);
    EXPECT_EQ(choose_each(lags, {.tolerance = 1e-6})[1].method(), Method::state_space);
}

TEST_F(FailingAllocations, InTheShardsOfATrainer) {
    using P = ModelParameters<double>;
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    const Objective<double> objective = [&](const P& parameters, const Part& part, P& gradients) {
        return model(parameters, part, gradients);
    };
    const TrainerOptions options{.accumulation = 2, .shards = 5};
    P right = model.make_parameters(1);
    Trainer<P>(right, options).step(right, objective);
    for (const int threads : {1, 2, 7}) {
        with_threads(threads, [&] {
            const P start = model.make_parameters(1);
            P parameters = start;
            Trainer<P> trainer(parameters, options);
            const auto step = [&] { trainer.step(parameters, objective); };
            const auto unchanged = [&] { EXPECT_EQ(parameters == start, trainer.state().step() == 0); };
            EXPECT_GT(fail_each(step, unchanged), 0);
            EXPECT_TRUE(parameters == right) << threads << " threads";
        });
    }
}

}  // namespace
}  // namespace toeplitz::test
