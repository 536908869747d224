// SPDX-License-Identifier: MIT
// Takes noise from a sound file block by block, as a telephone would, and says how long the blocks took.
//
//   denoise IN.wav OUT.wav [--model FILE] [--block B] [--reference CLEAN.wav] [--wiener]
//
// The model is one of train_denoiser. With --reference, the sound without noise, prints the signal-to-noise
// ratios before and after. OUT is as long as IN, and not late: the delay is taken away again.

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "support/command_line.hpp"
#include "support/denoiser.hpp"
#include "support/timing.hpp"
#include "support/wiener_filter.hpp"

namespace {

using namespace examples;

struct Settings {
    std::string input{};
    std::string output{};
    std::string model = "denoiser_out/denoiser.safetensors";
    std::string reference{};
    Index block = 128;
    bool wiener = false;
};

template <class Filter>
void run(const Settings& settings, Filter filter) {
    std::vector<float> sound = read_sound(settings.input);
    const std::size_t size = sound.size();
    std::vector<float> reference;
    if (!settings.reference.empty()) {
        reference = read_sound(settings.reference);
        if (reference.size() != size) {
            throw std::runtime_error("'" + settings.reference + "' has " + std::to_string(reference.size()) +
                                     " samples, and '" + settings.input + "' " + std::to_string(size));
        }
    }
    const double before = signal_to_noise(reference, sound);
    const Index delay = Filter::delay();
    sound.resize(size + static_cast<std::size_t>(delay), 0.0F);  // to hear the end of it
    const auto block = static_cast<std::size_t>(settings.block);
    std::vector<double> times;
    for (std::size_t at = 0; at < sound.size(); at += block) {
        const std::span<float> samples = std::span(sound).subspan(at, std::min(block, sound.size() - at));
        times.push_back(seconds([&] { filter.process(samples, samples); }));  // in place
    }
    const std::span<const float> in_time = std::span(sound).subspan(static_cast<std::size_t>(delay));
    write_sound(settings.output, in_time);

    double sum = 0;
    for (const double time : times) sum += time;
    std::printf("samples %zu block %zu delay %td (%.1f ms)\n", size, block, delay,
                1e3 * static_cast<double>(delay) / sample_rate);
    if (!times.empty()) {
        std::sort(times.begin(), times.end());
        std::printf("us per block: mean %.1f, 99.9 %% below %.1f, largest %.1f\n",
                    1e6 * sum / static_cast<double>(times.size()), 1e6 * percentile(times, 0.999),
                    1e6 * times.back());
        std::printf("real-time factor %.4f\n", sum * sample_rate / static_cast<double>(sound.size()));
    }
    if (!reference.empty()) {
        const double after = signal_to_noise(reference, in_time);
        std::printf("SNR %.2f dB before, %.2f dB after\n", before, after);
    }
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Takes noise from a sound file block by block.", "denoise");
    app.add_option("in", settings.input, "Sound file, one channel of 8000 samples a second")->required();
    app.add_option("out", settings.output, "WAV file to write")->required();
    app.add_option("--model", settings.model, "Model of train_denoiser")->capture_default_str();
    app.add_option("--block", settings.block, "Samples of a block")
        ->check(CLI::Range(1, 1 << 30))
        ->capture_default_str();
    app.add_option("--reference", settings.reference, "The sound without noise, to measure by");
    app.add_flag("--wiener", settings.wiener, "A Wiener filter in place of the model");
    return run_program(app, argc, argv, [&] {
        if (settings.wiener) {
            run(settings, WienerFilter());
        } else {
            run(settings, Denoiser::load(settings.model));
        }
    });
}
