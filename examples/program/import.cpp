// SPDX-License-Identifier: MIT
// toeplitz import: a model file from the state dict of a whole official model, a language model or a
// classifier.

#include <fstream>
#include <iterator>

#include <toeplitz/io/official.hpp>

#include <examples/support/command_line.hpp>
#include "models.hpp"
#include "official.hpp"

namespace program {
namespace {

struct Settings {
    std::string file{};
    std::string config{};
    bool guess = false;
    std::string out{};
    Index length = 512;
};

/// The tensors of a whole model, in one of two ways of naming them.
class Names {
public:
    explicit Names(const TensorFile& file) : file_(&file) {
        for (const auto& [name, tensor] : file.tensors) {
            for (const char* const embedding : {"embed_tokens.weight", "embed.weight"}) {
                if (!name.ends_with(embedding)) continue;
                prefix = name.substr(0, name.size() - std::string_view(embedding).size());
                is_fairseq = embedding != std::string_view("embed.weight");
                return;
            }
        }
        toeplitz::detail::raise<io_error>(
            920, toeplitz::detail::text("import: file ", toeplitz::detail::in_quotes(file.source)),
            "a tensor embed_tokens.weight or embed.weight, behind any prefix",
            "none: no whole model is in the file");
    }

    bool has(const std::string& name) const { return file_->tensors.count(full(name)) != 0; }
    const std::vector<Index>& shape(const std::string& name) const { return file_->at(full(name)).shape; }
    Dtype dtype(const std::string& name) const { return file_->at(full(name)).dtype; }
    /// How many i have a tensor before + i + after.
    Index count(const std::string& before, const std::string& after) const {
        Index i = 0;
        while (has(before + std::to_string(i) + after)) ++i;
        return i;
    }

    std::string prefix{};
    bool is_fairseq = false;

private:
    // Ours become those of the file.
    std::string full(const std::string& name) const {
        return prefix + (is_fairseq ? DecoderNames{}(name) : name);
    }

