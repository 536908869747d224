// SPDX-License-Identifier: MIT
// Streams of state spaces allocate when they are made, and never again.

#include <support/allocations.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>

#include <toeplitz/stream/state_space_stream.hpp>

namespace toeplitz::test {
namespace {

TEST_F(Allocations, NoneInStreamsOfStateSpaces) {
    for (const Index d : {21, 1, 3}) {
        const auto kernel = random_state_space<float>(5, d, 1, 0.9, 4);
        const StateSpaceStream<float> plan(kernel.views());
        auto state = plan.make_state();
        auto fork = state;
        Matrix<float> rows = random_matrix<float>(200, d, 2);
        ColumnMatrix<float> planar = rows;
        Matrix<float> y(200, d);
        std::vector<std::byte> bytes(plan.saved_bytes());
        EXPECT_EQ(count([&] {
                      plan.step(MatrixView<const float>(rows).middle_rows(0, 1),
                                MatrixView<float>(y).middle_rows(0, 1), state);
                      plan.process(rows, y, state);
                      plan.process(rows, rows, state);
                      plan.process(planar, planar, state);
                      plan.prefill(rows, state);
                      fork = state;
                      plan.save(state, bytes);
                      plan.restore(bytes, fork);
                      plan.reset(state);
                  }),
                  0);
        static_assert(noexcept(plan.step(rows, y, state))&& noexcept(plan.process(rows, y, state))&& noexcept(
            plan.prefill(rows, state))&& noexcept(plan.reset(state)));
    }
}

}  // namespace
}  // namespace toeplitz::test
