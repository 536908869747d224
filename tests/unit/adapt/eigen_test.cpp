// SPDX-License-Identifier: MIT
#include <toeplitz/adapt/eigen.hpp>

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include <support/eigen.hpp>

#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/ski.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/sum.hpp>

using toeplitz::as_eigen;
using toeplitz::Index;
using namespace toeplitz::test;

namespace {

// Column j of A x through the operator itself.
template <class Op, class T = typename Op::Scalar>
Columns<T> expected_product(const Op& op, const Columns<T>& x,
                            toeplitz::Direction direction = toeplitz::Direction::forward) {
    toeplitz::Workspace ws;
    Columns<T> y(x.rows(), x.cols());
    for (Index j = 0; j < x.cols(); ++j) {
        const toeplitz::MatrixView<const T> from(x.col(j).data(), op.length(), op.channels());
        const toeplitz::MatrixView<T> to(y.col(j).data(), op.length(), op.channels());
        if (direction == toeplitz::Direction::forward) {
            op.apply(from, to, ws);
        } else {
            op.apply_adjoint(from, to, ws);
        }
    }
    return y;
}

template <class T>
toeplitz::Fft<T> make_fft(Index length, Index channels) {
    return {{.length = length, .channels = channels}, random_matrix<T>(2 * length - 1, channels, 1)};
}

template <class T>
toeplitz::Band<T> make_band(Index length, Index channels) {
    return {{.length = length, .channels = channels, .taps = 5}, random_matrix<T>(5, channels, 2)};
}

template <class T>
toeplitz::Ski<T> make_ski(Index length, Index channels) {
    return {{.length = length, .channels = channels, .rank = 9}, random_matrix<T>(17, channels, 3)};
}

template <class T>
toeplitz::CausalSpectral<T> make_spectral(Index length, Index channels) {
    toeplitz::CausalSpectral<T> op({.length = length, .channels = channels});
    op.set_kernel(random_matrix<T>(op.frequencies(), channels, 4));
    return op;
}

template <class Op>
void expect_products_of(const Op& op) {
    using T = typename Op::Scalar;
    const auto A = as_eigen(op);
    ASSERT_EQ(A.rows(), op.length() * op.channels());
    ASSERT_EQ(A.cols(), A.rows());
    const Columns<T> x = random_columns<T>(A.rows(), 3, 7);
    const Columns<T> forward = expected_product(op, x);
    const Columns<T> adjoint = expected_product(op, x, toeplitz::Direction::adjoint);

    const toeplitz::Vector<T> y = A * x.col(1);
    const toeplitz::Vector<T> z = A.transpose() * x.col(1);
    EXPECT_EQ(y, forward.col(1));
    EXPECT_EQ(z, adjoint.col(1));
    EXPECT_EQ(Columns<T>(A * x), forward);
    EXPECT_EQ(Columns<T>(A.adjoint() * x), adjoint);
    EXPECT_EQ(Columns<T>(A.transpose().transpose() * x), forward);
}

}  // namespace

template <class T>
class EigenOperator : public testing::Test {
protected:
    static constexpr Index length = 100;
    static constexpr Index channels = 3;
    static constexpr Index size = length * channels;

    const toeplitz::Fft<T> op = make_fft<T>(length, channels);
    const toeplitz::EigenOperator<toeplitz::Fft<T>> A = as_eigen(op);
    const Columns<T> X = random_columns<T>(size, 4, 11);
    const Columns<T> AX = expected_product(op, X);
    const Columns<T> AtX = expected_product(op, X, toeplitz::Direction::adjoint);
    const toeplitz::Vector<T> x = X.col(0);
    const toeplitz::Vector<T> Ax = AX.col(0);
};

// Eigen's expressions are slow to compile: all of them in double, products of each kind below in float too.
using Scalars = testing::Types<double>;
TYPED_TEST_SUITE(EigenOperator, Scalars);

// The columns of a block are the sequences of a batch, and a batch has the bits of its sequences: products
// are compared exactly.

TEST(EigenOperators, MultiplyLikeEachKindOfOperator) {
    using T = double;
    for (const Index d : {1, 3, 17}) {
        for (const Index n : {1, 40, 100}) {
            expect_products_of(make_fft<T>(n, d));
            expect_products_of(make_fft<float>(n, d));
            expect_products_of(make_band<T>(n, d));
            expect_products_of(make_spectral<T>(n, d));
        }
        expect_products_of(make_ski<T>(100, d));
        expect_products_of(make_band<T>(100, d) + make_ski<T>(100, d));
    }
}

