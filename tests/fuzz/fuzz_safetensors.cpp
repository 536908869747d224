// SPDX-License-Identifier: MIT
/// \file
/// The target for libFuzzer.

#include <cstring>

#include <fuzz/guest.hpp>

extern "C" {

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

/// Mostly repairs the header length afterwards: a file that fails there already teaches nothing about the
/// rest.
std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    constexpr std::size_t start = sizeof(std::uint64_t);
    size = LLVMFuzzerMutate(data, size, most);
    if (seed % 8 == 0 || size < start) return size;
    std::size_t end = size;
    while (end > start && data[end - 1] != '}') --end;
    const std::uint64_t length = (end > start ? end : size) - start;
    std::memcpy(data, &length, start);
    return size;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    toeplitz::test::visit_guest(std::as_bytes(std::span(data, size)));
    return 0;
}

}  // extern "C"
