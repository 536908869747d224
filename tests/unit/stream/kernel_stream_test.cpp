// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/scalars.hpp>
#include <support/stream.hpp>

#include <toeplitz/stream/kernel_stream.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class KernelStreamTest : public testing::Test {};

TYPED_TEST_SUITE(KernelStreamTest, Scalars);

/// Lengths on both sides of every change of the partition: tiles, by definition or not, levels.
constexpr Index lengths[] = {1, 2, 7, 8, 9, 10, 31, 33, 64, 127, 128, 129, 130, 200, 384, 385, 512, 513, 700};

TYPED_TEST(KernelStreamTest, IsTheConvolutionForAnyLengthWidthAndCut) {
    using S = TypeParam;
    Index seed = 0;
    for (const Index n : lengths) {
        for (const Index d : {1, 2, 3, 5, 8, 17}) {
            for (const Index streams : {1, 3}) {
                if (streams * d > 3 && n > 200) continue;
                SCOPED_TRACE(testing::Message() << "n=" << n << " d=" << d << " streams=" << streams);
                const auto s = static_cast<std::uint64_t>(++seed);
                const Matrix<S> lags = random_matrix<S>(n, d, s);
                const Matrix<S> x = random_matrix<S>((n + 300) * streams, d, s + 1000);
                const KernelStream<S> plan(lags, {.streams = streams});
                const Reference exact = causal_convolution(lags, x, streams, plan.settling());
                EXPECT_TRUE(near_each(streamed(plan, x, 0), exact.value, exact.tolerance));
            }
        }
    }
}

TYPED_TEST(KernelStreamTest, LongStreamsOfLongKernelsStayExact) {
    using S = TypeParam;
    // Up to three levels; the last one's blocks come round several times.
    const Index n = 1600;
    for (const Index d : {1, 2, 3, 16}) {
        const Index steps = d < 3 ? 9000 : 3000;
        const Matrix<S> lags = random_matrix<S>(n, d, 1);
        const Matrix<S> x = random_matrix<S>(steps, d, 2);
        const KernelStream<S> plan(lags);
        const Matrix<S> y = streamed(plan, x, 0);
        const Reference exact = causal_convolution(lags, x, 1, plan.settling());
        EXPECT_TRUE(near_each(y, exact.value, exact.tolerance)) << d;
    }
}

TYPED_TEST(KernelStreamTest, OutputsHaveTheSameBitsForAnyCut) {
    using S = TypeParam;
    for (const Index n : {5, 100, 200, 1600}) {
        for (const Index d : {1, 2, 3, 5, 8}) {
            for (const Index streams : {1, 2}) {
                const KernelStream<S> plan(random_matrix<S>(n, d, 3), {.streams = streams});
                const Matrix<S> x = random_matrix<S>(streams * (2 * n + 700), d, 4);
                const Matrix<S> y = streamed(plan, x, 1);
                for (const Index block : {0, 8, 31, 32, 480, 512, 100000}) {
                    EXPECT_TRUE(same_bits(streamed(plan, x, block), y))
                        << n << " lags of " << d << " channels of " << streams << ", blocks of " << block;
                }
            }
        }
    }
}

TYPED_TEST(KernelStreamTest, StepIsProcessOfOneStep) {
    using S = TypeParam;
    const KernelStream<S> plan(random_matrix<S>(150, 3, 3), {.streams = 2});
    const Matrix<S> x = random_matrix<S>(2 * 400, 3, 4);
    Matrix<S> y(x.rows(), 3);
    auto state = plan.make_state();
    for (Index t = 0; t < 400; ++t) {
        EXPECT_EQ(state.time(), t);
        plan.step(MatrixView<const S>(x).middle_rows(2 * t, 2), MatrixView<S>(y).middle_rows(2 * t, 2),
                  state);
    }
    EXPECT_TRUE(same_bits(y, streamed(plan, x, 0)));
}

