// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/bf16_oracle.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/dense/linear.hpp>

#if !(defined(__AVX512BF16__) && (TOEPLITZ_SIMD_BYTES == 64 || defined(__AVX512VL__)))
namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// What the instruction does, for processors without it: words are laid out as it takes them.
template <>
struct WordProduct<Bf16, Arithmetic::native> : NativeWords {
    using Sums = Simd<float>::Pack;
    TOEPLITZ_INLINE static Sums add(Sums sums, Left left, Words right) noexcept {
        const Words lefts = Words{} + left;
        const auto upper = [](Words w) TOEPLITZ_LAMBDA { return reinterpret_cast<Sums>(w & 0xFFFF0000U); };
        const auto lower = [](Words w) TOEPLITZ_LAMBDA { return reinterpret_cast<Sums>(w << 16U); };
        sums += upper(lefts) * upper(right);
        return sums + lower(lefts) * lower(right);
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
#endif

namespace toeplitz::test {
namespace {

using bf16_oracle::bf16_product;
using bf16_oracle::nearest_bf16;
using detail::Arithmetic;
using detail::Finish;
using detail::Product;

constexpr Product all_forms[] = {Product::plain, Product::right_transposed, Product::left_transposed};

/// op(A) is m × k and op(B) k × n.
struct RoundedProblem {
    RoundedProblem(Product product, Index m, Index n, Index k)
        : form(product),
          a(form == Product::left_transposed ? random_matrix<float>(k, m, 1) : random_matrix<float>(m, k, 1)),
          b(form == Product::right_transposed ? random_matrix<float>(n, k, 2)
                                              : random_matrix<float>(k, n, 2)),
          bias(random_matrix<float>(1, n, 3)),
          c(random_matrix<float>(m, n, 4)) {}

    template <Arithmetic arithmetic>
    Matrix<float> product(Update update, bool has_bias, Finish<float> finish = {}) const {
        Workspace ws(
            detail::block_workspace<detail::RoundedFactors<arithmetic>>(form, c.rows(), c.cols(), depth()));
        const std::size_t reserved = ws.capacity();
        Matrix<float> result = c;
        detail::multiply_blocks<detail::RoundedFactors<arithmetic>, float>(
            form, a, b, update, has_bias ? bias.data() : nullptr, result, ws, finish);
        EXPECT_EQ(ws.capacity(), reserved);
        return result;
    }
    Matrix<float> expected(Update update, bool has_bias) const {
        return bf16_product(form, a, b, update, has_bias ? bias.data() : nullptr, c);
    }
    Index depth() const { return form == Product::left_transposed ? a.rows() : a.cols(); }

    Product form;
    Matrix<float> a, b, bias, c;
};

/// Around the sizes at which products are cut, and with no depth at all.
constexpr Index rounded_sizes[][3] = {{1, 1, 1},     {6, 16, 5},   {7, 17, 3},    {5, 70, 9},
                                      {121, 9, 130}, {3, 300, 20}, {130, 33, 64}, {4, 5, 0},
                                      {13, 31, 600}, {2, 4100, 3}, {1, 64, 129},  {34, 20, 1101}};

TEST(RoundedProductTest, HasTheBitsOfTheDefinitionWithAndWithoutInstructions) {
    for (const Product form : all_forms) {
        for (const auto& [m, n, k] : rounded_sizes) {
            for (const Update update : {Update::assign, Update::add}) {
                for (const bool bias : {false, true}) {
                    SCOPED_TRACE(testing::Message()
                                 << static_cast<int>(form) << ": " << m << " x " << n << " of depth " << k);
                    const RoundedProblem problem(form, m, n, k);
                    const Matrix<float> expected = problem.expected(update, bias);
                    ASSERT_EQ(problem.product<Arithmetic::portable>(update, bias), expected);
                    ASSERT_EQ(problem.product<Arithmetic::native>(update, bias), expected);
                }
            }
        }
    }
}

TEST(RoundedProductTest, HasTheSameBitsForAnyThreads) {
    for (const Product form : all_forms) {
        const RoundedProblem problem(form, 250, 70, 300);
        const Matrix<float> expected = problem.expected(Update::add, true);
        for (const int threads : {1, 2, 3, 7}) {
            with_threads(threads, [&] {
                EXPECT_EQ(problem.product<Arithmetic::portable>(Update::add, true), expected) << threads;
            });
        }
    }
}

TEST(RoundedProductTest, FinishesEveryElementOnceWhenItHasItsValue) {
    for (const Product form : all_forms) {
        const RoundedProblem problem(form, 250, 300, 600);
        Matrix<float> seen = Matrix<float>::Zero(250, 300);
        auto finish = [&](Index row, Index col, MatrixView<float> part) {
            seen.block(row, col, part.rows(), part.cols()) += part.eigen();
        };
        EXPECT_EQ(problem.product<Arithmetic::portable>(Update::assign, false, finish), seen);
    }
}

TEST(RoundedProductTest, WritesNothingBesideAPartOfAMatrix) {
    const RoundedProblem problem(Product::plain, 20, 30, 11);
    Matrix<float> around = Matrix<float>::Constant(24, 37, 7);
    const MatrixView<float> c(&around(2, 3), 20, 30, 37);
    Workspace ws;
    detail::multiply<float>(Precision::bf16, Product::plain, problem.a, problem.b, Update::assign, nullptr, c,
                            ws);
    EXPECT_EQ(around.block(2, 3, 20, 30), problem.expected(Update::assign, false));
    around.block(2, 3, 20, 30).setConstant(7);
    EXPECT_TRUE((around.array() == 7).all());
}

TEST(RoundedProductTest, RoundsToTheNearestNumber) {
    constexpr float inf = std::numeric_limits<float>::infinity();
    // Halves between two numbers, largest numbers, numbers without a leading one, and signs.
    for (const float x : {1.0F, 1.00390625F, 1.01171875F, 1.003906F, 1.0039064F, 3.0F, 0x1.FEp127F,
                          0x1.FEFFFEp127F, 0x1.FFp127F, 0x1p-126F, 0x1.01p-126F, 0.1F, inf}) {
        for (const float sign : {-1.0F, 1.0F}) {
            Matrix<float> a(1, 1);
            a(0, 0) = sign * x;
            const Matrix<float> one = Matrix<float>::Ones(1, 1);
            Matrix<float> left(1, 1);
            Matrix<float> right(1, 1);
            Workspace ws;
            for (const Product form : all_forms) {
                detail::multiply<float>(Precision::bf16, form, a, one, Update::assign, nullptr, left, ws);
                detail::multiply<float>(Precision::bf16, form, one, a, Update::assign, nullptr, right, ws);
                EXPECT_EQ(left(0, 0), nearest_bf16(sign * x)) << x;
                EXPECT_EQ(right(0, 0), nearest_bf16(sign * x)) << x;
            }
        }
    }
    EXPECT_EQ(nearest_bf16(1.00390625F), 1.0F);  // the even one of two
    EXPECT_EQ(nearest_bf16(1.01171875F), 1.015625F);
    EXPECT_EQ(nearest_bf16(0x1.FFp127F), inf);
}

TEST(RoundedProductTest, ANumberThatIsNoneReachesItsRowAlone) {
    RoundedProblem problem(Product::right_transposed, 9, 20, 33);
    problem.a(4, 32) = std::nanf("");
    const Matrix<float> c = problem.product<Arithmetic::portable>(Update::assign, true);
    EXPECT_TRUE(c.row(4).array().isNaN().all());
    EXPECT_TRUE(c.topRows(4).array().isFinite().all());
    EXPECT_TRUE(c.bottomRows(4).array().isFinite().all());
}

TEST(RoundedProductTest, ErrsByNoMoreThanItsBound) {
    for (const Product form : all_forms) {
        for (const Index depth : {1, 100, 3000}) {
            const RoundedProblem problem(form, 9, 20, depth);
            const Matrix<float> c = problem.product<Arithmetic::portable>(Update::assign, true);
            Matrix<long double> a = problem.a.cast<long double>();
            Matrix<long double> b = problem.b.cast<long double>();
            if (form == Product::left_transposed) a.transposeInPlace();
            if (form == Product::right_transposed) b.transposeInPlace();
            const auto terms = static_cast<long double>(std::min<Index>(depth, 512) + depth / 512 + 2);
            const Matrix<long double> bias = problem.bias.cast<long double>().replicate(9, 1);
            const Matrix<long double> bound =
                (0x1p-7L + 0x1p-16L + 2 * terms * 0x1p-24L) * (a.cwiseAbs() * b.cwiseAbs()) +
                2 * terms * 0x1p-24L * bias.cwiseAbs();
            EXPECT_TRUE(near_each(c, (a * b + bias).eval(), bound));
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
