// SPDX-License-Identifier: MIT
// Files are read with -ffast-math as well: numbers that are not finite must not come from them.

#include <gtest/gtest.h>

#include <toeplitz/io/state_dict.hpp>

namespace toeplitz::test {
namespace {

template <class S>
struct Set {
    Vector<S> w = Vector<S>::Zero(3);

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("w"), sets.w...);
    }
};

/// What loading says of three numbers whose last one has these bits.
template <class S, class Word>
std::string refusal(Dtype dtype, Word bits) {
    StoredTensor tensor{dtype, {3}, std::vector<std::byte>(3 * sizeof(Word))};
    std::memcpy(tensor.bytes.data() + 2 * sizeof(Word), &bits, sizeof(Word));
    TensorFile file;
    file.tensors.emplace("w", std::move(tensor));
    Set<S> set;
    try {
        load_parameters(parse_safetensors(format_safetensors(file)), set);
    } catch (const io_error& e) {
        const std::string_view what = e.what();
        for (const char* kind : {"a NaN", "an infinity"}) {
            if (what.find(kind) != what.npos) return kind;
        }
        return e.what();
    }
    return "nothing";
}

template <class S>
void expect_guarded() {
    EXPECT_EQ(refusal<S>(Dtype::f16, std::uint16_t{0x7E00}), "a NaN");
    EXPECT_EQ(refusal<S>(Dtype::f16, std::uint16_t{0xFC00}), "an infinity");
    EXPECT_EQ(refusal<S>(Dtype::f16, std::uint16_t{0x7BFF}), "nothing");
    EXPECT_EQ(refusal<S>(Dtype::bf16, std::uint16_t{0x7FC0}), "a NaN");
    EXPECT_EQ(refusal<S>(Dtype::bf16, std::uint16_t{0xFF80}), "an infinity");
    EXPECT_EQ(refusal<S>(Dtype::bf16, std::uint16_t{0x7F7F}), "nothing");
    EXPECT_EQ(refusal<S>(Dtype::f32, 0x7F800001U), "a NaN");
    EXPECT_EQ(refusal<S>(Dtype::f32, 0x7F800000U), "an infinity");
    EXPECT_EQ(refusal<S>(Dtype::f32, 0xFF7FFFFFU), "nothing");
    EXPECT_EQ(refusal<S>(Dtype::f64, 0xFFF8000000000000U), "a NaN");
    EXPECT_EQ(refusal<S>(Dtype::f64, 0x7FF0000000000000U), "an infinity");
    EXPECT_EQ(refusal<S>(Dtype::f64, 0x3FF0000000000000U), "nothing");
}

TEST(FastMathLoadTest, RefusesNumbersThatAreNotFinite) {
    expect_guarded<float>();
    expect_guarded<double>();
    EXPECT_EQ(refusal<float>(Dtype::f64, 0x7FE0000000000000U), "an infinity");
    EXPECT_EQ(refusal<double>(Dtype::f64, 0x7FE0000000000000U), "nothing");
}

}  // namespace
}  // namespace toeplitz::test
