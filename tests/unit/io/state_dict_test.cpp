// SPDX-License-Identifier: MIT
/// \file
/// Parameter sets in files: names, shapes, element types, and every mismatch at once.

#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/state_dict.hpp>

namespace toeplitz::test {
namespace {

/// Matrices, vectors, an integer and a tensor that may be empty, two levels deep.
template <Real Scalar>
struct SmallSet {
    std::vector<LinearParameters<Scalar>> layers;
    Matrix<Scalar> alphas;
    Eigen::Matrix<std::int64_t, 1, 1> steps;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        const std::size_t count = std::min({sets.layers.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            LinearParameters<Scalar>::for_each(detail::under("layers", static_cast<Index>(i), f),
                                               sets.layers[i]...);
        }
        f(ParameterName("alphas"), sets.alphas...);
        f(ParameterName("steps"), sets.steps...);
    }
};

template <class Scalar>
SmallSet<Scalar> small_set(std::uint64_t seed) {
    SmallSet<Scalar> set;
    set.layers.push_back({random_matrix<Scalar>(4, 3, seed), random_matrix<Scalar>(4, 1, seed + 1)});
    set.layers.push_back({random_matrix<Scalar>(6, 1, seed + 2), {}});
    set.alphas = random_matrix<Scalar>(3, 2, seed + 3);
    set.steps(0) = static_cast<std::int64_t>(seed);
    return set;
}

template <class P>
bool same(const P& a, const P& b) {
    bool result = true;
    for_each_parameter([&](const ParameterName&, const auto& x, const auto& y) { result = result && x == y; },
                       a, b);
    return result;
}

template <class P>
TensorFile stored(const P& parameters, const StateDictOptions& options = {}) {
    TensorFile file;
    store_parameters(file, parameters, options);
    file.source = "guest";
    return file;
}

void expect_mismatches(const std::string& head, const std::string& lines, const TensorFile& file,
                       const StateDictOptions& options = {}) {
    SmallSet<float> target = small_set<float>(9);
    expect_error<io_error>(
        920,
        "[toeplitz.io.920] load_parameters: file 'guest': expected the 5 tensors of the parameters "
        "under prefix '" +
            options.prefix + "', got " + head + lines,
        [&] { load_parameters(file, target, options); });
    EXPECT_TRUE(same(target, small_set<float>(9))) << "touched";
}

template <class Scalar>
class StateDictTest : public testing::Test {};
TYPED_TEST_SUITE(StateDictTest, Scalars, );

TYPED_TEST(StateDictTest, WhatIsStoredComesBack) {
    const auto set = small_set<TypeParam>(1);
    const TensorFile file = stored(set, {.prefix = "decoder."});
    EXPECT_EQ(file.tensors.size(), 5U);
    EXPECT_EQ(file.at("decoder.layers.0.weight").shape, (std::vector<Index>{4, 3}));
    EXPECT_EQ(file.at("decoder.layers.0.bias").shape, std::vector<Index>{4});
    EXPECT_EQ(file.at("decoder.layers.0.bias").dtype, dtype_of<TypeParam>());
    EXPECT_EQ(file.at("decoder.steps").dtype, Dtype::i64);
    auto target = small_set<TypeParam>(2);
    const TypeParam* const memory = target.alphas.data();
    load_parameters(parse_safetensors(format_safetensors(file)), target, {.prefix = "decoder."});
    EXPECT_TRUE(same(target, set));
    EXPECT_EQ(target.alphas.data(), memory) << "a view of a parameter must stay valid";
}

TEST(StateDictTest, AWrongPrefixIsToldTheRightOne) {
    const auto set = small_set<float>(1);
    expect_mismatches("names that begin with 'model.decoder.'", "", stored(set, {.prefix = "model.decoder."}),
                      {.prefix = "decoder."});
    expect_mismatches("names that begin with 'decoder.'", "", stored(set, {.prefix = "decoder."}));
    expect_mismatches("names that begin with ''", "", stored(set), {.prefix = "decoder."});
}

TEST(StateDictTest, ElementTypesAreConverted) {
    const auto set = small_set<double>(1);
    auto target = small_set<float>(2);
    load_parameters(stored(set), target);
    EXPECT_EQ(target.layers[0].weight, set.layers[0].weight.cast<float>());
    auto wide = small_set<double>(3);
    load_parameters(stored(target), wide);
    EXPECT_EQ(wide.alphas, target.alphas.cast<double>());
}

TEST(StateDictTest, BuffersOfIntegersFillNumbers) {
    TensorFile file;
    file.tensors["weight"] = make_tensor(std::span<const std::int64_t>(std::array<std::int64_t, 1>{41}), {});
    LinearParameters<float> target{Matrix<float>::Zero(1, 1), {}};
    load_parameters(file, target);
    EXPECT_EQ(target.weight(0, 0), 41.F);
}

TEST(StateDictTest, NamesAreMapped) {
    const auto set = small_set<float>(1);
    const auto mapping = [](const std::string& name) -> std::string {
        return name == "alphas" ? "toep.a" : name == "steps" ? "" : name;
    };
    TensorFile file;
    store_parameters(file, set, {}, mapping);
    EXPECT_EQ(file.tensors.count("toep.a"), 1U);
    EXPECT_EQ(file.tensors.size(), 4U);
    auto target = small_set<float>(2);
    load_parameters(file, target, {}, mapping);
    EXPECT_EQ(target.alphas, set.alphas);
    EXPECT_EQ(target.steps(0), 2) << "has no name in the file";
}

TEST(StateDictTest, SeveralSetsShareAFile) {
    TensorFile file = stored(small_set<float>(1), {.prefix = "a."});
    store_parameters(file, small_set<float>(2), {.prefix = "b."});
    auto target = small_set<float>(3);
    load_parameters(file, target, {.prefix = "b."});
    EXPECT_TRUE(same(target, small_set<float>(2)));
    expect_error<io_error>(911,
                           "[toeplitz.io.911] store_parameters: expected names that are not in the file yet, "
                           "got 'b.layers.0.weight'",
                           [&] { store_parameters(file, target, {.prefix = "b."}); });
}

TEST(StateDictTest, ShapesMayHaveFurtherDimensions) {
    const auto set = small_set<float>(1);
    TensorFile file = stored(set);
    file.tensors["alphas"].shape = {1, 3, 1, 2};
    file.tensors["layers.0.bias"].shape = {2, 1, 2};
    file.tensors["layers.1.weight"].shape = {6};
    file.tensors["steps"].shape = {};
    auto target = small_set<float>(2);
    load_parameters(file, target);
    EXPECT_TRUE(same(target, set));
    file.tensors["layers.0.weight"].shape = {2, 2, 3};
    file.tensors["layers.1.weight"].shape = {1, 6};
    load_parameters(file, target);
    EXPECT_TRUE(same(target, set));
}

TEST(StateDictTest, OtherShapesAreMismatches) {
    TensorFile file = stored(small_set<float>(1));
    file.tensors["alphas"].shape = {2, 3};
    file.tensors["layers.1.weight"].shape = {2, 3};
    file.tensors["layers.0.bias"] = {Dtype::f32, {5}, std::vector<std::byte>(20)};
    expect_mismatches("3 mismatches:",
                      "\n  'layers.0.bias': expected shape (4), got (5)"
                      "\n  'layers.1.weight': expected shape (6, 1), got (2, 3)"
                      "\n  'alphas': expected shape (3, 2), got (2, 3)",
                      file);
}

TEST(StateDictTest, TypesWithoutConversionAreMismatches) {
    TensorFile file = stored(small_set<float>(1));
    file.tensors["alphas"] = {Dtype::f8_e4m3, {3, 2}, std::vector<std::byte>(6)};
    file.tensors["steps"] = {Dtype::c64, {1}, std::vector<std::byte>(8)};
    expect_mismatches("2 mismatches:",
                      "\n  'alphas': expected numbers, got F8_E4M3"
                      "\n  'steps': expected numbers, got C64",
                      file);
}

TEST(StateDictTest, WhatWouldNotLoadIsNotStored) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
        auto set = small_set<float>(1);
        set.alphas(2, 1) = bad;
        TensorFile file;
        expect_error<io_error>(
            912,
            detail::text(
                "[toeplitz.io.912] store_parameters: file 'in memory': expected finite numbers, got ",
                static_cast<double>(bad), " in 'm.alphas' at 5"),
            [&] { store_parameters(file, set, {.prefix = "m."}); });
    }
}

