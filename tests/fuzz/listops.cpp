// SPDX-License-Identifier: MIT
/// \file
/// Expressions of list operations: refused, or of the value that a recursion over their words finds. A byte
/// is a token, and those from '\x80' on are negative ones.

#include <sstream>

#include <fuzz/mutator.hpp>

#include <examples/support/listops.hpp>

namespace toeplitz::test {
namespace {

namespace listops = examples::listops;

listops::Expression tokens_of(const std::string& bytes) {
    listops::Expression tokens;
    for (const char byte : bytes) tokens.push_back(static_cast<signed char>(byte));
    return tokens;
}

std::string bytes_of(const listops::Expression& tokens) {
    std::string bytes;
    for (const Token token : tokens) bytes.push_back(static_cast<char>(token));
    return bytes;
}

/// The value of the expression that begins at `at`, apart from the code under test; −1 where there is none.
Token value_from(const std::string& bytes, std::size_t& at, int depth) {
    if (at == bytes.size() || depth > 5000) return -1;
    const Token op = static_cast<signed char>(bytes[at++]);
    if (op >= 0 && op < listops::minimum) return op;
    if (op < listops::minimum || op >= listops::close) return -1;
    std::vector<Token> arguments;
    while (at < bytes.size() && bytes[at] != listops::close) {
        arguments.push_back(value_from(bytes, at, depth + 1));
        if (arguments.back() < 0) return -1;
    }
    if (at++ == bytes.size() || arguments.empty()) return -1;
    std::sort(arguments.begin(), arguments.end());
    const std::size_t n = arguments.size();
    if (op == listops::minimum) return arguments[0];
    if (op == listops::maximum) return arguments[n - 1];
    if (op == listops::median)
        return n % 2 == 1 ? arguments[n / 2] : (arguments[n / 2 - 1] + arguments[n / 2]) / 2;
    Token sum = 0;
    for (const Token argument : arguments) sum = (sum + argument) % 10;
    return sum;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        listops::Generator generator({.min_length = 1, .max_length = 60, .max_depth = 6, .max_arguments = 5},
                                     1);
        for (int i = 0; i < 20; ++i) of.seeds.push_back(bytes_of(generator.next()));
        for (const listops::Expression& broken : {listops::Expression{},
                                                  {1, 2},
                                                  {11, 1, 2},
                                                  {14},
                                                  {11, 14},
                                                  {1, 14},
                                                  {15},
                                                  {-1},
                                                  {13, 15, -7, 14}}) {
            of.seeds.push_back(bytes_of(broken));
        }
        for (const listops::Expression& word :
             {listops::Expression{10, 5, 14}, {13, 9, 9, 9, 14}, {12, 1, 2, 14}, {14}}) {
            of.words.push_back(bytes_of(word));
        }
        // Tokens of the vocabulary, and as many brackets closed as opened.
        of.repair = [](std::string& bytes) {
            std::size_t open = 0;
            for (char& byte : bytes) {
                byte = static_cast<char>(static_cast<unsigned char>(byte) % listops::vocabulary);
                if (byte >= listops::minimum && byte < listops::close) ++open;
                if (byte == listops::close) open -= open > 0 ? 1 : 0;
            }
            bytes.append(open, static_cast<char>(listops::close));
        };
        of.outcomes = {0, 1};
        of.mutations = 100'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    std::size_t end = 0;
    Token expected = value_from(input, end, 0);
    if (end != input.size()) expected = -1;
    try {
        const Token value = listops::value(tokens_of(input));
        promise(value == expected, "the value");
        return 0;
    } catch (const std::runtime_error&) {
        promise(expected < 0, "a value of every expression");
        return 1;
    }
}

}  // namespace toeplitz::test
