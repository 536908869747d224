// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/certificate.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/approximation/choose.hpp>

namespace toeplitz::test {
namespace {

constexpr Index n = 90;

Matrix<double> typical_lags() {
    Matrix<double> lags(2 * n - 1, 10);
    const std::vector<NamedKernel> kernels = typical_kernels(n);
    for (Index c = 0; c < 10; ++c) lags.col(c) = lags_of(kernels[static_cast<std::size_t>(c)].value, n);
    return lags;
}

TEST(ApproximationTest, ItsOperatorIsWhatTheBoundIsAbout) {
    const Matrix<double> lags = typical_lags();
    const Matrix<double> x = random_matrix<double>(n, 10, 3);
    for (const auto& [b, rank] : {std::pair<Index, Index>{3, 0}, {-1, 20}, {3, 20}}) {
        const auto made = approximate(lags, {.half_width = b, .rank = rank});
        EXPECT_EQ(made.method(), b < 0 ? Method::ski : rank == 0 ? Method::band : Method::band_ski);
        const AnyOperator<double> op = made.make_operator(n);
        EXPECT_EQ(op.method(), made.method());
        const Matrix<double> y = op * x;
        const Matrix<double> dx = op.transpose() * x;
        for (Index c = 0; c < 10; ++c) {
            const Matrix<double> t =
                error_matrix(lags, {}, {}, c) - error_matrix(lags, made.taps, made.inducing, c);
            EXPECT_TRUE(near_all(y.col(c), t * x.col(c), 1e-11)) << c;
            EXPECT_TRUE(near_all(dx.col(c), t.transpose() * x.col(c), 1e-11)) << c;
        }
    }
}

TEST(ApproximationTest, OfSomeChannelsHasTheirError) {
    const Matrix<double> lags = typical_lags().middleCols(6, 2);
    const Approximation<double> exact{.lags = lags};
    EXPECT_EQ(exact.method(), Method::fft);
    EXPECT_EQ(exact.half_width(), n - 1);
    const AnyOperator<double> product = exact.make_operator(n);
    const auto close = approximate(lags, {.half_width = 2, .rank = 20});
    for (const Approximation<double>& made : {exact, close}) {
        ASSERT_EQ(made.channels(), 2);
        const AnyOperator<double> op = made.make_operator(n);
        const Vector<double> estimates = norm_estimate(Difference(product, op));
        const Vector<double> bounds = error_bound(lags, made);
        const Vector<double> sharp = dense_error_bound(lags, made);
        for (Index c = 0; c < 2; ++c) {
            const double expected = spectral_norm(error_matrix(lags, made.diagonals(), made.inducing, c));
            EXPECT_EQ(expected == 0, made.method() == Method::fft);
            EXPECT_TRUE(near(estimates(c), expected, 1e-3L * expected));
            EXPECT_LE(expected, sharp(c));
            EXPECT_LE(sharp(c), bounds(c));
            EXPECT_LE(bounds(c), 3 * expected + 1e-9);
        }
    }
}

TEST(ApproximationTest, RefusesPartsThatDoNotFit) {
    const Approximation<double> close = approximate(typical_lags(), {.half_width = 2, .rank = 20});
    const auto refuses = [](const Approximation<double>& made, Index length, const std::string& got) {
        expect_error<shape_error>(
            551,
            "[toeplitz.shape.551] Approximation::make_operator: expected taps of m×10, m odd, and "
            "inducing values of (2r−1)×10, r <= " +
                std::to_string(length) + ", or lags of " + std::to_string(2 * length - 1) + "×10, got " + got,
            [&] { static_cast<void>(made.make_operator(length)); });
    };
    refuses(close, 19, "5×10, 39×10 and 0×0");
    Approximation<double> made = close;
    made.taps = made.taps.topRows(4).eval();
    refuses(made, n, "4×10, 39×10 and 0×0");
    made = close;
    made.inducing = made.inducing.leftCols(9).eval();
    refuses(made, n, "5×10, 39×9 and 0×0");
    made = close;
    made.lags = typical_lags();
    refuses(made, n, "5×10, 39×10 and 179×10");
    refuses({.lags = typical_lags()}, n - 1, "0×0, 0×0 and 179×10");
    EXPECT_THROW(Approximation<double>{}.make_operator(n), config_error);
}

TEST(ApproximationTest, StateSpacesOfBothDirectionsAddUp) {
    Approximation<double> made;
    made.poles.resize(1, 2);
    made.poles << 0.5, 0;
    made.residues = made.poles;
    made.direct.resize(2, 1);
    made.direct << 3, 4;
    made.backward_poles.resize(1, 2);
    made.backward_poles << 0, 0.5;
    made.backward_residues.resize(1, 2);
    made.backward_residues << 8, 0;
    made.backward_direct = Matrix<double>::Zero(1, 1);
    EXPECT_EQ(made.method(), Method::two_sided);
    EXPECT_STREQ(name(made.method()), "two_sided");
    EXPECT_EQ(made.channels(), 1);
    EXPECT_EQ(made.modes(), 2);
    EXPECT_EQ(made.tap_count(), 3);
    Matrix<double> impulse = Matrix<double>::Zero(7, 1);
    impulse(3, 0) = 1;
    const Matrix<double> y = made.make_operator(7) * impulse;
    // Lags −3..3: Re 8 (0.5i)², Re 8 (0.5i), 8; 3, 4; 0.5, 0.25.
    EXPECT_EQ(y, (Vector<double>{{-2, 0, 8, 3, 4, 0.5, 0.25}}));
    EXPECT_THROW(error_bound(Matrix<double>(Matrix<double>::Zero(13, 1)), made), shape_error);
    Approximation<double> other = made;
    EXPECT_TRUE(other.has_shape_of(made));
    other.backward_direct = Matrix<double>::Zero(2, 1);
    EXPECT_FALSE(other.has_shape_of(made));
    made.direct.resize(0, 1);
    EXPECT_THROW(made.make_operator(7), shape_error);
}

TEST(ApproximationTest, AStateSpaceHasRealAndImaginaryPartsSideBySide) {
    Approximation<float> made;
    made.poles.resize(2, 4);
    made.poles << 0.5F, 0, 0.25F, 0.75F, -0.5F, 0.5F, 0, 0;
    made.residues = 2 * made.poles;
    made.direct.resize(1, 2);
    made.direct << 3, 4;
    EXPECT_EQ(made.method(), Method::state_space);
    EXPECT_EQ(made.channels(), 2);
    EXPECT_EQ(made.modes(), 2);
    EXPECT_EQ(made.kernel().state_space.poles(0, 1), std::complex<float>(0.25F, 0.75F));
    const Matrix<float> impulse = Matrix<float>::Identity(3, 1) * Matrix<float>::Ones(1, 2);
    const Matrix<float> y = made.make_operator(3) * impulse;
    EXPECT_EQ(y(0, 0), 3);
    EXPECT_EQ(y(1, 0), 0);   // 1 − 1
    EXPECT_EQ(y(2, 1), -1);  // Re 2 (0.25 + 0.75i)²
    const Matrix<float> lags = Matrix<float>::Zero(5, 2);
    expect_error<shape_error>(
        551,
        "[toeplitz.shape.551] error_bound: expected taps, inducing values or lags, got a "
        "state space: see state_space_bound",
        [&] { error_bound(lags, made); });
    made.residues.resize(2, 3);
    expect_error<shape_error>(
        551,
        "[toeplitz.shape.551] Approximation::make_operator: expected poles and residues of "
        "s×4, direct of m×2 and nothing else, got 2×4, 2×3 and 1×2",
        [&] { made.make_operator(3); });
    made.residues.resize(2, 4);
    made.residues.setZero();
    made.taps = Matrix<float>::Zero(1, 2);
    EXPECT_THROW(made.make_operator(3), shape_error);
}

}  // namespace
}  // namespace toeplitz::test
