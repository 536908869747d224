// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/counting_simd.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/state_space.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/stream/state_space_stream.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class StateSpaceStreamTest : public testing::Test {
protected:
    using Stream = StateSpaceStream<S>;
    static constexpr Index lanes = Simd<S>::lanes;

    static Matrix<S> product(const OwnedStateSpace<S>& kernel, const Matrix<S>& x) {
        return StateSpace<S>({.length = x.rows(),
                              .channels = x.cols(),
                              .modes = kernel.poles.rows(),
                              .taps = kernel.direct.rows()},
                             kernel.views()) *
               x;
    }

    /// Steps in calls of these sizes, again and again.
    static Matrix<S> in_blocks(const Stream& plan, typename Stream::State& state, const Matrix<S>& x,
                               const std::vector<Index>& sizes) {
        Matrix<S> y(x.rows(), x.cols());
        Index done = 0;
        for (auto size = sizes.begin(); done < x.rows();
             size = size + 1 == sizes.end() ? sizes.begin() : size + 1) {
            const Index count = (std::min)(*size, x.rows() - done);
            plan.process(MatrixView<const S>(x).middle_rows(done, count),
                         MatrixView<S>(y).middle_rows(done, count), state);
            done += count;
        }
        return y;
    }
};

TYPED_TEST_SUITE(StateSpaceStreamTest, Scalars);

TYPED_TEST(StateSpaceStreamTest, HasTheBitsOfTheOperatorForAnyCut) {
    using S = TypeParam;
    for (const Index modes : {0, 1, 3, 4, 9, 37}) {
        for (const Index d : {Index{1}, Index{2}, this->lanes / 2 + 1, this->lanes, 2 * this->lanes + 3}) {
            for (const Index taps : {1, 5, 64}) {
                SCOPED_TRACE(testing::Message() << "s = " << modes << ", d = " << d << ", m = " << taps);
                auto kernel = random_state_space<S>(modes, d, 1, 0.9, taps);
                if (modes > 3) make_real(kernel, modes / 2);
                const Matrix<S> x = random_matrix<S>(300, d, 2);
                const Matrix<S> expected = this->product(kernel, x);
                const StateSpaceStream<S> plan(kernel.views());
                EXPECT_EQ(plan.taps(), taps);
                for (const auto& sizes : std::vector<std::vector<Index>>{{1}, {7, 1, 64, 65}, {300}}) {
                    auto state = plan.make_state();
                    EXPECT_TRUE(same_bits(this->in_blocks(plan, state, x, sizes), expected));
                    EXPECT_EQ(state.time(), 300);
                }
                auto state = plan.make_state();
                Matrix<S> y(300, d);
                for (Index t = 0; t < 300; ++t) {
                    plan.step(MatrixView<const S>(x).middle_rows(t, 1), MatrixView<S>(y).middle_rows(t, 1),
                              state);
                }
                EXPECT_TRUE(same_bits(y, expected));
            }
        }
    }
}

