// SPDX-License-Identifier: MIT
// One plan and the states of several threads.

#include <thread>

#include <gtest/gtest.h>

#include <support/stream.hpp>
#include <support/threads.hpp>

#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

namespace toeplitz::test {
namespace {

TEST(StreamConcurrency, ThreadsShareAPlan) {
    const KernelStream<float> plan(random_matrix<float>(600, 20, 1));
    const Matrix<float> x = random_matrix<float>(1500, 20, 2);
    const Matrix<float> y = streamed(plan, x, 0);
    std::array<bool, 4> same{};
    in_threads(4, [&](int thread) {
        auto state = plan.make_state();
        const Matrix<float> own = streamed(plan, x, state, 1 + 60 * thread);
        plan.reset(state);
        plan.prefill(x, state);
        same[static_cast<std::size_t>(thread)] = own == y;
    });
    for (const bool is_same : same) EXPECT_TRUE(is_same);
}

TEST(StreamConcurrency, ThreadsShareTheStreamOfAModel) {
    using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;
    Net::Options options{.input = {.inputs = 3}, .width = 40, .layers = 2, .outputs = 4};
    options.block.gtu.mixer.mlp = {.width = 8, .layers = 1};
    const Net net(options);
    const auto plan = stream(net.prepare(net.make_parameters(1), 150), {.max_block = 200});
    const Matrix<float> x = random_matrix<float>(200, 3, 2);
    const auto run = [&] {
        auto state = plan.make_state();
        Matrix<float> y(200, 4);
        plan.process(x, y, state);
        return y;
    };
    const Matrix<float> y = run();
    std::array<bool, 4> same{};
    in_threads(4, [&](int thread) { same[static_cast<std::size_t>(thread)] = run() == y; });
    for (const bool is_same : same) EXPECT_TRUE(is_same);
    // No threads are started, and they would change nothing.
    for (const int threads : {1, 3}) {
        with_threads(threads, [&] { EXPECT_TRUE(same_bits(run(), y)); });
    }
}

TEST(StreamConcurrency, ASerialScopeKeepsToItsThread) {
    with_threads(3, [] {
        const int before = available_threads();
        {
            const detail::SerialScope serial;
            EXPECT_EQ(available_threads(), 1);
            in_threads(1, [&](int) { EXPECT_FALSE(detail::serial_scopes() > 0); });
            const detail::SerialScope again;
            EXPECT_EQ(available_threads(), 1);
        }
        EXPECT_EQ(available_threads(), before);
    });
}

}  // namespace
}  // namespace toeplitz::test
