// SPDX-License-Identifier: MIT
// toeplitz bench: all ways of applying a Toeplitz matrix, on this machine and for the user's own sizes.

#include <iostream>

#include <examples/support/path_comparison.hpp>
#include "command.hpp"

namespace program {
namespace {

Report bench(examples::PathSettings& settings, const Context& context) {
    std::ostream nowhere(nullptr);
    const auto results = examples::compare_paths(settings, context.json ? nowhere : std::cout);
    Report report;
    Json rows = Json::array();
    for (const examples::PathResult& result : results) {
        rows.push_back({{"kernel", result.kernel},
                        {"path", result.path.substr(result.path.find_first_not_of(' '))},
                        {"paper", result.paper},
                        {"n", result.n},
                        {"r", result.rank},
                        {"taps", result.taps},
                        {"time_ms", 1e3 * result.seconds},
                        {"ns_per_element", examples::nanoseconds_per_element(result, settings.channels)},
                        {"time_extrapolated", result.extrapolated},
                        {"relative_error", result.error},
                        {"state_bytes", result.bytes}});
    }
    report.facts = {{"channels", settings.channels}, {"threads", settings.threads}, {"rows", rows}};
    return report;
}

}  // namespace

Run add_bench(CLI::App& app) {
    const auto settings = std::make_shared<examples::PathSettings>();
    settings->max_n = 16384;
    app.add_option("--text", settings->text, "File whose bytes are the sequence; without: random bytes");
    examples::add_path_options(app, *settings);
    return [settings](const Context& context) { return bench(*settings, context); };
}

}  // namespace program
