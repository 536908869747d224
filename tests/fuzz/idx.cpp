// SPDX-License-Identifier: MIT
/// \file
/// IDX files of the examples: refused, or all bytes in their place.

#include <fuzz/mutator.hpp>

#include <examples/support/idx.hpp>

namespace toeplitz::test {
namespace {

std::string format_idx(const std::vector<Index>& shape, const std::string& bytes) {
    std::string content{'\0', '\0', '\x08', static_cast<char>(shape.size())};
    for (const Index extent : shape) {
        for (int shift = 24; shift >= 0; shift -= 8)
            content.push_back(static_cast<char>(extent >> shift & 0xFF));
    }
    return content + bytes;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {format_idx({1}, "a"),
                    format_idx({3}, "abc"),
                    format_idx({2, 3}, "abcdef"),
                    format_idx({2, 2, 2}, "abcdefgh"),
                    format_idx({1, 2, 1, 2}, "abcd"),
                    format_idx({1, 1, 1, 1, 1}, "a"),
                    format_idx({0}, ""),
                    format_idx({1 << 27, 1 << 27, 1 << 27}, "")};
        of.words = {std::string("\0\0\x08", 3), "\xFF\xFF\xFF\xFF", std::string("\x10\0\0\0", 4),
                    std::string("\0\0\0\x01", 4)};
        // As much data as the dimensions say, where that is little.
        of.repair = [](std::string& bytes) {
            if (bytes.size() < 4) return;
            bytes.replace(0, 3, std::string("\0\0\x08", 3));
            bytes[3] = static_cast<char>(bytes[3] & 7);
            const std::size_t header = 4 + 4 * static_cast<std::size_t>(bytes[3]);
            if (bytes.size() < header) bytes.resize(header, '\1');
            std::size_t size = 1;
            for (std::size_t at = 4; at < header; at += 4) {
                bytes[at] = bytes[at + 1] = bytes[at + 2] = '\0';
                size *= static_cast<unsigned char>(bytes[at + 3]);
                if (size > 10'000) return;
            }
            bytes.resize(header + size, 'x');
        };
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    examples::IdxFile file;
    try {
        file = examples::parse_idx(input, "guest");
    } catch (const std::runtime_error&) {
        return 1;
    }
    promise(format_idx(file.shape, file.bytes) == input, "a round trip");
    return 0;
}

}  // namespace toeplitz::test
