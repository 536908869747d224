// SPDX-License-Identifier: MIT
// toeplitz compress: a model that looks both ways with cheaper mixers, within a proven tolerance of every
// kernel.

#include <toeplitz/nn/compress.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/output_error.hpp>
#include <toeplitz/nn/tno.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/cost_model_file.hpp>
#include "models.hpp"

namespace program {
namespace {

struct Settings {
    std::string model{};
    std::string out{};
    std::string cost_model{};
    Index length = 0;
    ChooseOptions options{.kind = ToleranceKind::relative};
};

/// Inputs that prove the new file, and that the models are compared by.
template <class Scalar>
std::vector<Token> some_inputs(const EmbeddingOptions& options, Index n) {
    const CounterRandom random(1);
    std::vector<Token> tokens(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = static_cast<Token>(random.bits(i) % static_cast<std::uint64_t>(options.vocabulary));
    }
    return tokens;
}
template <class Scalar>
Matrix<Scalar> some_inputs(const LinearOptions& options, Index n) {
    const CounterRandom random(1);
    Matrix<Scalar> features(n, options.inputs);
    for (Index i = 0; i < features.size(); ++i) {
        features.data()[i] = static_cast<Scalar>(random.normal(static_cast<std::uint64_t>(i)));
    }
    return features;
}

template <class Mixer, class Input>
Report compress_model(const TensorFile& file, const Settings& settings, Index probe_length) {
    using Scalar = typename Mixer::Scalar;
    using Net = Model<Mixer, RowNorm<Scalar>, Input>;
    const auto loaded = load_model<Net>(file);
    const Index n = settings.length > 0 ? settings.length : probe_length;
    const auto made = compress(loaded.model, loaded.parameters, n, settings.options);
    const auto inputs = some_inputs<Scalar>(loaded.model.options().input, n);
    save_model(settings.out, made.module, made.parameters, inputs, n, loaded.metadata);
    const OutputError error = output_error<Scalar>(loaded.model.prepare(loaded.parameters, n),
                                                   made.module.prepare(made.parameters, n), inputs,
                                                   loaded.model.output_rows(n, n), loaded.model.outputs());
    Report report;
    Json layers = Json::array();
    report.text = "layer channels taps r modes method bound_relative_to_tolerance cost_ratio\n";
    for (std::size_t l = 0; l < made.parameters.layers.size(); ++l) {
        const auto& parameters = made.parameters.layers[l].gtu.toep;
        Json groups = Json::array();
        for (const Approximation<Scalar>& group : parameters.groups) {
            double used = 0;
            for (Index c = 0; group.method() != Method::fft && c < group.channels(); ++c) {
                used = std::max(used, group.bounds(c) / group.tolerances(c));
            }
            print(report.text, "%zu %td %td %td %td %s %.3g %.3g\n", l, group.channels(), group.tap_count(),
                  group.rank(), group.modes(), name(group.method()), used, group.cost_ratio());
            groups.push_back({{"channels", group.channels()},
                              {"taps", group.tap_count()},
                              {"r", group.rank()},
                              {"modes", group.modes()},
                              {"method", name(group.method())},
                              {"bound_relative_to_tolerance", used},
                              {"cost_ratio", group.cost_ratio()}});
        }
        layers.push_back({{"layer", l}, {"cost_ratio", parameters.cost_ratio()}, {"groups", groups}});
    }
    print(report.text, "outputs for random inputs of n = %td change by %.2g, relatively\nmodel: %s\n", n,
          error.relative, settings.out.c_str());
    report.facts = {
        {"length", n}, {"layers", layers}, {"output_change", error.relative}, {"out", settings.out}};
    return report;
}

template <class Scalar, class Input>
Report compress_any(const TensorFile& file, const Settings& settings,
                    const toeplitz::detail::ModelDescription& model) {
    using FullTno = Tno<Scalar, Causality::bidirectional>;
    using FullFdTno = FdTno<Scalar, Causality::bidirectional>;
    // The mixer's name is the key of its options.
    const Json options = Json::parse(model.options);
    const std::string mixer = options.at("block").at("gtu").at("mixer").at("kind").begin().key();
    if (mixer == FullTno::architecture)
        return compress_model<FullTno, Input>(file, settings, model.probe_length);
    if (mixer == FullFdTno::architecture)
        return compress_model<FullFdTno, Input>(file, settings, model.probe_length);
    throw std::runtime_error("'" + file.source + "': mixers " + FullTno::architecture + " and " +
                             FullFdTno::architecture + " are compressed, and not " + mixer +
                             (mixer.starts_with("causal") ? ": see toeplitz distill" : ""));
}

template <class Scalar>
Report compress_scalar(const TensorFile& file, const Settings& settings,
                       const toeplitz::detail::ModelDescription& model) {
    return model.input == Embedding<Scalar>::architecture
               ? compress_any<Scalar, Embedding<Scalar>>(file, settings, model)
               : compress_any<Scalar, Linear<Scalar>>(file, settings, model);
}

Report compress_file(const Settings& settings) {
    const TensorFile file = read_safetensors(settings.model);
    require_model(file);
    const toeplitz::detail::ModelDescription model(file);
    return model.scalar == dtype_name(Dtype::f64) ? compress_scalar<double>(file, settings, model)
                                                  : compress_scalar<float>(file, settings, model);
}

}  // namespace

Run add_compress(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("model", settings->model, "Model file, of mixers that look both ways")->required();
    app.add_option("--tolerance", settings->options.tolerance,
                   "Largest error of a channel, a fraction of its kernel's 2-norm")
        ->required()
        ->check(examples::positive_number());
    app.add_option("--length", settings->length,
                   "Time steps of the sequences; 0: as those that prove the file")
        ->check(CLI::Range(0, 1 << 24))
        ->capture_default_str();
    app.add_option("--cost-model", settings->cost_model,
                   "File that toeplitz_cost_model prints on this machine");
    app.add_option("--out", settings->out, "File of the compressed model")->required();
    return [settings](const Context&) {
        settings->options.cost = examples::read_cost_model(settings->cost_model);
        return compress_file(*settings);
    };
}

}  // namespace program