TYPED_TEST(KernelStreamTest, StreamsAreOfOneKernelAndDoNotMix) {
    using S = TypeParam;
    for (const Index d : {1, 3, 16, 20}) {
        const Matrix<S> lags = random_matrix<S>(300, d, 5);
        const KernelStream<S> one(lags);
        const KernelStream<S> many(lags, {.streams = 5});
        const Matrix<S> x = random_matrix<S>(5 * 500, d, 6);
        const Matrix<S> y = streamed(many, x, 0);
        for (const Index s : {0, 1, 2, 3, 4}) {
            const Matrix<S> own = x(Eigen::seq(s, Eigen::last, 5), Eigen::all);
            const Matrix<S> among = y(Eigen::seq(s, Eigen::last, 5), Eigen::all);
            const Reference exact = causal_convolution(lags, own, 1, one.settling());
            EXPECT_TRUE(near_each(among, exact.value, exact.tolerance)) << d << " " << s;
            // Where both fill their lanes alike.
            EXPECT_TRUE(d != 16 || same_bits(streamed(one, own, 0), among));
        }
    }
}

TYPED_TEST(KernelStreamTest, ViewsMayHaveAnyStridesAndYMayBeX) {
    using S = TypeParam;
    for (const auto& [d, streams] : {std::pair<Index, Index>{6, 1}, {6, 2}, {1, 1}, {2, 1}, {1, 3}}) {
        SCOPED_TRACE(testing::Message() << d << " channels of " << streams << " streams");
        const KernelStream<S> plan(random_matrix<S>(200, d, 7), {.streams = streams});
        const Matrix<S> x = random_matrix<S>(streams * 320, d, 8);
        const Matrix<S> y = streamed(plan, x, 80);
        // Channels apart, as audio hosts have them, in place.
        ColumnMatrix<S> planar = x;
        auto state = plan.make_state();
        for (Index t = 0; t < 320; t += 80) {
            const MatrixView<S> block = MatrixView<S>(planar).middle_rows(streams * t, streams * 80);
            plan.process(block, block, state);
        }
        EXPECT_TRUE(same_bits(planar, y));
        // Columns of something wider, rows upside down.
        Matrix<S> wide = Matrix<S>::Constant(x.rows(), d + 3, S(5));
        wide.middleCols(2, d) = x;
        state = plan.make_state();
        const MatrixView<S> inner = MatrixView<S>(wide).middle_cols(2, d);
        plan.process(inner, inner, state);
        EXPECT_TRUE(same_bits(wide.middleCols(2, d), y));
        EXPECT_TRUE((wide.leftCols(2).array() == S(5)).all());
        EXPECT_TRUE((wide.rightCols(1).array() == S(5)).all());
    }
}

TYPED_TEST(KernelStreamTest, ForksGoOnWithTheSameBits) {
    using S = TypeParam;
    const KernelStream<S> plan(random_matrix<S>(500, 3, 9));
    const Matrix<S> before = random_matrix<S>(777, 3, 10);
    const Matrix<S> after = random_matrix<S>(600, 3, 11);
    auto state = plan.make_state();
    streamed(plan, before, state, 0);
    auto fork = state;
    EXPECT_TRUE(fork == state);
    const Matrix<S> y = streamed(plan, after, state, 0);
    EXPECT_FALSE(fork == state);
    auto second = plan.make_state();
    EXPECT_FALSE(second == fork);
    second = fork;
    EXPECT_TRUE(same_bits(streamed(plan, after, fork, 64), y));
    EXPECT_TRUE(same_bits(streamed(plan, after, second, 1), y));
    EXPECT_TRUE(fork == state);
    // Other inputs, or the same ones at another time, are another state.
    auto early = plan.make_state();
    auto late = plan.make_state();
    streamed(plan, before, early, 0);
    streamed(plan, (-before).eval(), late, 0);
    EXPECT_FALSE(early == late);
}

TYPED_TEST(KernelStreamTest, PrefillLeavesWhatProcessLeaves) {
    using S = TypeParam;
    for (const Index n : {3, 100, 200, 500, 1600}) {
        for (const auto& [d, streams] : {std::pair<Index, Index>{3, 2}, {1, 1}}) {
            const KernelStream<S> plan(random_matrix<S>(n, d, 12), {.streams = streams});
            const Matrix<S> after = random_matrix<S>(streams * (n + 300), d, 13);
            for (const Index begin : {0, 1, 45, 333}) {
                for (const Index length : {0, 1, 31, 32, 64, 100, 513, 1100, 2600}) {
                    SCOPED_TRACE(testing::Message() << n << " from " << begin << ", " << length << " steps");
                    const Matrix<S> first = random_matrix<S>(streams * begin, d, 14);
                    const Matrix<S> prompt = random_matrix<S>(streams * length, d, 15);
                    auto state = plan.make_state();
                    streamed(plan, first, state, 0);
                    auto other = state;
                    streamed(plan, prompt, state, 0);
                    plan.prefill(prompt, other);
                    EXPECT_TRUE(other == state);
                    EXPECT_TRUE(same_bits(streamed(plan, after, other, 50), streamed(plan, after, state, 0)));
                }
            }
        }
    }
}

