// SPDX-License-Identifier: MIT
// Takes noise from speech as it is spoken. Trains a causal model on Debian's recordings of telephone
// announcements with noise of many kinds, and compares it, on a voice that it has not heard, with a Wiener
// filter. The program `denoise` runs the model on sound files.

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "support/csv.hpp"
#include "support/denoiser.hpp"
#include "support/parallel_for.hpp"
#include "support/spectrogram.hpp"
#include "support/table.hpp"
#include "support/text_corpus.hpp"
#include "support/training_plot.hpp"
#include "support/training_settings.hpp"
#include "support/wiener_filter.hpp"

namespace {

using namespace examples;

struct Settings {
    TrainingSettings training{.steps = 4800, .minutes = 10, .batch = 4, .rate = 3e-3, .out = "denoiser_out"};
    DenoiserOptions model{};
    std::string speech = "/usr/share/asterisk/sounds";
    std::string music = "/usr/share/asterisk/moh";
    std::string held_back = "ru_RU_f_IvrvoiceRU";
    Index clips = 16;
    Index clip_seconds = 8;
};

/// Adds the WAV files of a directory, with a pause after each; every so-many-th goes to `others`.
void read_sounds(const std::string& directory, std::vector<float>& sounds, std::vector<float>& others,
                 std::size_t other = 20) {
    std::size_t number = 0;
    for (const std::string& file : list_files({directory}, ".wav")) {
        const std::vector<float> sound = read_sound(file);
        std::vector<float>& to = number++ % other == 0 ? others : sounds;
        to.insert(to.end(), sound.begin(), sound.end());
        to.insert(to.end(), sample_rate / 5, 0.0F);
    }
}

DenoiserCorpus read_corpus(const Settings& settings) {
    const std::filesystem::path root = settings.speech;
    if (!std::filesystem::is_directory(root / settings.held_back)) {
        throw std::runtime_error("no speech: '" + (root / settings.held_back).string() +
                                 "' is no directory. The default one is in the Debian packages "
                                 "asterisk-core-sounds-{en,es,fr,it,ru}-wav");
    }
    DenoiserCorpus corpus;
    std::vector<std::string> voices;
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
        if (entry.is_directory() && entry.path().filename() != settings.held_back) {
            voices.push_back(entry.path().string());
        }
    }
    std::sort(voices.begin(), voices.end());
    if (voices.empty()) {
        throw std::runtime_error("no speech: '" + settings.speech + "' has no voice but " +
                                 settings.held_back);
    }
    for (const std::string& voice : voices) read_sounds(voice, corpus.speech, corpus.other_speech);
    read_sounds((root / settings.held_back).string(), corpus.held_back, corpus.held_back);
    if (std::filesystem::is_directory(settings.music)) {
        read_sounds(settings.music, corpus.music, corpus.other_music, 5);
    } else {
        std::cerr << "No '" << settings.music << "' (Debian package asterisk-moh-opsound-wav): no music.\n";
    }
    return corpus;
}

/// Mean SNRs of some clips, in dB.
struct Result {
    double noisy = 0;
    double wiener = 0;
    double model = 0;
};

Result test(const Settings& settings, const DenoiserCorpus& corpus, const Denoiser& denoiser, NoiseKind kind,
            double snr) {
    const Index count = settings.clips;
    const std::size_t size =
        std::min(corpus.held_back.size(), static_cast<std::size_t>(settings.clip_seconds * sample_rate));
    std::vector<Result> results(static_cast<std::size_t>(count));
    parallel_for(count, [&](Index i, int) {
        const auto at = static_cast<std::size_t>(i);
        const std::size_t first = (corpus.held_back.size() - size) / static_cast<std::size_t>(count) * at;
        const NoisySpeech speech =
            add_noise(std::span(corpus.held_back).subspan(first, size), kind, snr, at, corpus.test_noise());
        results[at].noisy = signal_to_noise(speech.clean, speech.noisy);
        std::vector<float> output(speech.noisy.size());
        WienerFilter().process(speech.noisy, output);
        results[at].wiener = signal_to_noise(speech.clean, output, WienerFilter::delay());
        Denoiser(denoiser).process(speech.noisy, output);
        results[at].model = signal_to_noise(speech.clean, output, Denoiser::delay());
    });
    Result mean;
    for (const Result& result : results) {
        mean.noisy += result.noisy / static_cast<double>(count);
        mean.wiener += result.wiener / static_cast<double>(count);
        mean.model += result.model / static_cast<double>(count);
    }
    return mean;
}

/// One of the clips to listen to and to look at, with noise at 5 dB.
void write_demonstration(const std::string& directory, const DenoiserCorpus& corpus, Denoiser denoiser) {
    const std::size_t start = corpus.held_back.size() / 2;
    const std::size_t size = std::min<std::size_t>(corpus.held_back.size() - start, 4 * sample_rate);
    const NoisySpeech speech = add_noise(std::span(corpus.held_back).subspan(start, size), NoiseKind::pink, 5,
                                         1, corpus.test_noise());
    const auto in_time = [](std::vector<float> output, Index delay) {
        output.erase(output.begin(), output.begin() + delay);
        return output;
    };
    std::vector<float> filtered(speech.noisy.size());
    WienerFilter().process(speech.noisy, filtered);
    filtered = in_time(std::move(filtered), WienerFilter::delay());
    std::vector<float> denoised(speech.noisy.size());
    denoiser.process(speech.noisy, denoised);
    denoised = in_time(std::move(denoised), Denoiser::delay());
    write_sound(directory + "/clean.wav", speech.clean);
    write_sound(directory + "/noisy.wav", speech.noisy);
    write_sound(directory + "/wiener.wav", filtered);
    write_sound(directory + "/denoised.wav", denoised);
    write_spectrograms({{"clean", speech.clean},
                        {"with pink noise at 5 dB", speech.noisy},
                        {"after the Wiener filter", filtered},
                        {"after the model", denoised}},
                       directory, "denoiser_spectrograms");
}

