// SPDX-License-Identifier: MIT
// Instructions for products in fewer bits have the bits of the portable code and of the definition. What this
// processor lacks is skipped, and said.
#include <gtest/gtest.h>

#include <support/random.hpp>

#include <cpuid.h>

#include "word_unit.hpp"

namespace toeplitz::test {
namespace {

std::vector<float> numbers(Index count, std::uint64_t seed) {
    const Matrix<float> matrix = random_matrix<float>(count, 1, seed);
    return {matrix.data(), matrix.data() + count};
}

void expect_same(WordUnit::Results (*products)(const WordProblem&), bool has_instruction) {
    ASSERT_TRUE(has_instruction);
    for (const Index inputs : {1, 3, 64, 257}) {
        for (const Index outputs : {1, 65, 200}) {
            for (const Index rows : {1, 2, 4, 6, 13}) {
                const WordUnit::Results results =
                    products({rows, inputs, outputs, numbers(rows * inputs, 1), numbers(outputs * inputs, 2),
                              numbers(outputs, 3)});
                EXPECT_EQ(results.native, results.expected) << rows << ", " << inputs << ", " << outputs;
                EXPECT_EQ(results.portable, results.expected) << rows << ", " << inputs << ", " << outputs;
            }
        }
    }
}

bool has_avx512() {
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0;
}

/// Compilers of 2022 do not know it by name.
bool has_avx_vnni() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1U << 4U) != 0 &&
           __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

TEST(WordInstructionTest, Vdpbf16psOf512BitsHasTheBitsOfTheDefinition) {
    if (!has_avx512() || !__builtin_cpu_supports("avx512bf16")) GTEST_SKIP() << "no AVX512-BF16";
    expect_same(avx512_unit().bf16, avx512_unit().has_bf16);
    expect_same(avx512_unit().trained, avx512_unit().has_bf16);
}

TEST(WordInstructionTest, VpdpbusdOf512BitsHasTheBitsOfTheDefinition) {
    if (!has_avx512() || !__builtin_cpu_supports("avx512vnni")) GTEST_SKIP() << "no AVX512-VNNI";
    expect_same(avx512_unit().int8, avx512_unit().has_int8);
}

TEST(WordInstructionTest, Vdpbf16psOf256BitsHasTheBitsOfTheDefinition) {
    if (!has_avx512() || !__builtin_cpu_supports("avx512bf16")) GTEST_SKIP() << "no AVX512-BF16";
    expect_same(avx512_256_unit().bf16, avx512_256_unit().has_bf16);
    expect_same(avx512_256_unit().trained, avx512_256_unit().has_bf16);
}

TEST(WordInstructionTest, VpdpbusdOf256BitsHasTheBitsOfTheDefinition) {
    if (!has_avx512() || !__builtin_cpu_supports("avx512vnni")) GTEST_SKIP() << "no AVX512-VNNI";
    expect_same(avx512_256_unit().int8, avx512_256_unit().has_int8);
}

TEST(WordInstructionTest, VpdpbusdOfAvxVnniHasTheBitsOfTheDefinition) {
    if (!has_avx_vnni()) GTEST_SKIP() << "no AVX-VNNI";
    expect_same(avx_vnni_unit().int8, avx_vnni_unit().has_int8);
}

}  // namespace
}  // namespace toeplitz::test