TYPED_TEST(EigenOperator, KeepsTimeStepsTogetherAndChannelsInside) {
    using T = TypeParam;
    const toeplitz::Matrix<T> kernel = random_matrix<T>(2 * 30 - 1, 3, 21);
    const toeplitz::Band<T> band({.length = 30, .channels = 3, .taps = 2 * 30 - 1}, kernel);
    const Columns<T> dense = as_eigen(band);
    EXPECT_EQ(dense, matrix_of(kernel));
    EXPECT_EQ(Columns<T>(as_eigen(band).transpose()), matrix_of(kernel).transpose());
}

TYPED_TEST(EigenOperator, ReadsAnyStorageOrderStrideAndExpression) {
    using T = TypeParam;
    const toeplitz::Matrix<T> row_major = this->X;
    EXPECT_EQ(Columns<T>(this->A * row_major), this->AX);
    EXPECT_EQ(Columns<T>(this->A * row_major.col(2)), this->AX.col(2));

    Columns<T> wide = Columns<T>::Ones(this->size + 5, 4);
    wide.middleRows(2, this->size) = this->X;
    EXPECT_EQ(Columns<T>(this->A * wide.middleRows(2, this->size)), this->AX);

    const Columns<T> rows = this->X.transpose();
    EXPECT_EQ(Columns<T>(this->A * rows.transpose()), this->AX);
    EXPECT_EQ(Columns<T>(this->A * rows.row(1).transpose()), this->AX.col(1));

    const Columns<T> doubled = expected_product(this->op, Columns<T>(this->X * T(2)));
    EXPECT_EQ(Columns<T>(this->A * (this->X * T(2))), doubled);
    EXPECT_EQ(Columns<T>(this->A * (this->X + this->X)), doubled);

    const Eigen::Map<const toeplitz::Vector<T>> map(this->X.data() + this->size, this->size);
    EXPECT_EQ(Columns<T>(this->A * map), this->AX.col(1));

    const Eigen::Matrix<T, Eigen::Dynamic, 2> fixed = this->X.leftCols(2);
    EXPECT_EQ(Columns<T>(this->A * fixed), this->AX.leftCols(2));
}

TYPED_TEST(EigenOperator, WritesAnyStorageOrderAndStride) {
    using T = TypeParam;
    toeplitz::Matrix<T> row_major(this->size, 4);
    row_major.noalias() = this->A * this->X;
    EXPECT_EQ(Columns<T>(row_major), this->AX);

    Columns<T> wide = Columns<T>::Ones(this->size + 2, 6);
    wide.block(1, 1, this->size, 4).noalias() = this->A * this->X;
    EXPECT_EQ(Columns<T>(wide.block(1, 1, this->size, 4)), this->AX);
    wide.block(1, 1, this->size, 4).setOnes();
    EXPECT_EQ(wide, Columns<T>::Ones(this->size + 2, 6));

    // One column of a row-major matrix from another: neighbours in memory, and yet apart.
    toeplitz::Matrix<T> pair(this->size, 2);
    pair.col(0) = this->x;
    pair.col(1).noalias() = this->A * pair.col(0);
    EXPECT_EQ(toeplitz::Vector<T>(pair.col(0)), this->x);
    EXPECT_EQ(toeplitz::Vector<T>(pair.col(1)), this->Ax);

    toeplitz::Vector<T> reversed(this->size);
    reversed.reverse() = this->A * this->x;
    EXPECT_EQ(toeplitz::Vector<T>(reversed.reverse()), this->Ax);
}

TYPED_TEST(EigenOperator, AddsAndSubtracts) {
    using T = TypeParam;
    const toeplitz::Vector<T> y0 = random_columns<T>(this->size, 1, 13);
    toeplitz::Vector<T> y = y0;
    y += this->A * this->x;
    EXPECT_EQ(y, toeplitz::Vector<T>(y0 + this->Ax));
    y = y0;
    y -= this->A * this->x;
    EXPECT_EQ(y, toeplitz::Vector<T>(y0 - this->Ax));
    y = y0;
    y.noalias() += this->A * this->x;
    EXPECT_EQ(y, toeplitz::Vector<T>(y0 + this->Ax));
    y = y0;
    y.noalias() -= this->A * this->x;
    EXPECT_EQ(y, toeplitz::Vector<T>(y0 - this->Ax));
    y = y0;
    y.noalias() -= 2 * (this->A * this->x);
    EXPECT_EQ(y, toeplitz::Vector<T>(y0 - 2 * this->Ax));

    toeplitz::Matrix<T> block = this->X;
    block.noalias() += this->A.transpose() * this->X;
    EXPECT_EQ(Columns<T>(block), Columns<T>(this->X + this->AtX));
}