void run(Settings& settings) {
    if (settings.training.quick) {
        settings.training.steps = 100;
        settings.model = {.length = 64,
                          .width = 24,
                          .layers = 1,
                          .inner_width = 24,
                          .mlp_width = 16,
                          .validate_every = 100};
        settings.clips = 1;
        settings.clip_seconds = 1;
    }
    const DenoiserCorpus corpus = read_corpus(settings);
    const auto seconds = [](const std::vector<float>& sound) {
        return clock_text(static_cast<double>(sound.size()) / sample_rate);
    };
    std::cout << "Data   " << seconds(corpus.speech) << " of speech and " << seconds(corpus.music)
              << " of music to train on; " << seconds(corpus.held_back) << " of " << settings.held_back
              << " held back\n"
              << "Model  " << settings.model.layers << " layers of width " << settings.model.width
              << ", mixers of " << settings.model.inner_width << " channels: tno; clips of "
              << settings.model.length << " frames\n"
              << std::flush;
    const DenoiserReport report = train_denoiser(settings.model, settings.training, corpus);
    if (!settings.training.all_processes().is_first()) return;
    const Denoiser denoiser = Denoiser::load(report.file);

    const std::string csv_path = settings.training.out + "/denoiser_snr.csv";
    CsvWriter csv(csv_path);
    csv.write_row({"noise", "snr", "noisy", "wiener", "model"});
    Table table({"SNR in dB", "noisy", "Wiener filter", "model", "gained", "more than Wiener"});
    const std::vector<double> levels = {-5, 0, 5, 10, 15};
    std::vector<Result> means(levels.size());
    const std::size_t kinds = noise_kinds(corpus.other_music);
    const auto row = [&](const std::string& name, const Result& result) {
        table.add_row({name, fixed(result.noisy, 2), fixed(result.wiener, 2), fixed(result.model, 2),
                       fixed(result.model - result.noisy, 2), fixed(result.model - result.wiener, 2)});
    };
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        Result all;
        for (std::size_t level = 0; level < levels.size(); ++level) {
            const Result result =
                test(settings, corpus, denoiser, static_cast<NoiseKind>(kind), levels[level]);
            csv.write_row({noise_names[kind], fixed(levels[level], 0), fixed(result.noisy, 3),
                           fixed(result.wiener, 3), fixed(result.model, 3)});
            const auto add = [&](Result& to, double parts) {
                to.noisy += result.noisy / parts;
                to.wiener += result.wiener / parts;
                to.model += result.model / parts;
            };
            add(all, static_cast<double>(levels.size()));
            add(means[level], static_cast<double>(kinds));
        }
        row(std::string(noise_names[kind]) + ", all levels", all);
    }
    table.add_gap();
    for (std::size_t level = 0; level < levels.size(); ++level) {
        row("all noises at " + fixed(levels[level], 0) + " dB", means[level]);
    }
    std::cout << '\n';
    table.print(std::cout);
    std::cout << "\nOf " << settings.held_back << ", " << settings.clips << " clips of "
              << settings.clip_seconds << " s for each; late by " << Denoiser::delay()
              << " samples, the filter by " << WienerFilter::delay() << ".\n"
              << report.parameters << " parameters, " << report.run.steps << " steps of "
              << settings.training.batch << " clips, " << clock_text(report.run.seconds) << " of training, "
              << fixed(1e3 * report.run.seconds_per_step(), 0) << " ms per step\n"
              << "Saved as " << report.file << ", the table as " << csv_path << '\n';
    write_plot({.title = "Speech denoiser",
                .y_label = "error in dB of the input; dB gained",
                .curves = {{"denoiser_log.csv", "error, training"},
                           {"denoiser_validation.csv", "gained, other files of the voices", "linespoints"}}},
               settings.training.out, "denoiser");
    write_demonstration(settings.training.out, corpus, denoiser);
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app("Trains a causal model that takes noise from speech.", "train_denoiser");
    app.add_option("--speech", settings.speech, "Directory with a directory of WAV files for each voice")
        ->capture_default_str();
    app.add_option("--held-back", settings.held_back, "The voice to test with")->capture_default_str();
    app.add_option("--music", settings.music, "Directory of WAV files with music, as a noise")
        ->capture_default_str();
    app.add_option("--length", settings.model.length, "Frames n of a training clip, and lags of the kernels")
        ->check(CLI::Range(Index{2}, longest_context))
        ->capture_default_str();
    add_model_options(app, settings.model);
    app.add_option("--clips", settings.clips,
                   "Test clips of the voice that is held back, for each noise and level")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    add_training_options(app, settings.training);
    return run_training_program(app, argc, argv, settings.training, [&] { run(settings); });
}
