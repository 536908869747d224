// SPDX-License-Identifier: MIT
// A hybrid: two layers of different mixers. It goes to a file, and comes back in a program that does not know
// what is in the file.

#include <cstdio>
#include <vector>

#include <toeplitz/io/any_model.hpp>

using namespace toeplitz;

/// Short kernels below, long ones above.
void save_hybrid(const std::string& path, const std::vector<Token>& tokens) {
    using Short = SkiTno<float, Causality::causal>;
    using Long = FdTno<float, Causality::causal>;
    using Net = Model<AnyOf<Short, Long>>;
    Net::Options options{.input = {.vocabulary = 10}, .width = 16, .layers = 2};
    options.blocks.resize(2);
    options.blocks[0].gtu.mixer = Net::Mixer::options<Short>({.length = 64, .rank = 8, .taps = 9});
    options.blocks[1].gtu.mixer = Net::Mixer::options<Long>();
    const Net net(options);
    save_model(path, net, net.make_parameters(/*seed=*/1), tokens, /*length=*/64, {{"run", "demo"}});
}

int main() {
    std::vector<Token> tokens;
    for (Index i = 0; i < 64; ++i) tokens.push_back(static_cast<Token>(i * i % 10));
    save_hybrid("hybrid.safetensors", tokens);

    const auto model = AnyModel<float>::load("hybrid.safetensors");
    const auto inference = model.prepare(/*length=*/64);
    Matrix<float> logits(64, model.outputs());
    Workspace ws;
    inference.evaluate(tokens, logits, ws);

    Index likeliest = 0;
    logits.row(63).maxCoeff(&likeliest);
    std::printf("%s: %ld layers of width %ld, %s; after the last token it expects %ld\n",
                model.metadata().at("run").c_str(), static_cast<long>(model.layers()),
                static_cast<long>(model.width()),
                model.causality() == Causality::causal ? "causal" : "bidirectional",
                static_cast<long>(likeliest));
}
