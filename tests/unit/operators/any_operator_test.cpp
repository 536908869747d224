// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>

#include <toeplitz/operators/any_operator.hpp>

namespace toeplitz::test {
namespace {

static_assert(ToeplitzOperator<AnyOperator<float>> && ToeplitzOperator<AnyOperator<double>>);

constexpr Index n = 90;
constexpr Index d = 10;

/// Kernels of all methods in their order, and the operators that they are for.
struct AnyOperatorTest : testing::Test {
    Matrix<double> taps = random_matrix<double>(7, d, 1);
    Matrix<double> inducing = random_matrix<double>(2 * 20 - 1, d, 2);
    Matrix<double> lags = random_matrix<double>(2 * n - 1, d, 3);
    Fft<double> fft{{.length = n, .channels = d}, lags};
    Band<double> band{{.length = n, .channels = d, .taps = 7}, taps};
    Ski<double> ski{{.length = n, .channels = d, .rank = 20}, inducing};
    OwnedStateSpace<double> modes = random_state_space<double>(3, d, 7);
    OwnedStateSpace<double> others = random_state_space<double>(2, d, 8, 0.9, 4);
    StateSpace<double> state_space{{.length = n, .channels = d, .modes = 3}, modes.views()};
    StateSpace<double> with_taps{{.length = n, .channels = d, .modes = 2, .taps = 4}, others.views()};
    StateSpace<double, Direction::adjoint> backward{{.length = n, .channels = d, .modes = 3}, modes.views()};

    template <class F>
    void for_all(F&& f) {
        f(AnyOperator<double>(n, {.lags = lags}), fft, Method::fft);
        f(AnyOperator<double>(n, {.taps = taps}), band, Method::band);
        f(AnyOperator<double>(n, {.inducing = inducing}), ski, Method::ski);
        f(AnyOperator<double>(n, {.taps = taps, .inducing = inducing}), band + ski, Method::band_ski);
        f(AnyOperator<double>(n, {.state_space = modes.views()}), state_space, Method::state_space);
        f(AnyOperator<double>(n, {.state_space = others.views()}), with_taps, Method::state_space);
        f(AnyOperator<double>(n, {.state_space = others.views(), .backward = modes.views()}),
          with_taps + backward, Method::two_sided);
    }
};

TEST_F(AnyOperatorTest, IsTheOperatorOfItsKernel) {
    const Matrix<double> x = random_matrix<double>(2 * n, d, 4);
    const Index lengths[] = {n, n - 9};
    for_all([&](const auto& any, const auto& op, Method method) {
        EXPECT_EQ(any.method(), method);
        EXPECT_EQ(any.length(), n);
        EXPECT_EQ(any.channels(), d);
        EXPECT_EQ(any.state_bytes(), op.state_bytes());
        EXPECT_EQ(any.required_workspace(2, Layout::strided), op.required_workspace(2, Layout::strided));
        const auto same = [&](auto&& product) {
            Matrix<double> y = x.reverse();
            Matrix<double> expected = y;
            product(any, y);
            product(op, expected);
            EXPECT_EQ(y, expected) << name(method);
        };
        Workspace ws;
        same([&](const auto& t, auto& y) { t.apply(x, y, ws, {n, lengths}); });
        same([&](const auto& t, auto& y) { t.accumulate(x, y, ws, {n, lengths}); });
        same([&](const auto& t, auto& y) { t.apply_adjoint(x, y, ws, {n, lengths}); });
        same([&](const auto& t, auto& y) { t.accumulate_adjoint(x, y, ws, {n, lengths}); });
        same([&](const auto& t, auto& y) { transpose(t).apply(x, y, ws, {n, lengths}); });
    });
}

TEST_F(AnyOperatorTest, TakesKernelsAndGivesTheirGradients) {
    const Matrix<double> x = random_matrix<double>(n, d, 5);
    const Matrix<double> g = random_matrix<double>(n, d, 6);
    for_all([&](auto any, auto op, Method method) {
        Workspace ws;
        // All numbers of a kernel, one operator's after the other's.
        const auto gradient = [&](auto& t, Matrix<double>& y, Matrix<double>& dx) {
            ws.reserve(t.kernel_workspace());
            Workspace::Scope scope(ws);
            auto values = t.take_kernel(scope);
            set_kernel_zero(values);
            typename std::remove_reference_t<decltype(t)>::Cache cache;
            t.forward(x, y, cache, ws);
            t.backward(x, cache, g, dx, values, ws);
            t.set_kernel(values, ws);
            return t * MatrixView<const double>(x);
        };
        Matrix<double> y(n, d), dx(n, d), expected_y(n, d), expected_dx(n, d);
        const Matrix<double> after = gradient(any, y, dx);
        const Matrix<double> expected = gradient(op, expected_y, expected_dx);
        EXPECT_EQ(y, expected_y) << name(method);
        EXPECT_EQ(dx, expected_dx) << name(method);
        EXPECT_EQ(after, expected) << name(method);
        EXPECT_GT(after.norm(), 1);
    });
}

TEST_F(AnyOperatorTest, RefusesAKernelOfOtherShapes) {
    AnyOperator<double> op(n, {.taps = taps, .inducing = inducing});
    Workspace ws;
    expect_error<shape_error>(501,
                              "[toeplitz.shape.501] Band::set_kernel: expected a kernel of 7×10, got 0×0",
                              [&] { op.set_kernel({.inducing = inducing}, ws); });
    EXPECT_THROW(AnyOperator<double>(n, {.taps = taps.topRows(4)}), config_error);
    EXPECT_THROW(AnyOperator<double>(n, {.lags = taps}), shape_error);
}

}  // namespace
}  // namespace toeplitz::test
