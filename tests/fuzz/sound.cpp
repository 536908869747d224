// SPDX-License-Identifier: MIT
/// \file
/// Sound files of the denoiser: refused, or finite samples that are as many as the file can hold, and that
/// come back when they are written and read again.

#include <fuzz/memory_file.hpp>
#include <fuzz/mutator.hpp>

#include <examples/support/sound_file.hpp>

namespace toeplitz::test {
namespace {

/// A number as WAV files have it: the low byte first.
std::string number(std::uint32_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
    return text;
}

std::string format_wav(std::uint32_t format, std::uint32_t channels, std::uint32_t rate, std::uint32_t bits,
                       const std::string& data) {
    const std::string head = "WAVEfmt " + number(16, 4) + number(format, 2) + number(channels, 2) +
                             number(rate, 4) + number(rate * channels * bits / 8, 4) +
                             number(channels * bits / 8, 2) + number(bits, 2) + "data";
    const auto size = static_cast<std::uint32_t>(data.size());
    return "RIFF" + number(static_cast<std::uint32_t>(head.size()) + 4 + size, 4) + head + number(size, 4) +
           data;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {format_wav(1, 1, 8000, 16, std::string("\0\0\x01\0\xFF\x7F\0\x80", 8)),
                    format_wav(1, 1, 8000, 8, "abcdefgh"),
                    format_wav(1, 1, 8000, 24, "abcdef"),
                    format_wav(3, 1, 8000, 32, std::string("\0\0\0\x3F\0\0\x80\x3F", 8)),
                    format_wav(3, 1, 8000, 32, std::string("\0\0\xC0\x7F\0\0\x80\x7F", 8)),
                    format_wav(6, 1, 8000, 8, "abcdefgh"),
                    format_wav(7, 1, 8000, 8, "abcdefgh"),
                    format_wav(1, 2, 8000, 16, "abcdefgh"),
                    format_wav(1, 1, 44100, 16, "abcdefgh"),
                    format_wav(1, 1, 8000, 16, ""),
                    format_wav(1, 1, 8000, 16, "abcd").replace(40, 4, "\xFF\xFF\xFF\x7F")};
        of.words = {"RIFF",
                    "WAVE",
                    "fmt ",
                    "data",
                    "LIST",
                    "fact",
                    number(8000, 4),
                    number(0xFFFFFFFF, 4),
                    number(0x7FC00000, 4)};
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    std::vector<float> samples;
    try {
        const MemoryFile file(input);
        samples = examples::read_sound(file.path());
    } catch (const std::runtime_error&) {
        return 1;
    }
    for (const float sample : samples) promise(detail::is_finite(sample), "finite samples");
    const MemoryFile copy("");
    examples::write_sound(copy.path(), samples);
    const std::vector<float> again = examples::read_sound(copy.path());
    promise(again.size() == samples.size(), "a round trip");
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const float wanted = std::clamp(samples[i], -1.0F, 1.0F);
        promise(std::abs(again[i] - wanted) <= 1.0F / 16384, "the samples of 16 bits");
    }
    return 0;
}

}  // namespace toeplitz::test
