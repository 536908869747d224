// SPDX-License-Identifier: MIT
/// \file
/// Options as JSON, and the file of a cost model: what is read is written as JSON that is read as the same
/// again.

#include <cmath>

#include <fuzz/json.hpp>
#include <fuzz/memory_file.hpp>
#include <support/sample_options.hpp>

#include <toeplitz/io/options_json.hpp>

#include <examples/support/cost_model_file.hpp>

namespace toeplitz::test {
namespace {

template <OptionSet O>
int read_as(const std::string& input) {
    O options;
    try {
        options = parse_options_json<O>(input);
    } catch (const error& refused) {
        promise(refused.id() == 960 || (refused.id() >= 220 && refused.id() <= 225), "the id of a refusal");
        promise(std::string(refused.what()).size() < 4096, "a message of bounded length");
        return refused.id();
    }
    std::string json;
    try {
        json = options_json(options);
    } catch (const io_error& refused) {
        promise(refused.id() == 961, "the id of what JSON cannot hold");
        return refused.id();
    }
    const O again = parse_options_json<O>(json);
    promise(options_json(again) == json && option_differences(again, options).empty(), "a round trip");
    return 0;
}

/// Constants are finite, not negative, and those of the file.
void read_cost_model(const std::string& input) {
    const MemoryFile file(input);
    CostModel model;
    try {
        model = examples::read_cost_model(file.path());
    } catch (const std::runtime_error&) {
        return;
    }
    for_each_option(
        [](const char*, double constant) { promise(std::isfinite(constant) && constant >= 0, "a constant"); },
        model);
    promise(option_differences(parse_options_json<CostModel>(options_json(model)), model).empty(),
            "a round trip of the constants");
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        SampleOptions finite = sample_options();
        finite.values = Vector<double>::Constant(3, -0.0);
        SampleOptions nested = finite;
        nested.layers.resize(12);
        nested.shape.choose("polygon");
        of.seeds = {options_json(SampleOptions{}), options_json(finite), options_json(nested),
                    options_json(CostModel{}),     "[[[[{}]]]]",         "{\"flag\":null}"};
        of.words = {"null",
                    "true",
                    "\"layers\":[",
                    "{\"count\":1,\"colour\":\"red\"}",
                    "{\"circle\":{",
                    "\\u0000",
                    "\\ud800",
                    "circle",
                    "dark_green",
                    "\"values.0\":1",
                    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
        of.restructure = change_json;
        of.outcomes = {0, 221, 222, 223, 960};
        of.mutations = 10'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    read_cost_model(input);
    return read_as<SampleOptions>(input);
}

}  // namespace toeplitz::test
