// SPDX-License-Identifier: MIT

/// \file
/// The low-rank part alone; and its lower triangle, as causal masking has it.

#include <toeplitz/kernels/inducing_points.hpp>
#include <toeplitz/operators/ski.hpp>

#include "bench.hpp"

namespace toeplitz::bench {
namespace {

Work product(const Shape& shape) {
    const Array<float> kernel = random_array(2 * shape.rank - 1, shape.d, 4);
    return product_of(Ski<float>({.length = shape.n, .channels = shape.d, .rank = shape.rank}, kernel));
}

struct MaskedData {
    explicit MaskedData(const Shape& shape)
        : kernel(random_array(2 * shape.rank - 1, shape.d, 4)),
          x(random_array(shape.n, shape.d, 1)),
          y(shape.n, shape.d),
          sums(shape.rank, shape.d),
          behind(2, shape.d),
          points(shape.n, shape.rank) {}

    Array<float> kernel, x, y;
    Array<float> sums;    ///< z: what every inducing point has gathered so far
    Array<float> behind;  ///< A z of the points below a cell, at its two ends
    InducingPoints points;
};

/// y = the lower triangle of W A Wᵀ times x, by running sums: at every step two rows of A z, for its two
/// weights. Either of all inducing points up to there, as causal masks of linear attention do, O(n r) per
/// channel; or of the two of a cell, as those below it have gathered all when it begins, O(n + r²), one cell
/// after another.
Work masked(const Shape& shape, bool by_cells) {
    const auto data = std::make_shared<MaskedData>(shape);
    return {[data, shape, by_cells] {
        const MatrixView<const float> kernel = data->kernel;
        const MatrixView<const float> x = data->x;
        const MatrixView<float> y = data->y;
        const MatrixView<float> sums = data->sums;
        const MatrixView<float> behind = data->behind;
        const auto lag = [&](Index t) { return kernel.eigen().row(shape.rank - 1 + t).array(); };
        const auto sum = [&](Index b) { return sums.eigen().row(b).array(); };
        sums.eigen().setZero();
        Index cell = -1;
        for (Index i = 0; i < shape.n; ++i) {
            const auto [below, lower_weight, upper_weight] = data->points.at(i);
            const auto lower = static_cast<float>(lower_weight);
            const auto upper = static_cast<float>(upper_weight);
            sum(below) += lower * x.eigen().row(i).array();
            sum(below + 1) += upper * x.eigen().row(i).array();
            auto to = y.eigen().row(i).array();
            if (by_cells && cell != below) {
                cell = below;
                behind.eigen().setZero();
                for (Index b = 0; b < cell; ++b) {
                    behind.eigen().row(0).array() += lag(cell - b) * sum(b);
                    behind.eigen().row(1).array() += lag(cell + 1 - b) * sum(b);
                }
            }
            if (by_cells) {
                to = lower * behind.eigen().row(0).array() + upper * behind.eigen().row(1).array();
            } else {
                to.setZero();
            }
            for (Index b = by_cells ? below : 0; b <= below + 1; ++b) {
                to += (lower * lag(below - b) + upper * lag(below + 1 - b)) * sum(b);
            }
        }
    }};
}

}  // namespace

void add_ski(Cases& cases) {
    for_each_shape([&](Shape shape) {
        for (const Index rank : {default_rank, Index{256}}) {
            shape.rank = rank;
            if (rank == default_rank || shape.n == 2048) cases.push_back({"Ski", shape, product});
        }
        shape.rank = default_rank;
        if (shape.threads == 1) {
            cases.push_back({"CausalSki", shape, [](const Shape& s) { return masked(s, false); }});
            cases.push_back({"CausalSkiCells", shape, [](const Shape& s) { return masked(s, true); }});
        }
    });
}

}  // namespace toeplitz::bench
