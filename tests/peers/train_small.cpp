// SPDX-License-Identifier: MIT
// Trains small networks, and prints all that another implementation needs to do the same, as JSON: what each
// is, its parameters at the start, the tokens and labels of every step, and the loss at every step.
#include <cstdio>
#include <string>
#include <vector>

#include <toeplitz/nn/any_of.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/train/trainer.hpp>

namespace {

using namespace toeplitz;

constexpr Index steps = 200;
constexpr Index batch = 4;
constexpr Token vocabulary = 8;
constexpr Index height = 8;
constexpr Index width = 5;
constexpr Index length = height * width;
constexpr double rate = 3e-3;
constexpr double weight_decay = 0.05;
constexpr double beta2 = 0.98;
constexpr Index warmup = 20;
constexpr double clip = 1;

/// The networks' sizes: channels of the residual stream, of the mixers, of gated units and of perceptrons.
constexpr Index d = 12;
constexpr Index inner = 16;
constexpr Index glu = 10;
constexpr Index mlp = 6;
constexpr double lambda = 0.97;
constexpr Index rank = 6;
constexpr Index taps = 5;
constexpr Index knots = 7;

struct Batch {
    std::vector<Token> tokens;
    std::vector<Token> labels;
};

/// Tokens that are one more than those two steps before, but for some. Labels are the next tokens, or whether
/// a sequence is so or drawn by a coin.
Batch make_batch(Index step, bool per_token) {
    const CounterRandom random(7);
    auto drawn = static_cast<std::uint64_t>(step * batch * 2 * (length + 2));
    Batch result;
    for (Index b = 0; b < batch; ++b) {
        const bool is_drawn = random.uniform(drawn++) < 0.5 && !per_token;
        std::vector<Token> sequence;
        for (Index t = 0; t <= length; ++t) {
            const double noise = random.uniform(drawn++);
            const auto any = static_cast<Token>(random.uniform(drawn++) * vocabulary);
            const bool follows = t >= 2 && noise < 0.9 && !is_drawn;
            sequence.push_back(follows ? (sequence[static_cast<std::size_t>(t) - 2] + 1) % vocabulary : any);
        }
        result.tokens.insert(result.tokens.end(), sequence.begin(), sequence.end() - 1);
        if (per_token) {
            result.labels.insert(result.labels.end(), sequence.begin() + 1, sequence.end());
        } else {
            result.labels.push_back(is_drawn ? 0 : 1);
        }
    }
    return result;
}

template <class Numbers>
void print_list(const char* name, const Numbers& numbers) {
    std::printf("\"%s\": [", name);
    const char* separator = "";
    for (const auto number : numbers) {
        std::printf("%s%.9g", separator, static_cast<double>(number));
        separator = ", ";
    }
    std::printf("]");
}

template <class P>
void print_parameters(const P& parameters) {
    std::printf("\"parameters\": {");
    const char* separator = "";
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            using Tensor = std::decay_t<decltype(tensor)>;
            constexpr bool is_vector = Tensor::ColsAtCompileTime == 1;
            std::printf("%s\n\"%s\": {", separator, name.text().c_str());
            print_list("shape", is_vector ? std::vector<Index>{tensor.size()}
                                          : std::vector<Index>{tensor.rows(), tensor.cols()});
            std::printf(", ");
            print_list("values", std::vector<float>(tensor.data(), tensor.data() + tensor.size()));
            std::printf("}");
            separator = ",";
        },
        parameters);
    std::printf("}");
}

bool is_first = true;

/// What only the mixer says: the rest of the description that network.py has.
struct Case {
    const char* name;
    const char* mixer;
    const char* activation;
    bool images;
    bool batch_norm;
    bool causal;
};

