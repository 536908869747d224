// SPDX-License-Identifier: MIT
#include <toeplitz/train/buffers.hpp>

#include <limits>

#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/norm.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {
namespace {

using Norm2 = BatchNorm<double>;
constexpr Index norm_rows = 6;  // of each shard

TEST(BuffersTest, MoveInTrainingByTheMeanOfWhatTheShardsHaveSeen) {
    const Norm2 norm({.channels = 2, .momentum = 0.25});
    auto parameters = norm.make_parameters();
    const Matrix<double> x = random_matrix<double>(2 * norm_rows, 2, 1);
    // The third shard has nothing to say.
    Trainer<Norm2::Parameters> trainer(parameters, {.schedule = {.peak = 0.01}, .shards = 3});
    const auto objective = [&](const Norm2::Parameters& now, const Part& part, Norm2::Parameters& gradients) {
        if (part.shard == 2) return LossSum{};
        const Matrix<double> mine = x.middleRows(part.shard * norm_rows, norm_rows);
        Matrix<double> y(norm_rows, 2);
        Matrix<double> dx(norm_rows, 2);
        Norm2::Cache cache;
        Workspace ws;
        norm.forward(now, mine, norm_rows, y, cache, ws);
        norm.backward(now, mine, cache, y, dx, gradients, ws);
        return LossSum{y.squaredNorm() / 2, static_cast<double>(y.size())};
    };
    Vector<double> mean = Vector<double>::Zero(2);
    Vector<double> variance = Vector<double>::Ones(2);
    for (Index step = 1; step <= 3; ++step) {
        trainer.step(parameters, objective);
        for (Index c = 0; c < 2; ++c) {
            double seen_mean = 0;
            double seen_variance = 0;
            for (Index shard = 0; shard < 2; ++shard) {
                const auto mine = x.col(c).segment(shard * norm_rows, norm_rows).array();
                seen_mean += mine.mean() / 2;
                seen_variance += (mine - mine.mean()).square().sum() / (norm_rows - 1) / 2;
            }
            mean(c) += 0.25 * (seen_mean - mean(c));
            variance(c) += 0.25 * (seen_variance - variance(c));
            EXPECT_TRUE(near(parameters.running_mean(c), mean(c), 16 * norm_rows * unit<double>));
            EXPECT_TRUE(near(parameters.running_var(c), variance(c), 16 * norm_rows * unit<double>));
        }
        EXPECT_EQ(parameters.num_batches_tracked(0), static_cast<double>(step));
    }
}

TEST(BuffersTest, AreNeverLeftInfiniteByAStep) {
    using Norm = BatchNorm<float>;
    const Norm norm({.channels = 1});
    auto parameters = norm.make_parameters();
    const auto before = parameters;
    Trainer<Norm::Parameters> trainer(parameters, {.schedule = {.peak = 0.01}});
    try {
        // Finite losses and gradients beside a variance that overflows.
        trainer.step(parameters, [](const Norm::Parameters&, const Part&, Norm::Parameters& gradients) {
            gradients.running_var(0) = std::numeric_limits<float>::infinity();
            return LossSum{1, 1};
        });
        FAIL() << "no error";
    } catch (const train_error& error) {
        EXPECT_EQ(error.id(), 813);
    }
    EXPECT_EQ(parameters.running_var(0), before.running_var(0));
    EXPECT_EQ(parameters.weight(0), before.weight(0));
    EXPECT_EQ(trainer.state().step(), 0);
}

TEST(BuffersTest, StayWhereAStepFails) {
    const Norm2 norm({.channels = 2});
    auto parameters = norm.make_parameters();
    Trainer<Norm2::Parameters> trainer(parameters, {});
    const auto objective = [&](const Norm2::Parameters&, const Part&, Norm2::Parameters& gradients) {
        gradients.running_mean.setOnes();
        gradients.weight(0) = std::numeric_limits<double>::infinity();
        return LossSum{1, 1};
    };
    EXPECT_THROW(trainer.step(parameters, objective), train_error);
    EXPECT_EQ(parameters.running_mean, Vector<double>(Vector<double>::Zero(2)));
}

TEST(BuffersTest, AreAllThatALoopOfOnesOwnMoves) {
    const Norm2 norm({.channels = 2});
    auto parameters = norm.make_parameters();
    auto gradients = zeros_like(parameters);
    gradients.weight.setOnes();
    gradients.running_var << 2, -1;
    update_buffers(parameters, gradients, 0.5);
    EXPECT_EQ(parameters.weight, Vector<double>(Vector<double>::Ones(2)));
    EXPECT_EQ(parameters.running_var, (Vector<double>{{2, 0.5}}));
}

}  // namespace
}  // namespace toeplitz::test
