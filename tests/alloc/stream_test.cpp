// SPDX-License-Identifier: MIT
// Steps of a stream allocate nothing, whatever their cut, and neither do forks into states that are there.

#include <support/allocations.hpp>
#include <support/stream.hpp>

#include <toeplitz/stream/kernel_stream.hpp>

namespace toeplitz::test {
namespace {

class StreamAllocations : public Allocations {};

TEST_F(StreamAllocations, NoneInStepsOfKernels) {
    for (const Index n : {30, 300, 2000}) {
        const KernelStream<float> plan(random_matrix<float>(n, 20, 1), {.streams = 2});
        const Matrix<float> x = random_matrix<float>(2 * 5000, 20, 2);
        const ColumnMatrix<float> planar = x;
        Matrix<float> y = x;
        ColumnMatrix<float> planar_y = planar;
        auto state = plan.make_state();
        auto other = plan.make_state();
        std::vector<std::byte> saved(plan.saved_bytes(state) + 2 * 5000 * 20 * sizeof(float));
        EXPECT_EQ(count([&] {
                      const MatrixView<const float> rows = x;
                      for (Index t = 0; t < 300; ++t) {
                          plan.step(rows.middle_rows(2 * t, 2), MatrixView<float>(y).middle_rows(2 * t, 2),
                                    state);
                      }
                      plan.process(x, y, state);
                      plan.process(planar, planar_y, state);
                      plan.prefill(x, state);
                      other = state;
                      plan.save(state, saved);
                      plan.reset(state);
                      plan.restore(std::span(saved).first(plan.saved_bytes(other)), state);
                  }),
                  0);
        EXPECT_TRUE(other == state);
    }
}

}  // namespace
}  // namespace toeplitz::test
