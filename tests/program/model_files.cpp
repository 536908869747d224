// SPDX-License-Identifier: MIT

/// \file
/// Writes small models, and state dicts as other programs save them, into a directory, for the tests of the
/// commands that take models.

#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/io/official.hpp>
#include <toeplitz/nn/tno.hpp>

namespace {

using namespace toeplitz;
template <class Scalar>
using Language = Model<Tno<Scalar, Causality::causal>, RowNorm<Scalar>, Embedding<Scalar>>;
template <class Scalar>
using Classifier = Model<Tno<Scalar, Causality::bidirectional>, RowNorm<Scalar>, Linear<Scalar>>;

TnoOptions small_mixer(double lambda) {
    return {.mlp = {.width = 8, .layers = 2}, .decay = {.mode = DecayMode::fixed, .lambda = lambda}};
}

/// The parameters under the names of the file, and the buffers of the decay that official modules save.
template <class P, class Names>
void write_dict(const std::string& path, const P& parameters, const std::string& prefix, Index channels,
                double lambda, Names&& names) {
    TensorFile file;
    store_parameters(file, parameters, {.prefix = prefix}, names);
    const std::vector<float> gamma(static_cast<std::size_t>(channels), static_cast<float>(lambda));
    for (std::size_t l = 0; l < parameters.layers.size(); ++l) {
        file.tensors[prefix + "layers." + std::to_string(l) + ".self_attn.gtu.toep.gamma"] =
            make_tensor(std::span<const float>(gamma), {1, channels, 1});
    }
    write_safetensors(path, file);
}

template <class Scalar>
void write_language(const std::string& directory, const std::string& suffix) {
    using Net = Language<Scalar>;
    typename Net::Options options{.input = {.vocabulary = 256}, .width = 16, .layers = 2};
    options.block.gtu.mixer = small_mixer(0.95F);
    options.input_scale = std::sqrt(16.0);
    options.norm = RowNormOptions{.norm = Norm::layer};
    options.output_bias = Bias::none;
    const Net net(options);
    const auto parameters = net.make_parameters(/*seed=*/3);
    std::vector<Token> tokens;
    for (Token t = 0; t < 20; ++t) tokens.push_back(t * 13 % 256);
    save_model(directory + "/language" + suffix, net, parameters, tokens, 20, {{"about", "nothing"}});
    const Index inner = parameters.layers[0].gtu.v_proj.weight.rows();
    write_dict(directory + "/decoder" + suffix, parameters, "decoder.", inner, 0.95F, DecoderNames{});
}

template <class Scalar>
void write_classifier(const std::string& directory, const std::string& suffix) {
    using Net = Classifier<Scalar>;
    typename Net::Options options{.input = {.inputs = 3}, .width = 16, .layers = 1};
    options.block.gtu.mixer = small_mixer(0.9F);
    options.head = Head::mean_pool;
    options.outputs = 4;
    const Net net(options);
    const auto parameters = net.make_parameters(/*seed=*/4);
    Matrix<Scalar> x(32, 3);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = std::sin(static_cast<Scalar>(i));
    save_model(directory + "/classifier" + suffix, net, parameters, x, 32);
    const Index inner = parameters.layers[0].gtu.v_proj.weight.rows();
    write_dict(directory + "/dict" + suffix, parameters, "model.", inner, 0.9F, SameNames{});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    write_language<float>(argv[1], "");
    write_language<double>(argv[1], "_double");
    write_classifier<float>(argv[1], "");
    write_classifier<double>(argv[1], "_double");
    std::cout << "written\n";
    return 0;
}
