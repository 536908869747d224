// SPDX-License-Identifier: MIT

/// \file
/// Streams whose calls all take multiples of a block of steps.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/scalars.hpp>
#include <support/stream.hpp>

#include <toeplitz/stream/kernel_stream.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class KernelStreamBlockTest : public testing::Test {};

TYPED_TEST_SUITE(KernelStreamBlockTest, Scalars);

/// Those that no first level has, that one has, and that are more than the last level's.
constexpr Index blocks[] = {3, 32, 96, 128, 480, 512, 2048};

TYPED_TEST(KernelStreamBlockTest, IsTheConvolution) {
    using S = TypeParam;
    Index seed = 0;
    for (const Index block : blocks) {
        for (const Index n : {1, 33, 128, 129, 130, 161, 384, 385, 512, 1000}) {
            for (const Index d : {1, 2, 3, 8, 17}) {
                const Index streams = d == 2 ? 3 : 1;
                // The definition takes long.
                if ((n + block) * d > 2000) continue;
                SCOPED_TRACE(testing::Message() << "block=" << block << " n=" << n << " d=" << d);
                const auto s = static_cast<std::uint64_t>(++seed);
                const Index steps = ((n + 300) / block + 2) * block;
                const Matrix<S> lags = random_matrix<S>(n, d, s);
                const Matrix<S> x = random_matrix<S>(steps * streams, d, s + 1000);
                const KernelStream<S> plan(lags, {.streams = streams, .block = block});
                const Reference exact = causal_convolution(lags, x, streams, plan.settling(), block);
                EXPECT_TRUE(near_each(streamed(plan, x, block), exact.value, exact.tolerance));
            }
        }
    }
}

TYPED_TEST(KernelStreamBlockTest, LongStreamsOfLongKernelsStayExact) {
    using S = TypeParam;
    // Three levels with blocks of 32, two of 128, one of 512.
    const Index n = 1600;
    for (const Index block : {32, 128, 512}) {
        for (const Index d : {1, 8}) {
            const Matrix<S> lags = random_matrix<S>(n, d, 1);
            const Matrix<S> x = random_matrix<S>(d == 1 ? 4608 : 2560, d, 2);
            const KernelStream<S> plan(lags, {.block = block});
            const Reference exact = causal_convolution(lags, x, 1, plan.settling(), block);
            EXPECT_TRUE(near_each(streamed(plan, x, block), exact.value, exact.tolerance))
                << block << " " << d;
        }
    }
}

TYPED_TEST(KernelStreamBlockTest, OutputsHaveTheSameBitsForAnyCutIntoBlocks) {
    using S = TypeParam;
    for (const Index block : {96, 128, 512}) {
        for (const Index n : {100, 500, 1600}) {
            for (const Index d : {1, 3, 8}) {
                const KernelStream<S> plan(random_matrix<S>(n, d, 3), {.streams = 2, .block = block});
                const Matrix<S> x = random_matrix<S>(2 * 11 * block, d, 4);
                const Matrix<S> y = streamed(plan, x, block);
                for (const Index calls : {2, 3, 11}) {
                    EXPECT_TRUE(same_bits(streamed(plan, x, calls * block), y))
                        << n << " lags of " << d << " channels, calls of " << calls << " times " << block;
                }
            }
        }
    }
}

TYPED_TEST(KernelStreamBlockTest, ForksPromptsAndSavedStatesGoOnWithTheSameBits) {
    using S = TypeParam;
    for (const Index block : {32, 480, 512}) {
        for (const Index n : {100, 500, 1600, 7000}) {
            for (const Index d : {1, 3}) {
                const Matrix<S> lags = random_matrix<S>(n, d, 5);
                const KernelStream<S> plan(lags, {.block = block});
                const Index tail = (n / block + 2) * block;
                const Matrix<S> after = random_matrix<S>(tail, d, 6);
                for (const Index begin : {0, 3}) {
                    for (const Index length : {0, 1, 2, 9, 31}) {
                        SCOPED_TRACE(testing::Message() << n << " lags, blocks of " << block << ": " << length
                                                        << " after " << begin);
                        const Matrix<S> prompt = random_matrix<S>(length * block, d, 7);
                        auto state = plan.make_state();
                        streamed(plan, random_matrix<S>(begin * block, d, 8), state, block);
                        auto other = state;
                        streamed(plan, prompt, state, 2 * block);
                        plan.prefill(prompt, other);
                        EXPECT_TRUE(other == state);
                        std::vector<std::byte> saved(plan.saved_bytes(state));
                        plan.save(state, saved);
                        auto restored = plan.make_state();
                        streamed(plan, after, restored, block);
                        plan.restore(saved, restored);
                        EXPECT_TRUE(restored == state);
                        const Matrix<S> y = streamed(plan, after, state, block);
                        EXPECT_TRUE(same_bits(streamed(plan, after, other, tail), y));
                        EXPECT_TRUE(same_bits(streamed(plan, after, restored, block), y));
                    }
                }
            }
        }
    }
}

