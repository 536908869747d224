// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <support/random.hpp>

#include <toeplitz/dense/encoded_matrix.hpp>

namespace toeplitz::test {
namespace {

using detail::Bf16;
using detail::Int8;

float bits_to_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }

template <class Scalar>
Bf16::Number bf16_of(Scalar x) {
    Bf16::Number number = 0;
    EXPECT_EQ(Bf16::encode(&x, 1, &number), 1.0F);
    return number;
}

TEST(Bf16Test, RoundsToTheNearestNumberAndToTheEvenOneOfTwo) {
    const CounterRandom random(1);
    for (std::uint64_t i = 0; i < 20000; ++i) {
        const auto bits = static_cast<std::uint32_t>(random.bits(i)) & 0x7EFFFFFFU;  // a positive number
        const std::uint32_t below = bits >> 16U << 16U;
        const auto low = static_cast<double>(bits_to_float(below));
        const auto high = static_cast<double>(bits_to_float(below + 0x10000U));
        const auto x = static_cast<double>(bits_to_float(bits));
        const bool is_low = x - low < high - x || (x - low == high - x && below % 0x20000U == 0);
        const auto expected = static_cast<float>(is_low ? low : high);
        EXPECT_EQ(Bf16::decode(bf16_of(bits_to_float(bits)), 1), expected) << x;
        EXPECT_EQ(Bf16::decode(bf16_of(-bits_to_float(bits)), 1), -expected) << x;
    }
    EXPECT_EQ(bf16_of(1 + 0x1p-8F), 0x3F80);      // half way, to even
    EXPECT_EQ(bf16_of(1 + 3 * 0x1p-8F), 0x3F82);  // half way, to even
    EXPECT_EQ(bf16_of(1.5), 0x3FC0);
}

TEST(Bf16Test, KeepsWhatIsNotFinite) {
    const float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(Bf16::decode(bf16_of(infinity), 1), infinity);
    EXPECT_EQ(Bf16::decode(bf16_of(-infinity), 1), -infinity);
    EXPECT_EQ(Bf16::decode(bf16_of(std::numeric_limits<float>::max()), 1), infinity);
    for (const std::uint32_t nan : {0x7FC00000U, 0x7F800001U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
        EXPECT_TRUE(std::isnan(Bf16::decode(bf16_of(bits_to_float(nan)), 1))) << nan;
    }
}

TEST(Bf16Test, EncodesRowsOfAnySizeAndNothingBeside) {
    for (Index size = 0; size < 70; ++size) {
        const Matrix<float> x = random_matrix<float>(1, size + 1, 2);
        std::vector<Bf16::Number> numbers(static_cast<std::size_t>(size) + 1, 7);
        Bf16::encode(x.data(), size, numbers.data());
        for (Index i = 0; i < size; ++i) {
            EXPECT_EQ(numbers[static_cast<std::size_t>(i)], bf16_of(x(0, i)));
        }
        EXPECT_EQ(numbers.back(), 7);
    }
}

TEST(Int8Test, RoundsToTheNearestMultipleOfTheScale) {
    for (const Index size : {1, 2, 15, 16, 17, 100}) {
        for (const float extent : {1.0F, 3.7e-20F, 2e30F}) {
            const Matrix<float> x = random_matrix<float>(1, size, 3) * extent;
            std::vector<Int8::Number> numbers(static_cast<std::size_t>(size) + 1, 7);
            const float scale = Int8::encode(x.data(), size, numbers.data());
            EXPECT_FLOAT_EQ(scale, x.cwiseAbs().maxCoeff() / 127);
            int largest = 0;
            for (Index i = 0; i < size; ++i) {
                const int q = static_cast<std::int8_t>(numbers[static_cast<std::size_t>(i)]);
                largest = (std::max)(largest, std::abs(q));
                const double error = static_cast<double>(x(0, i)) / static_cast<double>(scale) - q;
                EXPECT_LE(std::abs(error), 0.5 + 127 * 0x1p-22);
                EXPECT_EQ(Int8::decode(numbers[static_cast<std::size_t>(i)], scale),
                          scale * static_cast<float>(q));
            }
            EXPECT_EQ(largest, 127);
            EXPECT_EQ(numbers.back(), 7);
            std::vector<Int8::Number> row(numbers);
            EXPECT_EQ(Int8::encode_row(x.data(), size, row.data()), scale);
            for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i) {
                EXPECT_EQ(row[i], static_cast<Int8::Number>(numbers[i] + 128));
            }
        }
    }
}

TEST(Int8Test, ARowThatIsNotFiniteHasNoScaleAndATinyOneIsZero) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
        const float x[] = {1, bad, 2};
        Int8::Number numbers[3];
        EXPECT_TRUE(std::isnan(Int8::encode(x, 3, numbers)));
    }
    for (const float small : {0.0F, -0x1p-101F, 1e-45F}) {
        const float x[] = {small, small};
        Int8::Number numbers[2] = {1, 1};
        EXPECT_EQ(Int8::encode(x, 2, numbers), 0);
        EXPECT_EQ(numbers[0] + numbers[1], 0);
    }
}

TEST(Int8Test, TakesTheOffsetOfRowsAway) {
    const std::int8_t weights[] = {127, -128, 5, 0, -127};
    EXPECT_EQ(static_cast<std::int32_t>(Int8::start(reinterpret_cast<const Int8::Number*>(weights), 5)),
              -128 * (127 - 128 + 5 - 127));
}

template <class Scalar>
class EncodedMatrixTest : public testing::Test {};
using MatrixScalars = testing::Types<float, double>;
TYPED_TEST_SUITE(EncodedMatrixTest, MatrixScalars, );

TYPED_TEST(EncodedMatrixTest, GivesItsRowsBackAndKnowsItsSize) {
    using Scalar = TypeParam;
    const Matrix<Scalar> matrix = random_matrix<Scalar>(5, 33, 4);
    const auto row = [&](WeightFormat format, Index i) {
        Vector<Scalar> result(33);
        EncodedMatrix<Scalar>(matrix, format).copy_row(i, result.data());
        return result;
    };
    for (Index i = 0; i < 5; ++i) {
        const Vector<Scalar> expected = matrix.row(i);
        EXPECT_EQ(row(WeightFormat::exact, i), expected);
        const Scalar scale = expected.cwiseAbs().maxCoeff() / 127;
        for (Index j = 0; j < 33; ++j) {
            EXPECT_EQ(row(WeightFormat::bf16, i)[j],
                      static_cast<Scalar>(Bf16::decode(bf16_of(expected[j]), 1)));
            EXPECT_NEAR(row(WeightFormat::int8, i)[j], expected[j], scale * Scalar(0.5001));
        }
    }
    const auto bytes = [&](WeightFormat format) {
        return EncodedMatrix<Scalar>(matrix, format).state_bytes();
    };
    EXPECT_EQ(bytes(WeightFormat::exact), 5 * 33 * sizeof(Scalar));
    EXPECT_EQ(bytes(WeightFormat::bf16), 5U * 33 * 2);
    EXPECT_EQ(bytes(WeightFormat::int8), 5U * 33 + 5 * sizeof(float));
}

}  // namespace
}  // namespace toeplitz::test
