// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>

#include <toeplitz/train/batches.hpp>

namespace toeplitz::test {
namespace {

TEST(ShuffleTest, EveryEpochIsAPermutation) {
    for (const Index size : {1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 1000, 1025}) {
        const Shuffle shuffle(size, 5);
        for (const Index epoch : {0, 1, 77}) {
            std::vector<bool> seen(static_cast<std::size_t>(size));
            for (Index i = 0; i < size; ++i) {
                const Index sample = shuffle(epoch, i);
                ASSERT_TRUE(sample >= 0 && sample < size);
                ASSERT_FALSE(seen[static_cast<std::size_t>(sample)]) << size << " " << epoch << " " << i;
                seen[static_cast<std::size_t>(sample)] = true;
            }
        }
    }
}

TEST(ShuffleTest, EpochsAndSeedsDiffer) {
    const Shuffle a(1000, 1);
    const Shuffle b(1000, 2);
    int same_epoch = 0;
    int same_seed = 0;
    int fixed = 0;
    int neighbours = 0;
    for (Index i = 0; i < 1000; ++i) {
        same_epoch += a(0, i) == a(1, i);
        same_seed += a(0, i) == b(0, i);
        fixed += a(0, i) == i;
        neighbours += i > 0 && a(0, i) == a(0, i - 1) + 1;
    }
    // Each is Poisson distributed with mean 1: above 10 once in 10⁸ seeds.
    EXPECT_LE(same_epoch, 10);
    EXPECT_LE(same_seed, 10);
    EXPECT_LE(fixed, 10);
    EXPECT_LE(neighbours, 10);
}

TEST(ShuffleTest, EverySampleComesAnywhereEquallyOften) {
    for (const Index size : {5, 48}) {
        const Shuffle shuffle(size, 9);
        constexpr Index epochs = 20000;
        std::vector<double> counts(static_cast<std::size_t>(size * size));
        for (Index epoch = 0; epoch < epochs; ++epoch) {
            for (Index i = 0; i < size; ++i) {
                ++counts[static_cast<std::size_t>(i * size + shuffle(epoch, i))];
            }
        }
        double chi2 = 0;
        const double expected = static_cast<double>(epochs) / static_cast<double>(size);
        for (const double count : counts) chi2 += (count - expected) * (count - expected) / expected;
        // χ² with (size−1)² degrees of freedom: mean ± 6 standard deviations.
        const double degrees = static_cast<double>((size - 1) * (size - 1));
        EXPECT_NEAR(chi2, degrees, 6 * std::sqrt(2 * degrees)) << size;
    }
}

std::vector<Index> step_samples(const Batches& batches, Index step, Index micros, Index shards) {
    std::vector<Index> samples;
    for (Index micro = 0; micro < micros; ++micro) {
        for (Index shard = 0; shard < shards; ++shard) {
            const Part part{.step = step, .micro = micro, .micros = micros, .shard = shard, .shards = shards};
            for (Index j = 0; j < batches.count(part); ++j) samples.push_back(batches.sample(part, j));
        }
    }
    return samples;
}

TEST(BatchesTest, CutsDoNotChangeTheSamplesOfAStep) {
    const Batches whole(50, 12, 1);
    const Batches half(50, 6, 1);
    for (Index step = 0; step < 10; ++step) {
        const std::vector<Index> samples = step_samples(whole, step, 1, 1);
        EXPECT_EQ(samples.size(), 12U);
        for (const Index shards : {2, 3, 5, 20}) EXPECT_EQ(step_samples(whole, step, 1, shards), samples);
        EXPECT_EQ(step_samples(half, step, 2, 1), samples);
        EXPECT_EQ(step_samples(half, step, 2, 4), samples);
    }
}

TEST(BatchesTest, AnEpochHoldsEverySampleOnce) {
    const Batches batches(10, 4, 1);
    std::vector<Index> all;
    for (Index step = 0; step < 5; ++step) {
        for (const Index sample : step_samples(batches, step, 1, 2)) all.push_back(sample);
    }
    EXPECT_EQ(std::set<Index>(all.begin(), all.begin() + 10).size(), 10U);
    EXPECT_EQ(std::set<Index>(all.begin() + 10, all.end()).size(), 10U);
}

TEST(PartTest, EveryPieceHasASeedOfItsOwn) {
    std::set<std::uint64_t> seeds;
    for (std::uint64_t run = 0; run < 3; ++run) {
        for (Index i = 0; i < 5; ++i) {
            for (Index j = 0; j < 5; ++j) {
                for (Index k = 0; k < 5; ++k) seeds.insert(part_seed(run, i, j, k));
            }
        }
    }
    EXPECT_EQ(seeds.size(), 3U * 125);
}

TEST(BatchesTest, PlacesBeyondAllRunsAreSamplesAsWell) {
    constexpr Index huge = std::numeric_limits<Index>::max();
    const Batches batches(10, huge / 2, 1);
    for (const Index step : {Index{1} << 60, huge}) {
        for (const Index shard : {0, 3, 6}) {
            const Part part{.step = step, .micro = huge - 1, .micros = huge, .shard = shard, .shards = 7};
            const Index count = batches.count(part);
            EXPECT_TRUE(count == huge / 14 || count == huge / 14 + 1) << count;
            for (const Index j : {Index{0}, count - 1}) {
                const Index sample = batches.sample(part, j);
                EXPECT_TRUE(sample >= 0 && sample < 10) << sample;
            }
        }
    }
}

TEST(BatchesErrorTest, NeedsSamples) {
    expect_error<config_error>(201, "[toeplitz.config.201] Shuffle: expected size >= 1, got 0",
                               [] { Shuffle(0, 1); });
    expect_error<config_error>(201, "[toeplitz.config.201] Batches: expected batch >= 1, got 0",
                               [] { Batches(3, 0, 1); });
}

}  // namespace
}  // namespace toeplitz::test