TYPED_TEST(KernelStreamBlockTest, TheStepsThatCountAreThoseOfSingleSteps) {
    using S = TypeParam;
    for (const Index n : {1, 128, 129, 400, 1600, 7000}) {
        for (const Index d : {1, 3}) {
            const Matrix<S> lags = random_matrix<S>(n, d, 9);
            const KernelStream<S> single(lags);
            for (const Index block : blocks) {
                EXPECT_EQ(KernelStream<S>(lags, {.block = block}).settling(), single.settling());
            }
        }
    }
}

TYPED_TEST(KernelStreamBlockTest, ANaNStaysInItsChannelAndSettles) {
    using S = TypeParam;
    const Index block = 128;
    for (const Index n : {20, 150, 700}) {
        const KernelStream<S> plan(random_matrix<S>(n, 3, 10), {.block = block});
        Matrix<S> x = random_matrix<S>((plan.settling() / block + 8) * block, 3, 11);
        const Matrix<S> clean = streamed(plan, x, block);
        const Index bad = 3 * block + 70;
        x(bad, 1) = std::numeric_limits<S>::quiet_NaN();
        auto state = plan.make_state();
        const Matrix<S> y = streamed(plan, x, state, block);
        for (Index t = 0; t < y.rows(); ++t) {
            // Within its block, earlier steps see it as well: they are made together.
            const bool may_be_bad = t >= 3 * block && t < bad + plan.settling();
            ASSERT_EQ(y(t, 0), clean(t, 0)) << t;
            ASSERT_EQ(y(t, 2), clean(t, 2)) << t;
            if (!may_be_bad) {
                ASSERT_EQ(y(t, 1), clean(t, 1)) << n << " at " << t;
            }
        }
        EXPECT_FALSE(detail::is_finite(y(bad, 1)));
        plan.reset(state);
        x(bad, 1) = S(0);
        EXPECT_TRUE(same_bits(streamed(plan, x, state, block), streamed(plan, x, block)));
    }
}

TYPED_TEST(KernelStreamBlockTest, BlocksTakeFewerOperationsAndNoneMoreThanTheBound) {
    using S = TypeParam;
    const Index block = 512;
    const Matrix<S> lags = random_matrix<S>(4096, 64, 12);
    const KernelStream<S> plan(lags, {.block = block});
    const KernelStream<S> single(lags);
    Index sum = 0;
    Index sum_of_single = 0;
    for (Index t = 8 * block; t < 16 * block; ++t) {
        sum += plan.operations(t);
        sum_of_single += single.operations(t);
        EXPECT_LE(plan.operations(t), plan.step_bound());
    }
    EXPECT_LT(2 * sum, sum_of_single);
    EXPECT_GT(plan.operations(9 * block - 1), plan.step_bound() / 2) << "the last step of a block";
    EXPECT_LT(plan.operations(9 * block), 10 * 64);
}

TEST(KernelStreamBlockErrors, OtherCallsAndOtherBlocksAreRefused) {
    const Matrix<float> lags = random_matrix<float>(300, 2, 13);
    const auto with_block = [&](Index block) { return KernelStream<float>(lags, {.block = block}); };
    expect_error<config_error>(201, "[toeplitz.config.201] KernelStream: expected block >= 1, got 0",
                               [&] { with_block(0); });
    expect_error<config_error>(
        202, "[toeplitz.config.202] KernelStream: expected a size below 2^63, got 2 * 4611686018427387904",
        [&] { KernelStream<float>(lags, {.streams = 2, .block = Index{1} << 62}); });
    const auto plan = with_block(64);
    EXPECT_NE(plan.fingerprint(), with_block(32).fingerprint());
    auto state = plan.make_state();
    std::vector<std::byte> bytes(plan.saved_bytes(state));
    plan.save(state, bytes);
    const auto other = with_block(1);
    auto other_state = other.make_state();
    expect_error<value_error>(1007,
                              "[toeplitz.value.1007] KernelStream::restore: expected a state of the same "
                              "kernel, streams and options, got one of another plan",
                              [&] { other.restore(bytes, other_state); });
}

TEST(KernelStreamBlockDeathTest, CallsOfOtherLengthsEndTheProgramWithTheirMessage) {
    const KernelStream<float> plan(random_matrix<float>(300, 2, 13), {.streams = 2, .block = 64});
    auto state = plan.make_state();
    Matrix<float> x = Matrix<float>::Ones(200, 2);
    Matrix<float> y = x;
    EXPECT_DEATH(plan.process(x, y, state),
                 "toeplitz.shape.1003. KernelStream::process: expected x of 256×2 for 2 streams, in "
                 "multiples of 64, got 200×2");
    EXPECT_DEATH(plan.prefill(x, state), "toeplitz.shape.1003. KernelStream::prefill");
    EXPECT_DEATH(plan.step(x.topRows(2), y.topRows(2), state), "toeplitz.shape.1003. KernelStream::process");
}

}  // namespace
}  // namespace toeplitz::test