TYPED_TEST(KernelStreamTest, ResetForgetsEverything) {
    using S = TypeParam;
    for (const Index n : {20, 400}) {
        const KernelStream<S> plan(random_matrix<S>(n, 3, 16));
        const Matrix<S> x = random_matrix<S>(900, 3, 17);
        const Matrix<S> y = streamed(plan, x, 0);
        auto state = plan.make_state();
        streamed(plan, random_matrix<S>(555, 3, 18), state, 0);
        plan.reset(state);
        EXPECT_TRUE(state == plan.make_state());
        EXPECT_TRUE(same_bits(streamed(plan, x, state, 0), y));
    }
}

TYPED_TEST(KernelStreamTest, DenormalInputsAreZerosHoweverTheyCome) {
    using S = TypeParam;
    const S denormal = (std::numeric_limits<S>::min)() / 4;
    for (const Index n : {20, 400}) {
        const Matrix<S> lags = Matrix<S>::Constant(n, 3, S(0.5));
        const KernelStream<S> plan(lags);
        const Matrix<S> x = Matrix<S>::Constant(900, 3, denormal);
        for (const Index block : {0, 1, 50}) {
            auto state = plan.make_state();
            EXPECT_TRUE(streamed(plan, x, state, block).isZero(0)) << n << " lags, blocks of " << block;
        }
        auto state = plan.make_state();
        plan.prefill(x, state);
        EXPECT_TRUE(streamed(plan, Matrix<S>(Matrix<S>::Zero(900, 3)), state, 0).isZero(0));
        EXPECT_NE(denormal * S(0.5), 0) << "the caller's mode is as it was";
    }
}

TYPED_TEST(KernelStreamTest, ANaNStaysInItsChannelAndSettles) {
    using S = TypeParam;
    for (const S bad : {std::numeric_limits<S>::quiet_NaN(), std::numeric_limits<S>::infinity()}) {
        for (const Index n : {20, 33, 128, 150, 700}) {
            const KernelStream<S> plan(random_matrix<S>(n, 3, 19), {.streams = 2});
            const Index steps = 200 + plan.settling() + 100;
            Matrix<S> x = random_matrix<S>(2 * steps, 3, 20);
            const Matrix<S> clean = streamed(plan, x, 0);
            x(2 * 199 + 1, 1) = bad;  // step 199 of stream 1
            auto state = plan.make_state();
            const Matrix<S> y = streamed(plan, x, state, 0);
            for (Index row = 0; row < y.rows(); ++row) {
                for (Index c = 0; c < 3; ++c) {
                    const Index t = row / 2;
                    if (row % 2 == 1 && c == 1 && t >= 199 && t < 199 + plan.settling()) {
                        EXPECT_TRUE(t > 199 || !detail::is_finite(y(row, c)));
                    } else {
                        ASSERT_EQ(y(row, c), clean(row, c)) << "n=" << n << " t=" << t;
                    }
                }
            }
            // Right after it, reset is enough.
            plan.reset(state);
            streamed(plan, x.topRows(2 * 230).eval(), state, 0);
            plan.reset(state);
            x(2 * 199 + 1, 1) = S(0);
            EXPECT_TRUE(same_bits(streamed(plan, x, state, 0), streamed(plan, x, 0)));
        }
    }
}

TYPED_TEST(KernelStreamTest, NoOutputOfABlockSeesALaterInput) {
    using S = TypeParam;
    for (const Index n : {9, 33, 65, 97, 128, 129, 200, 600}) {
        for (const Index d : {1, 2, 3}) {
            const KernelStream<S> plan(random_matrix<S>(n, d, 31));
            for (Index first = 200; first < 232; ++first) {
                auto state = plan.make_state();
                plan.process(random_matrix<S>(first, d, 32), Matrix<S>(first, d), state);
                Matrix<S> block = random_matrix<S>(40, d, 33);
                for (const Index bad : {1, 31, 39}) {
                    auto fork = state;
                    block(bad, 0) = std::numeric_limits<S>::quiet_NaN();
                    Matrix<S> y(40, d);
                    plan.process(block, y, fork);
                    block(bad, 0) = S(1);
                    for (Index t = 0; t < bad; ++t) {
                        ASSERT_TRUE(detail::is_finite(y(t, 0))) << n << " " << first;
                    }
                }
            }
        }
    }
}

