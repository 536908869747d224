// SPDX-License-Identifier: MIT
#include <cstdio>
#include <toeplitz/stream/kernel_stream.hpp>

using namespace toeplitz;

int main() {
    Matrix<float> echo = Matrix<float>::Zero(20000, 1);  // row t: how loud a sound is t samples later
    echo(0, 0) = 1;
    echo(12345, 0) = 0.5F;
    const KernelStream<float> filter(echo);
    auto state = filter.make_state();
    for (Index t = 0; t < 20000; ++t) {
        const float in = t == 0 ? 1 : 0;  // a click, then silence
        float out = 0;
        filter.step({&in, 1, 1}, {&out, 1, 1}, state);
        if (out > 0.1F) std::printf("sample %td: %.2f\n", t, out);
    }
}
