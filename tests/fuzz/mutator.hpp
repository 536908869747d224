// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Mutations of bytes: the same for the same seed.

#include <algorithm>
#include <cctype>
#include <iterator>
#include <random>

#include <fuzz/target.hpp>

namespace toeplitz::test {

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : bits_(seed) {}

    /// 0..limit−1; 0 where the limit is.
    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : bits_() % limit; }

    /// One of several.
    template <class Choices>
    const auto& one_of(const Choices& choices) {
        return *std::next(std::begin(choices), static_cast<std::ptrdiff_t>(below(std::size(choices))));
    }

    /// One to three changes of what the input means, or of its bytes, then most of the time repaired.
    std::string operator()(std::string bytes, const FuzzTarget& target) {
        std::size_t changes = 1 + below(3);
        if (below(2) == 0) {
            while (changes > 0 && target.restructure(bytes, *this)) --changes;
        }
        if (changes == 0) return bytes;
        for (; changes > 0; --changes) change(bytes, target);
        if (below(8) != 0) target.repair(bytes);
        return bytes;
    }

    /// A number in decimal digits, at its edges more often than not.
    std::string number() {
        static const char* const edges[] = {"0",
                                            "1",
                                            "2",
                                            "3",
                                            "4",
                                            "8",
                                            "24",
                                            "-1",
                                            "-0",
                                            "2.0",
                                            "0.5",
                                            "65536",
                                            "4294967296",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "18446744073709551615",
                                            "1e9",
                                            "1e300",
                                            "1e-320",
                                            "1e999",
                                            "nan",
                                            "inf"};
        return below(4) == 0 ? std::to_string(below(100)) : one_of(edges);
    }

    void change(std::string& bytes, const FuzzTarget& target) {
        const std::size_t at = below(bytes.size() + 1);
        switch (below(10)) {
            case 0:
                if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
                break;
            case 1:
                if (at < bytes.size()) bytes[at] = static_cast<char>(below(256));
                break;
            case 2:
                bytes.erase(at, 1 + below(8));
                break;
            case 3:
                bytes.insert(at, 1, "{}[]:,\"\\-.=0e \n"[below(15)]);
                break;
            case 4:
                bytes.insert(at, bytes.substr(below(bytes.size()), below(64)));
                break;
            case 5: {
                const std::string& other = one_of(target.seeds);
                bytes.insert(at, other.substr(below(other.size()), below(64)));
                break;
            }
            case 6:
                bytes.resize(at);
                break;
            case 7:
                if (!target.words.empty()) bytes.insert(at, one_of(target.words));
                break;
            default:
                replace_number(bytes, at);
        }
    }

private:
    /// The next number after `at` becomes another one.
    void replace_number(std::string& bytes, std::size_t at) {
        const auto is_digit = [&](std::size_t i) {
            return std::isdigit(static_cast<unsigned char>(bytes[i])) != 0;
        };
        while (at < bytes.size() && !is_digit(at)) ++at;
        std::size_t end = at;
        while (end < bytes.size() && is_digit(end)) ++end;
        bytes.replace(at, end - at, number());
    }

    std::mt19937_64 bits_;
};

}  // namespace toeplitz::test
