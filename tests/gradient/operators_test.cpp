// SPDX-License-Identifier: MIT
// Gradients against central differences, and the identities that tie them to the product.

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

using M = Matrix<double>;

constexpr Index channels = 2;
constexpr Index batch = 2;

class OperatorGradients : public testing::Test {
protected:
    template <class F>
    static void for_all(F&& f) {
        for (const Kind kind : all_kinds) {
            for (const Index n : {1, 2, 9, 70}) {
                const Spec spec{.kind = kind, .length = n, .channels = channels};
                SCOPED_TRACE(text(spec));
                f(*make_operator<double>(spec));
                if (testing::Test::HasFailure()) return;
            }
        }
    }

    static M sequences(const AnyOperator<double>& model, std::uint64_t seed) {
        return random_matrix<double>(batch * model.length(), channels, seed);
    }

    static double dot(const M& a, const M& b) { return (a.array() * b.array()).sum(); }

    /// Tolerance of a number computed by products and sums as large as this.
    static double tolerance(const AnyOperator<double>& model, double scale) {
        return static_cast<double>(4 * transform_error(2 * model.length()) * unit<double>) * scale;
    }

    /// ‖k‖ ‖x‖ ‖g‖, with every weight of the operators at most 2.
    static double scale(const AnyOperator<double>& model, const M& x, const M& g) {
        return 2 * model.kernel().norm() * x.norm() * g.norm() *
               std::sqrt(static_cast<double>(model.length()));
    }

    // ⟨g, T x⟩ is linear in the kernel and in x, so a difference has no truncation error at any step; one of
    // 1 leaves the rounding of two products.
    static constexpr double step = 1;
};

TEST_F(OperatorGradients, KernelGradientIsTheDifferenceQuotient) {
    for_all([&](const AnyOperator<double>& model) {
        const M x = sequences(model, 1);
        const M g = sequences(model, 2);
        const M gradient = model.gradient(x, g);
        const auto moved = model.clone();
        M kernel = model.kernel();
        ASSERT_EQ(gradient.rows(), kernel.rows());
        for (Index p = 0; p < kernel.rows(); ++p) {
            for (Index c = 0; c < channels; ++c) {
                const double centre = kernel(p, c);
                kernel(p, c) = centre + step;
                moved->set_kernel(kernel);
                const double above = dot(g, moved->apply(x));
                kernel(p, c) = centre - step;
                moved->set_kernel(kernel);
                const double below = dot(g, moved->apply(x));
                kernel(p, c) = centre;
                EXPECT_NEAR(gradient(p, c), (above - below) / (2 * step),
                            tolerance(model, scale(model, x, g) + x.norm() * g.norm()))
                    << "parameter " << p << ", channel " << c;
            }
        }
    });
}

TEST_F(OperatorGradients, InputGradientIsTheDifferenceQuotient) {
    for_all([&](const AnyOperator<double>& model) {
        M x = sequences(model, 3);
        const M g = sequences(model, 4);
        const M gradient = model.adjoint(g);
        for (Index i = 0; i < x.rows(); ++i) {
            for (Index c = 0; c < channels; ++c) {
                const double centre = x(i, c);
                x(i, c) = centre + step;
                const double above = dot(g, model.apply(x));
                x(i, c) = centre - step;
                const double below = dot(g, model.apply(x));
                x(i, c) = centre;
                EXPECT_NEAR(gradient(i, c), (above - below) / (2 * step),
                            tolerance(model, scale(model, x, g)))
                    << "row " << i << ", channel " << c;
            }
        }
    });
}

TEST_F(OperatorGradients, KernelTimesItsGradientIsTheInnerProduct) {
    for_all([&](const AnyOperator<double>& model) {
        const M x = sequences(model, 5);
        const M g = sequences(model, 6);
        EXPECT_NEAR(dot(model.gradient(x, g), model.kernel()), dot(g, model.apply(x)),
                    tolerance(model, scale(model, x, g)));
    });
}

TEST_F(OperatorGradients, InputTimesItsGradientIsTheInnerProduct) {
    for_all([&](const AnyOperator<double>& model) {
        const M x = sequences(model, 7);
        const M g = sequences(model, 8);
        EXPECT_NEAR(dot(model.adjoint(g), x), dot(g, model.apply(x)), tolerance(model, scale(model, x, g)));
    });
}

TEST_F(OperatorGradients, GradientOfAllLagsSumsToTheProductOfTheSums) {
    // Every pair of time steps has exactly one lag; the weights of an interpolation sum to 1.
    for (const Kind kind : {Kind::dense, Kind::fft, Kind::ski}) {
        for (const Index n : {1, 2, 9, 70, 200}) {
            const Spec spec{.kind = kind, .length = n, .channels = channels};
            SCOPED_TRACE(text(spec));
            const auto model = make_operator<double>(spec);
            const M x = random_matrix<double>(n, channels, 9);
            const M g = random_matrix<double>(n, channels, 10);
            const M gradient = model->gradient(x, g);
            for (Index c = 0; c < channels; ++c) {
                EXPECT_NEAR(gradient.col(c).sum(), g.col(c).sum() * x.col(c).sum(),
                            tolerance(*model, x.norm() * g.norm()) * std::sqrt(static_cast<double>(2 * n)));
            }
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
