// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A TNN layer as a benchmark: inference, and a training step of one layer.

#include <toeplitz/nn/block.hpp>

#include "bench.hpp"

namespace toeplitz::bench {

/// Features of the perceptrons, as in the official layers.
inline constexpr Index mlp_width = 64;

/// Sizes of a layer's benchmarks.
template <class F>
void for_each_block_shape(F&& f) {
    for (const auto& [n, d] : {std::pair<Index, Index>{512, 64}, {512, 512}, {2048, 512}, {8192, 512}}) {
        for (const int threads : thread_counts()) f(Shape{.n = n, .d = d, .threads = threads});
    }
}

template <class Mixer>
struct BlockData {
    explicit BlockData(const Shape& s, typename Mixer::Options mixer, Precision precision = Precision::exact)
        : block(options(s, std::move(mixer), precision)),
          parameters(block.make_parameters(1)),
          x(random_array(s.n, s.d, 1)),
          y(s.n, s.d),
          sequences{s.n} {}

    static typename Block<Mixer>::Options options(const Shape& s, typename Mixer::Options mixer,
                                                  Precision precision) {
        typename Block<Mixer>::Options result;
        result.width = s.d;
        result.precision = precision;
        result.gtu.mixer = std::move(mixer);
        return result;
    }

    Block<Mixer> block;
    typename Block<Mixer>::Parameters parameters;
    Array<float> x;
    Array<float> y;
    Sequences sequences;
    Workspace ws;
};

/// Bytes of what a forward pass keeps for the backward one, the mixer's kernel aside.
template <class Mixer>
std::size_t activation_bytes(const typename Block<Mixer>::Cache& cache) {
    std::size_t bytes = 0;
    for (const Matrix<float>* kept : {&cache.gtu_sum, &cache.glu_sum}) {
        bytes += static_cast<std::size_t>(kept->size()) * sizeof(float);
    }
    for (const KeptMatrix<float>* kept :
         {&cache.gtu_input, &cache.glu_input, &cache.gtu.u, &cache.gtu.v, &cache.gtu.mixed, &cache.glu.gate,
          &cache.glu.value, &cache.glu.last}) {
        bytes += kept->state_bytes();
    }
    return bytes;
}

/// The kernel is evaluated at every call, as in training and as the peers do.
template <class Mixer>
Work block_forward(const Shape& s, typename Mixer::Options mixer) {
    struct Data : BlockData<Mixer> {
        using BlockData<Mixer>::BlockData;
        typename Block<Mixer>::Cache cache;
    };
    const auto data = std::make_shared<Data>(s, std::move(mixer));
    return {[data] {
        data->block.forward(data->parameters, data->x, data->sequences, data->y, data->cache, data->ws);
    }};
}

/// At inference, the kernel evaluated before.
template <class Mixer>
Work block_inference(const Shape& s, typename Mixer::Options mixer) {
    struct Data : BlockData<Mixer> {
        Data(const Shape& shape, typename Mixer::Options options)
            : BlockData<Mixer>(shape, std::move(options)),
              prepared(this->block.prepare(this->parameters,
                                           {.length = shape.n, .weights = weight_format(shape)})) {}
        typename Block<Mixer>::Prepared prepared;
    };
    const auto data = std::make_shared<Data>(s, std::move(mixer));
    return {[data] { data->prepared.evaluate(data->x, data->y, data->ws); }, data->prepared.state_bytes(),
            data->prepared.required_workspace()};
}

/// Forward and backward, with all gradients. Its state is the activations that backward needs.
template <class Mixer>
Work block_step(const Shape& s, typename Mixer::Options mixer, Precision precision) {
    struct Data : BlockData<Mixer> {
        Data(const Shape& shape, typename Mixer::Options options, Precision in)
            : BlockData<Mixer>(shape, std::move(options), in),
              gradients(zeros_like(this->parameters)),
              g(random_array(shape.n, shape.d, 2)),
              dx(shape.n, shape.d) {}
        typename Block<Mixer>::Cache cache;
        typename Block<Mixer>::Parameters gradients;
        Array<float> g;
        Array<float> dx;
    };
    const auto data = std::make_shared<Data>(s, std::move(mixer), precision);
    const auto run = [data] {
        data->block.forward(data->parameters, data->x, data->sequences, data->y, data->cache, data->ws);
        data->block.backward(data->parameters, data->x, data->cache, data->g, data->dx, data->gradients,
                             data->ws);
    };
    for (int i = 0; i < 2; ++i) run();  // cache and workspace have their sizes then
    return {run, activation_bytes<Mixer>(data->cache), data->ws.capacity()};
}

/// BlockForward/<name>, with its weights in every format at inference, BlockStep/<name> and
/// BlockStepBf16/<name>. `options(shape)` are those of the mixer.
template <class Mixer, class MixerOptions>
void add_block(Cases& cases, const std::string& name, MixerOptions options) {
    for_each_block_shape([&](const Shape& shape) {
        cases.push_back({"BlockForward/" + name, shape,
                         [options](const Shape& s) { return block_forward<Mixer>(s, options(s)); }});
        for (const auto& [word, format] : weight_formats) {
            Shape with_weights = shape;
            with_weights.weights = word;
            cases.push_back({"BlockForward/" + name, with_weights,
                             [options](const Shape& s) { return block_inference<Mixer>(s, options(s)); }});
        }
        for (const Precision precision : {Precision::exact, Precision::bf16}) {
            const std::string path = precision == Precision::exact ? "BlockStep/" : "BlockStepBf16/";
            cases.push_back({path + name, shape, [options, precision](const Shape& s) {
                                 return block_step<Mixer>(s, options(s), precision);
                             }});
        }
    });
}

}  // namespace toeplitz::bench