TYPED_TEST(StateSpaceStreamTest, AStepTakesWhatIsStated) {
    using S = TypeParam;
    using Counting = CountingSimd<S>;
    using Recurrence = detail::ModalRecurrence<S, Counting>;
    const auto counted = [](const OwnedStateSpace<S>& kernel, Index steps) {
        const Index d = kernel.cols();
        Recurrence recurrence(d, kernel.poles.rows(), kernel.direct.rows());
        recurrence.set_kernel(kernel.views());
        const Matrix<S> x = random_matrix<S>(steps, d, 2);
        Matrix<S> y(steps, d);
        Buffer<S> windows(2 * recurrence.window_size());
        Buffer<S> state(recurrence.pack_state());
        Counting::operations = 0;
        for (Index pack = 0; pack < recurrence.packs(); ++pack) {
            std::fill_n(state.data(), state.size(), S(0));
            recurrence.template advance<Update::assign>(pack, x, y, state.data(), windows.data());
        }
        EXPECT_TRUE(near_all(
            y,
            StateSpace<S>(
                {.length = steps, .channels = d, .modes = kernel.poles.rows(), .taps = kernel.direct.rows()},
                kernel.views()) *
                x,
            100 * std::numeric_limits<S>::epsilon()));
        return Counting::operations;
    };
    const auto counted_row = [](const OwnedStateSpace<S>& kernel) {
        Recurrence recurrence(kernel.cols(), kernel.poles.rows(), 1);
        recurrence.set_kernel(kernel.views());
        EXPECT_TRUE(recurrence.begins_with_modes());
        const Matrix<S> x = random_matrix<S>(1, kernel.cols(), 2);
        Matrix<S> y(1, kernel.cols());
        Buffer<S> state(recurrence.packs() * recurrence.pack_state());
        Counting::operations = 0;
        recurrence.advance_row(x.data(), y.data(), state.data());
        return Counting::operations;
    };
    for (const Index modes : {0, 1, 2, 3, 7, 9, 15}) {
        for (const Index complex : {Index{0}, (modes + 1) / 3, modes}) {
            for (const Index taps : {1, 2, 7}) {
                SCOPED_TRACE(testing::Message() << complex << " of " << modes << ", m = " << taps);
                auto kernel = random_state_space<S>(modes, 2 * this->lanes + 1, 1, 0.9, taps);
                make_real(kernel, complex);
                // One vector has a mode more that is not real.
                if (modes > complex) kernel.poles(complex, this->lanes) = {S(0.1), S(0.2)};
                const Index bound = StateSpaceStream<S>(kernel.views()).step_bound();
                EXPECT_EQ(counted(kernel, 1), bound);
                if (taps == 1 && modes > 0) {
                    EXPECT_EQ(counted_row(kernel), bound);
                }
                EXPECT_EQ(counted(kernel, 17), 17 * bound);
                EXPECT_EQ(StateSpaceStream<S>(kernel.views(), 3).step_bound(), 3 * bound);
            }
        }
    }
    // Six of each complex mode and the sum that four of them have in common, two of each real one, and a tap.
    auto kernel = random_state_space<S>(9, this->lanes, 1);
    make_real(kernel, 4);
    EXPECT_EQ(StateSpaceStream<S>(kernel.views()).step_bound(), 4 * 6 + 1 + 5 * 2 + 1);
}

TYPED_TEST(StateSpaceStreamTest, AStepOfFewChannelsTakesNoMoreThanIsStated) {
    using S = TypeParam;
    using Counting = CountingSimd<S>;
    for (Index d = 1; d < this->lanes; ++d) {
        for (const Index modes : {Index{0}, Index{1}, this->lanes, 9 * this->lanes + 1}) {
            for (const Index taps : {1, 7}) {
                SCOPED_TRACE(testing::Message() << "d = " << d << ", s = " << modes << ", m = " << taps);
                auto kernel = random_state_space<S>(modes, d, 1, 0.9, taps);
                make_real(kernel, modes / 2);
                detail::ModalRecurrence<S, Counting> recurrence(d, modes, taps);
                recurrence.set_kernel(kernel.views());
                const Index bound = StateSpaceStream<S>(kernel.views()).step_bound();
                Buffer<S> state(recurrence.packs() * recurrence.pack_state());
                Buffer<S> windows(2 * recurrence.window_size());
                for (const Index steps : {Index{1}, this->lanes + 3}) {
                    const Matrix<S> x = random_matrix<S>(steps, d, 2);
                    Matrix<S> y(steps, d);
                    Counting::operations = 0;
                    for (Index pack = 0; pack < recurrence.packs(); ++pack) {
                        recurrence.template advance<Update::assign>(
                            pack, x, y, state.data() + pack * recurrence.pack_state(), windows.data());
                    }
                    EXPECT_LE(Counting::operations, steps * bound);
                    if (steps == 1) {
                        EXPECT_EQ(Counting::operations, bound);
                    }
                    if (steps > 1 || !recurrence.begins_with_modes()) continue;
                    Counting::operations = 0;
                    recurrence.advance_row(x.data(), y.data(), state.data());
                    EXPECT_EQ(Counting::operations, bound);
                }
            }
        }
    }
    // Of one channel a vector of modes, the sum of their imaginary parts, of the lanes, and of both outputs.
    const auto kernel = random_state_space<S>(this->lanes, 1, 1);
    EXPECT_EQ(StateSpaceStream<S>(kernel.views()).step_bound(),
              1 + 6 + 1 + std::countr_zero(static_cast<unsigned>(this->lanes)) + 1);
}

