// SPDX-License-Identifier: MIT
// toeplitz info: what a file of tensors holds, and the options of the model in it.

#include <toeplitz/io/model_architecture.hpp>

#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;

bool is_probe(const std::string& name) { return name.starts_with("probe."); }

Report describe(const std::string& path, bool all_tensors) {
    const TensorFile file = read_safetensors(path);
    Report report;
    Index numbers = 0;
    std::size_t bytes = 0;
    Json tensors = Json::object();
    for (const auto& [name, tensor] : file.tensors) {
        tensors[name] = {{"type", dtype_name(tensor.dtype)}, {"shape", tensor.shape}};
        if (!is_probe(name)) numbers += tensor.size();
        bytes += tensor.bytes.size();
    }
    const bool is_model = file.metadata.count(toeplitz::detail::model_format) != 0;
    report.facts["file"] = path;
    report.facts["kind"] = is_model ? "model" : "tensors";
    print(report.text, "%s: %s%zu tensor%s, %td numbers, %zu bytes%s\n", path.c_str(),
          is_model ? "a model, " : "", file.tensors.size(), file.tensors.size() == 1 ? "" : "s", numbers,
          bytes, file.checksum ? ", its checksum is right" : "");
    report.facts["numbers"] = numbers;
    report.facts["bytes"] = bytes;
    report.facts["checksum"] = file.checksum;
    if (is_model) {
        const toeplitz::detail::ModelDescription model(file);
        const Json options = Json::parse(model.options);
        report.facts["scalar"] = model.scalar;
        report.facts["norm"] = model.norm;
        report.facts["input"] = model.input;
        report.facts["probe_length"] = model.probe_length;
        report.facts["options"] = options;
        print(report.text, "numbers %s, norm %s, input %s, checked with %td steps\n", model.scalar.c_str(),
              model.norm.c_str(), model.input.c_str(), model.probe_length);
        report.text += "options " + options.dump(2) + "\n";
    }
    Json metadata = Json::object();
    for (const auto& [key, value] : file.metadata) {
        if (key.starts_with(toeplitz::detail::own_metadata)) continue;
        metadata[key] = value;
        print(report.text, "%s: %s\n", key.c_str(), value.c_str());
    }
    report.facts["metadata"] = metadata;
    report.facts["tensors"] = tensors;
    if (all_tensors || !is_model) {
        for (const auto& [name, tensor] : file.tensors) {
            print(report.text, "%-4s %-16s %s\n", dtype_name(tensor.dtype),
                  toeplitz::detail::shape_text(tensor.shape).c_str(), name.c_str());
        }
    }
    return report;
}

}  // namespace

Run add_info(CLI::App& app) {
    struct Settings {
        std::string file{};
        bool all_tensors = false;
    };
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "Model file, or any safetensors file")->required();
    app.add_flag("--tensors", settings->all_tensors, "List the tensors of a model, too");
    return [settings](const Context&) { return describe(settings->file, settings->all_tensors); };
}

}  // namespace program
