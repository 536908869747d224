// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a benchmark is made of: a name, and a function that prepares its work when it is asked for.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>
#include <toeplitz/dense/weight_format.hpp>

namespace toeplitz::bench {

/// The sizes in a benchmark's name; those that a path has not are 0 or empty.
struct Shape {
    Index n = 0;               ///< time steps, or rows
    Index d = 0;               ///< channels, or outputs of a map
    Index inputs = 0;          ///< of a map
    const char* weights = "";  ///< how they are stored
    Index taps = 0;
    Index rank = 0;
    Index block = 0;    ///< steps of a call
    Index streams = 0;  ///< side by side
    int threads = 1;
};

/// What is timed. Calls of `run` must be alike.
struct Work {
    std::function<void()> run;
    std::size_t state_bytes = 0;                             ///< what the operator holds between calls
    std::size_t workspace_bytes = 0;                         ///< what a call needs of its workspace
    std::vector<std::pair<std::string, double>> counters{};  ///< measured when it was prepared
};

struct Case {
    std::string path;
    Shape shape;
    std::function<Work(const Shape&)> prepare;
};

using Cases = std::vector<Case>;

inline constexpr Index default_taps = 33;
inline constexpr Index default_rank = 64;

/// Taps of the bands that are measured at length n.
inline std::vector<Index> band_taps(Index n) {
    return n == 2048 ? std::vector<Index>{5, 9, default_taps, 65} : std::vector<Index>{default_taps};
}

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

/// Calls f(shape) for lengths around those that are multiplied by definition. One thread.
template <class F>
void for_each_short_shape(F&& f) {
    for (const Index d : {64, 512}) {
        for (const Index n : {16, 32, 64, 128}) f(Shape{.n = n, .d = d});
    }
}

/// Calls f(shape) for the lengths and numbers of channels at which lanes hold time steps, too. One thread.
template <class F>
void for_each_narrow_shape(F&& f) {
    for (const Index d : {1, 2, 3, 5, 8}) {
        for (const Index n : {512, 1500, 2048, 8192, 32768, 131072}) f(Shape{.n = n, .d = d});
    }
}

/// Calls f(shape) for signals and the taps of their filters. One thread.
template <class F>
void for_each_filter(F&& f) {
    for (const Index d : {1, 2, 16}) {
        for (const Index taps : {100, 1000, 10000}) f(Shape{.n = 1000000, .d = d, .taps = taps});
    }
}

/// A matrix of its own, row-major, on huge pages where it is large.
template <class T>
class Array {
public:
    Array() = default;
    Array(Index rows, Index cols) : storage_(rows * cols), rows_(rows), cols_(cols) {}

    T* data() noexcept { return storage_.data(); }
    const T& operator[](Index i) const noexcept { return storage_[i]; }
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

/// Formats of weights by the words of benchmarks' names.
inline constexpr std::pair<const char*, WeightFormat> weight_formats[] = {
    {"float", WeightFormat::exact}, {"bf16", WeightFormat::bf16}, {"int8", WeightFormat::int8}};
inline WeightFormat weight_format(const Shape& shape) {
    for (const auto& [name, format] : weight_formats) {
        if (std::string_view(name) == shape.weights) return format;
    }
    return WeightFormat::exact;
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
            data->op.required_workspace()};
}

/// Views of the values of a kernel.
template <class Values>
Values& views(Values& values) {
    return values;
}
inline auto views(std::pair<Matrix<float>, Matrix<float>>& values) {
    return std::pair<MatrixView<float>, MatrixView<float>>(values.first, values.second);
}

/// dx = Tᵀ g and the gradient of the kernel: the backward pass of one forward pass.
template <class Op, class Gradient>
Work backward_of(Op op, Gradient zero) {
    struct Data {
        Data(Op moved_op, Gradient moved_gradient)
            : op(std::move(moved_op)), dkernel(std::move(moved_gradient)) {
            op.forward(x, dx, cache, ws);
        }
        Op op;
        Gradient dkernel;
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> g = random_array(op.length(), op.channels(), 2);
        Array<float> dx{op.length(), op.channels()};
        typename Op::Cache cache;
        Workspace ws{op.required_workspace()};
    };
    const auto data = std::make_shared<Data>(std::move(op), std::move(zero));
    return {[data] {
                data->op.backward(data->x, data->cache, data->g, data->dx, views(data->dkernel), data->ws);
            },
            data->op.state_bytes(), data->op.required_workspace()};
}

inline void clear(Array<float>& gradient) { std::fill_n(gradient.data(), gradient.size(), 0.0F); }
inline void clear(std::pair<Matrix<float>, Matrix<float>>& gradient) {
    gradient.first.setZero();
    gradient.second.setZero();
}

/// A training step of an operator whose kernel is the parameter: set_kernel, a forward pass, and a backward
/// pass to the input and, from zero, to the kernel. `set(op, ws)` calls set_kernel; `gradient` is a gradient,
/// and `as_gradient` makes of it what the operator accumulates into.
template <class Op, class Set, class Gradient, class AsGradient = std::identity>
Work step_of(Op op, Set set, Gradient gradient, AsGradient as_gradient = {}) {
    struct Data {
        Data(Op moved_op, Set moved_set, Gradient moved_gradient)
            : op(std::move(moved_op)), set(std::move(moved_set)), dkernel(std::move(moved_gradient)) {}
        Op op;
        Set set;
        Gradient dkernel;
        Array<float> x = random_array(op.length(), op.channels(), 1);
        Array<float> g = random_array(op.length(), op.channels(), 2);
        Array<float> y{op.length(), op.channels()};
        Array<float> dx{op.length(), op.channels()};
        typename Op::Cache cache;
        Workspace ws{op.required_workspace()};
    };
    const auto data = std::make_shared<Data>(std::move(op), std::move(set), std::move(gradient));
    const auto run = [data, as_gradient] {
        data->set(data->op, data->ws);
        data->op.forward(data->x, data->y, data->cache, data->ws);
        clear(data->dkernel);
        auto&& dkernel = as_gradient(data->dkernel);
        data->op.backward(data->x, data->cache, data->g, data->dx, views(dkernel), data->ws);
    };
    run();  // the workspace has the size of the kernel's evaluation then, too
    return {run, data->op.state_bytes(), data->ws.capacity()};
}

/// n·d·taps multiply-adds in registers.
Work fma_floor(const Shape& shape);

// One per file. Floors come first, so that each stands before the paths of its shape.
void add_floors(Cases& cases);
void add_dense(Cases& cases);
void add_fft(Cases& cases);
void add_causal_filter(Cases& cases);
void add_band(Cases& cases);
void add_ski(Cases& cases);
void add_band_ski(Cases& cases);
void add_spectral(Cases& cases);
void add_state_space(Cases& cases);
void add_position_mlp(Cases& cases);
void add_tno(Cases& cases);
void add_images(Cases& cases);
void add_block_floor(Cases& cases);
void add_block_tno(Cases& cases);
void add_block_fd(Cases& cases);
void add_block_ski(Cases& cases);
void add_linear_rows(Cases& cases);
void add_inference(Cases& cases);
void add_stream(Cases& cases);
void add_generate(Cases& cases);

}  // namespace toeplitz::bench