TYPED_TEST(StateSpaceStreamTest, WorksInPlaceAndOnPlanarBuffers) {
    using S = TypeParam;
    for (const auto& [d, taps] : {std::pair<Index, Index>{this->lanes + 2, 1},
                                  {this->lanes + 2, 4},
                                  {1, 1},
                                  {1, 4},
                                  {this->lanes - 1, 1},
                                  {this->lanes - 1, 4}}) {
        const auto kernel = random_state_space<S>(9, d, 3, 0.9, taps);
        const Matrix<S> x = random_matrix<S>(100, d, 4);
        const Matrix<S> expected = this->product(kernel, x);
        const StateSpaceStream<S> plan(kernel.views());
        for (const Index block : {1, 100}) {
            SCOPED_TRACE(testing::Message() << "d = " << d << ", m = " << taps << ", block " << block);
            auto state = plan.make_state();
            const auto run = [&](MatrixView<const S> from, MatrixView<S> to) {
                plan.reset(state);
                for (Index t = 0; t < 100; t += block) {
                    plan.process(from.middle_rows(t, block), to.middle_rows(t, block), state);
                }
            };
            Matrix<S> rows = x;
            run(rows, rows);
            EXPECT_TRUE(same_bits(rows, expected));
            ColumnMatrix<S> planar = x;
            ColumnMatrix<S> y(100, d);
            run(planar, y);
            EXPECT_TRUE(same_bits(y, expected));
            run(planar, planar);
            EXPECT_TRUE(same_bits(planar, expected));
        }
    }
}

TYPED_TEST(StateSpaceStreamTest, SequencesSideBySideDoNotMeet) {
    using S = TypeParam;
    const Index d = 3;
    const Index streams = 4;
    for (const Index taps : {1, 3}) {
        const auto kernel = random_state_space<S>(5, d, 5, 0.9, taps);
        const StateSpaceStream<S> plan(kernel.views(), streams);
        EXPECT_EQ(plan.streams(), streams);
        const Matrix<S> x = random_matrix<S>(70 * streams, d, 6);
        Matrix<S> y(x.rows(), d);
        auto state = plan.make_state();
        Index done = 0;
        for (const Index steps : {11, 1, 1, 57}) {
            plan.process(MatrixView<const S>(x).middle_rows(done, steps * streams),
                         MatrixView<S>(y).middle_rows(done, steps * streams), state);
            done += steps * streams;
        }
        for (Index s = 0; s < streams; ++s) {
            const Matrix<S> one = x(Eigen::seq(s, Eigen::last, streams), Eigen::all);
            const Matrix<S> output = y(Eigen::seq(s, Eigen::last, streams), Eigen::all);
            EXPECT_TRUE(same_bits(output, this->product(kernel, one))) << "stream " << s << ", m = " << taps;
        }
    }
}

TYPED_TEST(StateSpaceStreamTest, AStateIsAValue) {
    using S = TypeParam;
    const Index d = this->lanes + 1;
    const auto kernel = random_state_space<S>(3, d, 7, 0.9, 6);
    const StateSpaceStream<S> plan(kernel.views());
    const Matrix<S> x = random_matrix<S>(40, d, 8);
    auto state = plan.make_state();
    EXPECT_GE(state.state_bytes(), static_cast<std::size_t>(11 * d) * sizeof(S));
    Matrix<S> y(40, d);
    plan.process(x, y, state);

    auto fork = state;
    EXPECT_TRUE(fork == state);
    Matrix<S> other(40, d);
    plan.process(x, y, state);
    EXPECT_FALSE(fork == state);
    plan.process(x, other, fork);
    EXPECT_TRUE(fork == state);
    EXPECT_TRUE(same_bits(other, y));

    auto prompted = plan.make_state();
    plan.prefill(x, prompted);
    plan.prefill(x, prompted);
    EXPECT_TRUE(prompted == state);

    plan.reset(state);
    EXPECT_TRUE(state == plan.make_state());
    EXPECT_EQ(state.time(), 0);
}

TYPED_TEST(StateSpaceStreamTest, NothingIsLeftOfAStateThatWasMovedFrom) {
    using S = TypeParam;
    const StateSpaceStream<S> plan(random_state_space<S>(3, 2, 13).views());
    auto state = plan.make_state();
    const auto taken = std::move(state);
    EXPECT_TRUE(plan.has_made(taken));
    EXPECT_FALSE(plan.has_made(state));  // NOLINT(bugprone-use-after-move): that is promised
    state = taken;
    EXPECT_TRUE(plan.has_made(state));
}

