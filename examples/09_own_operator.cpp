// SPDX-License-Identifier: MIT
// An operator of one's own, a differentiator, added to an operator of the library. The product and the
// transposed product of the sum have to fit each other.
#include <cstdio>

#include <toeplitz/toeplitz.hpp>

using namespace toeplitz;

/// y_i = k ⊙ (x_i − x_{i−1}). Kernel: 1 × d, a factor per channel.
///
/// The base checks x and y, copies strided ones, clears padding; what is left is the kernel's own check, the
/// product on rows, its adjoint, and the gradient of the kernel.
class Differentiator : public Operator<Differentiator, double> {
public:
    using Kernel = MatrixView<const double>;  // what set_kernel takes
    using KernelValues = MatrixView<double>;  // the same, writable
    using Cache = NoCache;                    // backward needs nothing but x
    static constexpr const char* name = "Differentiator";

    Differentiator(Index length, Index channels)
        : Operator(length, channels), factors_(Matrix<double>::Zero(1, channels)) {}

    KernelValues take_kernel(Workspace::Scope& scope) const { return scope.matrix<double>(1, channels()); }
    std::size_t kernel_workspace() const { return 0; }
    std::size_t state_bytes() const { return static_cast<std::size_t>(factors_.size()) * sizeof(double); }

    // For the base, on rows whose channels are neighbours.
    void assign_kernel(Kernel kernel, Workspace&) {
        require_kernel_shape(kernel, 1, channels(), name);
        require_finite(kernel, name, "row", 0);
        factors_ = kernel.eigen();
    }
    std::size_t product_workspace(Index /*batch*/) const { return 0; }
    std::size_t gradient_workspace(Index /*batch*/) const { return 0; }

    template <Direction direction, Update update>
    void product(MatrixView<const double> x, MatrixView<double> y, const Sequences& sequences,
                 Workspace&) const {
        for (Index b = 0; b < sequences.batch(); ++b) {
            const auto xs = sequences.of(x, b).eigen();
            auto ys = sequences.of(y, b).eigen();
            const Index n = sequences.valid(b);
            for (Index i = 0; i < n; ++i) {
                // Tᵀ looks at the later neighbour where T looks at the earlier one.
                const Index other = direction == Direction::forward ? i - 1 : i + 1;
                for (Index c = 0; c < channels(); ++c) {
                    const double neighbour = other >= 0 && other < n ? xs(other, c) : 0;
                    const double value = factors_(0, c) * (xs(i, c) - neighbour);
                    ys(i, c) = update == Update::add ? ys(i, c) + value : value;
                }
            }
        }
    }

    void kernel_gradient(MatrixView<const double> x, MatrixView<const double> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace&) const {
        require_kernel_shape(dkernel, 1, channels(), name);
        for (Index b = 0; b < sequences.batch(); ++b) {
            const auto xs = sequences.of(x, b).eigen();
            const auto gs = sequences.of(g, b).eigen();
            for (Index i = 0; i < sequences.valid(b); ++i) {
                for (Index c = 0; c < channels(); ++c) {
                    dkernel(0, c) += gs(i, c) * (xs(i, c) - (i > 0 ? xs(i - 1, c) : 0));
                }
            }
        }
    }

private:
    Matrix<double> factors_;
};

static_assert(ToeplitzOperator<Differentiator>);

int main() {
    const Index n = 1000, d = 2;
    Differentiator difference(n, d);
    difference.set_kernel(Matrix<double>::Constant(1, d, 0.5).eval());

    // A smooth kernel of the library's, and both in one operator.
    Matrix<double> kernel(2 * n - 1, d);
    for (Index t = 1 - n; t < n; ++t)
        kernel.row(t + n - 1).setConstant(0.01 / (1.0 + 0.1 * static_cast<double>(t * t)));
    const auto op = difference + Fft<double>({.length = n, .channels = d}, kernel);

    const Matrix<double> x = Matrix<double>::Random(n, d);
    const Matrix<double> g = Matrix<double>::Random(n, d);
    const Matrix<double> y = op * x;
    const Matrix<double> back = op.transpose() * g;
    std::printf("<g, T x> - <T' g, x> = %.0e\n",
                std::abs(g.cwiseProduct(y).sum() - back.cwiseProduct(x).sum()));
}
