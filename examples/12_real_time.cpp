// SPDX-License-Identifier: MIT
// One filter, several threads, no allocation and no lock while they run.
#include <cmath>
#include <cstdio>
#include <thread>

#include <toeplitz/stream/kernel_stream.hpp>

using namespace toeplitz;

/// What one thread owns: a state of the shared plan, and its samples.
class Voice {
public:
    explicit Voice(const KernelStream<float>& plan)
        : plan_(plan), state_(plan.make_state()), block_(Matrix<float>::Zero(480, plan.channels())) {}

    /// Ten seconds of 48000 samples, block by block, in place.
    void run() noexcept {
        for (int i = 0; i < 1000; ++i) {
            block_.setOnes();  // what comes in
            plan_.process(block_, block_, state_);
        }
    }
    const Matrix<float>& last_block() const { return block_; }

private:
    const KernelStream<float>& plan_;
    KernelStream<float>::State state_;
    Matrix<float> block_;
};

int main() {
    Matrix<float> response(24000, 2);  // half a second, two channels
    for (Index t = 0; t < response.rows(); ++t) {
        response.row(t).setConstant(0.001F * std::exp(-0.0003F * static_cast<float>(t)));
    }
    const KernelStream<float> plan(response);  // immutable: all threads read it
    Voice first(plan), second(plan);           // all memory is taken here
    std::thread thread([&] { first.run(); });
    second.run();
    thread.join();
    std::printf("both threads have the same bits: %s\n",
                first.last_block() == second.last_block() ? "yes" : "no");
    std::printf("a step takes no more than %td vector operations\n", plan.step_bound());
}