TYPED_TEST(StateSpaceStreamTest, ResetEndsWhatIsNotFinite) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(3, 2, 9);
    const StateSpaceStream<S> plan(kernel.views());
    Matrix<S> x = random_matrix<S>(20, 2, 10);
    const Matrix<S> expected = this->product(kernel, x);
    auto state = plan.make_state();
    Matrix<S> y(20, 2);
    x(5, 0) = std::numeric_limits<S>::quiet_NaN();
    plan.process(x, y, state);
    EXPECT_FALSE(detail::is_finite(y(19, 0)));
    EXPECT_TRUE(same_bits(y.col(1), expected.col(1))) << "the other channel does not notice";
    plan.reset(state);
    x(5, 0) = 0;
    plan.process(x, y, state);
    EXPECT_TRUE(same_bits(y, this->product(kernel, x)));
}

TYPED_TEST(StateSpaceStreamTest, SilenceEndsInASilentState) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(5, 3, 15, 0.9, 2);
    const StateSpaceStream<S> plan(kernel.views());
    auto state = plan.make_state();
    const Matrix<S> x = random_matrix<S>(20, 3, 16);
    Matrix<S> y(20, 3);
    plan.process(x, y, state);
    // |λ| ≤ 0.9: below the smallest normal number within this time.
    const Matrix<S> silence = Matrix<S>::Zero(20, 3);
    for (Index t = 0; t < 8000; t += 20) plan.process(silence, y, state);
#if defined(__SSE__) || defined(__aarch64__)
    EXPECT_TRUE(y.isZero(0));
    auto rested = plan.make_state();
    for (Index t = 0; t < 8020; t += 20) plan.process(silence, y, rested);
    const Matrix<S> again = y;
    plan.process(x, y, rested);
    Matrix<S> others(20, 3);
    plan.process(x, others, state);
    EXPECT_TRUE(same_bits(y, others));
    EXPECT_TRUE(again.isZero(0));
#endif
    // Other code still has what is not normal.
    volatile S least = std::numeric_limits<S>::min();
    EXPECT_GT(least / 2, S(0));
}

TYPED_TEST(StateSpaceStreamTest, SavedStatesGoOn) {
    using S = TypeParam;
    const Index d = this->lanes + 1;
    const auto kernel = random_state_space<S>(3, d, 11, 0.9, 5);
    const StateSpaceStream<S> plan(kernel.views(), 2);
    EXPECT_GE(plan.saved_bytes(), static_cast<std::size_t>(2 * 10 * d) * sizeof(S));
    const Matrix<S> x = random_matrix<S>(40, d, 12);
    auto state = plan.make_state();
    plan.prefill(x, state);
    std::vector<std::byte> bytes(plan.saved_bytes());
    plan.save(state, bytes);
    auto again = plan.make_state();
    plan.restore(bytes, again);
    EXPECT_TRUE(again == state);

    const std::string bytes_text = std::to_string(bytes.size());
    expect_error<shape_error>(
        1005, "[toeplitz.shape.1005] StateSpaceStream::restore: expected " + bytes_text + " bytes, got 3",
        [&] { plan.restore(std::span<const std::byte>(bytes).first(3), again); });
    expect_error<shape_error>(
        1005, "[toeplitz.shape.1005] StateSpaceStream::save: expected " + bytes_text + " bytes, got 3",
        [&] { plan.save(state, std::span<std::byte>(bytes).first(3)); });
    auto other_kernel = kernel;
    other_kernel.poles(2, 0) /= 2;
    const StateSpaceStream<S> other(other_kernel.views(), 2);
    auto others = other.make_state();
    expect_error<value_error>(1007,
                              "[toeplitz.value.1007] StateSpaceStream::restore: expected a state of the same "
                              "kernel, streams and options, got one of another plan",
                              [&] { other.restore(bytes, others); });
    expect_error<shape_error>(1002,
                              "[toeplitz.shape.1002] StateSpaceStream::save: expected a state of this plan, "
                              "got one of another plan",
                              [&] { plan.save(others, bytes); });
    bytes[0] = std::byte{0};
    expect_error<value_error>(1006,
                              "[toeplitz.value.1006] StateSpaceStream::restore: expected a saved state of " +
                                  std::to_string(sizeof(S)) +
                                  "-byte scalars, got other bytes, or a version that this one does not know",
                              [&] { plan.restore(bytes, again); });
    EXPECT_TRUE(again == state);
}