TYPED_TEST(KernelStreamTest, NoStepTakesMoreThanTheBoundAndTheBoundIsNearTheMean) {
    using S = TypeParam;
    for (const Index n : {1, 30, 128, 129, 385, 1000, 4096}) {
        for (const Index d : {1, 20, 64}) {
            SCOPED_TRACE(testing::Message() << n << " lags of " << d);
            const KernelStream<S> plan(random_matrix<S>(n, d, 21));
            const Index period = 4 * plan.settling();
            double sum = 0;
            Index most = 0;
            for (Index t = period; t < 2 * period; ++t) {
                most = std::max(most, plan.operations(t));
                sum += static_cast<double>(plan.operations(t));
            }
            EXPECT_LE(most, plan.step_bound());
            EXPECT_GE(static_cast<double>(most), 0.75 * static_cast<double>(plan.step_bound()));
            const double mean = sum / static_cast<double>(period);
            EXPECT_TRUE(d < 64 || n == 1 || static_cast<double>(plan.step_bound()) <= 2 * mean) << mean;
        }
    }
}

TYPED_TEST(KernelStreamTest, TheBoundGrowsLikeASquareOfALogarithm) {
    using S = TypeParam;
    const Index packs = 64 / Simd<S>::lanes;
    for (Index n = 4 * 96; n <= 98304; n *= 4) {
        const KernelStream<S> plan(random_matrix<S>(n, 64, 22));
        const double log = std::log2(static_cast<double>(n));
        EXPECT_LE(static_cast<double>(plan.step_bound()), 4 * static_cast<double>(packs) * log * log) << n;
    }
}

TYPED_TEST(KernelStreamTest, ADecayedTailIsDroppedWithinTheTolerance) {
    using S = TypeParam;
    const Index n = 900;
    Matrix<S> lags = random_matrix<S>(n, 2, 23);
    for (Index t = 0; t < n; ++t) {
        lags(t, 0) *= static_cast<S>(std::pow(0.98, t));
        lags(t, 1) *= static_cast<S>(std::pow(0.95, t));
    }
    const Matrix<S> x = random_matrix<S>(1500, 2, 24);
    const KernelStream<S> all(lags);
    EXPECT_EQ(all.lags(), n);
    EXPECT_EQ(all.dropped(), 0);
    const double tolerance = 1e-3;
    const KernelStream<S> some(lags, {.tail_tolerance = tolerance});
    EXPECT_LT(some.lags(), 700);
    EXPECT_LE(some.dropped(), tolerance);
    // One lag less would be too few.
    EXPECT_GT(
        lags.bottomRows(n - some.lags() + 1).template cast<double>().cwiseAbs().colwise().sum().maxCoeff(),
        tolerance);
    Reference exact = causal_convolution(lags, x, 1, all.settling());
    exact.tolerance.array() += static_cast<long double>(some.dropped()) * x.cwiseAbs().maxCoeff();
    EXPECT_TRUE(near_each(streamed(some, x, 0), exact.value, exact.tolerance));
    // Zeros cost nothing and change nothing.
    lags.bottomRows(500).setZero();
    EXPECT_EQ(KernelStream<S>(lags).lags(), 400);
    lags.setZero();
    EXPECT_EQ(KernelStream<S>(lags).lags(), 1);
}

TYPED_TEST(KernelStreamTest, SavedStatesGoOnWithTheSameBits) {
    using S = TypeParam;
    for (const Index n : {1, 60, 200, 500, 1600}) {
        for (const auto& [d, streams] : {std::pair<Index, Index>{3, 2}, {1, 1}}) {
            const KernelStream<S> plan(random_matrix<S>(n, d, 25), {.streams = streams});
            const Matrix<S> after = random_matrix<S>(streams * (n + 200), d, 26);
            for (const Index steps : {0, 1, 77, 900, 4321}) {
                SCOPED_TRACE(testing::Message() << n << " after " << steps);
                auto state = plan.make_state();
                streamed(plan, random_matrix<S>(streams * steps, d, 27), state, 0);
                // At an odd address, as in the middle of a file.
                std::vector<std::byte> bytes(plan.saved_bytes(state) + 1);
                const std::span<std::byte> saved = std::span(bytes).subspan(1);
                plan.save(state, saved);
                auto restored = plan.make_state();
                streamed(plan, after, restored, 0);
                plan.restore(saved, restored);
                EXPECT_TRUE(restored == state);
                EXPECT_EQ(restored.time(), steps);
                EXPECT_TRUE(same_bits(streamed(plan, after, restored, 0), streamed(plan, after, state, 0)));
            }
        }
    }
}

