// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a benchmark is made of: a name, and a function that prepares its work when it is asked for.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::bench {

/// The sizes in a benchmark's name; taps and rank are 0 where the path has none.
struct Shape {
    Index n = 0;
    Index d = 0;
    Index taps = 0;
    Index rank = 0;
    int threads = 1;
};

/// What is timed. Calls of `run` must be alike.
struct Work {
    std::function<void()> run;
    std::size_t state_bytes = 0;
    std::size_t workspace_bytes = 0;
};

struct Case {
    std::string path;
    Shape shape;
    std::function<Work(const Shape&)> prepare;
};

using Cases = std::vector<Case>;

inline constexpr Index default_taps = 33;
inline constexpr Index default_rank = 64;

/// 1 and 2 threads, or 1 in a build without OpenMP.
inline std::vector<int> thread_counts() {
#if defined(_OPENMP)
    return {1, 2};
#else
    return {1};
#endif
}

/// Calls f(shape) for every n, d and number of threads that all paths are measured at.
template <class F>
void for_each_shape(F&& f) {
    for (const Index d : {64, 512}) {
        for (const Index n : {512, 2048, 8192, 32768, 131072}) {
            for (const int threads : thread_counts()) f(Shape{.n = n, .d = d, .threads = threads});
        }
    }
}

/// A matrix of its own, row-major, on huge pages where it is large.
template <class T>
class Array {
public:
    Array() = default;
    Array(Index rows, Index cols) : storage_(rows * cols), rows_(rows), cols_(cols) {}

    T* data() noexcept { return storage_.data(); }
    Index size() const noexcept { return storage_.size(); }
    operator MatrixView<T>() noexcept { return {storage_.data(), rows_, cols_}; }
    operator MatrixView<const T>() const noexcept { return {storage_.data(), rows_, cols_}; }

private:
    Buffer<T> storage_;
    Index rows_ = 0;
    Index cols_ = 0;
};

/// Uniform in [−1, 1).
inline Array<float> random_array(Index rows, Index cols, std::uint64_t seed) {
    const CounterRandom random(seed);
    Array<float> array(rows, cols);
    for (Index i = 0; i < array.size(); ++i) {
        array.data()[i] = static_cast<float>(random.uniform(static_cast<std::uint64_t>(i), -1.0, 1.0));
    }
    return array;
}

/// y = T x.
template <class Op>
Work product_of(Op op) {
    struct Data {
        explicit Data(Op moved) : op(std::move(moved)) {}
        Op op;
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> y{op.length(), op.channels()};
        Workspace ws{op.required_workspace()};
    };
    const auto data = std::make_shared<Data>(std::move(op));
    return {[data] { data->op.apply(data->x, data->y, data->ws); }, data->op.state_bytes(),
            data->ws.capacity()};
}

/// dx = Tᵀ g and the gradient of the kernel: one backward pass.
template <class Op, class Gradient>
Work backward_of(Op op, Gradient zero) {
    struct Data {
        Data(Op moved_op, Gradient moved_gradient)
            : op(std::move(moved_op)), dkernel(std::move(moved_gradient)) {}
        Op op;
        Gradient dkernel;
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> g = random_array(op.length(), op.channels(), 2);
        Array<float> dx{op.length(), op.channels()};
        Workspace ws{op.required_workspace()};
    };
    const auto data = std::make_shared<Data>(std::move(op), std::move(zero));
    return {[data] {
                data->op.apply_adjoint(data->g, data->dx, data->ws);
                data->op.accumulate_kernel_gradient(data->x, data->g, data->dkernel, data->ws);
            },
            data->op.state_bytes(), data->ws.capacity()};
}

// One per file. Floors come first, so that each stands before the paths of its shape.
void add_floors(Cases& cases);
void add_dense(Cases& cases);
void add_fft(Cases& cases);
void add_band(Cases& cases);
void add_ski(Cases& cases);
void add_band_ski(Cases& cases);
void add_spectral(Cases& cases);
void add_block_floor(Cases& cases);
void add_block_tno(Cases& cases);
void add_block_fd(Cases& cases);
void add_block_ski(Cases& cases);

}  // namespace toeplitz::bench
