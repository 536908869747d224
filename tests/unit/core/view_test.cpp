// SPDX-License-Identifier: MIT
#include <vector>

#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/core/view.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class MatrixViewTest : public testing::Test {
protected:
    /// A view sees what the Eigen object sees, and no copy of it.
    template <class M>
    static void expect_same(MatrixView<const S> view, const M& matrix) {
        ASSERT_EQ(view.rows(), matrix.rows());
        ASSERT_EQ(view.cols(), matrix.cols());
        EXPECT_EQ(view.size(), matrix.size());
        for (Index i = 0; i < matrix.rows(); ++i) {
            for (Index j = 0; j < matrix.cols(); ++j) EXPECT_EQ(&view(i, j), &matrix.coeffRef(i, j));
        }
        EXPECT_TRUE(same_bits(view.eigen(), matrix));
    }
};

TYPED_TEST_SUITE(MatrixViewTest, Scalars);

TYPED_TEST(MatrixViewTest, NeighbouringNumbersAreOneChannel) {
    using S = TypeParam;
    std::vector<S> numbers{1, 2, 3};
    MatrixView<S> view = numbers;
    EXPECT_EQ(view.data(), numbers.data());
    EXPECT_EQ(view.rows(), 3);
    EXPECT_EQ(view.cols(), 1);
    view(2, 0) = 7;
    EXPECT_EQ(numbers[2], 7);
    const std::span<const S> span(numbers);
    EXPECT_EQ(MatrixView<const S>(span).data(), numbers.data());
    const S array[] = {4, 5};
    EXPECT_EQ(MatrixView<const S>(array).rows(), 2);
    EXPECT_EQ(MatrixView<const S>(std::vector<S>()).size(), 0);
}

// What is not to be written, or is of another scalar, is no argument.
static_assert(!std::is_constructible_v<MatrixView<float>, const std::vector<float>&>);
static_assert(!std::is_constructible_v<MatrixView<float>, std::span<const float>>);
static_assert(!std::is_constructible_v<MatrixView<const float>, const std::vector<double>&>);

TYPED_TEST(MatrixViewTest, RowMajorMatricesHaveContiguousRows) {
    using S = TypeParam;
    const Matrix<S> matrix = random_matrix<S>(4, 3, 1);
    const MatrixView<const S> view = matrix;
    this->expect_same(view, matrix);
    EXPECT_TRUE(view.has_contiguous_rows());
    EXPECT_EQ(view.row_stride(), 3);
    EXPECT_EQ(view.col_stride(), 1);
    EXPECT_EQ(view.row(2), matrix.data() + 6);
}

TYPED_TEST(MatrixViewTest, ColumnMajorMatricesKeepTheirOrder) {
    using S = TypeParam;
    const ColumnMatrix<S> matrix = random_matrix<S>(4, 3, 2);
    const MatrixView<const S> view = matrix;
    this->expect_same(view, matrix);
    EXPECT_FALSE(view.has_contiguous_rows());
    EXPECT_EQ(view.row_stride(), 1);
    EXPECT_EQ(view.col_stride(), 4);
}

TYPED_TEST(MatrixViewTest, SeesBlocksOfEitherOrder) {
    using S = TypeParam;
    const Matrix<S> rows = random_matrix<S>(6, 5, 3);
    const ColumnMatrix<S> columns = rows;
    this->expect_same(rows.block(1, 2, 4, 3), rows.block(1, 2, 4, 3));
    this->expect_same(columns.block(1, 2, 4, 3), columns.block(1, 2, 4, 3));
    this->expect_same(rows.row(2), rows.row(2));
    this->expect_same(rows.col(2), rows.col(2));
    this->expect_same(columns.row(2), columns.row(2));
    this->expect_same(rows.transpose(), rows.transpose());
    EXPECT_TRUE(MatrixView<const S>(rows.col(2)).has_contiguous_rows());
}

TYPED_TEST(MatrixViewTest, SeesMapsWithStrides) {
    using S = TypeParam;
    const Matrix<S> memory = random_matrix<S>(1, 100, 4);
    using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    const Eigen::Map<const Matrix<S>, 0, Stride> map(memory.data(), 5, 4, Stride(17, 3));
    const MatrixView<const S> view = map;
    this->expect_same(view, map);
    EXPECT_EQ(view.row_stride(), 17);
    EXPECT_EQ(view.col_stride(), 3);
}

TYPED_TEST(MatrixViewTest, VectorsAreColumnsAndRows) {
    using S = TypeParam;
    const Vector<S> column = random_matrix<S>(5, 1, 5);
    const Eigen::Matrix<S, 1, Eigen::Dynamic> row = random_matrix<S>(1, 5, 6);
    this->expect_same(column, column);
    this->expect_same(row, row);
    EXPECT_TRUE(MatrixView<const S>(column).has_contiguous_rows());
    EXPECT_TRUE(MatrixView<const S>(row).has_contiguous_rows());
}

TYPED_TEST(MatrixViewTest, MutableViewsWriteAndConvertToReadingOnes) {
    using S = TypeParam;
    Matrix<S> matrix = Matrix<S>::Zero(3, 3);
    const MatrixView<S> view = matrix.rightCols(2);
    view(1, 1) = S(5);
    view.middle_rows(2, 1)(0, 0) = S(7);
    EXPECT_EQ(matrix(1, 2), S(5));
    EXPECT_EQ(matrix(2, 1), S(7));
    const MatrixView<const S> reading = view;
    EXPECT_EQ(reading.data(), view.data());
    EXPECT_EQ(reading.row_stride(), view.row_stride());
    view.eigen().setConstant(S(1));
    EXPECT_EQ(matrix.sum(), S(6));
}

TYPED_TEST(MatrixViewTest, RawMemoryIsRowMajorUnlessToldOtherwise) {
    using S = TypeParam;
    const S memory[] = {0, 1, 2, 3, 4, 5};
    const MatrixView<const S> rows(memory, 2, 3);
    const MatrixView<const S> columns(memory, 3, 2, 1, 3);
    EXPECT_EQ(rows(1, 0), S(3));
    EXPECT_EQ(columns(0, 1), S(3));
    EXPECT_EQ(columns(2, 1), S(5));
    const MatrixView<const S> none;
    EXPECT_EQ(none.size(), 0);
}

template <class View, class M>
concept Views = std::is_constructible_v<View, M>;

// Expressions and other scalars are refused with a sentence: compile_fail has the cases.
TEST(MatrixView, NumbersAloneAreNoMatrix) {
    static_assert(Views<MatrixView<const float>, const Matrix<float>&>);
    static_assert(!Views<MatrixView<const float>, int>);
    static_assert(!Views<MatrixView<float>, MatrixView<const float>>);
}

}  // namespace
}  // namespace toeplitz::test
