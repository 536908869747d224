// SPDX-License-Identifier: MIT
// toeplitz completion, toeplitz man: what the command line knows about itself, for shells and for man.

#include <examples/support/command_line.hpp>

#include "command.hpp"

namespace program {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

/// Names with their dashes, long ones first.
std::vector<std::string> names_of(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option.get_snames()) names.push_back("-" + name);
    return names;
}
bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }
bool takes_file(const CLI::Option& option) {
    const std::string& about = option.get_description();
    return about.find("ile") != std::string::npos || about.find("Text") != std::string::npos ||
           about.find("irectory") != std::string::npos;
}

std::string join(const std::vector<std::string>& words, const char* separator) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
    return text;
}

std::string all_options(const CLI::App& command) {
    std::vector<std::string> words;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : names_of(*option)) words.push_back(name);
    }
    return join(words, " ");
}

std::string command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
    return join(names, " ");
}

/// Options whose next word is a number or the like: nothing is offered there.
std::string plain_values(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
        if (!takes_value(*option) || takes_file(*option)) continue;
        for (const std::string& name : names_of(*option)) names.push_back(name);
    }
    return join(names, "|");
}

std::string bash_script(const CLI::App& app) {
    std::string text =
        "# Completes command lines of toeplitz; made by: toeplitz completion bash\n"
        "_toeplitz() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W '" +
        command_names(app) +
        " --help --version' -- \"$word\"))\n"
        "        return\n"
        "    fi\n"
        "    case ${COMP_WORDS[1]} in\n";
    for (const CLI::App* command : commands_of(app)) {
        text += "    " + command->get_name() + ")\n        options='" + all_options(*command) + "'\n";
        const std::string plain = plain_values(*command);
        if (!plain.empty()) text += "        case $before in " + plain + ") return ;; esac\n";
        text += "        ;;\n";
    }
    return text +
           "    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
           "    else\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
           "    fi\n"
           "}\n"
           "complete -F _toeplitz toeplitz\n";
}

/// zsh reads that of bash.
std::string zsh_script(const CLI::App& app) {
    return "#compdef toeplitz\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(app);
}

std::string quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return "'" + text + "'";
}

std::string fish_script(const CLI::App& app) {
    std::string text = "# Completes command lines of toeplitz; made by: toeplitz completion fish\n";
    for (const CLI::App* command : commands_of(app)) {
        text += "complete -c toeplitz -n __fish_use_subcommand -f -a " + command->get_name() + " -d " +
                quoted(command->get_description()) + '\n';
        for (const CLI::Option* option : command->get_options()) {
            if (option->get_lnames().empty()) continue;
            text += "complete -c toeplitz -n '__fish_seen_subcommand_from " + command->get_name() + "' -l " +
                    option->get_lnames().front() +
                    (!takes_value(*option) ? ""
                     : takes_file(*option) ? " -r"
                                           : " -x") +
                    " -d " + quoted(option->get_description()) + '\n';
        }
    }
    return text;
}

/// Text as roff reads it.
std::string roff(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\\' || c == '-' || (c == '.' && result.empty()) || (c == '\'' && result.empty()))
            result += '\\';
        result += c;
    }
    return result;
}

std::string synopsis(const CLI::App& command) {
    std::string text = ".B toeplitz " + command.get_name() + "\n";
    for (const CLI::Option* option : command.get_options()) {
        if (option->get_positional()) {
            text += ".I " + roff(option->get_name()) + "\n";
        } else if (option->get_required()) {
            text += ".BI " + roff(names_of(*option).front()) + " \" value\"\n";
        }
    }
    return text + "[options]\n";
}

std::string man_page(const CLI::App& app) {
    std::string text = ".TH TOEPLITZ 1 \"\" \"toeplitz " TOEPLITZ_PROGRAM_VERSION
                       "\" \"User Commands\"\n.SH NAME\ntoeplitz \\- " +
                       roff(app.get_description()) + "\n.SH SYNOPSIS\n";
    const char* between = "";
    for (const CLI::App* command : commands_of(app)) {
        text += between + synopsis(*command);
        between = ".br\n";
    }
    text += ".SH COMMANDS\n";
    for (const CLI::App* command : commands_of(app)) {
        text += ".SS " + command->get_name() + "\n" + roff(command->get_description()) + ".\n";
        for (const CLI::Option* option : command->get_options()) {
            const std::string name =
                option->get_positional() ? option->get_name() : join(names_of(*option), ", ");
            text += ".TP\n.B " + roff(name) +
                    (!option->get_positional() && takes_value(*option) ? " value" : "") + "\n" +
                    roff(option->get_description()) + ".";
            if (!option->get_default_str().empty())
                text += " Default: " + roff(option->get_default_str()) + ".";
            text += "\n";
        }
    }
    return text +
           ".SH EXIT STATUS\n"
           ".TP\n.B 0\nIt did what was asked.\n"
           ".TP\n.B 1\nIt failed: one line on the standard error says why; with \\-\\-json there is a member "
           "error, too. "
           "Or a tolerance is not kept, which the output says.\n"
           ".TP\n.B 2\nThe command line is wrong.\n"
           ".TP\n.B 130\nInterrupted, by Ctrl\\-C.\n"
           ".SH EXAMPLES\n.nf\n"
           "toeplitz info model.safetensors\n"
           "toeplitz run model.safetensors \\-\\-text prompt.txt \\-\\-generate 200\n"
           "toeplitz certify kernel.safetensors \\-\\-tolerance 0.01 \\-\\-relative \\-\\-json\n"
           "toeplitz doctor\n"
           ".fi\n";
}

}  // namespace

Run add_completion(CLI::App& app) {
    const auto shell = std::make_shared<std::string>();
    app.add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    return [shell, &app](const Context&) {
        const CLI::App& all = *app.get_parent();
        Report report;
        report.text = *shell == "bash"  ? bash_script(all)
                      : *shell == "zsh" ? zsh_script(all)
                                        : fish_script(all);
        report.facts = {{"shell", *shell}, {"script", report.text}};
        return report;
    };
}

Run add_man(CLI::App& app) {
    return [&app](const Context&) {
        Report report;
        report.text = man_page(*app.get_parent());
        report.facts = {{"roff", report.text}};
        return report;
    };
}

}  // namespace program