TEST(StateDictTest, AllMismatchesAreReportedAtOnce) {
    TensorFile file = stored(small_set<double>(1), {.prefix = "m."});
    file.tensors.erase("m.layers.0.weight");
    file.tensors["m.layers.0.bias"] = make_tensor(std::span<const double>(std::array{1., 1e39, 1., 1.}), {4});
    file.tensors["m.layers.1.weight"] =
        make_tensor(std::span<const double>(std::array{1., 1., 1., double(NAN), 1., 1.}), {6, 1});
    file.tensors["m.alphas"].shape = {6};
    file.tensors["m.steps"] = make_tensor(std::span<const float>(std::array{1.F}), {1});
    file.tensors["m.extra"] = {Dtype::u8, {0}, {}};
    file.tensors["other.extra"] = {Dtype::u8, {0}, {}};
    expect_mismatches("6 mismatches:",
                      "\n  'm.layers.0.weight': missing"
                      "\n  'm.layers.0.bias': expected finite numbers, got an infinity at 1"
                      "\n  'm.layers.1.weight': expected finite numbers, got a NaN at 3"
                      "\n  'm.alphas': expected shape (3, 2), got (6)"
                      "\n  'm.steps': expected numbers that fit I64, got one of F32 that does not, at 0"
                      "\n  'm.extra': unexpected",
                      file, {.prefix = "m."});
}

