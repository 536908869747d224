// SPDX-License-Identifier: MIT
// One backward pass from what the forward pass has kept, and how many transforms both take.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/spectral.hpp>

namespace toeplitz::test {
namespace {

/// The tree, counting the complex transforms of N points per channel.
class CountingEngine : public TreeConvolution<double> {
    using Tree = TreeConvolution<double>;

public:
    static inline Index count = 0;

    CountingEngine(Index length, Index channels) : Tree(length, channels) {}

    template <class... Args>
    void transform_kernel(Args... args) const {
        ++count;
        Tree::transform_kernel(args...);
    }
    template <class... Args>
    void transform(Args... args) const {
        ++count;
        Tree::transform(args...);
    }
    template <Direction direction, Update update, class... Args>
    void convolve(Args... args) const {
        count += 2;
        Tree::template convolve<direction, update>(args...);
    }
    template <Direction direction, Update update, class... Args>
    void convolve_spectrum(Args... args) const {
        ++count;
        Tree::template convolve_spectrum<direction, update>(args...);
    }
    template <class... Args>
    void accumulate_lags(Args... args) const {
        ++count;
        Tree::accumulate_lags(args...);
    }
};

template <class F>
Index transforms(F&& f) {
    CountingEngine::count = 0;
    f();
    return CountingEngine::count;
}

constexpr Index steps = 100;
constexpr Index width = 3;

/// Two computations of one result, each as far from it as a product by transforms may be.
const long double tolerance = 2 * transform_error(2 * steps) * unit<double>;

template <class Op>
class BackwardTest : public testing::Test {
protected:
    using Kernel = Matrix<std::remove_const_t<typename Op::Kernel::Scalar>>;

    Kernel random_kernel(std::uint64_t seed) const {
        Index rows = 2 * steps - 1;
        if constexpr (requires(const Op& o) { o.frequencies(); }) rows = op_.frequencies();
        if constexpr (std::is_same_v<typename Kernel::Scalar, double>) {
            return random_matrix<double>(rows, width, seed);
        } else {
            Kernel kernel(rows, width);
            kernel.real() = random_matrix<double>(rows, width, seed);
            kernel.imag() = random_matrix<double>(rows, width, seed + 1);
            return kernel;
        }
    }

    Op op_{{.length = steps, .channels = width}};
};

using Ops = testing::Types<Fft<double, Causality::bidirectional, CountingEngine>,
                           Spectral<double, Causality::causal, CountingEngine>,
                           Spectral<double, Causality::bidirectional, CountingEngine>>;
TYPED_TEST_SUITE(BackwardTest, Ops);

TYPED_TEST(BackwardTest, EqualsTheTwoProductsApart) {
    const auto kernel = this->random_kernel(1);
    this->op_.set_kernel(kernel);
    Workspace ws;
    typename TypeParam::Cache cache;
    const std::vector<Index> some = {steps, 37, 0};
    for (const Lengths lengths : {Lengths{}, Lengths{some}}) {
        const Matrix<double> x = random_matrix<double>(3 * steps, width, 2);
        const Matrix<double> g = random_matrix<double>(3 * steps, width, 3);
        Matrix<double> y(3 * steps, width);
        Matrix<double> dx(3 * steps, width);
        Matrix<double> expected(3 * steps, width);
        auto dkernel = kernel;  // is added to
        auto expected_dkernel = kernel;
        this->op_.apply(x, expected, ws, lengths);
        this->op_.forward(x, y, cache, ws, lengths);
        EXPECT_TRUE(near_all(y, expected, tolerance * norm(expected)));
        this->op_.apply_adjoint(g, expected, ws, lengths);
        this->op_.accumulate_kernel_gradient(x, g, expected_dkernel, ws, lengths);
        this->op_.backward(x, cache, g, dx, dkernel, ws, lengths);
        EXPECT_TRUE(near_all(dx, expected, tolerance * norm(expected)));
        const auto parts = [](const auto& m) { return std::pair{m.real().eval(), m.imag().eval()}; };
        const auto [re, im] = parts(dkernel);
        const auto [expected_re, expected_im] = parts(expected_dkernel);
        EXPECT_TRUE(near_all(re, expected_re, tolerance * norm(expected_re)));
        EXPECT_TRUE(near_all(im, expected_im, tolerance * norm(expected_re)));
    }
}

TYPED_TEST(BackwardTest, StridedArgumentsTakeTheLongWay) {
    const auto kernel = this->random_kernel(1);
    this->op_.set_kernel(kernel);
    Workspace ws;
    const ColumnMatrix<double> x = random_matrix<double>(steps, width, 2);
    const Matrix<double> g = random_matrix<double>(steps, width, 3);
    Matrix<double> y(steps, width);
    Matrix<double> dx(steps, width);
    auto dkernel = kernel;
    auto expected = kernel;
    typename TypeParam::Cache cache;
    this->op_.forward(x, y, cache, ws);
    this->op_.backward(x, cache, g, dx, dkernel, ws);
    this->op_.accumulate_kernel_gradient(x, g, expected, ws);
    EXPECT_TRUE(same_bits(dkernel.real().eval(), expected.real().eval()));
}

TYPED_TEST(BackwardTest, TakesAsManyTransformsAsTheDataFlowNeeds) {
    const auto kernel = this->random_kernel(1);
    Workspace ws;
    for (const Index batch : {1, 4}) {
        const Matrix<double> x = random_matrix<double>(batch * steps, width, 2);
        Matrix<double> y(batch * steps, width);
        auto dkernel = kernel;
        typename TypeParam::Cache cache;
        EXPECT_EQ(transforms([&] {
                      this->op_.set_kernel(kernel);
                      this->op_.forward(x, y, cache, ws);
                  }),
                  2 * batch + 1);
        EXPECT_EQ(transforms([&] { this->op_.backward(x, cache, x, y, dkernel, ws); }), 2 * batch + 1);
        EXPECT_EQ(transforms([&] { this->op_.apply(x, y, ws); }), 2 * batch) << "the spectrum is kept";
    }
}

TYPED_TEST(BackwardTest, RefusesTheCacheOfAnotherBatch) {
    const auto kernel = this->random_kernel(1);
    this->op_.set_kernel(kernel);
    Workspace ws;
    typename TypeParam::Cache cache;
    const Matrix<double> x = random_matrix<double>(2 * steps, width, 2);
    Matrix<double> y(2 * steps, width);
    this->op_.forward(x, y, cache, ws);
    auto dkernel = kernel;
    expect_error<shape_error>(
        507,
        std::string("[toeplitz.shape.507] ") +
            (std::is_same_v<TypeParam, Fft<double, Causality::bidirectional, CountingEngine>> ? "Fft"
                                                                                              : "Spectral") +
            ": expected the 2 sequences of the forward call, got 1",
        [&] {
            this->op_.backward(x.topRows(steps), cache, MatrixView<const double>(x).middle_rows(0, steps),
                               MatrixView<double>(y).middle_rows(0, steps), dkernel, ws);
        });
}

}  // namespace
}  // namespace toeplitz::test
