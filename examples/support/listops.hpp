// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Nested list operations and their values, after Nangia and Bowman (2018) and Long Range Arena.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include <toeplitz/core/random.hpp>

#include "labelled_sequences.hpp"

namespace examples {

namespace listops {

/// Tokens 0 to 9 are digits.
inline constexpr Token minimum = 10;
inline constexpr Token maximum = 11;
inline constexpr Token median = 12;
inline constexpr Token sum_mod = 13;
inline constexpr Token close = 14;
inline constexpr Index vocabulary = 15;

using Expression = std::vector<Token>;

/// Value of one operator; the median of an even number of digits is the mean of the middle two, rounded down.
inline Token apply(Token op, std::vector<Token> arguments) {
    std::sort(arguments.begin(), arguments.end());
    const std::size_t n = arguments.size();
    switch (op) {
        case minimum:
            return arguments.front();
        case maximum:
            return arguments.back();
        case median:
            return (arguments[(n - 1) / 2] + arguments[n / 2]) / 2;
        default:
            return std::accumulate(arguments.begin(), arguments.end(), Token{0}) % 10;
    }
}

/// Reads an expression from left to right.
/// \throws std::runtime_error unless it is a complete one, of tokens that there are
inline Token value(const Expression& expression) {
    std::vector<std::vector<Token>> open{{}};  // each: the operator, then its arguments; first, the result
    for (const Token token : expression) {
        if (token < 0 || token >= vocabulary) throw std::runtime_error("not a token of an expression");
        if (token >= minimum && token < close) {
            open.push_back({token});
            continue;
        }
        Token digit = token;
        if (token == close) {
            if (open.size() < 2 || open.back().size() < 2) throw std::runtime_error("nothing to close");
            digit = apply(open.back()[0], {open.back().begin() + 1, open.back().end()});
            open.pop_back();
        }
        open.back().push_back(digit);
    }
    if (open.size() != 1 || open[0].size() != 1) throw std::runtime_error("not one complete expression");
    return open[0][0];
}

/// "[MAX 2 9 [MIN 4 7 ] 0 ]"
inline std::string text(const Expression& expression) {
    const char* const operators[] = {"[MIN", "[MAX", "[MED", "[SM", "]"};
    std::string words;
    for (const Token token : expression) {
        if (!words.empty()) words += ' ';
        words += token < minimum ? std::to_string(token) : operators[token - minimum];
    }
    return words;
}

struct Options {
    Index min_length = 500;  ///< tokens
    Index max_length = 2000;
    Index max_depth = 10;
    Index max_arguments = 10;
};

/// Random expressions: at every place below the deepest level an operator with probability 1/4, of 2 to
/// max_arguments arguments, else a digit; those of other lengths than wanted are thrown away.
class Generator {
public:
    Generator(const Options& options, std::uint64_t seed) : options_(options), random_(seed) {}

    Expression next() {
        for (int attempt = 0; attempt < 10'000'000; ++attempt) {
            Expression expression;
            grow(1, expression);
            const Index length = static_cast<Index>(expression.size());
            if (length >= options_.min_length && length <= options_.max_length) return expression;
        }
        throw std::runtime_error("expressions of " + std::to_string(options_.min_length) + " to " +
                                 std::to_string(options_.max_length) +
                                 " tokens are too rare at this depth and this number of arguments");
    }

private:
    /// 0..count−1
    Token draw(Index count) {
        return static_cast<Token>(random_.uniform(drawn_++) * static_cast<double>(count));
    }

    void grow(Index depth, Expression& expression) {
        if (static_cast<Index>(expression.size()) > options_.max_length) return;  // too long already
        if (depth >= options_.max_depth || random_.uniform(drawn_++) > 0.25) {
            expression.push_back(draw(10));
            return;
        }
        const Index arguments = 2 + draw(options_.max_arguments - 1);
        expression.push_back(minimum + draw(4));
        for (Index i = 0; i < arguments; ++i) grow(depth + 1, expression);
        expression.push_back(close);
    }

    Options options_;
    toeplitz::CounterRandom random_;
    std::uint64_t drawn_ = 0;
};

struct Split {
    LabelledSequences train;
    LabelledSequences test;
};

/// Expressions that all differ, padded to the largest length, with their values as labels. Those to train on
/// have any length of at least `shortest`, short ones as often as long ones, by the logarithm.
/// \throws std::runtime_error where there are too few
inline Split make_data(const Options& options, Index shortest, Index train, Index test, std::uint64_t seed) {
    const toeplitz::CounterRandom seeds(seed);
    const double least = std::log(static_cast<double>(std::min(shortest, options.min_length)));
    const double range = std::log(static_cast<double>(options.min_length)) - least;
    std::unordered_set<std::string> known;
    Split split;
    split.train.length = split.test.length = options.max_length;
    for (Index i = 0; i < train + test; ++i) {
        Options of = options;
        if (i >= test) {
            of.min_length =
                std::lround(std::exp(least + range * seeds.uniform(static_cast<std::uint64_t>(2 * i))));
            of.max_length = of.min_length * options.max_length / options.min_length;
        }
        Generator generator(of, seeds.bits(static_cast<std::uint64_t>(2 * i + 1)));
        Expression expression = generator.next();
        for (int attempt = 0; !known.insert(text(expression)).second; ++attempt) {
            if (attempt == 1000) throw std::runtime_error("too few different expressions");
            expression = generator.next();
        }
        (i < test ? split.test : split.train).add(expression, value(expression));
    }
    return split;
}

}  // namespace listops
}  // namespace examples
