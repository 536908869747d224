// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sound files of one channel, by libsndfile.

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <sndfile.h>

#include <toeplitz/core/finite.hpp>

namespace examples {

/// All that is done with sound here is done at this rate: that of telephones.
inline constexpr int sample_rate = 8000;

namespace detail {

struct CloseSound {
    void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundHandle = std::unique_ptr<SNDFILE, CloseSound>;

}  // namespace detail

/// The samples, in ±1.
/// \throws std::runtime_error for what is no sound of one channel at the rate, or has a number that is none
inline std::vector<float> read_sound(const std::string& path) {
    const auto fail = [&](const std::string& why) {
        throw std::runtime_error("cannot read '" + path + "': " + why);
    };
    SF_INFO info{};
    const detail::SoundHandle file(sf_open(path.c_str(), SFM_READ, &info));
    if (file == nullptr) fail(sf_strerror(nullptr));
    if (info.channels != 1) {
        fail("it has " + std::to_string(info.channels) + " channels, and sounds here have one");
    }
    if (info.samplerate != sample_rate) {
        fail("it has " + std::to_string(info.samplerate) + " samples a second, and not " +
             std::to_string(sample_rate));
    }
    // Piece by piece: a header may promise any number.
    std::vector<float> samples;
    std::array<float, 4096> piece{};
    sf_count_t count = 0;
    do {
        count = sf_read_float(file.get(), piece.data(), static_cast<sf_count_t>(piece.size()));
        samples.insert(samples.end(), piece.begin(), piece.begin() + count);
    } while (count > 0);
    if (sf_error(file.get()) != SF_ERR_NO_ERROR) fail(sf_strerror(file.get()));
    const auto is_number = [](float x) { return toeplitz::detail::is_finite(x); };
    if (!std::all_of(samples.begin(), samples.end(), is_number)) fail("a sample is not a finite number");
    return samples;
}

/// As WAV with 16 bits a sample; what is outside ±1 is cut off.
/// \throws std::runtime_error
inline void write_sound(const std::string& path, std::span<const float> samples) {
    SF_INFO info{};
    info.channels = 1;
    info.samplerate = sample_rate;
    info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    const detail::SoundHandle file(sf_open(path.c_str(), SFM_WRITE, &info));
    if (file == nullptr) {
        throw std::runtime_error("cannot write '" + path + "': " + sf_strerror(nullptr));
    }
    sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
    const auto count = static_cast<sf_count_t>(samples.size());
    if (sf_write_float(file.get(), samples.data(), count) != count) {
        throw std::runtime_error("cannot write '" + path + "': " + sf_strerror(file.get()));
    }
}

}  // namespace examples
