// SPDX-License-Identifier: MIT
#include <support/any_model.hpp>

#include <support/random.hpp>

namespace toeplitz {
template class AnyModel<float, test::PlainMixer<float>>::Prepared;
template test::Any::Prepared AnyModel<float, test::PlainMixer<float>>::prepare(const PrepareOptions&) const;
}  // namespace toeplitz

namespace toeplitz::test {
namespace {

using Mixer = Any::Mixer;

/// A band for two channels and a low rank for the third.
CompressedTnoParameters<float> some_groups() {
    return {{{.taps = random_matrix<float>(3, 2, 1), .bounds = Vector<double>::Zero(2)},
             {.inducing = random_matrix<float>(5, 1, 2), .bounds = Vector<double>::Zero(1)}}};
}

template <class Norm, class Input>
Matrix<float> save_as(const std::string& path, const TinyModel& tiny, typename Input::Inputs inputs,
                      const std::map<std::string, std::string>& metadata) {
    using M = Model<Mixer, Norm, Input>;
    typename M::Options options;
    if constexpr (std::is_same_v<Input, Linear<float>>) {
        options.input.inputs = 2;
    } else {
        options.input.vocabulary = tiny_outputs;
        options.output_weights = tiny.output_weights;
    }
    options.width = 2;
    options.outputs = tiny_outputs;
    options.layers = static_cast<Index>(tiny.mixers.size());
    options.block.gtu.inner_width = 3;
    options.blocks.assign(tiny.mixers.size(), options.block);
    for (std::size_t l = 0; l < tiny.mixers.size(); ++l) options.blocks[l].gtu.mixer = tiny.mixers[l];
    const M model(options);
    auto parameters = model.make_parameters(1);
    for (auto& layer : parameters.layers) {
        auto* const groups = std::get_if<CompressedTnoParameters<float>>(&layer.gtu.toep.of);
        if (groups != nullptr) *groups = some_groups();
        auto* const state_space = std::get_if<StateSpaceTnoParameters<float>>(&layer.gtu.toep.of);
        if (state_space != nullptr) state_space->bounds = Vector<double>::Constant(3, 0.25);
    }
    save_model(path, model, convert_weights(parameters, tiny.weights), inputs, tiny_length, metadata);
    Matrix<float> y(Input::rows(inputs), tiny_outputs);
    Workspace ws;
    model.prepare(parameters, {.length = tiny_length, .weights = tiny.weights}).evaluate(inputs, y, ws);
    return y;
}

}  // namespace

Matrix<float> tiny_features() { return random_matrix<float>(2 * tiny_length, 2, 9); }

Matrix<float> save_tiny(const std::string& path, const TinyModel& tiny,
                        const std::map<std::string, std::string>& metadata) {
    if (tiny.takes_features) {
        const Matrix<float> features = tiny_features();
        return tiny.has_batch_norm ? save_as<BatchNorm<float>, Linear<float>>(path, tiny, features, metadata)
                                   : save_as<RowNorm<float>, Linear<float>>(path, tiny, features, metadata);
    }
    return tiny.has_batch_norm
               ? save_as<BatchNorm<float>, Embedding<float>>(path, tiny, tiny_tokens, metadata)
               : save_as<RowNorm<float>, Embedding<float>>(path, tiny, tiny_tokens, metadata);
}

void save_again(const std::string& path, const Any& model) {
    model.visit([&](const auto& own, const auto& parameters) {
        using Inputs = typename std::remove_cvref_t<decltype(own)>::Inputs;
        if constexpr (std::is_same_v<Inputs, MatrixView<const float>>) {
            const Matrix<float> features = tiny_features();
            save_model(path, own, parameters, features, tiny_length, model.metadata());
        } else {
            save_model(path, own, parameters, tiny_tokens, tiny_length, model.metadata());
        }
    });
}

Mixer::Options tiny_mixer(const std::string& architecture) {
    Mixer::Options options;
    options.kind.choose(architecture);
    options.kind.visit([](const char*, auto& own) {
        if constexpr (requires { own.length; }) own.length = tiny_length;
        if constexpr (requires { own.rank; }) own.rank = 3;
        if constexpr (requires { own.taps; }) own.taps = 3;
    });
    return options;
}

Matrix<float> evaluate_tiny(const Any& model) {
    Matrix<float> y(model.output_rows(2 * tiny_length, tiny_length), model.outputs());
    Workspace ws;
    const Any::Prepared prepared = model.prepare(tiny_length);
    if (model.inputs() > 0) {
        prepared.evaluate(tiny_features(), y, ws);
    } else {
        prepared.evaluate(tiny_tokens, y, ws);
    }
    return y;
}

}  // namespace toeplitz::test
