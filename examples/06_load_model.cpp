// SPDX-License-Identifier: MIT
// Loads what own_model has saved, and asks it. The file says what it is: no type, no options are needed.
#include <cmath>
#include <cstdio>

#include <toeplitz/io/any_model.hpp>

using namespace toeplitz;

int main(int argc, char** argv) {
    const auto model = AnyModel<float>::load(argc > 1 ? argv[1] : "waves.safetensors");
    std::printf("%s: %td input, %td outputs\n", model.metadata().at("about").c_str(), model.inputs(),
                model.outputs());

    const Index n = 50;  // any length will do
    const auto ready = model.prepare(n);
    Workspace ws;
    for (const double pitch : {0.2, 0.6}) {
        Matrix<float> wave(n, model.inputs()), scores(1, model.outputs());
        for (Index t = 0; t < n; ++t)
            wave(t, 0) = static_cast<float>(std::sin(pitch * static_cast<double>(t)));
        ready.evaluate(wave, scores, ws);
        std::printf("a pitch of %.1f is %s\n", pitch, scores(0, 1) > scores(0, 0) ? "fast" : "slow");
    }
}