TEST(StateDictTest, OneMismatchIsEnough) {
    TensorFile file = stored(small_set<float>(1));
    file.tensors["alphas"].bytes[3] = std::byte{0x7F};
    file.tensors["alphas"].bytes[2] = std::byte{0x80};
    file.tensors["alphas"].bytes[1] = std::byte{0};
    file.tensors["alphas"].bytes[0] = std::byte{0};
    expect_mismatches("1 mismatch:", "\n  'alphas': expected finite numbers, got an infinity at 0", file);
}

TEST(StateDictTest, UnexpectedNamesMayBeIgnored) {
    TensorFile file = stored(small_set<float>(1));
    for (const char* name : {"version", "layers.0.version", "subversion", "conversion.x"}) {
        file.tensors[name] = {Dtype::u8, {0}, {}};
    }
    expect_mismatches("2 mismatches:", "\n  'conversion.x': unexpected\n  'subversion': unexpected", file,
                      {.prefix = "", .ignorable = {"version"}});
    auto target = small_set<float>(2);
    load_parameters(file, target, {.prefix = "", .ignorable = {"version", "subversion", "conversion.x"}});
    EXPECT_TRUE(same(target, small_set<float>(1)));
}

/// Beside parameters checkpoints hold moments, and model files a probe.
TEST(StateDictTest, TheLibrarysOwnTensorsAreNotUnexpected) {
    TensorFile file = stored(small_set<float>(1));
    store_parameters(file, small_set<float>(3), {.prefix = "adam.m."});
    store_parameters(file, small_set<float>(4), {.prefix = "adam.v."});
    for (const char* name : {"probe.input", "probe.output"}) file.tensors[name] = {Dtype::u8, {0}, {}};
    auto target = small_set<float>(2);
    load_parameters(file, target);
    EXPECT_TRUE(same(target, small_set<float>(1)));
    load_parameters(file, target, {.prefix = "adam.v."});
    EXPECT_TRUE(same(target, small_set<float>(4)));
    for (const char* name : {"adam.m", "adam.mean.x", "probe.inputs", "x.probe.input", "adam.m.extra"}) {
        file.tensors[name] = {Dtype::u8, {0}, {}};
    }
    expect_mismatches("4 mismatches:",
                      "\n  'adam.m': unexpected\n  'adam.mean.x': unexpected\n  'probe.inputs': unexpected"
                      "\n  'x.probe.input': unexpected",
                      file);
    expect_mismatches("1 mismatch:", "\n  'adam.m.extra': unexpected", file, {.prefix = "adam.m."});
}

TEST(StateDictTest, LongListsAreCutAndCounted) {
    TensorFile file = stored(small_set<float>(1));
    for (int i = 0; i < 1500; ++i) file.tensors[detail::text("x", i)] = {Dtype::u8, {0}, {}};
    auto target = small_set<float>(2);
    try {
        load_parameters(file, target);
        ADD_FAILURE();
    } catch (const io_error& caught) {
        const std::string message = caught.what();
        EXPECT_NE(message.find("got 1500 mismatches:"), std::string::npos);
        EXPECT_TRUE(message.ends_with("and 500 more"));
    }
}

}  // namespace
}  // namespace toeplitz::test
