// SPDX-License-Identifier: MIT

/// \file
/// The matrix products of a layer alone: what no layer can be faster than.

#include <toeplitz/nn/linear.hpp>

#include "block.hpp"

namespace toeplitz::bench {
namespace {

/// Y = X Wᵀ, dX = G W and dW = Gᵀ X of one affine map.
struct Products {
    Products(Index n, Index inputs, Index outputs, std::uint64_t seed)
        : x(random_array(n, inputs, seed)),
          y(n, outputs),
          dx(n, inputs),
          gradients{Matrix<float>::Zero(outputs, inputs), Vector<float>()} {
        std::uint64_t drawn = 0;
        map = make_linear<float>(outputs, inputs, Bias::none, CounterRandom(seed), drawn);
    }
    void forward() { detail::linear_forward<float>(map, x, y, ws); }
    void backward() {
        detail::add_linear_gradients<float>(x, y, gradients, ws);
        detail::linear_adjoint<float>(map, y, Update::assign, dx, ws);
    }

    Array<float> x;
    Array<float> y;
    Array<float> dx;
    LinearParameters<float> map;
    LinearParameters<float> gradients;
    Workspace ws;
};

Work products(const Shape& s, bool backward) {
    struct Data {
        explicit Data(const Shape& shape)
            : wide(shape.n, shape.d, 3 * shape.d, 1),
              narrow(shape.n, 3 * shape.d, shape.d, 2),
              square(shape.n, shape.d, shape.d, 3) {}
        Products wide, narrow, square;
    };
    const auto data = std::make_shared<Data>(s);
    return {[data, backward] {
        // u_proj, v_proj · o · l1, l2, l3
        for (int i = 0; i < 2; ++i) data->wide.forward();
        data->narrow.forward();
        for (int i = 0; i < 3; ++i) data->square.forward();
        if (!backward) return;
        for (int i = 0; i < 2; ++i) data->wide.backward();
        data->narrow.backward();
        for (int i = 0; i < 3; ++i) data->square.backward();
    }};
}

}  // namespace

void add_block_floor(Cases& cases) {
    for_each_block_shape([&](const Shape& shape) {
        cases.push_back({"BlockForward/GemmFloor", shape, [](const Shape& s) { return products(s, false); }});
        cases.push_back({"BlockStep/GemmFloor", shape, [](const Shape& s) { return products(s, true); }});
    });
}

}  // namespace toeplitz::bench