TYPED_TEST(EigenOperator, TakesPartInExpressions) {
    using T = TypeParam;
    const toeplitz::Vector<T> b = random_columns<T>(this->size, 1, 13);
    const toeplitz::Vector<T> residual = b - this->A * this->x;
    EXPECT_EQ(residual, toeplitz::Vector<T>(b - this->Ax));
    const toeplitz::Vector<T> scaled = T(0.5) * (this->A * this->x) + b;
    EXPECT_EQ(scaled, toeplitz::Vector<T>(T(0.5) * this->Ax + b));
    EXPECT_EQ((this->A * this->x).sum(), this->Ax.sum());
    EXPECT_EQ(b.dot(this->A * this->x), b.dot(this->Ax));

    // A product inside a product uses the same scratch memory twice.
    const toeplitz::Vector<T> normal = this->A.transpose() * (this->A * this->x);
    EXPECT_EQ(normal, expected_product(this->op, Columns<T>(this->Ax), toeplitz::Direction::adjoint));
    const toeplitz::Vector<T> nested = this->A * (b - this->A * this->x);
    EXPECT_EQ(nested, expected_product(this->op, Columns<T>(residual)));
    toeplitz::Matrix<T> rows = this->X;
    rows.noalias() += this->A * (this->A * this->X);
    EXPECT_EQ(Columns<T>(rows), Columns<T>(this->X + expected_product(this->op, this->AX)));
}

TYPED_TEST(EigenOperator, MayWriteToItsArgument) {
    using T = TypeParam;
    toeplitz::Vector<T> v = this->x;
    v = this->A * v;
    EXPECT_EQ(v, this->Ax);
    v = this->x;
    v += this->A * v;
    EXPECT_EQ(v, toeplitz::Vector<T>(this->x + this->Ax));
    v = this->x;
    v = v - this->A * v;
    EXPECT_EQ(v, toeplitz::Vector<T>(this->x - this->Ax));
    v = this->x;
    v = 2 * (this->A * v);
    EXPECT_EQ(v, toeplitz::Vector<T>(2 * this->Ax));

    // The destination changes its shape while a part of it is the argument.
    Columns<T> block = this->X;
    block = this->A * block.col(3);
    EXPECT_EQ(block, this->AX.col(3));
}

TYPED_TEST(EigenOperator, NoaliasWithAnAliasIsReported) {
    toeplitz::Vector<TypeParam> v = this->x;
    EXPECT_THROW(v.noalias() = this->A * v, toeplitz::shape_error);
}

TYPED_TEST(EigenOperator, WrongRowsAreReported) {
    const toeplitz::Vector<TypeParam> v(this->size - 1);
    try {
        static_cast<void>(this->A * v);
        FAIL() << "a vector of the wrong size was taken";
    } catch (const toeplitz::shape_error& e) {
        EXPECT_EQ(e.id(), 601);
        EXPECT_STREQ(e.what(), "[toeplitz.shape.601] EigenOperator::operator*: expected 300 rows, got 299");
    }
}

TYPED_TEST(EigenOperator, BlocksWithoutColumnsAreAllowed) {
    using T = TypeParam;
    Columns<T> none(this->size, 0);
    EXPECT_EQ(Columns<T>(this->A * none).cols(), 0);
    none.noalias() += this->A * Columns<T>(this->size, 0);
    EXPECT_EQ(none.cols(), 0);
}

TYPED_TEST(EigenOperator, ExpressionsOutliveTheAdaptorsTheyWereMadeFrom) {
    using T = TypeParam;
    const auto product = as_eigen(this->op).transpose() * this->x;
    const toeplitz::Vector<T> y = product;
    EXPECT_EQ(y, this->AtX.col(0));
}

TYPED_TEST(EigenOperator, SeesANewKernel) {
    using T = TypeParam;
    toeplitz::Fft<T> trained = this->op;
    const auto matrix = as_eigen(trained);
    EXPECT_EQ(Columns<T>(matrix * this->X), this->AX);
    trained.set_kernel(random_matrix<T>(2 * this->length - 1, this->channels, 31));
    EXPECT_EQ(Columns<T>(matrix * this->X), expected_product(trained, this->X));
    EXPECT_NE(Columns<T>(matrix * this->X), this->AX);
}

TYPED_TEST(EigenOperator, MultipliesTransposedOperators) {
    using T = TypeParam;
    const auto transposed = this->op.transpose();
    EXPECT_EQ(Columns<T>(as_eigen(transposed) * this->X), this->AtX);
    EXPECT_EQ(Columns<T>(as_eigen(transposed).transpose() * this->X), this->AX);
}

namespace {

template <class Op>
concept AdaptsTemporaries = requires {
    as_eigen(std::declval<Op>());
};

static_assert(!AdaptsTemporaries<toeplitz::Fft<float>>);
static_assert(AdaptsTemporaries<const toeplitz::Fft<float>&>);
static_assert(!std::is_constructible_v<toeplitz::EigenOperator<toeplitz::Fft<float>>, toeplitz::Fft<float>>);

}  // namespace
