// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// CRC-64/XZ: any change within 64 neighbouring bits changes it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Remainders of a byte, and of one that 1 to 7 others follow.
inline constexpr auto crc64_tables = [] {
    std::array<std::array<std::uint64_t, 256>, 8> tables{};
    for (std::size_t byte = 0; byte < 256; ++byte) {
        std::uint64_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = rest >> 1U ^ (rest & 1U) * 0xC96C5795D7870F42U;
        tables[0][byte] = rest;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint64_t rest = tables[k - 1][byte];
            tables[k][byte] = rest >> 8U ^ tables[0][rest & 0xFFU];
        }
    }
    return tables;
}();

}  // namespace detail

/// The checksum of bytes that come in pieces.
/// Cost O(bytes), 8 at a time | heap: none but for text() | thread-safe: as any value
class Crc64 {
public:
    Crc64& add(std::span<const std::byte> bytes) noexcept {
        const auto& tables = detail::crc64_tables;
        for (; bytes.size() >= sizeof(rest_); bytes = bytes.subspan(sizeof(rest_))) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data(), sizeof(word));
            word ^= rest_;
            rest_ = 0;
            for (unsigned k = 0; k < 8; ++k) rest_ ^= tables[7 - k][word >> 8U * k & 0xFFU];
        }
        for (const std::byte byte : bytes) {
            rest_ = rest_ >> 8U ^ tables[0][(rest_ ^ static_cast<std::uint64_t>(byte)) & 0xFFU];
        }
        return *this;
    }

    std::uint64_t value() const noexcept { return ~rest_; }

    /// 16 hexadecimal digits.
    std::string text() const {
        std::string digits(16, '0');
        std::uint64_t rest = value();
        for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, rest >>= 4U) {
            *digit = "0123456789abcdef"[rest & 0xFU];
        }
        return digits;
    }

private:
    std::uint64_t rest_ = ~std::uint64_t{0};
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
