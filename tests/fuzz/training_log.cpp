// SPDX-License-Identifier: MIT
/// \file
/// The log of a run that goes on: whatever the old file holds, the new one has the header and the rows up to
/// the step, and reading that one again changes nothing.

#include <fuzz/memory_file.hpp>
#include <fuzz/mutator.hpp>

#include <examples/support/training_log.hpp>

namespace toeplitz::test {
namespace {

constexpr Index keep = 20;

std::string rewritten(const std::string& log) {
    const MemoryFile file(log);
    { const examples::TrainingLog same(file.path(), {"step", "loss"}, keep); }
    std::ifstream stream(file.path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {"", "step,loss\n", "step,loss\n10,0.5\n20,0.25\n30,0.125\n", "step,loss\n10,0.5\n20,0.2",
                    "step,loss\n,,\n1,\"a\"\n"};
        of.words = {"\n10,", "\n21,", ",", "\"", "\n", "\r", "99999999999999999999"};
        of.outcomes = {0};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    const std::string once = rewritten(input);
    promise(once.starts_with("step,loss\n") && once.ends_with("\n"), "a log with its header");
    promise(once.size() <= input.size() + 10, "no more than there was");
    std::istringstream lines(once);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) promise(std::atol(line.c_str()) <= keep, "no row beyond the step");
    promise(rewritten(once) == once, "a round trip");
    return 0;
}

}  // namespace toeplitz::test
