// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/oracle.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/dense/linear.hpp>

namespace toeplitz::test {
namespace {

using detail::Finish;
using detail::Product;

template <class Scalar>
class ProductTest : public testing::Test {
protected:
    /// op(A) is m × k and op(B) k × n.
    struct Factors {
        Factors(Product form, Index m, Index n, Index k)
            : a(form == Product::left_transposed ? random_matrix<Scalar>(k, m, 1)
                                                 : random_matrix<Scalar>(m, k, 1)),
              b(form == Product::right_transposed ? random_matrix<Scalar>(n, k, 2)
                                                  : random_matrix<Scalar>(k, n, 2)),
              bias(random_matrix<Scalar>(1, n, 3)),
              c(random_matrix<Scalar>(m, n, 4)) {}
        Matrix<Scalar> a, b, bias, c;
    };
    static Matrix<long double> left(Product form, const Factors& f) {
        Matrix<long double> a = f.a.template cast<long double>();
        return form == Product::left_transposed ? Matrix<long double>(a.transpose()) : a;
    }
    static Matrix<long double> right(Product form, const Factors& f) {
        Matrix<long double> b = f.b.template cast<long double>();
        return form == Product::right_transposed ? Matrix<long double>(b.transpose()) : b;
    }
    /// A sum of k products and two more terms is within (k + 2) u of the sum of their magnitudes.
    static testing::AssertionResult is_product(Product form, const Factors& f, Update update, bool bias,
                                               const Matrix<Scalar>& actual) {
        const Matrix<long double> a = left(form, f), b = right(form, f);
        Matrix<long double> expected = long_product(a, b);
        Matrix<long double> bound = long_product(a.cwiseAbs(), b.cwiseAbs());
        const auto add = [&](const Matrix<long double>& term) {
            expected += term;
            bound += term.cwiseAbs();
        };
        if (bias) add(f.bias.template cast<long double>().replicate(f.c.rows(), 1));
        if (update == Update::add) add(f.c.template cast<long double>());
        bound *= static_cast<long double>(a.cols() + 2) * unit<Scalar>;
        return near_each(actual, expected, bound);
    }
};
TYPED_TEST_SUITE(ProductTest, Scalars, );

constexpr Product forms[] = {Product::plain, Product::right_transposed, Product::left_transposed};

/// Around the sizes at which products are cut, and with no depth at all.
struct Size {
    Index m, n, k;
};
constexpr Size sizes[] = {{1, 1, 1},     {6, 16, 5},   {7, 17, 3},    {5, 70, 9},
                          {121, 9, 130}, {3, 300, 20}, {130, 33, 64}, {4, 5, 0},
                          {13, 31, 600}, {2, 4100, 3}, {1, 64, 129},  {250, 260, 7}};

TYPED_TEST(ProductTest, LargeProductsAreThoseOfTheDefinition) {
    using Scalar = TypeParam;
    Workspace ws;
    for (const Product form : forms) {
        for (const Size& size : sizes) {
            for (const Update update : {Update::assign, Update::add}) {
                for (const bool bias : {false, true}) {
                    SCOPED_TRACE(testing::Message() << static_cast<int>(form) << ": " << size.m << " x "
                                                    << size.n << " of depth " << size.k);
                    const typename TestFixture::Factors f(form, size.m, size.n, size.k);
                    Matrix<Scalar> c = f.c;
                    detail::multiply<Scalar>(form, f.a, f.b, update, bias ? f.bias.data() : nullptr, c, ws);
                    ASSERT_TRUE(this->is_product(form, f, update, bias, c));
                }
            }
        }
    }
}

TYPED_TEST(ProductTest, SmallProductsAreThoseOfTheDefinition) {
    using Scalar = TypeParam;
    for (const Product form : forms) {
        for (const Size& size : sizes) {
            for (const Update update : {Update::assign, Update::add}) {
                SCOPED_TRACE(testing::Message() << static_cast<int>(form) << ": " << size.m << " x " << size.n
                                                << " of depth " << size.k);
                const typename TestFixture::Factors f(form, size.m, size.n, size.k);
                Matrix<Scalar> c = f.c;
                detail::multiply_small<Scalar>(form, f.a, f.b, update, f.bias.data(), c);
                ASSERT_TRUE(this->is_product(form, f, update, true, c));
            }
        }
    }
}

TYPED_TEST(ProductTest, WritesNothingBesideAPartOfAMatrix) {
    using Scalar = TypeParam;
    Workspace ws;
    const typename TestFixture::Factors f(Product::plain, 20, 30, 11);
    Matrix<Scalar> around = Matrix<Scalar>::Constant(24, 37, 7);
    const MatrixView<Scalar> c(&around(2, 3), 20, 30, 37);
    detail::multiply<Scalar>(Product::plain, f.a, f.b, Update::assign, nullptr, c, ws);
    EXPECT_TRUE(this->is_product(Product::plain, f, Update::assign, false, around.block(2, 3, 20, 30)));
    around.block(2, 3, 20, 30).setConstant(7);
    EXPECT_TRUE((around.array() == 7).all());
}

#if !defined(EIGEN_USE_BLAS)
TYPED_TEST(ProductTest, ARowHasTheSameBitsWhereverItStands) {
    using Scalar = TypeParam;
    Workspace ws;
    const typename TestFixture::Factors f(Product::right_transposed, 130, 45, 700);
    Matrix<Scalar> all(130, 45);
    detail::multiply<Scalar>(Product::right_transposed, f.a, f.b, Update::assign, nullptr, all, ws);
    for (const Index i : {Index{0}, Index{5}, Index{119}, Index{129}}) {
        Matrix<Scalar> row(1, 45);
        const Matrix<Scalar> a = f.a.row(i);
        detail::multiply<Scalar>(Product::right_transposed, a, f.b, Update::assign, nullptr, row, ws);
        EXPECT_EQ(row, all.row(i)) << i;
    }
}
#endif

TYPED_TEST(ProductTest, FinishesEveryElementOnceWhenItHasItsValue) {
    using Scalar = TypeParam;
    Workspace ws;
    for (const Product form : forms) {
        const typename TestFixture::Factors f(form, 250, 600, 1100);
        Matrix<Scalar> seen = Matrix<Scalar>::Zero(250, 600);
        auto finish = [&](Index row, Index col, MatrixView<Scalar> part) {
            seen.block(row, col, part.rows(), part.cols()) += part.eigen();
        };
        Matrix<Scalar> c(250, 600);
        detail::multiply<Scalar>(form, f.a, f.b, Update::assign, nullptr, c, ws, finish);
        EXPECT_EQ(seen, c);
    }
}

TYPED_TEST(ProductTest, HasTheSameBitsForAnyThreads) {
    using Scalar = TypeParam;
    for (const Product form : forms) {
        for (const Index m : {1, 13, 64, 121, 400}) {
            const typename TestFixture::Factors f(form, m, 70, 300);
            const auto product = [&](int threads) {
                Matrix<Scalar> c = f.c;
                with_threads(threads, [&] {
                    Workspace ws(detail::product_workspace<Scalar>(form, m, 70, 300));
                    const std::size_t reserved = ws.capacity();
                    detail::multiply<Scalar>(form, f.a, f.b, Update::add, f.bias.data(), c, ws);
                    EXPECT_EQ(ws.capacity(), reserved);
                });
                return c;
            };
            const Matrix<Scalar> expected = product(1);
            for (const int threads : {2, 3, 7}) {
                EXPECT_TRUE(same_bits(product(threads), expected)) << m << " rows, " << threads << " threads";
            }
        }
    }
}

TEST(EvenRowsTest, GivesEveryThreadNearlyTheSame) {
    constexpr Index most = 120, tile = 6;
    for (const int threads : {1, 2, 3, 7}) {
        for (Index rows = 0; rows < 1500; ++rows) {
            const Index tall = detail::even_rows(rows, most, tile, threads);
            ASSERT_TRUE(tall % tile == 0 && tile <= tall && tall <= most) << rows;
            const Index parts = (rows + tall - 1) / tall;
            const Index rounds = (parts + threads - 1) / threads;  // that the busiest thread takes
            ASSERT_LE(rounds * tall * threads, rows + rounds * tile * threads) << rows << ", " << threads;
        }
    }
}

TYPED_TEST(ProductTest, ColumnSumsAreThoseOfTheDefinition) {
    using Scalar = TypeParam;
    for (const Index rows : {1, 64, 65, 1000}) {
        for (const Index cols : {1, 5, 33, 67}) {
            const Matrix<Scalar> g = random_matrix<Scalar>(rows, cols, 1);
            Vector<Scalar> sums = Vector<Scalar>::Ones(cols);
            detail::add_column_sums<Scalar>(g, sums.data(), cols);
            const Matrix<long double> exact = g.template cast<long double>();
            // Groups of 64 rows, and the sums of these.
            const long double terms = static_cast<long double>(std::min<Index>(rows, 64) + rows / 64 + 1);
            const Vector<long double> bound =
                (exact.cwiseAbs().colwise().sum().array() + 1).transpose() * terms * unit<Scalar>;
            EXPECT_TRUE(
                near_each(sums, Vector<long double>((exact.colwise().sum().array() + 1).transpose()), bound));
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
