// SPDX-License-Identifier: MIT
// toeplitz run: outputs of any model file, for a text or for tensors, and text that a language model writes.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <vector>

#include <toeplitz/core/random.hpp>
#include <toeplitz/io/any_model.hpp>
#include <toeplitz/stream/model_stream.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/text.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;
using Net = AnyModel<float>;

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

[[noreturn]] void fail(const std::string& message) { throw std::runtime_error(message); }

std::string read_text(const std::string& path) {
    if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
    std::error_code unknown;
    const auto size = std::filesystem::file_size(path, unknown);
    return examples::read_bytes(path, unknown ? 1 : static_cast<Index>(size));
}

/// A token drawn from exp(scores / temperature), or the likeliest one at temperature 0.
Token draw(MatrixView<const float> scores, double temperature, double uniform) {
    Index best = 0;
    scores.eigen().row(0).maxCoeff(&best);
    if (temperature == 0) return static_cast<Token>(best);
    const Vector<double> weights =
        ((scores.eigen().row(0).transpose().cast<double>().array() - double(scores(0, best))) / temperature)
            .exp();
    double left = uniform * weights.sum();
    for (Index token = 0; token < weights.size(); ++token) {
        left -= weights(token);
        if (left < 0) return static_cast<Token>(token);
    }
    return static_cast<Token>(best);
}

