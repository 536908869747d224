// SPDX-License-Identifier: MIT
/// \file
/// Writes the seeds of fuzz_safetensors into a folder.

#include <cstdio>

#include <fuzz/guest.hpp>

int main(int count, char** arguments) {
    if (count != 2) {
        std::puts("usage: fuzz_corpus FOLDER");
        return 2;
    }
    std::filesystem::create_directories(arguments[1]);
    int number = 0;
    for (const std::string& seed : toeplitz::test::guest_seeds()) {
        const std::string name = toeplitz::detail::text(arguments[1], "/seed-", number++);
        toeplitz::test::write_bytes(name, seed);
    }
    return 0;
}
