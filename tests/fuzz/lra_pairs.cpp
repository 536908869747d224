// SPDX-License-Identifier: MIT
/// \file
/// Pairs of texts as Long Range Arena has them: refused, or both texts of each, cut at a length.

#include <fuzz/mutator.hpp>

#include <examples/support/lra_readers.hpp>

namespace toeplitz::test {
namespace {

constexpr Index longest_text = 9;

std::string format_pairs(const examples::LabelledSequences& data) {
    std::string content;
    for (Index i = 0; i < data.count(); ++i) {
        content += std::to_string(data.labels[static_cast<std::size_t>(i)]) + "\tone\ttwo";
        for (Index part = 2 * i; part < 2 * i + 2; ++part) {
            const unsigned char* bytes = data.sequence(part);
            content += '\t' + std::string(bytes, bytes + data.lengths[static_cast<std::size_t>(part)]);
        }
        content += '\n';
    }
    return content;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {"1\tA00\tB00\tone text\tanother\n0\tA00\tC00\tone text\tsomething else\n",
                    "0.0\ta\tb\tc\td\n1.0\ta\tb\tc\td\n",
                    "2\ta\tb\tc\td\n",
                    "1\ta\tb\tc\n",
                    "1\ta\tb\t\td\n",
                    ""};
        of.words = {"\t", "\n", "0\t", "1.0\ta\tb\tc\td\n", "\r", "0.0"};
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    examples::LabelledSequences data;
    try {
        data = examples::parse_pairs(input, "guest", longest_text);
    } catch (const std::runtime_error&) {
        return 1;
    }
    promise(data.parts == 2 && data.count() > 0, "pairs");
    promise(data.lengths.size() == 2 * data.labels.size(), "two texts of each");
    promise(data.tokens.size() == data.lengths.size() * static_cast<std::size_t>(longest_text),
            "their bytes");
    for (const Index length : data.lengths)
        promise(length >= 1 && length <= longest_text, "texts of some bytes");
    // A text that was cut may end in a carriage return, which a line may not.
    const auto last = data.sequence(2 * data.count() - 1)[data.lengths.back() - 1];
    bool ends_in_return = last == '\r';
    for (Index i = 1; i < 2 * data.count(); i += 2) {
        ends_in_return =
            ends_in_return || data.sequence(i)[data.lengths[static_cast<std::size_t>(i)] - 1] == '\r';
    }
    if (ends_in_return) return 0;
    const auto again = examples::parse_pairs(format_pairs(data), "guest", longest_text);
    promise(again.tokens == data.tokens && again.lengths == data.lengths && again.labels == data.labels,
            "a round trip");
    return 0;
}

}  // namespace toeplitz::test