/// What the model writes after the prompt, as it comes unless the report is JSON.
template <class M>
std::string generate(const M& model, const typename M::Parameters& parameters, std::span<const Token> prompt,
                     const Settings& settings, Index length, const Context& context) {
    const auto plan = stream(model.prepare(parameters, length));
    auto state = plan.make_state();
    Matrix<float> scores(1, model.outputs());
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

/// −log₂ of the probability of `token`.
double bits(const float* scores, Index count, Token token) {
    const Eigen::Map<const Eigen::ArrayXf> row(scores, count);
    const double largest = static_cast<double>(row.maxCoeff());
    const double sum = (row.cast<double>() - largest).exp().sum();
    return (std::log(sum) + largest - static_cast<double>(row(token))) / std::log(2.0);
}

/// Bits per token of all but the first of each window of n tokens.
double bits_per_token(const Net& model, std::span<const Token> tokens, Index n) {
    const auto ready = model.prepare(n);
    Matrix<float> scores;
    Workspace ws;
    double sum = 0;
    Index count = 0;
    const auto size = static_cast<Index>(tokens.size());
    for (Index first = 0; first + 1 < size; first += n) {
        const Index rows = std::min(n, size - first);
        const std::vector<Index> lengths = {rows};
        std::vector<Token> window(static_cast<std::size_t>(n), 0);
        std::copy_n(tokens.begin() + first, rows, window.begin());
        scores.resize(n, model.outputs());
        ready.evaluate(window, scores, ws, Lengths(lengths));
        for (Index i = 0; i + 1 < rows; ++i) {
            sum += bits(scores.row(i).data(), scores.cols(), tokens[static_cast<std::size_t>(first + i + 1)]);
            ++count;
        }
    }
    return sum / static_cast<double>(count);
}

Report run_text(const Net& model, const Settings& settings, const Context& context) {
    if (model.vocabulary() == 0) fail("the model takes features: give --input, and no --text");
    if (model.vocabulary() != 256) {
        fail("the model has " + std::to_string(model.vocabulary()) +
             " tokens, which are not bytes of a text: give --input with a tensor 'tokens', and no --text");
    }
    const std::string text = read_text(settings.text);
    std::vector<Token> tokens;
    for (const char byte : text) tokens.push_back(static_cast<Token>(static_cast<unsigned char>(byte)));
    const auto rows = static_cast<Index>(tokens.size());
    Report report;
    if (rows == 0) fail("'" + settings.text + "': the text is empty");
    if (settings.generate > 0) {
        const Index length = settings.length > 0 ? settings.length : std::max<Index>(512, rows);
        if (model.causality() != Causality::causal)
            fail("only causal models can write on: this one looks both ways");
        report.facts["generated"] = model.visit([&](const auto& net, const auto& parameters) -> std::string {
            using M = std::remove_cvref_t<decltype(net)>;
            if constexpr (std::is_same_v<typename M::Inputs, std::span<const Token>>) {
                if (net.outputs() != 256 || net.options().head != Head::per_token)
                    fail("the model does not predict bytes");
                return generate(net, parameters, tokens, settings, length, context);
            } else {
                return {};
            }
        });
        return report;
    }
    const Index length = settings.length > 0 ? settings.length : std::min<Index>(512, rows);
    report.facts["bytes"] = rows;
    if (model.output_rows(rows, rows) == rows && model.outputs() == 256) {
        if (rows < 2) fail("'" + settings.text + "': a text of one byte has nothing to predict");
        const double value = bits_per_token(model, tokens, length);
        report.facts["window"] = length;
        report.facts["bits_per_byte"] = value;
        print(report.text, "%td bytes in windows of %td: %.4f bits per byte\n", rows, length, value);
        return report;
    }
    Matrix<float> scores(model.output_rows(rows, rows), model.outputs());
    Workspace ws;
    model.prepare(rows).evaluate(tokens, scores, ws);
    const Matrix<float> last = scores.bottomRows(1);
    report.facts["outputs"] = std::vector<float>(last.data(), last.data() + last.size());
    Index best = 0;
    last.row(0).maxCoeff(&best);
    report.facts["largest"] = best;
    for (Index c = 0; c < last.cols(); ++c)
        print(report.text, "%td %.6g%s\n", c, double(last(0, c)), c == best ? " <" : "");
    return report;
}

Report run_tensors(const Net& model, const Settings& settings) {
    const TensorFile file = read_safetensors(settings.input);
    const bool takes_tokens = model.vocabulary() > 0;
    const StoredTensor& x = file.at(takes_tokens ? "tokens" : "x");
    // (steps) or (sequences, steps) tokens; the same with features behind them.
    std::vector<Index> shape = x.shape;
    if (!takes_tokens) {
        if (shape.empty() || shape.back() != model.inputs()) {
            fail("'" + settings.input + "': x of shape " + toeplitz::detail::shape_text(shape) +
                 ": the last number is " + std::to_string(model.inputs()) + ", the model's inputs");
        }
        shape.pop_back();
    }
    if (shape.empty() || shape.size() > 2 || x.size() == 0) {
        fail("'" + settings.input + "': inputs of shape " + toeplitz::detail::shape_text(x.shape) +
             ": it is (steps) or (sequences, steps), and features behind them");
    }
    const Index n = shape.back();
    const Index rows = shape.size() == 2 ? shape[0] * n : n;
    const auto ready = model.prepare(n);
    Matrix<float> y(model.output_rows(rows, n), model.outputs());
    Workspace ws;
    if (takes_tokens) {
        std::vector<Token> tokens(static_cast<std::size_t>(rows));
        x.copy_to(std::span(tokens));
        ready.evaluate(tokens, y, ws);
    } else {
        Matrix<float> features(rows, model.inputs());
        x.copy_to(std::span(features.data(), static_cast<std::size_t>(features.size())));
        ready.evaluate(features, y, ws);
    }
    TensorFile result;
    result.tensors["y"] = make_tensor(MatrixView<const float>(y));
    write_safetensors(settings.out, result);
    Report report;
    report.facts = {{"sequences", rows / n},
                    {"steps", n},
                    {"rows", y.rows()},
                    {"outputs", y.cols()},
                    {"out", settings.out}};
    print(report.text, "%td sequences of %td steps: y of %td x %td in %s\n", rows / n, n, y.rows(), y.cols(),
          settings.out.c_str());
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
    app.add_option("--seed", settings->seed, "Of the bytes that are drawn")->capture_default_str();
    app.add_option("--length", settings->length,
                   "Lags of the kernels, and bytes of a window; 0: as the text, 512 as a rule")
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
        if (settings->text.empty() && settings->input.empty()) fail("give --text, or --input and --out");
        const Net model = Net::load(settings->model);
        return settings->input.empty() ? run_text(model, *settings, context) : run_tensors(model, *settings);
    };
}

}  // namespace program
