// SPDX-License-Identifier: MIT
// A long FIR filter over a mono signal: the echo of a room, one second of it, on half a minute of sound.
#include <cmath>
#include <cstdio>
#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/causal_filter.hpp>

int main() {
    using namespace toeplitz;
    const Index rate = 44100, samples = 30 * rate, taps = rate;

    Matrix<float> room(taps, 1);  // one column per channel
    const CounterRandom random(1);
    for (Index t = 0; t < taps; ++t) {
        const double decay = std::exp(-5.0 * static_cast<double>(t) / static_cast<double>(taps));
        room(t, 0) = static_cast<float>(0.01 * decay * random.normal(static_cast<std::uint64_t>(t)));
    }
    room(0, 0) = 1;  // the sound itself

    Matrix<float> clap = Matrix<float>::Zero(samples, 1);
    clap(rate, 0) = 1;
    clap(9 * rate, 0) = -0.5F;

    // In one call; or, to filter more signals of this length, an operator and its scratch memory.
    const Matrix<float> heard = causal_filter(room, clap);
    const CausalFilter<float> filter({.length = samples, .channels = 1, .taps = taps}, room);
    Workspace ws(filter.apply_workspace());
    Matrix<float> again(samples, 1);
    filter.apply(clap, again, ws);

    // A clap is answered by the room, and before it nothing is heard.
    const auto echo = heard.middleRows(rate, taps) - room;
    std::printf("error of the echo %.0e, before the clap %.0e, second time %s\n", echo.cwiseAbs().maxCoeff(),
                heard.topRows(rate).cwiseAbs().maxCoeff(), again == heard ? "the same" : "different");
    std::printf("%.1f MB for a signal of %.1f MB\n",
                static_cast<double>(filter.state_bytes() + filter.apply_workspace()) / 1e6,
                static_cast<double>(samples) * sizeof(float) / 1e6);
}