TYPED_TEST(KernelStreamTest, SavedStatesAreTheLastInputsWhateverTheInstructionSet) {
    using S = TypeParam;
    // The steps that count, of the blocks of 32, 128, 512, … that any partition has.
    const std::pair<Index, Index> steps[] = {{1, 64},      {8, 96},      {128, 192}, {129, 160},
                                             {384, 416},   {385, 512},   {600, 768}, {1536, 1664},
                                             {1537, 2048}, {7000, 10240}};
    for (const auto& [n, count] : steps) {
        for (const Index d : {1, 2, 5}) {
            const KernelStream<S> plan(random_matrix<S>(n, d, 28));
            const Matrix<S> x = random_matrix<S>(11000, d, 29);
            auto state = plan.make_state();
            plan.prefill(x, state);
            std::vector<std::byte> saved(plan.saved_bytes(state));
            plan.save(state, saved);
            const auto bytes = static_cast<std::size_t>(count * d) * sizeof(S);
            ASSERT_EQ(saved.size(), 24 + bytes) << n;
            EXPECT_EQ(std::memcmp(saved.data() + 24, x.data() + x.size() - count * d, bytes), 0) << n;
        }
    }
}

TEST(KernelStreamErrors, SavedStatesOfOtherPlansAreRefused) {
    const Matrix<float> lags = random_matrix<float>(40, 2, 28);
    const KernelStream<float> plan(lags);
    auto state = plan.make_state();
    std::vector<std::byte> bytes(plan.saved_bytes(state));
    plan.save(state, bytes);
    const auto restores = [&](const auto& other, std::span<const std::byte> from) {
        return [&other, from] {
            auto copy = other.make_state();
            other.restore(from, copy);
        };
    };
    Matrix<float> changed = lags;
    changed(39, 1) += 1;
    const std::string expected =
        "[toeplitz.value.1007] KernelStream::restore: expected a state of the same kernel, streams and "
        "options, got one of another plan";
    expect_error<value_error>(1007, expected, restores(KernelStream<float>(changed), bytes));
    expect_error<value_error>(1007, expected, restores(KernelStream<float>(lags, {.streams = 2}), bytes));
    expect_error<value_error>(1007, expected, restores(KernelStream<float>(lags.topRows(39).eval()), bytes));
    expect_error<value_error>(
        1006,
        "[toeplitz.value.1006] KernelStream::restore: expected a saved state of 8-byte scalars, got other "
        "bytes, or a version that this one does not know",
        restores(KernelStream<double>(lags.cast<double>().eval()), bytes));
    for (const std::size_t size : {std::size_t{0}, bytes.size() - 1}) {
        expect_error<shape_error>(
            1005,
            "[toeplitz.shape.1005] KernelStream::restore: expected 24 bytes, got " + std::to_string(size),
            restores(plan, std::span(bytes).first(size)));
    }
    expect_error<shape_error>(1005, "[toeplitz.shape.1005] KernelStream::save: expected 24 bytes, got 23",
                              [&] { plan.save(state, std::span(bytes).first(23)); });
    const KernelStream<float> other(changed);
    expect_error<shape_error>(
        1002,
        "[toeplitz.shape.1002] KernelStream::save: expected a state of this plan, got one of another plan",
        [&] { other.save(state, bytes); });
}

