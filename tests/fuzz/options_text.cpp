// SPDX-License-Identifier: MIT
/// \file
/// Options as text: what is read is written as a line that is read as the same again.

#include <fuzz/mutator.hpp>
#include <support/sample_options.hpp>

#include <toeplitz/core/options_text.hpp>
#include <toeplitz/operators/ski.hpp>

namespace toeplitz::test {
namespace {

/// Changes, moves, doubles or removes one value.
bool change_values(std::string& line, Mutator& mutate) {
    OptionList list;
    try {
        list = detail::split_options(line, "seed");
    } catch (const config_error&) {
        return false;
    }
    if (list.empty()) return false;
    const std::size_t at = mutate.below(list.size());
    OptionValue value = list[at];
    switch (mutate.below(6)) {
        case 0:
            list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
            break;
        case 1:
            std::swap(list[at], list[mutate.below(list.size())]);
            break;
        case 2:
            list.push_back(std::move(value));
            break;
        case 3:
            mutate.change(list[at].text, fuzz_target());
            break;
        case 4:
            list[at].text = mutate.one_of(list).text;
            break;
        default:
            list[at].text = mutate.number();
    }
    line = options_text(list);
    return true;
}

template <OptionSet O>
int read_as(const std::string& input) {
    O options;
    try {
        options = parse_options<O>(input);
    } catch (const config_error& refused) {
        promise(refused.id() >= 220 && refused.id() <= 225, "the id of a refusal");
        promise(std::string(refused.what()).size() < 4096, "a message of bounded length");
        return refused.id();
    }
    const std::string line = options_text(options);
    const O again = parse_options<O>(line);
    promise(options_text(again) == line && option_differences(again, options).empty(), "a round trip");
    return 0;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        SampleOptions others = sample_options();
        others.layers.resize(12);
        others.rate = 1e-310;
        others.shape.choose("polygon");
        of.seeds = {options_text(SampleOptions{}), options_text(sample_options()), options_text(others),
                    options_text(SkiOptions{.length = 9, .channels = 2, .rank = 3})};
        of.words = {" flag=true", " label=\"\"", "=\"", "\\\"", "\\n",        ".0.count=",
                    " layers=2",  " values.0=",  "nan", "-inf", "dark_green", "shape.circle.radius=",
                    "polygon"};
        of.restructure = change_values;
        of.outcomes = {0, 221, 222, 223, 224};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    OptionList list;
    try {
        list = detail::split_options(input, "guest");
    } catch (const config_error& refused) {
        promise(refused.id() == 224, "the id of what is no list");
        promise(std::string(refused.what()).size() < 4096, "a message of bounded length");
        return refused.id();
    }
    promise(detail::split_options(options_text(list), "again") == list, "a round trip of the list");
    const int outcome = read_as<SampleOptions>(input);
    return outcome == 0 ? 0 : read_as<SkiOptions>(input) == 0 ? 0 : outcome;
}

}  // namespace toeplitz::test
