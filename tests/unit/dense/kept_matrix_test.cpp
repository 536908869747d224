// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/bf16_oracle.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>

#include <toeplitz/dense/kept_matrix.hpp>

namespace toeplitz::test {
namespace {

using bf16_oracle::nearest_bf16;

Matrix<float> kept_values(const KeptMatrix<float>& kept) {
    Matrix<float> scratch = Matrix<float>::Zero(kept.rows(), kept.cols());
    return kept.read(scratch).eigen();
}

TEST(KeptMatrixTest, ExactValuesStayWhereTheyAreWritten) {
    Workspace ws;
    Workspace::Scope scope(ws);
    KeptMatrix<float> kept;
    const MatrixView<float> values = kept.resize(5, 7, Precision::exact, scope);
    EXPECT_EQ(ws.most_used(), 0U);
    const Matrix<float> expected = random_matrix<float>(5, 7, 1);
    values.eigen() = expected;
    kept.keep(1, 2, values.block(1, 2, 3, 4));
    kept.keep(values);
    EXPECT_EQ(values.eigen(), expected);
    EXPECT_EQ(kept.read({}).data(), values.data());
    EXPECT_EQ(kept.read(2, 3, 9, nullptr), &values(2, 3));
    EXPECT_EQ(kept.state_bytes(), 5U * 7 * 4);
}

TEST(KeptMatrixTest, RoundsInHalfTheMemory) {
    for (const Index cols : {1, 7, 16, 600}) {
        Workspace ws;
        Workspace::Scope scope(ws);
        KeptMatrix<float> kept;
        const MatrixView<float> values = kept.resize(300, cols, Precision::bf16, scope);
        EXPECT_EQ(kept.rows(), 300);
        EXPECT_EQ(kept.cols(), cols);
        EXPECT_EQ(kept.size(), 300 * cols);
        EXPECT_EQ(kept.state_bytes(), 300U * static_cast<std::size_t>(cols) * 2);
        const Matrix<float> exact = random_matrix<float>(300, cols, 1);
        values.eigen() = exact;
        with_threads(2, [&] { kept.keep(MatrixView<const float>(values)); });
        EXPECT_EQ(values.eigen(), exact);
        const Matrix<float> rounded = nearest_bf16(exact);
        with_threads(2, [&] { EXPECT_EQ(kept_values(kept), rounded); });
    }
}

TEST(KeptMatrixTest, KeepsPartsAndRoundsThem) {
    Workspace ws;
    Workspace::Scope scope(ws);
    KeptMatrix<float> kept;
    const MatrixView<float> values = kept.resize(6, 20, Precision::bf16, scope);
    const Matrix<float> exact = random_matrix<float>(6, 20, 1);
    const Matrix<float> rounded = nearest_bf16(exact);
    values.eigen() = exact;
    for (const Index row : {0, 4}) {
        for (const Index col : {0, 9}) {
            kept.keep(row, col, values.block(row, col, row == 0 ? 4 : 2, col == 0 ? 9 : 11));
        }
    }
    EXPECT_EQ(values.eigen(), rounded);
    EXPECT_EQ(kept_values(kept), rounded);
    // Neighbours in memory, over the ends of rows.
    std::vector<float> some(33);
    EXPECT_EQ(kept.read(2, 15, 33, some.data()), some.data());
    for (Index i = 0; i < 33; ++i) EXPECT_EQ(some[static_cast<std::size_t>(i)], rounded.data()[55 + i]);
}

TEST(KeptMatrixTest, ReadsBlocksOfSeveral) {
    Workspace ws;
    Workspace::Scope scope(ws);
    KeptMatrix<float> kept[2];
    Matrix<float> expected[2];
    for (int m = 0; m < 2; ++m) {
        const Precision precision = m == 0 ? Precision::exact : Precision::bf16;
        const MatrixView<float> values = kept[m].resize(3, 700, precision, scope);
        values.eigen() = random_matrix<float>(3, 700, static_cast<std::uint64_t>(m));
        kept[m].keep(0, 0, values);
        expected[m] = values.eigen();
    }
    Index seen = 0;
    detail::read_blocks<2>({&kept[0], &kept[1]}, 1, 10, 1100, [&](Index i, Index size, auto values) {
        EXPECT_EQ(i, seen);
        for (int m = 0; m < 2; ++m) {
            for (Index j = 0; j < size; ++j) EXPECT_EQ(values[m][j], expected[m].data()[710 + i + j]);
        }
        seen += size;
    });
    EXPECT_EQ(seen, 1100);
}

TEST(KeptMatrixTest, ChangesItsPrecision) {
    Workspace ws;
    Workspace::Scope scope(ws);
    KeptMatrix<float> kept;
    for (const Precision precision : {Precision::bf16, Precision::exact, Precision::bf16}) {
        const MatrixView<float> values = kept.resize(4, 4, precision, scope);
        values.eigen().setConstant(1.00390625F);
        kept.keep(0, 0, values);
        EXPECT_EQ(kept_values(kept)(3, 3), precision == Precision::exact ? 1.00390625F : 1.0F);
        EXPECT_EQ(kept.state_bytes(), precision == Precision::exact ? 64U : 32U);
        EXPECT_EQ(kept.rows(), 4);
    }
}

}  // namespace
}  // namespace toeplitz::test
