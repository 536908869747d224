// SPDX-License-Identifier: MIT

/// \file
/// A token of each of some texts, written by a language model of 3 layers of 64 channels, mixers of 192,
/// after a context of n bytes: the window evaluated again for each token, the exact stream, and state spaces
/// of 6 modes, which is what a trained model of this size takes at 1e-3. Time is that of a token of each
/// text.

#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

constexpr Index vocabulary = 256;

template <class Mixer>
struct Writer {
    using Net = Model<Mixer>;

    Writer(const Shape& shape, const typename Mixer::Options& mixer)
        : net(options(shape.d, mixer)),
          prepared(net.prepare(net.make_parameters(1), shape.n)),
          last(static_cast<std::size_t>(shape.streams), 7),
          logits(shape.streams, vocabulary) {}

    static typename Net::Options options(Index width, const typename Mixer::Options& mixer) {
        typename Net::Options options{.input = {.vocabulary = vocabulary}, .width = width, .layers = 3};
        options.block.gtu.mixer = mixer;
        return options;
    }

    /// The likeliest token of each text comes next.
    void choose(MatrixView<const float> rows) {
        for (std::size_t s = 0; s < last.size(); ++s) {
            Index best = 0;
            rows.eigen().row(static_cast<Index>(s)).maxCoeff(&best);
            last[s] = static_cast<Token>(best);
        }
    }

    Net net;
    typename Net::Prepared prepared;
    std::vector<Token> last;
    Array<float> logits;
};

template <class Mixer>
Work by_stream(const Shape& shape, const typename Mixer::Options& mixer) {
    using Prepared = typename Model<Mixer>::Prepared;
    struct Data : Writer<Mixer> {
        Data(const Shape& s, const typename Mixer::Options& own)
            : Writer<Mixer>(s, own),
              plan(this->prepared, {.streams = s.streams, .max_block = 64}),
              state(plan.make_state()) {
            plan.prefill(std::vector<Token>(static_cast<std::size_t>(s.n * s.streams), 7), state);
        }
        ModelStream<Prepared> plan;
        typename ModelStream<Prepared>::State state;
    };
    const auto data = std::make_shared<Data>(shape, mixer);
    return {.run =
                [data] {
                    data->plan.step(data->last, data->logits, data->state);
                    data->choose(data->logits);
                },
            .state_bytes = data->plan.state_bytes() + data->state.state_bytes(),
            .counters = {{"mixer_operations", static_cast<double>(data->plan.mixer_step_bound())}}};
}

using Exact = Tno<float, Causality::causal>;

/// The last n bytes of each text, evaluated anew.
Work by_window(const Shape& shape, const Exact::Options& mixer) {
    struct Data : Writer<Exact> {
        Data(const Shape& s, const Exact::Options& own)
            : Writer<Exact>(s, own),
              length(s.n),
              window(static_cast<std::size_t>(s.n * s.streams), 7),
              outputs(s.n * s.streams, vocabulary) {}

        void step() {
            const auto n = static_cast<std::size_t>(length);
            for (std::size_t s = 0; s < last.size(); ++s) {
                const auto first = window.begin() + static_cast<std::ptrdiff_t>(s * n);
                std::copy(first + 1, first + length, first);
                window[s * n + n - 1] = last[s];
            }
            prepared.evaluate(window, outputs, ws);
            const MatrixView<const float> rows = outputs;
            choose({rows.row(length - 1), static_cast<Index>(last.size()), vocabulary, length * vocabulary});
        }

        Index length;
        std::vector<Token> window;
        Array<float> outputs;
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(shape, mixer);
    return {.run = [data] { data->step(); }, .state_bytes = data->prepared.state_bytes()};
}

}  // namespace

void add_generate(Cases& cases) {
    const Exact::Options mixer{.mlp = {.width = 32}, .decay = {.lambda = 0.99}};
    for (Index n = 512; n <= 65536; n *= 2) {
        for (const Index streams : {1, 8, 64}) {
            const Shape shape{.n = n, .d = 64, .streams = streams};
            cases.push_back({"Generate/Window", shape, [=](const Shape& s) { return by_window(s, mixer); }});
            cases.push_back(
                {"Generate/Stream", shape, [=](const Shape& s) { return by_stream<Exact>(s, mixer); }});
            cases.push_back({"Generate/StateSpace", shape, [](const Shape& s) {
                                 return by_stream<StateSpaceTno<float>>(s, {.modes = 6});
                             }});
        }
    }
}

}  // namespace toeplitz::bench
