// SPDX-License-Identifier: MIT
/// \file
/// The entry of libFuzzer, and mutations for it: its own, repaired, and those that know the format. It needs
/// no folder to begin with, as the seeds are among them.

#include <cstring>

#include <fuzz/mutator.hpp>

extern "C" {

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    toeplitz::test::fuzz(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
}

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
    using namespace toeplitz::test;
    const FuzzTarget& target = fuzz_target();
    Mutator mutate(seed);
    std::string bytes;
    if (size < 2 || mutate.below(64) == 0) {
        bytes = mutate.one_of(target.seeds);
    } else if (mutate.below(2) == 0) {
        bytes = mutate(std::string(reinterpret_cast<const char*>(data), size), target);
    } else {
        size = LLVMFuzzerMutate(data, size, most);
        bytes.assign(reinterpret_cast<const char*>(data), size);
        if (mutate.below(4) != 0) target.repair(bytes);
    }
    if (bytes.size() > most) bytes.resize(most);
    std::memcpy(data, bytes.data(), bytes.size());
    return bytes.size();
}

}  // extern "C"
