// SPDX-License-Identifier: MIT
// toeplitz convert: a model file with its weights in fewer bits, or in numbers again.

#include <toeplitz/io/any_model.hpp>
#include <toeplitz/nn/output_error.hpp>

#include <filesystem>

#include <examples/support/command_line.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;

struct Settings {
    std::string model{};
    std::string out{};
    std::string weights{};
};

/// What proved the model, and proves the converted one.
template <class M>
auto probe(const TensorFile& file) {
    const StoredTensor& input = file.at("probe.input");
    if constexpr (std::is_same_v<typename M::Inputs, std::span<const Token>>) {
        std::vector<Token> tokens(static_cast<std::size_t>(input.size()));
        input.copy_to(std::span(tokens));
        return tokens;
    } else {
        return input.matrix<float>();
    }
}

Report convert(const Settings& settings) {
    const WeightFormat format = *parse_enumerator<WeightFormat>(settings.weights);
    const TensorFile file = read_safetensors(settings.model);
    const Index length = toeplitz::detail::ModelDescription(file).probe_length;
    const auto model = AnyModel<float>::load(file);
    OutputError error;
    model.visit([&](const auto& net, const auto& parameters) {
        using M = std::remove_cvref_t<decltype(net)>;
        const auto inputs = probe<M>(file);
        const auto converted = convert_weights(parameters, format);
        save_model(settings.out, net, converted, inputs, length, model.metadata());
        const Index rows = net.output_rows(M::Input::rows(inputs), length);
        error = output_error<float>(net.prepare(parameters, length), net.prepare(converted, length), inputs,
                                    rows, net.outputs());
    });
    const auto before = std::filesystem::file_size(settings.model);
    const auto after = std::filesystem::file_size(settings.out);
    Report report;
    print(report.text,
          "%s: %ju bytes, %.2f times those of %s\noutputs for the inputs that prove it change by %.2g, "
          "relatively\n",
          settings.out.c_str(), static_cast<std::uintmax_t>(after),
          static_cast<double>(after) / static_cast<double>(before), settings.model.c_str(), error.relative);
    report.facts = {{"out", settings.out},
                    {"weights", settings.weights},
                    {"bytes", after},
                    {"bytes_before", before},
                    {"output_change", error.relative}};
    return report;
}

}  // namespace

Run add_convert(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("model", settings->model, "Model file")->required();
    const auto& names = enumerator_names<WeightFormat>;
    app.add_option("--weights", settings->weights,
                   "Format of the weights of affine maps and tables of tokens")
        ->required()
        ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())));
    app.add_option("--out", settings->out, "File of the converted model")->required();
    return [settings](const Context&) { return convert(*settings); };
}

}  // namespace program