TEST(KernelStreamErrors, PlansSayWhatTheyCannotTake) {
    const auto plans = [](Index n, Index d, const StreamOptions& options) {
        return [=] { KernelStream<float>(Matrix<float>(Matrix<float>::Ones(n, d)), options); };
    };
    expect_error<config_error>(201, "[toeplitz.config.201] KernelStream: expected lags >= 1, got 0",
                               plans(0, 3, {}));
    expect_error<config_error>(201, "[toeplitz.config.201] KernelStream: expected channels >= 1, got 0",
                               plans(3, 0, {}));
    expect_error<config_error>(201, "[toeplitz.config.201] KernelStream: expected streams >= 1, got 0",
                               plans(3, 3, {.streams = 0}));
    expect_error<config_error>(201, "[toeplitz.config.201] KernelStream: expected max_block >= 1, got -1",
                               plans(3, 3, {.max_block = -1}));
    for (const double bad : {-1.0, std::numeric_limits<double>::infinity()}) {
        expect_error<config_error>(1001,
                                   bad < 0
                                       ? "[toeplitz.config.1001] KernelStream: expected tail_tolerance >= "
                                         "0, got -1"
                                       : "[toeplitz.config.1001] KernelStream: expected tail_tolerance >= "
                                         "0, got inf",
                                   plans(3, 3, {.tail_tolerance = bad}));
    }
    expect_error<config_error>(202,
                               "[toeplitz.config.202] KernelStream: expected a size below 2^63, got "
                               "3 * 4611686018427387904",
                               plans(3, 3, {.streams = Index{1} << 62}));
    Matrix<float> lags = Matrix<float>::Ones(5, 2);
    lags(3, 1) = std::numeric_limits<float>::quiet_NaN();
    expect_error<value_error>(
        1004, "[toeplitz.value.1004] KernelStream: expected finite lags, got none at lag 3 of channel 1",
        [&] { KernelStream<float>{lags}; });
}

TEST(KernelStreamDeathTest, WrongShapesAndStatesEndTheProgramWithTheirMessage) {
    const KernelStream<float> plan(random_matrix<float>(3, 2, 1), {.streams = 2});
    auto state = plan.make_state();
    Matrix<float> x = Matrix<float>::Ones(4, 2);
    Matrix<float> y = x;
    EXPECT_DEATH(plan.step(x, y, state),
                 "toeplitz.shape.1003. KernelStream::step: expected x of 2×2 for 2 streams, got 4×2");
    EXPECT_DEATH(plan.process(MatrixView<float>(x).middle_rows(0, 3), y, state),
                 "toeplitz.shape.1003. KernelStream::process: expected x of 2×2 for 2 streams, got 3×2");
    EXPECT_DEATH(plan.process(MatrixView<float>(x).middle_cols(0, 1), y, state), "toeplitz.shape.1003");
    EXPECT_DEATH(plan.process(x, MatrixView<float>(y).middle_rows(0, 2), state), "toeplitz.shape.1003");
    const auto taken = std::move(state);
    EXPECT_DEATH(plan.process(x, y, state),  // NOLINT(bugprone-use-after-move): that is promised
                 "toeplitz.shape.1002");
    state = taken;
    plan.process(x, y, state);
    const KernelStream<float> other(random_matrix<float>(4, 2, 1), {.streams = 2});
    EXPECT_DEATH(other.process(x, y, state), "toeplitz.shape.1002. KernelStream::process: expected a state");
    EXPECT_DEATH(other.prefill(x, state), "toeplitz.shape.1002");
    EXPECT_DEATH(other.reset(state), "toeplitz.shape.1002");
}

TEST(SlowKernelStream, LongKernelsOfEveryNumberOfLevels) {
    for (const Index n : {6144, 6145, 24577, 98305}) {
        const Matrix<float> lags = random_matrix<float>(n, 1, 29) / std::sqrt(static_cast<float>(n));
        const KernelStream<float> plan(lags);
        const Index steps = 2 * plan.settling() + 1000;
        const Matrix<float> x = random_matrix<float>(steps, 1, 30);
        const Matrix<float> y = streamed(plan, x, 0);
        for (Index t = 0; t < steps; t += 1 + steps / 500) {
            long double exact = 0;
            long double squares = 0;
            for (Index s = 0; s < plan.settling() && s <= t; ++s) {
                const auto input = static_cast<long double>(x(t - s, 0));
                if (s < n) exact += static_cast<long double>(lags(s, 0)) * input;
                squares += input * input;
            }
            ASSERT_TRUE(
                near(y(t, 0), exact,
                     transform_error(plan.settling()) * unit<float> * norm(lags) * std::sqrt(squares)))
                << n << " at " << t;
        }
        auto state = plan.make_state();
        auto other = plan.make_state();
        streamed(plan, x, state, 4096);
        plan.prefill(x, other);
        EXPECT_TRUE(other == state);
        EXPECT_TRUE(same_bits(streamed(plan, x, other, 0), streamed(plan, x, state, 512)));
    }
}

}  // namespace
}  // namespace toeplitz::test
