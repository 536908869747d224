// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Noise to be taken away: generated, or cut from recordings.

#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <toeplitz/core/random.hpp>

#include "sound_file.hpp"

namespace examples {

using toeplitz::CounterRandom, toeplitz::Index;

/// white · pink: equal power per octave · hum: a mains frequency and its harmonics · machine: white noise
/// through resonances, its loudness going up and down · clicks: short knocks at random times · babble: six
/// voices at once · music: from recordings.
enum class NoiseKind { white, pink, hum, machine, clicks, babble, music };
inline constexpr std::array noise_names = {"white", "pink", "hum", "machine", "clicks", "babble", "music"};

/// How many of the kinds there are: without music, all but that.
inline std::size_t noise_kinds(std::span<const float> music) {
    return noise_names.size() - (music.empty() ? 1 : 0);
}

/// Recordings to cut noise from; one after another, each.
struct NoiseSources {
    std::span<const float> voices;
    std::span<const float> music;  ///< may be empty
};

namespace detail {

/// Uniform and normal numbers one after another.
class RandomSequence {
public:
    explicit RandomSequence(std::uint64_t seed) : random_(seed) {}
    double uniform(double low, double high) { return random_.uniform(next_++, low, high); }
    double normal() { return random_.normal(next_++ + (std::uint64_t{1} << 40)); }

private:
    CounterRandom random_;
    std::uint64_t next_ = 0;
};

/// Adds a part of a recording that begins anywhere; beyond the end it begins again.
inline void add_cut(std::span<const float> recording, double gain, RandomSequence& random,
                    std::vector<float>& noise) {
    const auto size = recording.size();
    const auto first = static_cast<std::size_t>(random.uniform(0, static_cast<double>(size)));
    for (std::size_t i = 0; i < noise.size(); ++i) {
        noise[i] += static_cast<float>(gain) * recording[(first + i) % size];
    }
}

inline void make_pink(RandomSequence& random, std::vector<float>& noise) {
    // Sums of low-pass filters an octave or two apart: within 1 dB of 1/f from 40 Hz on.
    constexpr std::array poles = {0.99, 0.963, 0.57};
    constexpr std::array weights = {0.115, 0.29, 1.06};
    std::array<double, 3> sums{};
    for (float& sample : noise) {
        const double white = random.normal();
        double pink = 0.2 * white;
        for (std::size_t j = 0; j < poles.size(); ++j) {
            sums[j] = poles[j] * sums[j] + weights[j] * white;
            pink += sums[j];
        }
        sample = static_cast<float>(pink);
    }
}

inline void make_hum(RandomSequence& random, std::vector<float>& noise) {
    const double step = 2 * std::numbers::pi / sample_rate;
    const double mains = (random.uniform(0, 1) < 0.5 ? 50 : 60) * random.uniform(0.995, 1.005);
    const double fall = random.uniform(0.3, 1.3);
    for (int harmonic = 1; harmonic * mains < 2000; ++harmonic) {
        const double amplitude = random.uniform(0, 1) * std::pow(harmonic, -fall);
        const double phase = random.uniform(0, 2 * std::numbers::pi);
        for (std::size_t i = 0; i < noise.size(); ++i) {
            const double angle = harmonic * mains * step * static_cast<double>(i) + phase;
            noise[i] += static_cast<float>(amplitude * std::sin(angle));
        }
    }
    for (float& sample : noise) sample += static_cast<float>(0.02 * random.normal());
}

inline void make_machine(RandomSequence& random, std::vector<float>& noise) {
    struct Resonance {
        double a, b, gain, last = 0, before = 0;
    };
    std::array<Resonance, 3> resonances{};
    for (Resonance& resonance : resonances) {
        const double radius = random.uniform(0.8, 0.99);
        const double angle =
            2 * std::numbers::pi * std::exp(random.uniform(std::log(100), std::log(3500))) / sample_rate;
        resonance.a = 2 * radius * std::cos(angle);
        resonance.b = -radius * radius;
        resonance.gain = (1 - radius) * random.uniform(0.2, 1);
    }
    const double depth = random.uniform(0, 0.8);
    const double beat =
        2 * std::numbers::pi * std::exp(random.uniform(std::log(0.3), std::log(20))) / sample_rate;
    for (std::size_t i = 0; i < noise.size(); ++i) {
        const double white = random.normal();
        double sum = 0;
        for (Resonance& resonance : resonances) {
            const double next = white + resonance.a * resonance.last + resonance.b * resonance.before;
            resonance.before = resonance.last;
            resonance.last = next;
            sum += resonance.gain * next;
        }
        noise[i] = static_cast<float>(sum * (1 + depth * std::sin(beat * static_cast<double>(i))));
    }
}

inline void make_clicks(RandomSequence& random, std::vector<float>& noise) {
    const double mean_pause = sample_rate / std::exp(random.uniform(std::log(2), std::log(20)));
    for (double start = 0; start < static_cast<double>(noise.size());
         start -= mean_pause * std::log(1 - random.uniform(0, 1))) {
        const double loudness = random.uniform(0.2, 1);
        const double decay = 1 / random.uniform(20, 200);
        const double color = random.uniform(0, 0.9);
        double low = 0;
        const auto first = static_cast<std::size_t>(start);
        for (std::size_t i = first; i < std::min(noise.size(), first + 800); ++i) {
            low = color * low + random.normal();
            noise[i] +=
                static_cast<float>(loudness * std::exp(-decay * static_cast<double>(i - first)) * low);
        }
    }
    for (float& sample : noise) sample += static_cast<float>(0.002 * random.normal());
}

}  // namespace detail

inline double power(std::span<const float> signal) {
    double sum = 0;
    for (const float x : signal) sum += static_cast<double>(x) * static_cast<double>(x);
    return sum / static_cast<double>(signal.size());
}

/// Noise of a kind: its details are drawn from the seed, and its power is 1.
inline std::vector<float> make_noise(NoiseKind kind, std::size_t size, std::uint64_t seed,
                                     const NoiseSources& sources) {
    detail::RandomSequence random(seed);
    std::vector<float> noise(size, 0.0F);
    switch (kind) {
        case NoiseKind::white:
            for (float& sample : noise) sample = static_cast<float>(random.normal());
            break;
        case NoiseKind::pink:
            detail::make_pink(random, noise);
            break;
        case NoiseKind::hum:
            detail::make_hum(random, noise);
            break;
        case NoiseKind::machine:
            detail::make_machine(random, noise);
            break;
        case NoiseKind::clicks:
            detail::make_clicks(random, noise);
            break;
        case NoiseKind::babble:
            for (int voice = 0; voice < 6; ++voice) {
                detail::add_cut(sources.voices, random.uniform(0.5, 1), random, noise);
            }
            break;
        case NoiseKind::music:
            detail::add_cut(sources.music, 1, random, noise);
            break;
    }
    const double loudness = std::sqrt(power(noise) + 1e-12);
    for (float& sample : noise) sample = static_cast<float>(static_cast<double>(sample) / loudness);
    return noise;
}

}  // namespace examples