    const TensorFile* file_;
};

const char* const gtu = "layers.0.self_attn.gtu.";
const char* const toep = "layers.0.self_attn.gtu.toep.";

/// The official options that names and shapes tell, and the usual ones where they do not.
Json guess_config(const Names& names) {
    const auto own = [](const char* name) { return std::string(gtu) + name; };
    const auto mixer = [](const char* name) { return std::string(toep) + name; };
    const bool has_decay = names.has(mixer("gamma"));
    Json config;
    config["causal"] = names.prefix.find("encoder") == std::string::npos;
    config["tno_type"] = "tno";
    if (names.has(mixer("alphas"))) {
        config["tno_type"] = "skitno_inv_time";
    } else if (names.has(mixer("inducing"))) {
        config["tno_type"] = "skitno";
    } else if (names.has(mixer("rpe.out.2.weight")) &&
               names.shape(mixer("rpe.out.2.weight"))[0] == 2 * names.shape(own("v_proj.weight"))[0]) {
        config["tno_type"] = "tno_fd";  // real and imaginary parts
        config["causal"] = false;
    }
    config["use_decay"] = has_decay;
    config["bias"] = names.has(own("v_proj.bias"));
    config["use_norm"] =
        names.has(own("norm.weight")) || names.has(own("norm.scale")) || names.has(own("norm.scala"));
    if (names.has(mixer("rpe.pos_proj.weight"))) {
        config["rpe_embedding"] = names.shape(mixer("rpe.pos_proj.weight"))[0];
        config["rpe_layers"] = names.count(mixer("rpe.layers."), ".2.weight");
    }
    const auto norm = [&](const std::string& at) {
        return names.has(at + "weight")  ? "layernorm"
               : names.has(at + "scale") ? "rmsnorm"
               : names.has(at + "scala") ? "scalenorm"
                                         : "simplermsnorm";
    };
    config["norm_type"] = norm("layers.0.self_attn_layer_norm.");
    config["rpe_act"] = "relu";
    config["act_fun"] = "silu";
    config["glu_act"] = "silu";
    config["fina_act"] = "None";
    config["normalize_before"] = true;
    config["no_scale_embedding"] = !names.is_fairseq;
    config["final_norm_type"] = names.is_fairseq || names.has("norm.weight") ? "layernorm" : "simplermsnorm";
    config["final_norm"] = true;
    const bool is_classifier =
        !names.has("out.weight") ? false : names.shape("out.weight")[0] != names.shape("embed.weight")[0];
    config["pool"] = is_classifier ? "mean" : "none";
    return config;
}

template <class Scalar, template <class> class InputLayer>
Report import_as(const TensorFile& file, const Names& names, const official::Config& config,
                 const Settings& settings) {
    using Input = InputLayer<Scalar>;
    using Net = Model<official::Mixer<Scalar>, RowNorm<Scalar>, Input>;
    typename Net::Options options;
    const std::vector<Index>& embedding = names.shape("embed.weight");
    if constexpr (std::is_same_v<Input, Embedding<Scalar>>) {
        options.input.vocabulary = embedding.at(0);
        options.width = embedding.at(1);
    } else {
        options.width = embedding.at(0);
        options.input.inputs = embedding.at(1);
    }
    options.layers = names.count("layers.", ".self_attn.gtu.v_proj.weight");
    for (Index l = 0; l < options.layers; ++l) {
        options.blocks.push_back(official::block_options<Scalar>(
            config, file, names.prefix + "layers." + std::to_string(l) + ".", settings.length));
    }
    if (!config.flag("no_scale_embedding"))
        options.input_scale = std::sqrt(static_cast<double>(options.width));
    const std::string final_norm = config.text("final_norm_type", "layernorm");
    options.norm = RowNormOptions{.norm = final_norm == "layernorm" ? Norm::layer : Norm::simple_rms};
    if (!config.flag("final_norm", true)) options.final_norm = FinalNorm::none;
    if (names.has("out.weight")) {
        options.outputs = names.shape("out.weight").at(0);
        options.output_bias = names.has("out.bias") ? Bias::add : Bias::none;
    } else {
        options.output_weights = OutputWeights::tied;
        options.output_bias = Bias::none;
    }
    if (config.text("pool", "none") == "mean") options.head = Head::mean_pool;

    const Net net(options);
    auto parameters = net.make_parameters();
    const StateDictOptions dict{
        .prefix = names.prefix,
        .ignorable = {"gamma", "inducing", "slopes", "version", "embed_positions._float_tensor"}};
    if (names.is_fairseq) {
        load_parameters(file, parameters, dict, DecoderNames{});
    } else {
        load_parameters(file, parameters, dict);
    }
    // Any inputs prove the file.
    const Index n = 16;
    if constexpr (std::is_same_v<Input, Embedding<Scalar>>) {
        std::vector<Token> tokens;
        for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(7 * i % options.input.vocabulary));
        save_model(settings.out, net, parameters, tokens, n, {{"imported from", file.source}});
    } else {
        Matrix<Scalar> features(n, options.input.inputs);
        for (Index i = 0; i < features.size(); ++i) features.data()[i] = static_cast<Scalar>(i % 7) - 3;
        save_model(settings.out, net, parameters, features, n, {{"imported from", file.source}});
    }
    Report report;
    report.facts = {{"prefix", names.prefix},
                    {"layers", options.layers},
                    {"width", options.width},
                    {"scalar", dtype_name(dtype_of<Scalar>())},
                    {"inputs", std::is_same_v<Input, Embedding<Scalar>> ? embedding.at(0) : embedding.at(1)},
                    {"outputs", net.outputs()},
                    {"parameters", parameter_count(parameters)},
                    {"out", settings.out}};
    print(report.text, "%td layers of width %td, %td outputs, %td parameters: %s\n", options.layers,
          options.width, net.outputs(), parameter_count(parameters), settings.out.c_str());
    return report;
}

Report import_file(const Settings& settings) {
    const TensorFile file = read_safetensors(settings.file);
    if (file.metadata.count(toeplitz::detail::model_format) != 0)
        fail("'" + settings.file + "' is a model file already: toeplitz run takes it as it is");
    const Names names(file);
    Json config = guess_config(names);
    Json guessed = config;
    Json given = Json::object();
    if (!settings.config.empty()) {
        std::ifstream stream(settings.config);
        if (!stream) fail("cannot read '" + settings.config + "'");
        try {
            given = Json::parse(stream);
        } catch (const Json::exception& problem) {
            fail("'" + settings.config + "' is not JSON: " + problem.what());
        }
        if (!given.is_object()) fail("'" + settings.config + "': options are a JSON object");
        for (const auto& [key, value] : given.items()) {
            config[key] = value;
            guessed.erase(key);
        }
    }
    const official::Config options(config.dump());
    // Half precision becomes float.
    const bool is_double = names.dtype("embed.weight") == Dtype::f64;
    const auto as = [&](const auto& single, const auto& twice) {
        return (is_double ? twice : single)(file, names, options, settings);
    };
    Report report = names.has("embed.bias") ? as(import_as<float, Linear>, import_as<double, Linear>)
                                            : as(import_as<float, Embedding>, import_as<double, Embedding>);
    report.facts["guessed"] = guessed;
    Json ignored = Json::array();
    for (const auto& [key, value] : given.items()) {
        if (!options.was_used(key)) ignored.push_back(key);
    }
    report.facts["ignored"] = ignored;
    if (!ignored.empty()) report.text += "ignored, as nothing here depends on it: " + ignored.dump() + "\n";
    report.text += "guessed, to be put right by --config: " + guessed.dump() + "\n";
    return report;
}

}  // namespace

Run add_import(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "File with the state dict of an official model, as safetensors")
        ->required();
    auto* const config = app.add_option("--config", settings->config,
                                        "File with official options as JSON; those it lacks are guessed");
    auto* const guess = app.add_flag("--guess", settings->guess, "Take all options from names and shapes");
    config->excludes(guess);
    app.add_option("--length", settings->length, "Longest sequence of mixers that have one (SKI)")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    app.add_option("--out", settings->out, "File of the model")->required();
    return [settings](const Context&) {
        if (settings->config.empty() && !settings->guess) throw Misuse("give --config or --guess");
        try {
            return import_file(*settings);
        } catch (const official::Unsupported& option) {
            fail(std::string("this library has no ") + option.what());
        }
    };
}

}  // namespace program
