// SPDX-License-Identifier: MIT
/// \file
/// The seeds of the fuzzer and thousands of mutations of them: refused with an error, or read completely.

#include <cctype>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include <fuzz/guest.hpp>

namespace toeplitz::test {
namespace {

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : bits_(seed) {}

    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : bits_() % limit; }

    std::string operator()(std::string bytes, const std::vector<std::string>& others) {
        const std::size_t changes = 1 + below(3);
        for (std::size_t i = 0; i < changes; ++i) change(bytes, others[below(others.size())]);
        if (below(8) != 0) repair_length(bytes);
        return bytes;
    }

private:
    void change(std::string& bytes, const std::string& other) {
        const std::size_t at = below(bytes.size());
        switch (below(8)) {
            case 0:
                if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
                break;
            case 1:
                if (!bytes.empty()) bytes[at] = static_cast<char>(below(256));
                break;
            case 2:
                bytes.erase(at, 1 + below(8));
                break;
            case 3:
                bytes.insert(at, 1, "{}[]:,\"\\-.0e \n"[below(14)]);
                break;
            case 4:
                bytes.insert(at, bytes.substr(below(bytes.size()), below(64)));
                break;
            case 5:
                bytes.insert(at, other.substr(below(other.size()), below(64)));
                break;
            case 6:
                bytes.resize(at);
                break;
            default:
                replace_number(bytes, at);
        }
    }

    /// The next number after `at` becomes another one.
    void replace_number(std::string& bytes, std::size_t at) {
        const auto is_digit = [&](std::size_t i) {
            return std::isdigit(static_cast<unsigned char>(bytes[i])) != 0;
        };
        while (at < bytes.size() && !is_digit(at)) ++at;
        std::size_t end = at;
        while (end < bytes.size() && is_digit(end)) ++end;
        const char* const numbers[] = {"0",
                                       "1",
                                       "2",
                                       "3",
                                       "4",
                                       "8",
                                       "12",
                                       "24",
                                       "-1",
                                       "2.0",
                                       "65536",
                                       "4294967296",
                                       "9223372036854775807",
                                       "18446744073709551615",
                                       "1e9"};
        bytes.replace(at, end - at, numbers[below(std::size(numbers))]);
    }

    static void repair_length(std::string& bytes) {
        const std::size_t end = bytes.rfind('}');
        if (end == std::string::npos || end < sizeof(std::uint64_t)) return;
        const std::uint64_t length = end + 1 - sizeof(std::uint64_t);
        std::memcpy(bytes.data(), &length, sizeof(length));
    }

    std::mt19937_64 bits_;
};

TEST(FuzzSafetensorsTest, SeedsAreWhatTheyClaimToBe) {
    std::map<int, int> outcomes;
    for (const std::string& seed : guest_seeds()) ++outcomes[visit_guest(as_bytes(seed))];
    EXPECT_GE(outcomes[0], 8);
    EXPECT_GE(outcomes.size(), 4U);
}

TEST(FuzzSafetensorsTest, MutationsAreRefusedOrRead) {
    const std::vector<std::string> seeds = guest_seeds();
    Mutator mutate(20240607);
    std::map<int, int> outcomes;
    for (int i = 0; i < 200'000; ++i) {
        const std::string guest = mutate(seeds[mutate.below(seeds.size())], seeds);
        ASSERT_NO_THROW(++outcomes[visit_guest(as_bytes(guest))]) << testing::PrintToString(guest);
    }
    // Every door was knocked at, often.
    for (const int id : {0, 902, 903, 904, 905, 906}) EXPECT_GE(outcomes[id], 500) << id;
}

}  // namespace
}  // namespace toeplitz::test
