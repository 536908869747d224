// SPDX-License-Identifier: MIT
/// \file
/// Files of list operations as Long Range Arena has them: refused, or as many expressions as lines, of tokens
/// that there are, and the same when written and read again.

#include <fuzz/mutator.hpp>

#include <examples/support/lra_readers.hpp>

namespace toeplitz::test {
namespace {

constexpr Index longest = 12;

std::string format_listops(const examples::LabelledSequences& data) {
    std::string content = "Source\tTarget\n";
    for (Index i = 0; i < data.count(); ++i) {
        const unsigned char* tokens = data.sequence(i);
        const Index length = data.lengths[static_cast<std::size_t>(i)];
        content += examples::listops::text({tokens, tokens + length}) + '\t' +
                   std::to_string(data.labels[static_cast<std::size_t>(i)]) + '\n';
    }
    return content;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {"Source\tTarget\n( ( [MAX 1 ) 2 ] )\t2\n5\t5\n",
                    "Source\tTarget\r\n[SM 9 [MED 1 2 3 ] 4 ]\t5\r\n",
                    "Source\tTarget\n[MIN 1 2 3 4 5 6 7 8 9 0 1 2 3 ]\t0",
                    "Source\tTarget\n",
                    "Source\tTarget\n[MAX 1 2 ]\t10\n",
                    "[MAX 1 2 ]\t2\n",
                    ""};
        of.words = {
            "Source\tTarget\n", "[MAX ", "[MIN ", "[MED ", "[SM ", " ]", "\t", "\t7\n", "( ", " ) ", "\r\n"};
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    examples::LabelledSequences data;
    try {
        data = examples::parse_listops(input, "guest", longest);
    } catch (const std::runtime_error&) {
        return 1;
    }
    promise(data.count() > 0 && data.lengths.size() == data.labels.size(), "a length and a value of each");
    promise(data.tokens.size() == data.labels.size() * static_cast<std::size_t>(longest), "tokens of each");
    for (const unsigned char token : data.tokens)
        promise(token < examples::listops::vocabulary, "tokens that there are");
    for (const Token label : data.labels) promise(label >= 0 && label <= 9, "values of 0 to 9");
    const auto again = examples::parse_listops(format_listops(data), "guest", longest);
    promise(again.tokens == data.tokens && again.lengths == data.lengths && again.labels == data.labels,
            "a round trip");
    return 0;
}

}  // namespace toeplitz::test
