// SPDX-License-Identifier: MIT
// toeplitz run: outputs of any model file, for a text or for tensors, and text that a language model writes.

#include <iostream>

#include <examples/support/command_line.hpp>
#include "models.hpp"

namespace program {
namespace {

struct Settings {
    std::string model{};
    std::string text{};
    std::string input{};
    std::string out{};
    Index generate = 0;
    Index length = 0;
    double temperature = 1;
    std::uint64_t seed = 1;
};

/// A token drawn from exp(scores / temperature), or the likeliest one at temperature 0.
template <class Scalar>
Token draw(const Matrix<Scalar>& scores, double temperature, double uniform) {
    Index best = 0;
    scores.row(0).maxCoeff(&best);
    if (temperature == 0) return static_cast<Token>(best);
    const Vector<double> weights =
        ((scores.row(0).transpose().template cast<double>().array() - double(scores(0, best))) / temperature)
            .exp();
    double left = uniform * weights.sum();
    for (Index token = 0; token < weights.size(); ++token) {
        left -= weights(token);
        if (left < 0) return static_cast<Token>(token);
    }
    return static_cast<Token>(best);
}

/// What the model writes after the prompt, as it comes unless the report is JSON.
template <class Scalar>
std::string generate(const AnyModel<Scalar>& model, std::span<const Token> prompt, const Settings& settings,
                     const Context& context) {
    if (model.causality() != Causality::causal)
        fail("only causal models can write on: this one looks both ways");
    if (!predicts_bytes(model)) fail("the model does not predict bytes");
    const auto rows = static_cast<Index>(prompt.size());
    const auto plan = model.stream(settings.length > 0 ? settings.length : std::max<Index>(512, rows));
    auto state = plan.make_state();
    Matrix<Scalar> scores(1, model.outputs());
    plan.prefill(prompt.first(prompt.size() - 1), state);
    plan.step(prompt.last(1), scores, state);
    const CounterRandom random(settings.seed);
    const examples::Interrupt interrupt;
    std::string written;
    for (Index i = 0; i < settings.generate && !interrupt.requested(); ++i) {
        const Token next = draw(scores, settings.temperature, random.uniform(static_cast<std::uint64_t>(i)));
        written.push_back(static_cast<char>(static_cast<unsigned char>(next)));
        if (!context.json) std::cout.put(written.back()).flush();
        plan.step(std::span(&next, 1), scores, state);
    }
    if (!context.json) std::cout << '\n';
    return written;
}

template <class Scalar>
Report run_text(const AnyModel<Scalar>& model, const Settings& settings, const Context& context) {
    require_bytes(model);
    Report report;
    Inputs<Scalar> inputs{.tokens = read_text(settings.text)};
    const auto rows = static_cast<Index>(inputs.tokens.size());
    if (settings.generate > 0) {
        report.facts["generated"] = generate<Scalar>(model, inputs.tokens, settings, context);
        return report;
    }
    report.facts["bytes"] = rows;
    if (predicts_bytes(model)) {
        if (rows < 2) fail("'" + settings.text + "': a text of one byte has nothing to predict");
        const Index length = settings.length > 0 ? settings.length : std::min<Index>(512, rows);
        BitsPerByte bits(inputs.tokens);
        for_each_window(
            inputs.tokens, length,
            [&](Index first, const Matrix<Scalar>& scores) { bits.add(first, scores); }, model);
        report.facts["window"] = length;
        report.facts["bits_per_byte"] = bits.mean();
        print(report.text, "%td bytes in windows of %td: %.4f bits per byte\n", rows, length, bits.mean());
        return report;
    }
    inputs.rows = inputs.steps = rows;
    const Matrix<Scalar> last = evaluate(model, model.prepare(rows), inputs).bottomRows(1);
    report.facts["outputs"] = std::vector<Scalar>(last.data(), last.data() + last.size());
    Index best = 0;
    last.row(0).maxCoeff(&best);
    report.facts["largest"] = best;
    for (Index c = 0; c < last.cols(); ++c)
        print(report.text, "%td %.6g%s\n", c, double(last(0, c)), c == best ? " <" : "");
    return report;
}

template <class Scalar>
Report run_tensors(const AnyModel<Scalar>& model, const Settings& settings) {
    const Inputs<Scalar> inputs = read_inputs(model, settings.input);
    const Matrix<Scalar> y = evaluate(model, model.prepare(inputs.steps), inputs);
    TensorFile result;
    result.tensors["y"] = make_tensor(MatrixView<const Scalar>(y));
    write_safetensors(settings.out, result);
    Report report;
    report.facts = {{"sequences", inputs.rows / inputs.steps},
                    {"steps", inputs.steps},
                    {"rows", y.rows()},
                    {"outputs", y.cols()},
                    {"out", settings.out}};
    print(report.text, "%td sequences of %td steps: y of %td x %td in %s\n", inputs.rows / inputs.steps,
          inputs.steps, y.rows(), y.cols(), settings.out.c_str());
    return report;
}

}  // namespace

Run add_run(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("model", settings->model, "Model file")->required();
    auto* const text =
        app.add_option("--text", settings->text, "Text that the model reads; -: standard input");
    app.add_option("--generate", settings->generate, "Bytes that it writes after the text")
        ->check(CLI::Range(1, 1 << 30))
        ->needs(text);
    app.add_option("--temperature", settings->temperature, "0: always the likeliest byte")
        ->check(examples::non_negative_number())
        ->capture_default_str();
    app.add_option("--seed", settings->seed, "Seed of the generated text")->capture_default_str();
    app.add_option("--length", settings->length,
                   "Lags of the kernels, and bytes of a window; 0: 512, or as the text needs")
        ->check(CLI::Range(0, 1 << 24))
        ->capture_default_str();
    auto* const input =
        app.add_option("--input", settings->input,
                       "File with the tensor tokens, or x: (steps) or (sequences, steps), and features");
    auto* const out =
        app.add_option("--out", settings->out, "File for the tensor y, a row of outputs for each step");
    input->needs(out)->excludes(text);
    out->needs(input);
    return [settings](const Context& context) {
        if (settings->text.empty() && settings->input.empty())
            throw Misuse("give --text, or --input and --out");
        return with_model(read_safetensors(settings->model), [&](const auto& model) {
            return settings->input.empty() ? run_text(model, *settings, context)
                                           : run_tensors(model, *settings);
        });
    };
}

}  // namespace program
