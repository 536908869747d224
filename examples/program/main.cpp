// SPDX-License-Identifier: MIT
// The program toeplitz: one shell around all commands. It ends with 0, 1 (failed), 2 (wrong usage) or 130
// (interrupted).

#include <algorithm>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <examples/support/command_line.hpp>
#include "command.hpp"

namespace program {

void print(std::string& text, const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    std::va_list again;
    va_copy(again, arguments);
    const auto length = static_cast<std::size_t>(std::vsnprintf(nullptr, 0, format, again));
    va_end(again);
    const std::size_t before = text.size();
    text.resize(before + length + 1);
    std::vsnprintf(text.data() + before, length + 1, format, arguments);
    va_end(arguments);
    text.resize(before + length);
}

namespace {

struct Command {
    const char* name;
    const char* summary;
    Run (*add)(CLI::App&);
};

constexpr Command commands[] = {
    {"info", "What a file holds: a model, or tensors", add_info},
    {"run", "Outputs of a model, or text that it writes", add_run},
    {"import", "A model file from the weights of an official model", add_import},
    {"certify", "The cheapest band and low rank within a proven tolerance of a kernel", add_certify},
    {"compress", "A model file whose mixers are cheaper within a proven tolerance", add_compress},
    {"convert", "A model file with its weights in another format", add_convert},
    {"distill", "State spaces within a proven tolerance, of a causal kernel or for a causal model",
     add_distill},
    {"stream", "Convolve a signal with a causal kernel a few steps at a time", add_stream},
    {"bench", "Compare all ways of applying a Toeplitz matrix on this machine", add_bench},
    {"doctor", "What this program was compiled for, what the machine has, and what is slow", add_doctor},
    {"completion", "The script that completes command lines in bash, zsh or fish", add_completion},
    {"man", "The manual page", add_man},
};

/// Earlier programs by their names, for one version: what they are now.
struct Alias {
    const char* name;
    const char* command;
};
constexpr Alias aliases[] = {{"toeplitz-certify", "certify"},
                             {"toeplitz-stream", "stream"},
                             {"stream", "stream"},
                             {"distill", "distill"}};
/// What they ended with where the tolerance was not kept.
constexpr int alias_not_met = 3;

const char* command_of_alias(const std::string& path) {
    const std::string name = path.substr(path.find_last_of('/') + 1);
    for (const Alias& alias : aliases) {
        if (name == alias.name) return alias.command;
    }
    return nullptr;
}

void end_interrupted(int) { std::_Exit(examples::interrupted); }

std::string json_text(const Json& facts) {
    return facts.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

int shell(int argc, char** argv) {
    std::signal(SIGINT, end_interrupted);
    CLI::App app("Toeplitz neural networks and matrices: files, models, certificates, streams, speed.",
                 "toeplitz");
    app.set_version_flag("--version", TOEPLITZ_PROGRAM_VERSION);
    app.require_subcommand(1);
    Context context;
    int threads = 0;
    Run chosen;
    for (const Command& command : commands) {
        CLI::App* const own = app.add_subcommand(command.name, command.summary);
        const Run run = command.add(*own);
        own->add_flag("--json", context.json, "Print JSON");
        if (own->get_option_no_throw("--threads") == nullptr) examples::add_threads_option(*own, threads);
        own->callback([&chosen, run] { chosen = run; });
    }
    std::vector<std::string> words(argv + 1, argv + argc);
    const char* const alias = argc > 0 ? command_of_alias(argv[0]) : nullptr;
    if (alias != nullptr) words.insert(words.begin(), alias);
    // Also where the command line is wrong.
    context.json = std::find(words.begin(), words.end(), "--json") != words.end();
    const auto fail = [&](const std::string& problem, int code) {
        std::cerr << "error: " << problem << '\n';
        if (context.json) std::cout << json_text({{"error", problem}});
        return code;
    };
    const auto is_first = [&](const Command& command) { return words[0] == command.name; };
    if (!words.empty() && !words[0].starts_with("-") &&
        std::none_of(std::begin(commands), std::end(commands), is_first)) {
        std::string problem = "there is no command '" + words[0] + "'; there are";
        for (const Command& command : commands) problem.append(" ").append(command.name);
        return fail(problem, examples::misused);
    }
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // help and version
        return fail(std::string(error.what()) + "; see --help", examples::misused);
    }
    try {
        examples::use_threads(threads);
        const Report report = chosen(context);
        std::cout << (context.json ? json_text(report.facts) : report.text) << std::flush;
        if (!std::cout) throw std::runtime_error("cannot write to the standard output");
        if (examples::Interrupt::ever_requested()) return examples::interrupted;
        if (report.is_met) return examples::succeeded;
        return alias != nullptr ? alias_not_met : examples::failed;
    } catch (const Misuse& error) {
        return fail(error.what(), examples::misused);
    } catch (const std::bad_alloc&) {
        return fail("out of memory", examples::failed);
    } catch (const std::exception& error) {
        return fail(error.what(), examples::failed);
    }
}

}  // namespace
}  // namespace program

int main(int argc, char** argv) { return program::shell(argc, argv); }
