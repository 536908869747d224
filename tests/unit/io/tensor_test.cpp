// SPDX-License-Identifier: MIT
/// \file
/// Stored tensors: conversions of every element type, and what has none.

#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <support/errors.hpp>

#include <toeplitz/io/tensor.hpp>

namespace toeplitz::test {
namespace {

template <class T>
std::vector<T> converted(const StoredTensor& tensor) {
    std::vector<T> numbers(static_cast<std::size_t>(tensor.size()));
    tensor.copy_to(std::span(numbers));
    return numbers;
}

template <class T>
StoredTensor column(std::initializer_list<T> numbers) {
    return make_tensor(std::span<const T>(numbers.begin(), numbers.size()),
                       {static_cast<Index>(numbers.size())});
}

StoredTensor sixteen_bits(Dtype dtype, std::initializer_list<std::uint16_t> bits) {
    StoredTensor tensor = column(bits);
    tensor.dtype = dtype;
    return tensor;
}

template <class T>
class StoredTensorTest : public testing::Test {};
using Numbers = testing::Types<float, double, std::int8_t, std::uint16_t, std::int32_t, std::uint64_t>;
TYPED_TEST_SUITE(StoredTensorTest, Numbers, );

TYPED_TEST(StoredTensorTest, KeepsTheExtremesOfEveryType) {
    using T = TypeParam;
    const StoredTensor tensor =
        column<T>({std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max(), T(3)});
    EXPECT_EQ(tensor.dtype, dtype_of<T>());
    const auto same = converted<T>(tensor);
    EXPECT_EQ(same[0], std::numeric_limits<T>::lowest());
    EXPECT_EQ(same[1], std::numeric_limits<T>::max());
    const auto real = converted<double>(tensor);
    EXPECT_EQ(real[0], static_cast<double>(std::numeric_limits<T>::lowest()));
    EXPECT_EQ(real[1], static_cast<double>(std::numeric_limits<T>::max()));
    EXPECT_EQ(real[2], 3.);
}

TEST(StoredTensorTest, EveryTypeHasANameAndASize) {
    int bits = 0;
    int index = 0;
    for (const detail::DtypeRow& row : detail::dtype_table) {
        EXPECT_EQ(static_cast<int>(row.dtype), index++) << row.name;
        EXPECT_STREQ(dtype_name(row.dtype), row.name);
        bits += element_bits(row.dtype);
    }
    EXPECT_EQ(index, 22);
    EXPECT_EQ(bits, 4 + 2 * 6 + 8 * 8 + 4 * 16 + 3 * 32 + 4 * 64);
    EXPECT_STREQ(dtype_name(Dtype::boolean), "BOOL");
    EXPECT_STREQ(dtype_name(Dtype::f4), "F4");
    EXPECT_STREQ(dtype_name(Dtype::c64), "C64");
    EXPECT_STREQ(dtype_name(Dtype::bf16), "BF16");
    EXPECT_STREQ(dtype_name(Dtype::u64), "U64");
    EXPECT_EQ(dtype_of<bool>(), Dtype::boolean);
}

TEST(StoredTensorTest, TypesWithoutConversionAreRefusedWhenTheyAreConverted) {
    const StoredTensor complex{Dtype::c64, {1}, std::vector<std::byte>(8)};
    EXPECT_EQ(complex.size(), 1);
    expect_error<io_error>(
        907, "[toeplitz.io.907] StoredTensor: expected an element type that converts to numbers, got C64",
        [&] { static_cast<void>(complex.matrix<double>()); });
    const StoredTensor packed{Dtype::f4, {3, 2}, std::vector<std::byte>(3)};
    EXPECT_EQ(packed.size(), 6);
    EXPECT_THROW(static_cast<void>(packed.matrix<float>()), io_error);
    EXPECT_THROW(static_cast<void>(packed.first_misfit<int>()), io_error);
    const StoredTensor half_a_byte{Dtype::f4, {3}, std::vector<std::byte>(2)};
    EXPECT_THROW(static_cast<void>(half_a_byte.size()), io_error);
}

TEST(StoredTensorTest, HalfPrecisionIsThatOfIeee) {
    const auto x = converted<double>(sixteen_bits(Dtype::f16, {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x03FF, 0x0001,
                                                               0x8000, 0x3555, 0x7C00, 0xFC00, 0x7E00}));
    EXPECT_EQ(x[0], 1.);
    EXPECT_EQ(x[1], -2.);
    EXPECT_EQ(x[2], 65504.);
    EXPECT_EQ(x[3], 0x1p-14);
    EXPECT_EQ(x[4], 1023 * 0x1p-24);
    EXPECT_EQ(x[5], 0x1p-24);
    EXPECT_EQ(x[6], 0.);
    EXPECT_TRUE(std::signbit(x[6]));
    EXPECT_EQ(x[7], 0.333251953125);
    EXPECT_EQ(x[8], HUGE_VAL);
    EXPECT_EQ(x[9], -HUGE_VAL);
    EXPECT_TRUE(std::isnan(x[10]));
}

/// All 65536 numbers: sign, exponent and fraction taken apart in floating point.
TEST(StoredTensorTest, HalfPrecisionIsRightForAllBits) {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const int exponent = static_cast<int>(bits >> 10U & 31U);
        const double fraction = bits & 1023U;
        if (exponent == 31) continue;
        const double magnitude =
            exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        const double expected = bits >> 15U != 0 ? -magnitude : magnitude;
        ASSERT_EQ(static_cast<double>(static_cast<float>(detail::Half{static_cast<std::uint16_t>(bits)})),
                  expected)
            << bits;
    }
}

TEST(StoredTensorTest, BrainFloatIsTheUpperHalfOfAFloat) {
    const auto x = converted<float>(sixteen_bits(Dtype::bf16, {0x3F80, 0xC040, 0x7F7F, 0x0001, 0xFF80}));
    EXPECT_EQ(x[0], 1.F);
    EXPECT_EQ(x[1], -3.F);
    EXPECT_EQ(x[2], 0x1.FEp127F);
    EXPECT_EQ(x[3], 0x1p-133F);
    EXPECT_EQ(x[4], -HUGE_VALF);
}

TEST(StoredTensorTest, NarrowingRoundsAndOverflowsToInfinity) {
    const auto x = converted<float>(column({1 + 0x1p-25, 1e300, -1e300, double(NAN), -HUGE_VAL}));
    EXPECT_EQ(x[0], 1.F);
    EXPECT_EQ(x[1], HUGE_VALF);
    EXPECT_EQ(x[2], -HUGE_VALF);
    EXPECT_TRUE(std::isnan(x[3]));
    EXPECT_EQ(x[4], -HUGE_VALF);
}

TEST(StoredTensorTest, BooleansAreBytes) {
    const StoredTensor tensor = column({true, false});
    EXPECT_EQ(tensor.bytes.size(), 2U);
    EXPECT_EQ(converted<float>(tensor), (std::vector{1.F, 0.F}));
}

TEST(StoredTensorTest, IntegersTakeOnlyIntegersThatFit) {
    EXPECT_EQ(converted<Token>(column<std::int64_t>({7, -8})), (std::vector<Token>{7, -8}));
    expect_error<io_error>(907,
                           "[toeplitz.io.907] StoredTensor::copy_to: expected numbers that fit I32, "
                           "got one of I64 that does not, at 1",
                           [] {
                               converted<Token>(column<std::int64_t>({7, 1LL << 31}));
                           });
    expect_error<io_error>(907,
                           "[toeplitz.io.907] StoredTensor::copy_to: expected numbers that fit U8, "
                           "got one of F32 that does not, at 0",
                           [] { converted<std::uint8_t>(column({1.F})); });
}

TEST(StoredTensorTest, RowsAreOfTheLastDimensionOrAsAsked) {
    const StoredTensor tensor =
        make_tensor(std::span<const float>(std::array{1.F, 2.F, 3.F, 4.F, 5.F, 6.F}), {1, 2, 3});
    const Matrix<double> rows = tensor.matrix<double>();
    ASSERT_EQ(rows.rows(), 2);
    EXPECT_EQ(rows(1, 0), 4.);
    EXPECT_EQ(tensor.matrix<float>(2).rows(), 3);
    EXPECT_EQ(make_tensor(std::span<const float>(std::array{1.F}), {}).matrix<float>().size(), 1);
    expect_error<io_error>(
        907, "[toeplitz.io.907] StoredTensor::matrix: expected rows of 4 numbers, got shape (1, 2, 3)",
        [&] { static_cast<void>(tensor.matrix<double>(4)); });
}

TEST(StoredTensorTest, TakesAnyView) {
    Matrix<double> matrix(2, 3);
    matrix << 1, 2, 3, 4, 5, 6;
    const StoredTensor tensor = make_tensor(MatrixView<const double>(matrix.data(), 3, 2, 1, 3));
    EXPECT_EQ(tensor.shape, (std::vector<Index>{3, 2}));
    EXPECT_EQ(tensor.matrix<double>(), matrix.transpose());
}

TEST(StoredTensorTest, BytesMustFitTheShape) {
    const StoredTensor wrong{Dtype::f32, {2, 2}, std::vector<std::byte>(15)};
    expect_error<io_error>(907,
                           "[toeplitz.io.907] StoredTensor: expected as many bytes as its shape needs, "
                           "got 15 bytes for F32 of shape (2, 2)",
                           [&] { static_cast<void>(wrong.matrix<float>()); });
    EXPECT_THROW(static_cast<void>(StoredTensor{Dtype::f32, {-1, -1}, std::vector<std::byte>(4)}.size()),
                 io_error);
    EXPECT_THROW(static_cast<void>(StoredTensor{Dtype::f64, {Index(1) << 62}, {}}.size()), io_error);
    EXPECT_THROW(static_cast<void>(make_tensor(std::span<const float>(std::array{1.F}), {2})), io_error);
    std::array<float, 3> room{};
    EXPECT_THROW(column({1.F}).copy_to(std::span<float>(room)), io_error);
}

}  // namespace
}  // namespace toeplitz::test