template <class M>
void train(const Case& c, typename M::Mixer::Options mixer) {
    typename M::Options options{.input = {.vocabulary = vocabulary},
                                .width = d,
                                .layers = 2,
                                .head = c.causal ? Head::per_token : Head::mean_pool,
                                .outputs = c.causal ? vocabulary : 2};
    options.block.gtu.inner_width = inner;
    options.block.gtu.mixer = std::move(mixer);
    options.block.glu.inner_width = glu;
    const M model(options);
    auto parameters = model.make_parameters(1);

    std::printf("%s{\"name\": \"%s\", \"mixer\": \"%s\", \"activation\": \"%s\"", is_first ? "[" : ",\n",
                c.name, c.mixer, c.activation);
    is_first = false;
    const auto print_flag = [](const char* name, bool value) {
        std::printf(", \"%s\": %s", name, value ? "true" : "false");
    };
    print_flag("causal", c.causal);
    print_flag("per_token", c.causal);
    print_flag("batch_norm", c.batch_norm);
    std::printf(", \"length\": %td, \"image_width\": %td, \"vocabulary\": %d, \"width\": %td, \"layers\": 2",
                length, c.images ? width : 0, vocabulary, d);
    std::printf(", \"inner_width\": %td, \"glu_width\": %td, \"outputs\": %d, \"pairs\": 0", inner, glu,
                c.causal ? vocabulary : 2);
    std::printf(", \"mlp_width\": %td, \"mlp_layers\": 2, \"decay\": [%g, %g]", mlp, lambda, lambda);
    std::printf(", \"rank\": %td, \"taps\": %td, \"knots\": %td", rank, taps, knots);
    std::printf(", \"log_input\": true, \"scale\": 4, \"pole\": true, \"batch\": %td, \"rate\": %g", batch,
                rate);
    std::printf(", \"weight_decay\": %g, \"beta2\": %g, \"warmup\": %td, \"clip\": %g,\n", weight_decay,
                beta2, warmup, clip);
    print_parameters(parameters);

    using Parameters = decltype(parameters);
    typename M::Cache cache;
    Workspace ws;
    Matrix<float> outputs;
    std::vector<double> losses;
    std::printf(",\n\"steps\": [");
    const auto objective = [&](const Parameters& p, const Part& part, Parameters& gradients) {
        const Batch data = make_batch(part.step, c.causal);
        std::printf("%s{", part.step == 0 ? "\n" : ",\n");
        print_list("tokens", data.tokens);
        std::printf(", ");
        print_list("labels", data.labels);
        std::printf("}");
        outputs.resize(static_cast<Index>(data.labels.size()), model.outputs());
        const Sequences sequences = c.images ? Sequences::images(height, width) : Sequences{length};
        model.forward(p, data.tokens, sequences, outputs, cache, ws);
        const auto loss = cross_entropy(outputs, data.labels, outputs, ws);
        model.backward(p, data.tokens, cache, outputs, gradients, ws);
        return loss;
    };
    Trainer<Parameters> trainer(
        parameters, {.adamw = {.beta2 = beta2, .weight_decay = weight_decay, .decay = decay_matrices},
                     .schedule = {.course = Course::cosine, .peak = rate, .warmup = warmup, .total = steps},
                     .clip_norm = clip});
    trainer.run(parameters, steps, objective,
                [&](const StepReport& step, Parameters&, const Trainer<Parameters>&) {
                    losses.push_back(step.loss);
                });
    std::printf("],\n");
    print_list("losses", losses);
    std::printf("}");
}

FdTnoOptions fd_options() {
    FdTnoOptions options;
    options.mlp.width = mlp;
    options.mlp.layers = 2;
    return options;
}

TnoOptions tno_options() { return {.mlp = {.width = mlp, .layers = 2}, .decay = {.lambda = lambda}}; }

}  // namespace

int main() {
    using CausalTno = Tno<float, Causality::causal>;
    using CausalFdTno = FdTno<float, Causality::causal>;
    using CausalMixer = AnyOf<CausalTno, CausalFdTno>;
    train<Model<CausalMixer>>({"tno", "tno", "relu", false, false, true},
                              CausalMixer::options<CausalTno>(tno_options()));
    train<Model<CausalMixer>>({"fd", "fd", "silu", false, false, true},
                              CausalMixer::options<CausalFdTno>(fd_options()));

    using FullTno = Tno<float, Causality::bidirectional>;
    using FullFdTno = FdTno<float, Causality::bidirectional>;
    using FullSkiTno = SkiTno<float, Causality::bidirectional>;
    using Axis = AnyOf<FullTno, FullFdTno, FullSkiTno>;
    using OfImages = SeparableMixer<Axis, Axis>;
    using AnyMixer = AnyOf<FullTno, FullFdTno, FullSkiTno, OfImages>;
    const auto ski = [](Index of_length) {
        FullSkiTno::Options options{.length = of_length, .rank = rank, .taps = taps};
        options.kernel = {.knots = knots, .decay = {.lambda = lambda}};
        return options;
    };
    train<Model<AnyMixer>>({"bidirectional tno", "tno", "relu", false, false, false},
                           AnyMixer::options<FullTno>(tno_options()));
    train<Model<AnyMixer>>({"bidirectional fd", "fd", "silu", false, false, false},
                           AnyMixer::options<FullFdTno>(fd_options()));
    train<Model<AnyMixer>>({"ski", "ski", "relu", false, false, false},
                           AnyMixer::options<FullSkiTno>(ski(length)));
    using Normed = Model<AnyMixer, BatchNorm<float>>;
    const auto images = [](typename Axis::Options rows, typename Axis::Options columns) {
        OfImages::Options options;
        options.image_width = width;
        options.rows = std::move(rows);
        options.columns = std::move(columns);
        return AnyMixer::options<OfImages>(options);
    };
    train<Normed>({"ski on images, batch norms", "ski", "relu", true, true, false},
                  images(Axis::options<FullSkiTno>(ski(width)), Axis::options<FullSkiTno>(ski(height))));
    train<Normed>({"fd on images, batch norms", "fd", "silu", true, true, false},
                  images(Axis::options<FullFdTno>(fd_options()), Axis::options<FullFdTno>(fd_options())));
    std::printf("]\n");
}
