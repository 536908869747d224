// SPDX-License-Identifier: MIT
// Sounds for the tests of train_denoiser and denoise, and whether these have done what they should.

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numbers>
#include <sstream>
#include <string>
#include <vector>

#include "denoiser.hpp"
#include "short_time_transform.hpp"
#include "wiener_filter.hpp"

namespace {

using namespace examples;

void require(bool is_right, const std::string& what) {
    if (!is_right) throw std::runtime_error(what);
}

/// Syllables of a voice of some pitch: harmonics with a formant that moves, and pauses.
std::vector<float> voice(double pitch, double seconds, std::uint64_t seed) {
    const CounterRandom random(seed);
    std::vector<float> sound(static_cast<std::size_t>(seconds * sample_rate));
    double phase = 0;
    for (std::size_t i = 0; i < sound.size(); ++i) {
        const double time = static_cast<double>(i) / sample_rate;
        const auto syllable = static_cast<std::uint64_t>(time / 0.25);
        const double place = time / 0.25 - static_cast<double>(syllable);
        const double formant = random.uniform(2 * syllable, 300, 2500);
        phase += 2 * std::numbers::pi * pitch * (1 + 0.1 * std::sin(8 * time)) / sample_rate;
        double sum = 0;
        for (int harmonic = 1; harmonic * pitch < 3000; ++harmonic) {
            const double away = (harmonic * pitch - formant) / 300;
            sum += (0.1 + std::exp(-away * away)) * std::sin(harmonic * phase) / harmonic;
        }
        const bool is_pause = random.uniform(2 * syllable + 1) < 0.3;
        sound[i] = static_cast<float>(is_pause ? 0 : 0.3 * std::sin(std::numbers::pi * place) * sum);
    }
    return sound;
}

void write_stereo(const std::string& path) {
    SF_INFO info{};
    info.channels = 2;
    info.samplerate = sample_rate;
    info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    const detail::SoundHandle file(sf_open(path.c_str(), SFM_WRITE, &info));
    const std::vector<float> samples(200, 0.1F);
    require(file != nullptr && sf_writef_float(file.get(), samples.data(), 100) == 100, "no stereo file");
}

void write_at_other_rate(const std::string& path) {
    SF_INFO info{};
    info.channels = 1;
    info.samplerate = 44100;
    info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    const detail::SoundHandle file(sf_open(path.c_str(), SFM_WRITE, &info));
    const std::vector<float> samples(100, 0.1F);
    require(file != nullptr && sf_write_float(file.get(), samples.data(), 100) == 100,
            "no file of another rate");
}

void write_nan(const std::string& path) {
    SF_INFO info{};
    info.channels = 1;
    info.samplerate = sample_rate;
    info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
    const detail::SoundHandle file(sf_open(path.c_str(), SFM_WRITE, &info));
    const std::vector<float> samples(100, std::nanf(""));
    require(file != nullptr && sf_write_float(file.get(), samples.data(), 100) == 100, "no file of NaNs");
}

void write_sounds(const std::filesystem::path& directory) {
    for (const auto& [name, pitch] : {std::pair{"low", 110.0}, {"middle", 170.0}, {"high", 230.0}}) {
        const std::filesystem::path folder = directory / "voices" / name;
        std::filesystem::create_directories(folder);
        for (std::uint64_t i = 0; i < (pitch > 200 ? 2U : 25U); ++i) {
            write_sound((folder / (std::to_string(i) + ".wav")).string(), voice(pitch, 2, i));
        }
    }
    std::filesystem::create_directories(directory / "one_voice" / "low");
    write_sound((directory / "one_voice" / "low" / "0.wav").string(), voice(110, 1, 1));
    const std::vector<float> clean = voice(200, 3, 9);
    NoisySpeech noisy{clean, clean};
    const std::vector<float> noise = make_noise(NoiseKind::white, clean.size(), 3, {});
    for (std::size_t i = 0; i < clean.size(); ++i) noisy.noisy[i] += 0.05F * noise[i];
    write_sound((directory / "clean.wav").string(), clean);
    write_sound((directory / "noisy.wav").string(), noisy.noisy);
    write_sound((directory / "short.wav").string(), std::span(clean).first(100));
    write_sound((directory / "empty.wav").string(), {});
    write_stereo((directory / "stereo.wav").string());
    write_at_other_rate((directory / "44100.wav").string());
    write_nan((directory / "nan.wav").string());
    std::ofstream(directory / "text.wav") << "This is a text and no sound.";
    std::cout << "written\n";
}

std::vector<float> in_blocks(auto filter, const std::vector<float>& sound, std::size_t block) {
    std::vector<float> output(sound.size());
    for (std::size_t at = 0; at < sound.size(); at += block) {
        const std::size_t count = std::min(block, sound.size() - at);
        filter.process(std::span(sound).subspan(at, count), std::span(output).subspan(at, count));
    }
    return output;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Spectra that nobody changes give the sound back, late by the delay; synthesis_gradient is the adjoint of
/// synthesise.
void check_transform() {
    const std::vector<float> sound = make_noise(NoiseKind::white, 4000, 5, {});
    for (const auto& [window, hop] : {std::pair{256, 32}, {256, 64}, {256, 128}, {64, 16}}) {
        const ShortTimeTransform transform(window, hop);
        ShortTimeStream stream(transform);
        std::vector<float> output(sound.size());
        stream.process(sound, output, [](std::span<float>) {});
        const auto delay = static_cast<std::size_t>(transform.delay());
        for (std::size_t i = 0; i < sound.size(); ++i) {
            const float wanted = i < delay ? 0 : sound[i - delay];
            require(std::abs(output[i] - wanted) < 1e-4F, "the transform and back: another sound");
        }
        const Matrix<float> spectra = transform.analyse(sound);
        const Vector<float> back = transform.synthesise(spectra);
        for (Index i = 0; i < back.size(); ++i) {
            require(std::abs(back(i) - sound[static_cast<std::size_t>(i)]) < 1e-4F,
                    "synthesise: another sound");
        }
        const Vector<float> g = Vector<float>::Random(back.size());
        const double one = g.cast<double>().dot(back.cast<double>());
        const double other =
            transform.synthesis_gradient(g).cast<double>().cwiseProduct(spectra.cast<double>()).sum();
        require(std::abs(one - other) < 1e-4 * static_cast<double>(g.norm() * back.norm()), "no adjoint");
    }
}

/// Noises are as loud as they say, differ from seed to seed, and are the same for one.
void check_noises(const std::vector<float>& voices) {
    for (std::size_t kind = 0; kind < noise_names.size(); ++kind) {
        const auto make = [&](std::uint64_t seed) {
            return make_noise(static_cast<NoiseKind>(kind), 8000, seed, {voices, voices});
        };
        const std::vector<float> noise = make(1);
        require(std::abs(power(noise) - 1) < 1e-3, std::string("power of ") + noise_names[kind]);
        require(same_bits(noise, make(1)) && !same_bits(noise, make(2)),
                std::string("seeds of ") + noise_names[kind]);
    }
}

/// The loss of the first and of the last rows of a training log.
void check_log(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    std::vector<double> losses;
    while (std::getline(file, line)) {
        std::istringstream cells(line);
        std::string cell;
        std::getline(cells, cell, ',');
        std::getline(cells, cell, ',');
        losses.push_back(std::stod(cell));
    }
    require(losses.size() >= 10, "a log of few rows");
    double change = 0;
    for (std::size_t i = 0; i < 5; ++i) change += (losses[losses.size() - 1 - i] - losses[i]) / 5;
    std::cout << "loss changed by " << change << " dB\n";
    require(change < -0.5, "training does not make the loss smaller");
}

void check(const std::filesystem::path& directory, const std::string& trained) {
    check_transform();
    const std::vector<float> sound = read_sound((directory / "noisy.wav").string());
    check_noises(sound);
    check_log(trained + "/denoiser_log.csv");

    const Denoiser denoiser = Denoiser::load(trained + "/denoiser.safetensors");
    const std::vector<float> whole = in_blocks(denoiser, sound, sound.size());
    const std::vector<float> filtered = in_blocks(WienerFilter(), sound, sound.size());
    for (const std::size_t block : {1U, 128U, 480U}) {
        require(same_bits(in_blocks(denoiser, sound, block), whole),
                "other bits in blocks of " + std::to_string(block));
        require(same_bits(in_blocks(WienerFilter(), sound, block), filtered),
                "the filter: other bits in blocks of " + std::to_string(block));
    }

    // What has been heard before and is reset, or not copied, changes nothing.
    Denoiser used = denoiser;
    std::vector<float> unused(sound.size());
    used.process(sound, unused);
    require(!same_bits(in_blocks(used, sound, 128), whole), "what has been heard is forgotten");
    used.reset();
    require(same_bits(in_blocks(used, sound, 128), whole), "other bits after a reset");

    const auto size = static_cast<std::size_t>(denoiser.longest_evaluation());
    const auto start = std::span(sound).first(size);
    const std::vector<float> evaluated = denoiser.evaluate(start);
    const auto delay = static_cast<std::size_t>(Denoiser::delay());
    require(evaluated.size() + delay < whole.size() && evaluated.size() + 1000 > size,
            "an evaluation of another size");
    float largest = 0;
    float error = 0;
    for (std::size_t i = 0; i < evaluated.size(); ++i) {
        largest = std::max(largest, std::abs(evaluated[i]));
        error = std::max(error, std::abs(evaluated[i] - whole[i + delay]));
    }
    std::cout << "block by block and all at once differ by " << error << " of " << largest << '\n';
    require(largest > 0.01F && error < 1e-4F * largest, "the stream is not the evaluation");
    std::cout << "right\n";
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 2) {
            write_sounds(argv[1]);
        } else if (argc == 3) {
            check(argv[1], argv[2]);
        } else {
            throw std::runtime_error("usage: denoiser_test DIRECTORY [DIRECTORY OF THE TRAINED MODEL]");
        }
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
