// SPDX-License-Identifier: MIT
/// \file
/// PNG images as the examples read them: refused, or a grey of every pixel.

#include <fuzz/mutator.hpp>

#include <zlib.h>

#include <examples/support/png_file.hpp>

namespace toeplitz::test {
namespace {

std::string big_endian(std::uint32_t number) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift & 0xFFU));
    return bytes;
}

std::string chunk(const std::string& type_and_data) {
    const auto* bytes = reinterpret_cast<const Bytef*>(type_and_data.data());
    const std::uint32_t sum =
        static_cast<std::uint32_t>(crc32(0, bytes, static_cast<uInt>(type_and_data.size())));
    return big_endian(static_cast<std::uint32_t>(type_and_data.size() - 4)) + type_and_data + big_endian(sum);
}

const std::string signature = "\x89PNG\r\n\x1A\n";

/// An image of 8 bits per sample: colour type 0 (grey), 2 (red, green, blue) or 6 (with transparency).
std::string format_png(std::uint32_t height, std::uint32_t width, char type, const std::string& lines) {
    uLongf size = compressBound(static_cast<uLong>(lines.size()));
    std::string packed(size, '\0');
    compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(lines.data()),
             static_cast<uLong>(lines.size()));
    packed.resize(size);
    return signature +
           chunk("IHDR" + big_endian(width) + big_endian(height) + '\x08' + type + std::string(3, '\0')) +
           chunk("IDAT" + packed) + chunk("IEND");
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        const std::string grey = std::string("\0ab\0cd\0ef", 9);
        const std::string rgb = std::string("\0abcdef", 7);
        of.seeds = {format_png(3, 2, 0, grey),
                    format_png(1, 2, 2, rgb),
                    format_png(1, 1, 6, std::string("\0wxyz", 5)),
                    format_png(5000, 5000, 0, grey),
                    signature,
                    ""};
        of.words = {"IDAT", "IHDR", "IEND", "PLTE", "tRNS", std::string(4, '\0'), big_endian(5000)};
        // The sums of whole chunks.
        of.repair = [](std::string& bytes) {
            std::size_t at = signature.size();
            while (at + 12 <= bytes.size()) {
                std::size_t size = 0;
                for (std::size_t i = 0; i < 4; ++i)
                    size = size * 256 + static_cast<unsigned char>(bytes[at + i]);
                if (size > bytes.size() || at + 12 + size > bytes.size()) return;
                const std::string whole = chunk(bytes.substr(at + 4, 4 + size));
                bytes.replace(at, whole.size(), whole);
                at += whole.size();
            }
        };
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    try {
        const examples::GreyImage image = examples::parse_png(input, "guest");
        promise(image.height >= 1 && image.width >= 1 && image.height <= 4096 && image.width <= 4096,
                "a size");
        promise(image.pixels.size() == static_cast<std::size_t>(image.height * image.width), "every pixel");
        return 0;
    } catch (const std::runtime_error&) {
        return 1;
    }
}

}  // namespace toeplitz::test
