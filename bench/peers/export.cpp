// SPDX-License-Identifier: MIT

/// \file
/// Prints what the operators of this library compute on a small case, as JSON, for compare.py to hold against
/// PyTorch: x, y = T x, g, dx = Tᵀ g, the parameters and their gradients.

#include <cstdio>
#include <string>

#include <toeplitz/nn/tno.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::bench {
namespace {

// Transforms, not the direct product of short sequences, and no power of two.
constexpr Index n = 200;
constexpr Index d = 6;
constexpr Index taps = 33;
constexpr Index rank = 64;

template <class T>
Matrix<T> random_matrix(Index rows, Index cols, std::uint64_t seed) {
    const CounterRandom random(seed);
    Matrix<T> result(rows, cols);
    constexpr Index reals = sizeof(T) / sizeof(float);
    auto* numbers = reinterpret_cast<float*>(result.data());
    for (Index i = 0; i < result.size() * reals; ++i) {
        numbers[i] = static_cast<float>(random.uniform(static_cast<std::uint64_t>(i), -1.0, 1.0));
    }
    return result;
}

/// One case: {"path": …, "tensors": {name: {"shape": […], "values": […]}}}.
class Printer {
public:
    explicit Printer(const char* path) {
        std::printf("%s{\"path\": \"%s\", \"tensors\": {", started ? ",\n" : "", path);
        started = true;
    }
    ~Printer() { std::printf("}}"); }
    Printer(const Printer&) = delete;
    Printer& operator=(const Printer&) = delete;

    template <class Tensor>
    void add(const std::string& name, const Tensor& tensor) {
        // Complex numbers as pairs of columns.
        constexpr Index reals = sizeof(typename Tensor::Scalar) / sizeof(float);
        std::printf("%s\"%s\": {\"shape\": [%td, %td], \"values\": [", first_ ? "" : ", ", name.c_str(),
                    tensor.rows(), tensor.cols() * reals);
        first_ = false;
        const auto* numbers = reinterpret_cast<const float*>(tensor.data());
        for (Index i = 0; i < tensor.size() * reals; ++i) {
            std::printf("%s%.9g", i == 0 ? "" : ", ", static_cast<double>(numbers[i]));
        }
        std::printf("]}");
    }

private:
    static inline bool started = false;
    bool first_ = true;
};

struct Sides {
    Matrix<float> x = random_matrix<float>(n, d, 1);
    Matrix<float> g = random_matrix<float>(n, d, 2);
    Matrix<float> y{n, d};
    Matrix<float> dx{n, d};

    void print(Printer& printer) const {
        printer.add("x", x);
        printer.add("g", g);
        printer.add("y", y);
        printer.add("dx", dx);
    }
};

/// Products and kernel gradient of an operator that has its kernel.
template <class Op, class Gradient>
Sides run(const Op& op, const Gradient& gradient) {
    Sides sides;
    Workspace ws;
    typename Op::Cache cache;
    op.forward(sides.x, sides.y, cache, ws);
    op.backward(sides.x, cache, sides.g, sides.dx, gradient, ws);
    return sides;
}

template <class Op>
void print_operator(const char* path, Op op, Index kernel_rows) {
    using Kernel = Matrix<typename Op::Kernel::Scalar>;
    const Kernel kernel = random_matrix<typename Op::Kernel::Scalar>(kernel_rows, d, 3);
    op.set_kernel(kernel);
    Kernel gradient = Kernel::Zero(kernel.rows(), kernel.cols());
    const Sides sides = run(op, typename Op::KernelValues(gradient));
    Printer printer(path);
    sides.print(printer);
    printer.add("kernel", kernel);
    printer.add("dkernel", gradient);
}

void print_band_ski() {
    const Matrix<float> band = random_matrix<float>(taps, d, 3);
    const Matrix<float> inducing = random_matrix<float>(2 * rank - 1, d, 4);
    const auto op = Band<float>({.length = n, .channels = d, .taps = taps}, band) +
                    Ski<float>({.length = n, .channels = d, .rank = rank}, inducing);
    std::pair<Matrix<float>, Matrix<float>> gradient(Matrix<float>::Zero(taps, d),
                                                     Matrix<float>::Zero(2 * rank - 1, d));
    using Values = decltype(op)::KernelValues;
    const Sides sides = run(op, Values(gradient.first, gradient.second));
    Printer printer("BandSki");
    sides.print(printer);
    printer.add("kernel", band);
    printer.add("inducing", inducing);
    printer.add("dkernel", gradient.first);
    printer.add("dinducing", gradient.second);
}

template <Causality causality>
void print_tno(const char* path) {
    const Tno<float, causality> tno(TnoOptions{.channels = d, .mlp = {.width = 64}});
    const auto parameters = tno.make_parameters(5);
    auto gradients = zeros_like(parameters);
    typename Tno<float, causality>::Cache cache;
    Sides sides;
    Workspace ws;
    tno.forward(parameters, sides.x, Sequences{n}, sides.y, cache, ws);
    tno.backward(parameters, sides.x, cache, sides.g, sides.dx, gradients, ws);
    Printer printer(path);
    sides.print(printer);
    for_each_parameter(
        [&](const ParameterName& name, const auto& value, const auto& gradient) {
            printer.add(name.text(), value);
            printer.add(detail::text("d", name.text()), gradient);
        },
        parameters, gradients);
}

}  // namespace
}  // namespace toeplitz::bench

int main() {
    using namespace toeplitz;
    using namespace toeplitz::bench;
    std::printf("[");
    print_operator("Fft", Fft<float>({.length = n, .channels = d}), 2 * n - 1);
    const CausalSpectral<float> hilbert({.length = n, .channels = d});
    print_operator("Hilbert", hilbert, hilbert.frequencies());
    const BidirectionalSpectral<float> spectral({.length = n, .channels = d});
    print_operator("SpectralBidirectional", spectral, spectral.frequencies());
    const Matrix<float> zero = Matrix<float>::Zero(taps, d);
    print_operator("Band", Band<float>({.length = n, .channels = d, .taps = taps}, zero), taps);
    print_band_ski();
    print_tno<Causality::bidirectional>("TnoBidirectional");
    print_tno<Causality::causal>("TnoCausal");
    std::printf("]\n");
}
