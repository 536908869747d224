// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/spectral.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class SpectralTest : public testing::Test {};

TYPED_TEST_SUITE(SpectralTest, Scalars);

TYPED_TEST(SpectralTest, EqualsTheDenseOperatorOfItsLagsOnAnyGrid) {
    using S = TypeParam;
    for (const Kind kind : {Kind::spectral, Kind::spectral_causal}) {
        for (const auto& [n, grid] : std::vector<std::pair<Index, Index>>{{1, 1},
                                                                          {1, 2},
                                                                          {1, 3},
                                                                          {2, 3},
                                                                          {2, 4},
                                                                          {9, 17},
                                                                          {9, 18},
                                                                          {9, 19},
                                                                          {9, 64},
                                                                          {70, 139},
                                                                          {70, 140}}) {
            const Spec spec{.kind = kind, .length = n, .channels = 2, .grid = grid};
            SCOPED_TRACE(text(spec));
            const auto model = make_operator<S>(spec);
            const Matrix<S> x = random_matrix<S>(n, 2, 2);
            const Matrix<S> g = random_matrix<S>(n, 2, 3);
            const LongMatrix kernel = model->kernel().template cast<long double>();
            const LongMatrix long_x = x.template cast<long double>();
            const Reference y = model->oracle().product(Direction::forward, kernel, long_x, {}, unit<S>);
            EXPECT_TRUE(near_each(model->apply(x), y.value, y.tolerance));
            const Reference dk =
                model->oracle().gradient(long_x, g.template cast<long double>(), {}, unit<S>);
            EXPECT_TRUE(near_each(model->gradient(x, g), dk.value, dk.tolerance));
        }
    }
}

TYPED_TEST(SpectralTest, DefaultGridIsSmoothAndWideEnough) {
    using S = TypeParam;
    for (const Index n : {1, 2, 50, 101, 129}) {
        const CausalSpectral<S> causal({.length = n, .channels = 1});
        EXPECT_EQ(causal.grid(), default_frequency_grid(n));
        EXPECT_GE(causal.grid(), 2 * n - 1);
        EXPECT_EQ(causal.grid() % 2, 0);
        EXPECT_EQ(causal.frequencies(), causal.grid() / 2 + 1);
        EXPECT_EQ(causal.causality(), Causality::causal);
        EXPECT_EQ(BidirectionalSpectral<S>::causality(), Causality::bidirectional);
    }
}

TYPED_TEST(SpectralTest, FlatResponseIsTheIdentity) {
    using S = TypeParam;
    for (const Index n : {20, 100}) {
        const Matrix<S> x = random_matrix<S>(n, 2, 4);
        const CausalSpectral<S> causal({.length = n, .channels = 2},
                                       Matrix<S>::Ones(default_frequency_grid(n) / 2 + 1, 2).eval());
        const BidirectionalSpectral<S> both(
            {.length = n, .channels = 2},
            Matrix<std::complex<S>>::Ones(default_frequency_grid(n) / 2 + 1, 2).eval());
        const long double tolerance = 2 * transform_error(2 * n) * unit<S> * norm(x);
        EXPECT_TRUE(near_all(causal * x, x, tolerance));
        EXPECT_TRUE(near_all(both * x, x, tolerance));
    }
}

TYPED_TEST(SpectralTest, ImaginaryPartsAtZeroAndAtPiDoNotCount) {
    using S = TypeParam;
    const Index n = 30;
    const Matrix<S> x = random_matrix<S>(n, 1, 5);
    for (const Index grid : {59, 60}) {
        Matrix<std::complex<S>> response(grid / 2 + 1, 1);
        response.real() = random_matrix<S>(grid / 2 + 1, 1, 6);
        response.imag() = random_matrix<S>(grid / 2 + 1, 1, 7);
        const SpectralOptions options{.length = n, .channels = 1, .grid = grid};
        const Matrix<S> y = BidirectionalSpectral<S>(options, response) * x;
        response(0, 0).imag(S(5));
        EXPECT_TRUE(same_bits(BidirectionalSpectral<S>(options, response) * x, y));
        response(grid / 2, 0).imag(S(5));
        const bool same = static_cast<bool>(same_bits(BidirectionalSpectral<S>(options, response) * x, y));
        EXPECT_EQ(same, grid % 2 == 0) << "an odd grid has no frequency at pi";
    }
}

TYPED_TEST(SpectralTest, KernelsAndGradientsMayHaveAnyStrides) {
    using S = TypeParam;
    using Complex = std::complex<S>;
    const Index n = 90;
    const Index d = 3;
    const SpectralOptions options{.length = n, .channels = d};
    const Index rows = default_frequency_grid(n) / 2 + 1;
    Matrix<Complex> response(rows, d);
    response.real() = random_matrix<S>(rows, d, 8);
    response.imag() = random_matrix<S>(rows, d, 9);
    const ColumnMatrix<Complex> column = response;
    const Matrix<S> x = random_matrix<S>(n, d, 10);
    const BidirectionalSpectral<S> op(options, response);
    EXPECT_TRUE(same_bits(BidirectionalSpectral<S>(options, column) * x, op * x));

    Workspace ws;
    Matrix<Complex> gradient = response;
    ColumnMatrix<Complex> column_gradient = response;
    op.accumulate_kernel_gradient(x, x, gradient, ws);
    op.accumulate_kernel_gradient(x, x, column_gradient, ws);
    EXPECT_TRUE(same_bits(column_gradient.real(), gradient.real()));
    EXPECT_TRUE(same_bits(column_gradient.imag(), gradient.imag()));
}

TYPED_TEST(SpectralTest, SetKernelTakesItsScratchFromAWorkspace) {
    using S = TypeParam;
    const Index n = 90;
    const SpectralOptions options{.length = n, .channels = 2};
    CausalSpectral<S> op(options);
    const Matrix<S> x = random_matrix<S>(n, 2, 11);
    EXPECT_TRUE(near_all(op * x, Matrix<S>::Zero(n, 2), 0)) << "zero until its kernel is set";
    const Matrix<S> response = random_matrix<S>(op.frequencies(), 2, 12);
    Workspace ws(op.kernel_workspace());
    const std::size_t capacity = ws.capacity();
    op.set_kernel(response, ws);
    EXPECT_EQ(ws.capacity(), capacity);
    EXPECT_TRUE(same_bits(op * x, CausalSpectral<S>(options, response) * x));
}

}  // namespace
}  // namespace toeplitz::test
