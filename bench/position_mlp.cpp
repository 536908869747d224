// SPDX-License-Identifier: MIT

/// \file
/// The position perceptron at the 2n−1 lags of a sequence, and its matrix products alone, in tiles of rows
/// that stay in cache.

#include <toeplitz/kernels/position_mlp.hpp>

#include "block.hpp"

namespace toeplitz::bench {
namespace {

constexpr Index hidden_layers = 3;

Work values(const Shape& shape) {
    struct Data {
        explicit Data(const Shape& s)
            : mlp({.channels = s.d, .width = mlp_width, .layers = hidden_layers}),
              parameters(mlp.make_parameters(1)),
              positions(2 * s.n - 1, 1),
              values(2 * s.n - 1, s.d) {
            for (Index i = 0; i < positions.size(); ++i) {
                positions.data()[i] = static_cast<float>(i - s.n + 1);
            }
        }
        PositionMlp<float> mlp;
        PositionMlp<float>::Parameters parameters;
        Array<float> positions;
        Array<float> values;
        Workspace ws;
    };
    const auto data = std::make_shared<Data>(shape);
    return {[data] { data->mlp.evaluate(data->parameters, data->positions, data->values, data->ws); }, 0,
            data->mlp.required_workspace(2 * shape.n - 1)};
}

Work products(const Shape& shape) {
    static constexpr Index tile = 120;
    struct Data {
        explicit Data(const Shape& s) : values(2 * s.n - 1, s.d) {
            for (Index l = 0; l < hidden_layers; ++l) layers.push_back(packed(mlp_width, l));
            out = packed(s.d, hidden_layers);
            for (int t = 0; t < s.threads; ++t) {
                hidden.push_back({random(tile, mlp_width, 4), random(tile, mlp_width, 5)});
            }
        }
        static Matrix<float> random(Index rows, Index cols, Index seed) {
            const Array<float> array = random_array(rows, cols, static_cast<std::uint64_t>(seed));
            return MatrixView<const float>(array).eigen() / 8.0F;
        }
        static Buffer<float> packed(Index outputs, Index seed) {
            const Matrix<float> weight = random(outputs, mlp_width, seed);
            Buffer<float> panels(detail::packed_size<float>(mlp_width, outputs));
            detail::pack_right<float>(weight, true, panels.data());
            return panels;
        }
        std::vector<Buffer<float>> layers;
        Buffer<float> out;
        std::vector<std::pair<Matrix<float>, Matrix<float>>> hidden;
        Array<float> values;
    };
    const auto data = std::make_shared<Data>(shape);
    return {[data, shape] {
                const Index rows = 2 * shape.n - 1;
                const Index tiles = (rows + tile - 1) / tile;
                detail::parallel_chunks(tiles, shape.threads, [&](Index begin, Index end, int thread) {
                    auto& [from, to] = data->hidden[static_cast<std::size_t>(thread)];
                    for (Index t = begin; t < end; ++t) {
                        const auto multiply = [&](const Buffer<float>& panels, MatrixView<float> y) {
                            detail::multiply_packed<float>(detail::left_factor<float>(from), panels.data(),
                                                           mlp_width, Update::assign, nullptr, y);
                        };
                        for (const Buffer<float>& layer : data->layers) {
                            multiply(layer, to);
                            std::swap(from, to);
                        }
                        const Index count = std::min(tile, rows - t * tile);
                        multiply(data->out, {data->values.data() + t * tile * shape.d, count, shape.d});
                    }
                });
            },
            0, 0};
}

}  // namespace

void add_position_mlp(Cases& cases) {
    for_each_shape([&](const Shape& shape) {
        cases.push_back({"PositionMlpGemmFloor", shape, products});
        cases.push_back({"PositionMlp", shape, values});
    });
}

}  // namespace toeplitz::bench
