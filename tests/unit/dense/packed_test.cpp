// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>

#include <toeplitz/dense/packed.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class PackedLinearTest : public testing::Test {
protected:
    static LinearParameters<Scalar> map(Index outputs, Index inputs, bool bias) {
        return {random_matrix<Scalar>(outputs, inputs, 1),
                bias ? Vector<Scalar>(random_matrix<Scalar>(outputs, 1, 2).col(0)) : Vector<Scalar>()};
    }
    static Matrix<Scalar> unpacked(const LinearParameters<Scalar>& linear, const Matrix<Scalar>& x) {
        Matrix<Scalar> y(x.rows(), linear.weight.rows());
        Workspace ws;
        detail::linear_forward<Scalar>(linear, x, y, ws);
        return y;
    }
};
TYPED_TEST_SUITE(PackedLinearTest, Scalars, );

TYPED_TEST(PackedLinearTest, HasTheBitsOfTheProductThatPacksAtEachCall) {
    using Scalar = TypeParam;
    using Tile = detail::ProductTile<Scalar>;
    for (const Index inputs : {0, 5, 256, 257, 1100}) {
        for (const Index outputs :
             {Index{1}, Tile::cols - 1, Tile::cols, Tile::cols + 1, 3 * Tile::cols - 1, Index{600}}) {
            const auto linear = this->map(outputs, inputs, outputs % 2 == 1);
            const PackedLinear<Scalar> packed(linear);
            for (const Index rows : {0, 1, 2, 3, 5, 6, 7, 16, 121}) {
                SCOPED_TRACE(testing::Message() << rows << " rows, " << inputs << " -> " << outputs);
                const Matrix<Scalar> x = random_matrix<Scalar>(rows, inputs, 3);
                const Matrix<Scalar> expected = this->unpacked(linear, x);
                for (const int threads : {1, 2, 7}) {
                    Matrix<Scalar> y = Matrix<Scalar>::Constant(rows, outputs, 7);
                    Workspace none;
                    with_threads(threads, [&] { packed.apply(x, y, none); });
                    ASSERT_EQ(y, expected) << threads << " threads";
                }
            }
        }
    }
}

TYPED_TEST(PackedLinearTest, WritesNothingBesideAPartOfAMatrix) {
    using Scalar = TypeParam;
    for (const Index rows : {1, 8}) {
        const auto linear = this->map(45, 30, true);
        const Matrix<Scalar> x = random_matrix<Scalar>(rows, 30, 3);
        Matrix<Scalar> around = Matrix<Scalar>::Constant(rows + 3, 50, 7);
        Workspace none;
        PackedLinear<Scalar>(linear).apply(x, MatrixView<Scalar>(&around(2, 3), rows, 45, 50), none);
        EXPECT_EQ(around.block(2, 3, rows, 45), this->unpacked(linear, x));
        around.block(2, 3, rows, 45).setConstant(7);
        EXPECT_TRUE((around.array() == 7).all());
    }
}

TYPED_TEST(PackedLinearTest, FinishesEveryElementOnceWhenItHasItsValue) {
    using Scalar = TypeParam;
    const PackedLinear<Scalar> packed(this->map(600, 1100, true));
    for (const Index rows : {1, 16, 250}) {
        const Matrix<Scalar> x = random_matrix<Scalar>(rows, 1100, 3);
        Matrix<Scalar> seen = Matrix<Scalar>::Zero(rows, 600);
        auto finish = [&](Index row, Index col, MatrixView<Scalar> part) {
            seen.block(row, col, part.rows(), part.cols()) += part.eigen();
        };
        for (const int threads : {1, 2, 7}) {
            seen.setZero();
            Matrix<Scalar> y(rows, 600);
            Workspace none;
            with_threads(threads, [&] { packed.apply(x, y, none, finish); });
            EXPECT_EQ(seen, y) << rows << " rows, " << threads << " threads";
        }
    }
}

TYPED_TEST(PackedLinearTest, GivesItsRowsBackAndKnowsItsSize) {
    using Scalar = TypeParam;
    for (const Index inputs : {1, 300, 1100}) {
        const auto linear = this->map(70, inputs, true);
        const PackedLinear<Scalar> packed(linear);
        for (const Index output : {0, 1, 63, 64, 69}) {
            Vector<Scalar> row(inputs);
            packed.copy_row(output, row.data());
            EXPECT_EQ(row, linear.weight.row(output).transpose()) << output;
        }
        EXPECT_EQ(packed.inputs(), inputs);
        EXPECT_EQ(packed.outputs(), 70);
        // Outputs are filled up to whole panels of at most 64.
        const auto bytes = [&](Index outputs) {
            return static_cast<std::size_t>(outputs * inputs + 70) * sizeof(Scalar);
        };
        EXPECT_GE(packed.state_bytes(), bytes(70));
        EXPECT_LE(packed.state_bytes(), bytes(128));
    }
    EXPECT_EQ(PackedLinear<Scalar>().state_bytes(), 0U);
}

}  // namespace
}  // namespace toeplitz::test
