// SPDX-License-Identifier: MIT
/// \file
/// Makes a test of a fuzz target, with any compiler: its seeds, and thousands of mutations of them.
///
///     fuzz_TARGET             the test
///     fuzz_TARGET FILE...     the inputs in files, as libFuzzer leaves them where it finds something
///     fuzz_TARGET -seeds DIR  writes the seeds, a corpus for other fuzzers

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fuzz/mutator.hpp>
#include <support/sanitizers.hpp>

#if !defined(TOEPLITZ_TEST_SANITIZED)
#include <sys/resource.h>
#endif

namespace {

using namespace toeplitz::test;

/// No input of a few kilobytes may ask for more memory than this. Sanitizers have address spaces of their
/// own.
void limit_memory() {
#if !defined(TOEPLITZ_TEST_SANITIZED)
    std::ifstream status("/proc/self/statm");
    rlim_t pages = 0;
    if (!(status >> pages)) return;
    const rlim_t bytes = pages * 4096 + (rlim_t{1} << 28U);
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_AS, &limit);
#endif
}

std::string escaped(const std::string& bytes) {
    std::string text;
    for (const char c : bytes) {
        const auto code = static_cast<unsigned char>(c);
        char digits[8];
        std::snprintf(digits, sizeof(digits), code < 0x20 || code > 0x7E || c == '\\' ? "\\x%02x" : "%c",
                      code);
        text += digits;
    }
    return text;
}

/// fuzz(input), or −1 and a message where a promise is broken.
int tried(const std::string& input) {
    try {
        return fuzz(input);
    } catch (const std::exception& problem) {
        std::printf("failed: %s\ninput: %s\n", problem.what(), escaped(input).c_str());
        return -1;
    }
}

}  // namespace

int main(int count, char** arguments) {
    limit_memory();
    const FuzzTarget& target = fuzz_target();
    if (count == 3 && std::strcmp(arguments[1], "-seeds") == 0) {
        const std::filesystem::path folder = arguments[2];
        std::filesystem::create_directories(folder);
        int number = 0;
        for (const std::string& seed : target.seeds) {
            std::ofstream(folder / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
        }
        return 0;
    }
    bool is_right = true;
    if (count > 1) {
        for (int i = 1; i < count; ++i) {
            std::ifstream file(arguments[i], std::ios::binary);
            const std::string input{std::istreambuf_iterator<char>(file), {}};
            const int outcome = tried(input);
            std::printf("%s: %d\n", arguments[i], outcome);
            is_right = is_right && outcome >= 0;
        }
        return is_right ? 0 : 1;
    }

    std::map<int, std::size_t> outcomes;
    for (const std::string& seed : target.seeds) ++outcomes[tried(seed)];
    if (outcomes[0] == 0) {
        std::puts("failed: no seed is valid");
        is_right = false;
    }
    Mutator mutate(20240607);
    for (std::size_t i = 0; i < target.mutations && outcomes[-1] < 10; ++i) {
        ++outcomes[tried(mutate(mutate.one_of(target.seeds), target))];
    }
    for (const auto& [outcome, times] : outcomes) std::printf("outcome %d: %zu times\n", outcome, times);
    for (const int outcome : target.outcomes) {
        if (outcomes[outcome] >= target.mutations / 100) continue;
        std::printf("failed: mutations arrive at outcome %d too rarely\n", outcome);
        is_right = false;
    }
    return is_right && outcomes[-1] == 0 ? 0 : 1;
}
