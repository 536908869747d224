// SPDX-License-Identifier: MIT
// The exact product with FFTW as its engine.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/planning.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/fftw_convolution.hpp>
#include <toeplitz/operators/fft.hpp>

namespace toeplitz::test {
namespace {

using FftwFft = Fft<float, Causality::bidirectional, FftwConvolution<float>>;

TEST(FftwEngineTest, ComputesWhatTheTreeDoes) {
    for (const Index n : {65, 127, 300}) {
        const Index d = 3;
        const Matrix<float> kernel = random_matrix<float>(2 * n - 1, d, 1);
        const Matrix<float> x = random_matrix<float>(n, d, 2);
        const Matrix<float> g = random_matrix<float>(n, d, 3);
        const FftOptions options{.length = n, .channels = d};
        const FftwFft fftw(options, kernel);
        const Fft<float> tree(options, kernel);
        const long double tolerance = 2 * transform_error(2 * n) * unit<float> * norm(kernel) * norm(x);
        EXPECT_TRUE(near_all(fftw * x, tree * x, tolerance));
        EXPECT_TRUE(near_all(fftw.transpose() * x, tree.transpose() * x, tolerance));
        Workspace ws;
        Matrix<float> fftw_gradient = Matrix<float>::Zero(2 * n - 1, d);
        Matrix<float> tree_gradient = fftw_gradient;
        fftw.accumulate_kernel_gradient(x, g, fftw_gradient, ws);
        tree.accumulate_kernel_gradient(x, g, tree_gradient, ws);
        EXPECT_TRUE(near_all(fftw_gradient, tree_gradient,
                             2 * transform_error(2 * n) * unit<float> * norm(g) * norm(x)));
    }
}

TEST(FftwEngineTest, FailedPlansAreErrors) {
    set_planner_effort(PlannerEffort::wisdom_only);
    expect_error<plan_error>(
        301,
        "[toeplitz.plan.301] FftwPlan: expected a float plan of 1050 points, got none in the loaded wisdom",
        [] { FftwFft({.length = 1031, .channels = 1}); });
    set_planner_effort(PlannerEffort::estimate);
    expect_error<config_error>(
        202, "[toeplitz.config.202] smooth_even_size: expected a transform size below 2^31, got 4294967296",
        [] { FftwFft({.length = Index{1} << 32, .channels = 1}); });
}

}  // namespace
}  // namespace toeplitz::test
