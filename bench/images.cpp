// SPDX-License-Identifier: MIT

/// \file
/// Square images: a mixer of rows and columns, which it reads where they lie; the same with transposed
/// copies; and one kernel over both lags.

#include <cmath>

#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/fft_2d.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

using ImageAxis = Tno<float, Causality::bidirectional>;
using ImageMixer = SeparableMixer<ImageAxis, ImageAxis>;

Index side_of(const Shape& shape) { return std::lround(std::sqrt(static_cast<double>(shape.n))); }

ImageMixer::Prepared prepared_mixer(const Shape& shape) {
    const TnoOptions axis{.mlp = {.width = 16}};
    const ImageMixer mixer(
        {.channels = shape.d, .image_width = side_of(shape), .rows = axis, .columns = axis});
    return mixer.prepare(mixer.make_parameters(1), shape.n);
}

struct ImageData {
    explicit ImageData(const Shape& shape)
        : mixer(prepared_mixer(shape)),
          x(random_array(shape.n, shape.d, 1)),
          y(shape.n, shape.d),
          mixed(shape.n, shape.d),
          side(side_of(shape)),
          ws(mixer.required_workspace()) {}
    ImageMixer::Prepared mixer;
    Array<float> x, y, mixed;
    Index side;
    Workspace ws;
};

Work strided(const Shape& shape) {
    const auto data = std::make_shared<ImageData>(shape);
    return {[data] { data->mixer.evaluate(data->x, data->y, data->ws); }, data->mixer.state_bytes(),
            data->mixer.required_workspace()};
}

Work transposed(const Shape& shape) {
    const auto data = std::make_shared<ImageData>(shape);
    const auto transpose = [data](MatrixView<const float> from, MatrixView<float> to) {
        for (Index i = 0; i < data->side; ++i) {
            for (Index j = 0; j < data->side; ++j) {
                std::copy_n(from.row(j * data->side + i), from.cols(), to.row(i * data->side + j));
            }
        }
    };
    return {[data, transpose] {
                data->mixer.rows().evaluate(data->x, data->y, data->ws);
                transpose(data->y, data->mixed);
                data->mixer.columns().evaluate(data->mixed, data->y, data->ws);
                transpose(data->y, data->mixed);
            },
            data->mixer.state_bytes(), data->mixer.required_workspace()};
}

Work both_lags(const Shape& shape) {
    const Index side = side_of(shape);
    const Index lags = 2 * side - 1;
    return product_of(Fft2d<float>({.height = side, .width = side, .channels = shape.d},
                                   random_array(lags * lags, shape.d, 4)));
}

}  // namespace

void add_images(Cases& cases) {
    for (const Index side : {32, 64, 128}) {
        const Shape shape{.n = side * side, .d = 64};
        cases.push_back({"Images", shape, strided});
        cases.push_back({"ImagesTransposed", shape, transposed});
        cases.push_back({"Fft2d", shape, both_lags});
    }
}

}  // namespace toeplitz::bench
