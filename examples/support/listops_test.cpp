// SPDX-License-Identifier: MIT
// Checks the generator of list operations; prints what is wrong, and exits with 1 if anything is.

#include <array>
#include <cstdio>
#include <set>
#include <sstream>

#include "listops.hpp"

namespace {

using namespace examples;

int failures = 0;

void expect(bool ok, const std::string& what) {
    if (ok) return;
    std::printf("failed: %s\n", what.c_str());
    ++failures;
}

/// The value by recursion over the words, apart from the code under test.
Token value_of_words(std::istringstream& words) {
    std::string word;
    words >> word;
    if (word[0] != '[') return std::stoi(word);
    std::multiset<Token> arguments;
    while ((words >> std::ws).peek() != ']') arguments.insert(value_of_words(words));
    std::string bracket;
    words >> bracket;
    const auto at = [&](std::size_t i) {
        return *std::next(arguments.begin(), static_cast<std::ptrdiff_t>(i));
    };
    const std::size_t n = arguments.size();
    if (word == "[MIN") return at(0);
    if (word == "[MAX") return at(n - 1);
    if (word == "[MED") return n % 2 == 1 ? at(n / 2) : (at(n / 2 - 1) + at(n / 2)) / 2;
    Token sum = 0;
    for (const Token argument : arguments) sum += argument;
    return sum % 10;
}

Index depth_of(const listops::Expression& expression) {
    Index depth = 1;
    Index deepest = 1;
    for (const Token token : expression) {
        if (token == listops::close) --depth;
        if (token >= listops::minimum && token < listops::close) ++depth;
        deepest = std::max(deepest, depth);
    }
    return deepest;
}

void check_known_values() {
    using listops::value, listops::vocabulary;
    constexpr Token lo = listops::minimum, hi = listops::maximum, med = listops::median;
    constexpr Token sum = listops::sum_mod, end = listops::close;
    expect(value({7}) == 7, "a digit is its own value");
    expect(value({hi, 2, 9, lo, 4, 7, end, 0, end}) == 9, "[MAX 2 9 [MIN 4 7 ] 0 ] = 9");
    expect(value({lo, 5, sum, 9, 8, 6, end, end}) == 3, "[MIN 5 [SM 9 8 6 ] ] = 3");
    expect(value({med, 1, 9, 4, end}) == 4, "[MED 1 9 4 ] = 4");
    expect(value({med, 1, 9, 4, 7, end}) == 5, "[MED 1 9 4 7 ] = 5, rounded down from 5.5");
    expect(listops::text({hi, 2, sum, 1, 0, end, end}) == "[MAX 2 [SM 1 0 ] ]", "the text of an expression");
    for (const listops::Expression& broken : {listops::Expression{},
                                              {1, 2},
                                              {hi, 1, 2},
                                              {end},
                                              {hi, end},
                                              {1, end},
                                              {vocabulary},
                                              {sum, 1, -7, end}}) {
        bool thrown = false;
        try {
            value(broken);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        expect(thrown, "no value of an expression of " + std::to_string(broken.size()) + " tokens");
    }
}

void check_generator() {
    const listops::Options options{.min_length = 20, .max_length = 300, .max_depth = 5, .max_arguments = 6};
    listops::Generator generator(options, 7);
    listops::Generator same(options, 7);
    listops::Generator other(options, 8);
    std::array<int, listops::vocabulary> seen{};
    Index deepest = 0;
    bool differs = false;
    for (int i = 0; i < 2000; ++i) {
        const listops::Expression expression = generator.next();
        const Index length = static_cast<Index>(expression.size());
        const std::string words = listops::text(expression);
        std::istringstream stream(words);
        expect(listops::value(expression) == value_of_words(stream), "value of " + words);
        expect(length >= 20 && length <= 300, "length of " + words);
        expect(expression == same.next(), "the same seed gives the same expressions");
        differs = differs || expression != other.next();
        deepest = std::max(deepest, depth_of(expression));
        for (const Token token : expression) ++seen[static_cast<std::size_t>(token)];
    }
    expect(differs, "another seed gives other expressions");
    expect(deepest == options.max_depth, "depth " + std::to_string(deepest));
    for (std::size_t t = 0; t < seen.size(); ++t) expect(seen[t] > 500, "token " + std::to_string(t));
}

void check_long_range_arena() {
    const listops::Split data = listops::make_data({.min_length = 500, .max_length = 2048}, 500, 20, 5, 3);
    expect(data.train.count() == 20 && data.test.count() == 5 && data.train.length == 2048, "sizes");
    std::set<std::vector<Token>> all;
    for (const LabelledSequences* part : {&data.train, &data.test}) {
        for (Index i = 0; i < part->count(); ++i) {
            const Index length = part->lengths[static_cast<std::size_t>(i)];
            const listops::Expression expression(part->sequence(i), part->sequence(i) + length);
            expect(length >= 500 && length <= 2048, "length");
            expect(listops::value(expression) == part->labels[static_cast<std::size_t>(i)], "label");
            all.insert(expression);
        }
    }
    expect(all.size() == 25, "all differ");
}

void check_shorter_ones() {
    const listops::Options options{.min_length = 100, .max_length = 200};
    const listops::Split data = listops::make_data(options, 5, 400, 50, 3);
    Index below_20 = 0;
    Index from_100 = 0;
    for (const Index length : data.train.lengths) {
        expect(length >= 5 && length <= 200, "length to train on");
        below_20 += length < 20 ? 1 : 0;
        from_100 += length >= 100 ? 1 : 0;
    }
    expect(below_20 > 120 && from_100 > 30, "lengths to train on are spread");
    for (const Index length : data.test.lengths) expect(length >= 100 && length <= 200, "length to test on");
    const listops::Split same = listops::make_data(options, 5, 400, 50, 3);
    expect(data.train.tokens == same.train.tokens && data.test.tokens == same.test.tokens,
           "the same seed gives the same data");
}

}  // namespace

int main() {
    check_known_values();
    check_generator();
    check_long_range_arena();
    check_shorter_ones();
    if (failures == 0) std::puts("The generator of list operations is as described.");
    return failures == 0 ? 0 : 1;
}
