// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/threads.hpp>
#include <support/word_oracle.hpp>

#include <toeplitz/dense/packed.hpp>

namespace toeplitz::test {
namespace {

using detail::Arithmetic;
using detail::Bf16;
using detail::Int8;
using word_oracle::word_products;

template <class NumbersType, class ScalarType>
struct Case {
    using Numbers = NumbersType;
    using Scalar = ScalarType;
    static constexpr WeightFormat format =
        std::is_same_v<Numbers, Bf16> ? WeightFormat::bf16 : WeightFormat::int8;
};

template <class Scalar>
Vector<Scalar> some_bias(Index outputs) {
    return random_matrix<Scalar>(outputs, 1, 2).col(0);
}

template <class T>
class PackedWordsTest : public testing::Test {};
using Cases = testing::Types<Case<Bf16, float>, Case<Bf16, double>, Case<Int8, float>, Case<Int8, double>>;
TYPED_TEST_SUITE(PackedWordsTest, Cases, );

TYPED_TEST(PackedWordsTest, HasTheBitsOfTheDefinitionForAnyRowsAndThreads) {
    using Scalar = typename TypeParam::Scalar;
    using Numbers = typename TypeParam::Numbers;
    constexpr Index width = detail::ProductTile<float>::cols;
    for (const Index inputs : {0, 1, 2, 3, 5, 63, 130}) {
        for (const Index outputs : {Index{1}, width - 1, width + 1, 2 * width, Index{300}}) {
            const Matrix<Scalar> weight = random_matrix<Scalar>(outputs, inputs, 1);
            const Vector<Scalar> bias = outputs % 2 == 1 ? some_bias<Scalar>(outputs) : Vector<Scalar>();
            const Matrix<Scalar> x = random_matrix<Scalar>(125, inputs, 3);
            const Matrix<Scalar> expected = word_products<Numbers>(x, weight, bias);
            const PackedLinear<Scalar> packed(weight, bias, TypeParam::format);
            const detail::PackedWords<Numbers, Scalar, Arithmetic::portable> portable(
                EncodedMatrix<Scalar>(weight, TypeParam::format), bias);
            for (const Index rows : {0, 1, 2, 3, 5, 6, 7, 16, 125}) {
                SCOPED_TRACE(testing::Message() << rows << " rows, " << inputs << " -> " << outputs);
                const auto some = MatrixView<const Scalar>(x).middle_rows(0, rows);
                for (const int threads : {1, 2, 7}) {
                    Workspace ws;
                    Matrix<Scalar> y = Matrix<Scalar>::Constant(rows, outputs, 7);
                    Matrix<Scalar> other = y;
                    with_threads(threads, [&] {
                        ws.reserve(packed.row_workspace(rows));
                        const std::size_t reserved = ws.capacity();
                        packed.apply(some, y, ws);
                        EXPECT_EQ(ws.capacity(), reserved);
                        portable.apply(some, other, ws, {});
                    });
                    ASSERT_EQ(y, expected.topRows(rows)) << threads << " threads";
                    ASSERT_EQ(other, expected.topRows(rows)) << threads << " threads, portable";
                }
            }
        }
    }
}

/// The bound of PackedLinear's comment, for y_j.
template <class Scalar>
long double error_bound(WeightFormat format, const Matrix<Scalar>& x, const Matrix<Scalar>& weight, Index i,
                        Index j, Scalar bias) {
    const Matrix<long double> row = x.row(i).template cast<long double>().cwiseAbs();
    const Matrix<long double> weights = weight.row(j).template cast<long double>().cwiseAbs();
    const long double a = row.cwiseProduct(weights).sum();
    const long double b = std::abs(static_cast<long double>(bias));
    const auto n = static_cast<long double>(x.cols());
    const long double u = 0x1p-24L;
    if (format == WeightFormat::bf16) return (0x1p-7L + 0x1p-16L + 2 * (n + 2) * u) * a + 2 * u * b;
    const long double s = row.maxCoeff() / 127;
    const long double t = weights.maxCoeff() / 127;
    return (1 + 0x1p-13L) * (s * weights.sum() + t * row.sum() + n * s * t / 2) / 2 + 4 * u * (a + b);
}

TYPED_TEST(PackedWordsTest, ErrsByNoMoreThanItsBound) {
    using Scalar = typename TypeParam::Scalar;
    const Index rows = 9;
    const Index outputs = 70;
    for (const Index inputs : {1, 4, 257, 1100}) {
        for (const bool is_even : {true, false}) {
            Matrix<Scalar> weight = random_matrix<Scalar>(outputs, inputs, 1);
            Matrix<Scalar> x = random_matrix<Scalar>(rows, inputs, 3);
            if (!is_even) {  // numbers of very different size
                weight = (Scalar(4) * weight.array()).exp() * weight.array();
                x = (Scalar(4) * x.array()).exp() * x.array();
            }
            const Vector<Scalar> bias = some_bias<Scalar>(outputs);
            Matrix<Scalar> y(rows, outputs);
            Workspace ws;
            PackedLinear<Scalar>(weight, bias, TypeParam::format).apply(x, y, ws);
            const Matrix<long double> exact =
                (x.template cast<long double>() * weight.template cast<long double>().transpose()).rowwise() +
                bias.template cast<long double>().transpose();
            long double most = 0;
            for (Index i = 0; i < rows; ++i) {
                for (Index j = 0; j < outputs; ++j) {
                    const long double error = std::abs(static_cast<long double>(y(i, j)) - exact(i, j));
                    const long double bound =
                        error_bound<Scalar>(TypeParam::format, x, weight, i, j, bias[j]);
                    ASSERT_LE(error, bound) << i << ", " << j << " of " << inputs;
                    most = (std::max)(most, error / bound);
                }
            }
            if (is_even && inputs > 1) {
                EXPECT_GT(most, 0.02L);  // the bound says something
            }
        }
    }
}

TYPED_TEST(PackedWordsTest, ARowThatIsNotFiniteSpoilsNoOther) {
    using Scalar = typename TypeParam::Scalar;
    const Matrix<Scalar> weight = random_matrix<Scalar>(20, 33, 1);
    Matrix<Scalar> x = random_matrix<Scalar>(8, 33, 3);
    const PackedLinear<Scalar> packed(weight, {}, TypeParam::format);
    Workspace ws;
    Matrix<Scalar> clean(8, 20), y(8, 20);
    packed.apply(x, clean, ws);
    x(3, 5) = std::numeric_limits<Scalar>::quiet_NaN();
    packed.apply(x, y, ws);
    for (Index i = 0; i < 8; ++i) {
        for (Index j = 0; j < 20; ++j) {
            if (i == 3) {
                EXPECT_TRUE(std::isnan(y(i, j)));
            } else {
                EXPECT_EQ(y(i, j), clean(i, j));
            }
        }
    }
}

TYPED_TEST(PackedWordsTest, WritesNothingBesideAPartOfAMatrix) {
    using Scalar = typename TypeParam::Scalar;
    for (const Index rows : {1, 8}) {
        const Matrix<Scalar> weight = random_matrix<Scalar>(45, 30, 1);
        const Matrix<Scalar> x = random_matrix<Scalar>(rows, 30, 3);
        Matrix<Scalar> around = Matrix<Scalar>::Constant(rows + 3, 50, 7);
        Workspace ws;
        PackedLinear<Scalar>(weight, {}, TypeParam::format)
            .apply(x, MatrixView<Scalar>(&around(2, 3), rows, 45, 50), ws);
        EXPECT_EQ(around.block(2, 3, rows, 45),
                  word_products<typename TypeParam::Numbers>(x, weight, Vector<Scalar>()));
        around.block(2, 3, rows, 45).setConstant(7);
        EXPECT_TRUE((around.array() == 7).all());
    }
}

TYPED_TEST(PackedWordsTest, FinishesEveryElementOnceWhenItHasItsValue) {
    using Scalar = typename TypeParam::Scalar;
    const PackedLinear<Scalar> packed(random_matrix<Scalar>(600, 300, 1), {}, TypeParam::format);
    for (const Index rows : {1, 250}) {
        const Matrix<Scalar> x = random_matrix<Scalar>(rows, 300, 3);
        Matrix<Scalar> seen(rows, 600);
        auto finish = [&](Index row, Index col, MatrixView<Scalar> part) {
            seen.block(row, col, part.rows(), part.cols()) += part.eigen();
        };
        for (const int threads : {1, 2, 7}) {
            seen.setZero();
            Matrix<Scalar> y(rows, 600);
            Workspace ws;
            with_threads(threads, [&] { packed.apply(x, y, ws, finish); });
            EXPECT_EQ(seen, y) << rows << " rows, " << threads << " threads";
        }
    }
}

TYPED_TEST(PackedWordsTest, GivesItsRowsBackAsTheyAreStoredAndKnowsItsSize) {
    using Scalar = typename TypeParam::Scalar;
    using Numbers = typename TypeParam::Numbers;
    constexpr Index width = detail::ProductTile<float>::cols;
    for (const Index inputs : {1, 3, 300}) {
        const Matrix<Scalar> weight = random_matrix<Scalar>(70, inputs, 1);
        const PackedLinear<Scalar> packed(weight, {}, TypeParam::format);
        for (const Index output : {0, 1, 63, 64, 69}) {
            std::vector<typename Numbers::Number> numbers(static_cast<std::size_t>(inputs));
            const float scale = Numbers::encode(weight.row(output).data(), inputs, numbers.data());
            Vector<Scalar> row(inputs);
            packed.copy_row(output, row.data());
            for (Index i = 0; i < inputs; ++i) {
                EXPECT_EQ(row[i],
                          static_cast<Scalar>(Numbers::decode(numbers[static_cast<std::size_t>(i)], scale)));
            }
        }
        const Index outputs = (70 + width - 1) / width * width;
        const Index words = (inputs + Numbers::group - 1) / Numbers::group;
        const Index numbers = Numbers::has_scales ? 3 : 1;  // scales, starts, biases
        EXPECT_EQ(packed.state_bytes(), static_cast<std::size_t>(outputs * (words + numbers)) * 4);
    }
}

TEST(PackedWordsRefusalTest, RefusesMoreInputsThanIntegersHold) {
    const Matrix<float> most = Matrix<float>::Constant(1, Int8::most_inputs, 1);
    Matrix<float> y(2, 1);
    Matrix<float> x = Matrix<float>::Constant(2, Int8::most_inputs, 1);
    x.row(1) *= -1;
    Workspace ws;
    PackedLinear<float>(most, {}, WeightFormat::int8).apply(x, y, ws);
    EXPECT_FLOAT_EQ(y(0, 0), 65536);
    EXPECT_FLOAT_EQ(y(1, 0), -65536);
    const Matrix<float> more = Matrix<float>::Zero(1, Int8::most_inputs + 1);
    EXPECT_NO_THROW(PackedLinear<float>(more, {}, WeightFormat::bf16));
    expect_error<config_error>(
        440,
        "[toeplitz.config.440] PackedLinear: expected at most 65536 inputs with weights in int8, got 65537",
        [&] { PackedLinear<float>(more, {}, WeightFormat::int8); });
}

}  // namespace
}  // namespace toeplitz::test
