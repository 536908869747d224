// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a fuzz target is: one source with the two functions below. replay.cpp makes a test of it, and
/// libfuzzer.cpp an endless search.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace toeplitz::test {

class Mutator;

struct FuzzTarget {
    /// Valid inputs and nearly valid ones.
    std::vector<std::string> seeds;
    /// Of the format: what mutations put in.
    std::vector<std::string> words;
    /// Repairs what a change of bytes breaks, such as lengths and checksums.
    std::function<void(std::string&)> repair = [](std::string&) {};
    /// Changes what the input means, and leaves its form alone; false where it has none.
    std::function<bool(std::string&, Mutator&)> restructure = [](std::string&, Mutator&) { return false; };
    /// What the mutations of replay.cpp must arrive at, each at least once in a hundred of them: the ids of
    /// refusals, 0 for inputs that are read.
    std::vector<int> outcomes;
    std::size_t mutations = 20'000;
};

const FuzzTarget& fuzz_target();

/// Reads the input. Returns 0 where that succeeds and otherwise the id of the refusal, 1 for one without.
/// \throws std::logic_error where a promise is broken; nothing else
int fuzz(const std::string& input);

inline void promise(bool is_kept, const char* what) {
    if (!is_kept) throw std::logic_error(std::string("a broken promise: ") + what);
}

}  // namespace toeplitz::test
