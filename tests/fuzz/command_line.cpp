// SPDX-License-Identifier: MIT
/// \file
/// Command lines of the training programs, one argument a line: refused, or settings in their ranges, which
/// the command line that says them makes again.

#include <cmath>

#include <fuzz/mutator.hpp>

#include <examples/support/training_settings.hpp>

namespace toeplitz::test {
namespace {

struct Settings {
    struct {
        Index width = 16;
        Index layers = 2;
        Index inner_width = 16;
    } model;
    examples::TrainingSettings training;
};

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines(1);
    for (const char c : text) {
        if (c == '\n') {
            lines.emplace_back();
        } else {
            lines.back().push_back(c);
        }
    }
    return lines;
}

/// \throws CLI::ParseError
Settings parsed(std::vector<std::string> arguments) {
    Settings settings;
    CLI::App app("A program", "program");
    examples::add_model_options(app, settings.model);
    examples::add_training_options(app, settings.training);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(std::move(arguments));
    return settings;
}

/// Every option by name; strings that are empty cannot be said.
std::vector<std::string> arguments_of(const Settings& settings) {
    std::vector<std::string> arguments;
    const auto add = [&](const char* name, const std::string& value) {
        arguments.push_back(std::string(name) + "=" + value);
    };
    const examples::TrainingSettings& training = settings.training;
    add("--width", std::to_string(settings.model.width));
    add("--layers", std::to_string(settings.model.layers));
    add("--inner-width", std::to_string(settings.model.inner_width));
    add("--steps", std::to_string(training.steps));
    add("--minutes", detail::exact_text(training.minutes));
    add("--batch", std::to_string(training.batch));
    add("--rate", detail::exact_text(training.rate));
    add("--seed", std::to_string(training.seed));
    add("--shards", std::to_string(training.shards));
    add("--threads", std::to_string(training.threads));
    if (!training.out.empty()) add("--out", training.out);
    if (!training.resume.empty()) add("--resume", training.resume);
    if (training.quick) arguments.emplace_back("--quick");
    return arguments;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        Settings all;
        all.training.minutes = 0.25;
        all.training.seed = std::numeric_limits<std::uint64_t>::max();
        all.training.out = "a folder";
        all.training.resume = "run";
        all.training.quick = true;
        std::string together;
        for (const std::string& argument : arguments_of(all)) {
            of.seeds.push_back(argument);
            of.words.push_back(argument.substr(0, argument.find('=')) + "\n");
            of.words.push_back(argument + "\n");
            together += (together.empty() ? "" : "\n") + argument;
        }
        of.seeds.push_back(together);
        for (const char* one :
             {"--help", "--rate\n1e-3", "--steps\n10\n--quick", "-5", "", "--", "--rate=nan"}) {
            of.seeds.emplace_back(one);
        }
        of.outcomes = {0, 1};
        of.mutations = 10'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    Settings settings;
    try {
        settings = parsed(lines_of(input));
    } catch (const CLI::ParseError&) {
        return 1;
    }
    const auto in_range = [](auto value, double least, double most) {
        promise(static_cast<double>(value) >= least && static_cast<double>(value) <= most,
                "a value in its range");
    };
    const examples::TrainingSettings& training = settings.training;
    in_range(settings.model.width, 1, 1 << 16);
    in_range(settings.model.layers, 1, 1000);
    in_range(settings.model.inner_width, 1, 1 << 16);
    in_range(training.steps, 1, 1 << 30);
    in_range(training.minutes, 0, std::numeric_limits<double>::max());
    in_range(training.batch, 1, 1 << 20);
    in_range(training.rate, std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::max());
    in_range(training.shards, 1, 1024);
    in_range(training.threads, 0, 1024);
    const std::vector<std::string> arguments = arguments_of(settings);
    promise(arguments_of(parsed(arguments)) == arguments, "a round trip");
    return 0;
}

}  // namespace toeplitz::test
