// SPDX-License-Identifier: MIT
// Fills a model with weights that a PyTorch program has saved, and keeps it as a model file.
#include <cstdio>
#include <vector>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/io/official.hpp>
#include <toeplitz/toeplitz.hpp>

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>>;

/// The options of the Python program, in the words of this library.
Net describe() {
    Net::Options options{.input = {.vocabulary = 100}, .width = 32, .layers = 2};
    options.block.gtu.mixer.mlp = {.width = 16, .layers = 3};  // rpe_dim, rpe_layers
    options.block.gtu.mixer.decay = {.mode = DecayMode::fixed, .lambda = 0.99};
    options.input_scale = std::sqrt(32.0);
    options.norm = RowNormOptions{.norm = Norm::layer};
    options.output_bias = Bias::none;
    return Net(options);
}

/// Stands for Python here: the names and shapes are those of a fairseq decoder.
void write_as_python_would(const std::string& path) {
    TensorFile file;
    store_parameters(file, describe().make_parameters(/*seed=*/7), {.prefix = "decoder."}, DecoderNames{});
    write_safetensors(path, file);
}

int main() {
    write_as_python_would("tnn.safetensors");

    const TensorFile file = read_safetensors("tnn.safetensors");
    const Net net = describe();
    auto parameters = net.make_parameters();
    import_language_model(file, parameters, /*prefix=*/"decoder.");
    std::printf("%zu tensors, %td parameters\n", file.tensors.size(), parameter_count(parameters));

    const Index n = 16;
    std::vector<Token> tokens;
    for (Index i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(i * 7 % 100));
    Matrix<float> logits(n, net.outputs());
    Workspace ws;
    net.prepare(parameters, n).evaluate(tokens, logits, ws);
    std::printf("%td x %td logits, to compare with those of the Python program\n", logits.rows(),
                logits.cols());

    save_model("imported.safetensors", net, parameters, tokens, n);  // from now on it loads without options
}
