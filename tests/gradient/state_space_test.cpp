// SPDX-License-Identifier: MIT
/// \file
/// Gradients with respect to poles, in which a state space is not linear.

#include <support/gradient_check.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>

#include <toeplitz/operators/state_space.hpp>

namespace toeplitz::test {
namespace {

TEST(StateSpaceGradientTest, AgreesWithDifferences) {
    for (const Index n : {1, 2, 9, 70}) {
        for (const Index modes : {1, 3}) {
            const Index d = 2;
            const std::vector<Index> lengths = {n, n - n / 3};
            const Index taps = modes;
            auto kernel = random_state_space<double>(modes, d, 1, 0.9, taps);
            StateSpace<double> op({.length = n, .channels = d, .modes = modes, .taps = taps}, kernel.views());
            Matrix<double> x = random_matrix<double>(2 * n, d, 2) / (2 * n);
            const Matrix<double> g = random_matrix<double>(2 * n, d, 3);
            Matrix<double> y(2 * n, d);
            Workspace ws;
            const auto loss = [&] {
                op.set_kernel(kernel.views(), ws);
                op.apply(x, y, ws, lengths);
                return y.cwiseProduct(g).sum();
            };
            auto gradient = zero_state_space<double>(modes, d, taps);
            Matrix<double> dx(2 * n, d);
            NoCache cache;
            op.forward(x, y, cache, ws, lengths);
            op.backward(x, cache, g, dx, gradient.views(), ws, lengths);

            const auto expect = [&](auto& complex, const auto& sums, const char* name) {
                // Real and imaginary parts as neighbours.
                const auto parts = [](auto& values) {
                    return Eigen::Map<Matrix<double>>(reinterpret_cast<double*>(values.data()), values.rows(),
                                                      2 * values.cols());
                };
                auto numbers = parts(complex);
                auto copy = sums;
                expect_gradient(numbers, parts(copy), name, loss);
            };
            expect(kernel.poles, gradient.poles, "poles");
            expect(kernel.residues, gradient.residues, "residues");
            expect_gradient(kernel.direct, gradient.direct, "direct", loss);
            expect_gradient(x, dx, "x", loss);
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
