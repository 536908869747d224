// SPDX-License-Identifier: MIT
#include <toeplitz/operators/fft_2d.hpp>

#include <cmath>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

constexpr Index planes = 3;  // channels

/// f(row of x, row of y, row of the kernel) for all pairs of valid pixels.
template <class F>
void for_pixel_pairs(Index height, Index width, const Sequences& images, F&& f) {
    const auto is_counted = [&](Index b, Index step) {
        bool counted = false;
        images.for_valid_runs(b, [&](Index first, Index count) {
            counted = counted || (step >= first && step < first + count);
        });
        return counted;
    };
    for (Index b = 0; b < images.batch(); ++b) {
        for (Index to = 0; to < height * width; ++to) {
            for (Index from = 0; from < height * width; ++from) {
                if (!is_counted(b, to) || !is_counted(b, from)) continue;
                const Index down = to / width - from / width;
                const Index right = to % width - from % width;
                f(b * height * width + from, b * height * width + to,
                  (down + height - 1) * (2 * width - 1) + right + width - 1);
            }
        }
    }
}

TEST(Fft2dTest, SumsOverBothLagsForwardAndBackward) {
    const std::vector<Index> heights = {2, 4};
    const std::vector<Index> widths = {5, 1};
    const std::vector<Index> prefix = {13, 2};
    struct Shape {
        Index height, width;
    };
    for (const auto [height, width] : {Shape{4, 5}, Shape{1, 6}, Shape{7, 1}, Shape{9, 11}}) {
        const Index n = height * width;
        const Matrix<double> kernel = random_matrix<double>((2 * height - 1) * (2 * width - 1), planes, 1);
        const Fft2d<double> op({.height = height, .width = width, .channels = planes}, kernel);
        EXPECT_EQ(op.height(), height);
        std::vector<Sequences> frames = {Sequences::images(height, width)};
        if (height == 4) {
            frames.push_back(Sequences::images(height, width, heights, widths));
            frames.push_back(Sequences(n, prefix));
        }
        for (const Sequences& given : frames) {
            Matrix<double> x = random_matrix<double>(2 * n, planes, 2);
            Matrix<double> g = random_matrix<double>(2 * n, planes, 3);
            const Sequences images = given.within(2 * n, n, "test");
            Matrix<long double> y = Matrix<long double>::Zero(2 * n, planes);
            Matrix<long double> dx = Matrix<long double>::Zero(2 * n, planes);
            Matrix<long double> dk = Matrix<long double>::Zero(kernel.rows(), planes);
            for_pixel_pairs(height, width, images, [&](Index from, Index to, Index lag) {
                for (Index c = 0; c < planes; ++c) {
                    y(to, c) += static_cast<long double>(kernel(lag, c)) * x(from, c);
                    dx(from, c) += static_cast<long double>(kernel(lag, c)) * g(to, c);
                    dk(lag, c) += static_cast<long double>(g(to, c)) * x(from, c);
                }
            });
            // Norms of sums over n pixels of normal numbers; transforms of up to 4n points, thrice.
            const long double tolerance = 3 * transform_error(8 * n) * unit<double>;
            Fft2d<double>::Cache cache;
            Workspace ws;
            ws.reserve(op.required_workspace(2));
            Matrix<double> out(2 * n, planes);
            Matrix<double> dout(2 * n, planes);
            Matrix<double> dkernel = Matrix<double>::Zero(kernel.rows(), planes);
            op.forward(x, out, cache, ws, given);
            op.backward(x, cache, g, dout, dkernel, ws, given);
            EXPECT_LE(ws.most_used(), op.required_workspace(2));
            EXPECT_LE(relative_error(out, y), tolerance);
            EXPECT_LE(relative_error(dout, dx), tolerance);
            EXPECT_LE(relative_error(dkernel, dk), tolerance);
            op.apply(x, out, ws, given);
            op.accumulate(x, out, ws, given);
            op.apply_adjoint(g, dout, ws, given);
            op.accumulate_kernel_gradient(x, g, dkernel, ws, given);
            EXPECT_LE(relative_error(out, (2 * y).eval()), tolerance);
            EXPECT_LE(relative_error(dout, dx), tolerance);
            EXPECT_LE(relative_error(dkernel, (2 * dk).eval()), tolerance);
        }
    }
}

TEST(Fft2dErrors, SayWhatDoesNotFit) {
    expect_error<config_error>(201, "[toeplitz.config.201] Fft2d: expected width >= 1, got 0",
                               [] { Fft2d<double>({.height = 2, .width = 0, .channels = 1}); });
    Fft2d<double> op({.height = 2, .width = 3, .channels = 1});
    expect_error<shape_error>(501,
                              "[toeplitz.shape.501] Fft::set_kernel: expected a kernel of 15×1, got 11×1",
                              [&] { op.set_kernel(Matrix<double>(Matrix<double>::Zero(11, 1))); });
}

}  // namespace
}  // namespace toeplitz::test