TYPED_TEST(StateSpaceStreamTest, SavedStatesOfFewChannelsGoOnToTheLastBit) {
    using S = TypeParam;
    for (Index d = 1; d <= this->lanes; ++d) {
        for (const Index taps : {1, 6}) {
            SCOPED_TRACE(testing::Message() << "d = " << d << ", m = " << taps);
            const Index modes = 2 * this->lanes - 1;
            const auto kernel = random_state_space<S>(modes, d, 17, 0.9, taps);
            const StateSpaceStream<S> plan(kernel.views(), 3);
            const Matrix<S> x = random_matrix<S>(3 * 21, d, 18);
            auto state = plan.make_state();
            plan.prefill(x, state);
            std::vector<std::byte> bytes(plan.saved_bytes());
            plan.save(state, bytes);
            auto again = plan.make_state();
            plan.restore(bytes, again);
            EXPECT_TRUE(again == state);
            Matrix<S> y(x.rows(), d);
            Matrix<S> others(x.rows(), d);
            plan.process(x, y, state);
            plan.process(x, others, again);
            EXPECT_TRUE(again == state);
            EXPECT_TRUE(same_bits(others, y));

            // The numbers of a stream are a channel's one after another, Re u and Im u of each mode, then the
            // inputs that taps still need.
            const std::size_t numbers = static_cast<std::size_t>(3 * d * (2 * modes + taps - 1));
            std::vector<S> saved(numbers);
            std::memcpy(saved.data(), bytes.data() + bytes.size() - numbers * sizeof(S), numbers * sizeof(S));
            auto number = saved.begin();
            for (Index stream = 0; stream < 3; ++stream) {
                for (Index c = 0; c < d; ++c) {
                    for (Index i = 0; i < modes; ++i) {
                        std::complex<long double> u = 0;
                        for (Index t = 0; t < 21 - (taps - 1); ++t) {
                            u = std::complex<long double>(kernel.poles(i, c)) * u +
                                static_cast<long double>(x(t * 3 + stream, c));
                        }
                        EXPECT_TRUE(near(static_cast<long double>(*number++), u.real(), 1000 * unit<S>));
                        EXPECT_TRUE(near(static_cast<long double>(*number++), u.imag(), 1000 * unit<S>));
                    }
                    for (Index q = taps - 1; q > 0; --q) EXPECT_EQ(*number++, x((21 - q) * 3 + stream, c));
                }
            }
        }
    }
}

TYPED_TEST(StateSpaceStreamTest, RefusesWhatDoesNotFit) {
    using S = TypeParam;
    const auto kernel = random_state_space<S>(3, 2, 13);
    expect_error<config_error>(201, "[toeplitz.config.201] StateSpaceStream: expected streams >= 1, got 0",
                               [&] { StateSpaceStream<S>(kernel.views(), 0); });
    auto bad = kernel;
    bad.direct.resize(1, 3);
    expect_error<shape_error>(501, "[toeplitz.shape.501] StateSpaceStream: expected a kernel of 1×2, got 1×3",
                              [&] { StateSpaceStream<S>{bad.views()}; });
    bad.direct.resize(65, 2);
    expect_error<config_error>(513, "[toeplitz.config.513] StateSpaceStream: expected taps of 1..64, got 65",
                               [&] { StateSpaceStream<S>{bad.views()}; });
    bad = kernel;
    bad.poles(0, 1) = std::numeric_limits<S>::infinity();
    expect_error<value_error>(
        530,
        "[toeplitz.value.530] StateSpaceStream: expected a finite kernel, got a NaN or an "
        "infinity at pole 0, channel 1",
        [&] { StateSpaceStream<S>{bad.views()}; });
}

TYPED_TEST(StateSpaceStreamTest, AViewOfAnotherShapeEndsTheProgramWithASentence) {
    using S = TypeParam;
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    const auto kernel = random_state_space<S>(3, 2, 14);
    const StateSpaceStream<S> plan(kernel.views());
    auto state = plan.make_state();
    Matrix<S> y(1, 2);
    const Matrix<S> wide(1, 3);
    EXPECT_DEATH(plan.step(wide, y, state), "1003.*x of m\\*1×2, got 1×3");
}

}  // namespace
}  // namespace toeplitz::test
