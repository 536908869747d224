// SPDX-License-Identifier: MIT
/// \file
/// Model files prove themselves: the probe's output must come out again.

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/model_file.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
LinearParameters<Scalar> some_parameters(std::uint64_t seed) {
    return {random_matrix<Scalar>(5, 3, seed), random_matrix<Scalar>(5, 1, seed + 1)};
}

template <class Scalar>
bool same(const LinearParameters<Scalar>& a, const LinearParameters<Scalar>& b) {
    return a.weight == b.weight && a.bias == b.bias;
}

/// y = x Wᵀ + b.
template <class Scalar>
Matrix<Scalar> evaluate(const LinearParameters<Scalar>& p, MatrixView<const Scalar> x) {
    Matrix<Scalar> y = x.eigen().lazyProduct(p.weight.transpose());
    y.rowwise() += p.bias.transpose();
    return y;
}

/// Row t is the weights' column of token t.
Matrix<float> embed(const LinearParameters<float>& p, std::span<const Token> tokens) {
    Matrix<float> y(static_cast<Index>(tokens.size()), p.weight.rows());
    for (std::size_t t = 0; t < tokens.size(); ++t)
        y.row(static_cast<Index>(t)) = p.weight.col(tokens[t]).transpose();
    return y;
}

template <class Scalar>
class ModelFileTest : public testing::Test {
protected:
    ModelFileTest() {
        save_model(path, parameters, {{"config", "{}"}}, random_matrix<Scalar>(4, 3, 5), evaluate<Scalar>,
                   {.prefix = "model."});
    }
    TemporaryFolder folder;
    std::string path = folder / "a.safetensors";
    LinearParameters<Scalar> parameters = some_parameters<Scalar>(1);
    ModelFileOptions options{.prefix = "model."};
};
TYPED_TEST_SUITE(ModelFileTest, Scalars, );

TYPED_TEST(ModelFileTest, WhatIsSavedComesBack) {
    auto target = some_parameters<TypeParam>(2);
    const TypeParam* const memory = target.weight.data();
    const auto metadata = load_model(this->path, target, evaluate<TypeParam>, this->options);
    EXPECT_TRUE(same(target, this->parameters));
    EXPECT_EQ(target.weight.data(), memory);
    EXPECT_EQ(metadata.at("config"), "{}");
    const TensorFile file = read_safetensors(this->path);
    EXPECT_EQ(file.tensors.size(), 4U);
    EXPECT_EQ(file.at("probe.output").shape, (std::vector<Index>{4, 5}));
}

/// The smallest change that the tolerance lets through, and the next one.
TYPED_TEST(ModelFileTest, DeviationsBeyondTheToleranceAreErrors) {
    using Scalar = TypeParam;
    const double tolerance = probe_tolerance<Scalar>;
    const auto loads = [&](double change, const ModelFileOptions& options) {
        auto target = some_parameters<Scalar>(2);
        const auto other = [&](const LinearParameters<Scalar>& p, MatrixView<const Scalar> x) {
            return Matrix<Scalar>(evaluate<Scalar>(p, x) * static_cast<Scalar>(1 + change));
        };
        try {
            load_model(this->path, target, other, options);
            EXPECT_TRUE(same(target, this->parameters));
            return true;
        } catch (const io_error& caught) {
            EXPECT_EQ(caught.id(), 931);
            EXPECT_TRUE(same(target, some_parameters<Scalar>(2))) << "touched";
            return false;
        }
    };
    EXPECT_TRUE(loads(0.9 * tolerance, this->options));
    EXPECT_FALSE(loads(1.1 * tolerance, this->options));
    EXPECT_TRUE(loads(1.1 * tolerance, {.prefix = "model.", .tolerance = 2 * tolerance}));
    EXPECT_FALSE(loads(NAN, this->options));
    EXPECT_FALSE(loads(HUGE_VAL, this->options));
}

TYPED_TEST(ModelFileTest, TolerancesAreFinite) {
    for (const double tolerance : {std::nan(""), HUGE_VAL, -1e-3}) {
        auto target = some_parameters<TypeParam>(2);
        ModelFileOptions options = this->options;
        options.tolerance = tolerance;
        expect_error<config_error>(
            943,
            detail::text("[toeplitz.config.943] load_model: expected a finite tolerance >= 0, got ",
                         tolerance),
            [&] { load_model(this->path, target, evaluate<TypeParam>, options); });
        EXPECT_TRUE(same(target, some_parameters<TypeParam>(2)));
    }
}

/// A float file in a double model is judged by the file's digits.
TEST(ModelFileTest, TheCoarserScalarSetsTheTolerance) {
    const TemporaryFolder folder;
    const auto parameters = some_parameters<float>(1);
    save_model(folder / "a", parameters, {}, random_matrix<float>(4, 3, 5), evaluate<float>);
    auto target = some_parameters<double>(2);
    load_model(folder / "a", target, evaluate<double>);
    EXPECT_EQ(target.weight, parameters.weight.cast<double>());
}

TEST(ModelFileTest, ProbesMayBeTokens) {
    const TemporaryFolder folder;
    const auto parameters = some_parameters<float>(1);
    save_model(folder / "a", parameters, {}, std::vector<Token>{2, 0, 1, 2}, embed);
    auto target = some_parameters<float>(2);
    load_model(folder / "a", target, embed);
    EXPECT_TRUE(same(target, parameters));
    EXPECT_EQ(read_safetensors(folder / "a").at("probe.input").dtype, Dtype::i32);
}

TEST(ModelFileTest, AChangedWeightIsNoticed) {
    const TemporaryFolder folder;
    save_model(folder / "a", some_parameters<float>(1), {}, random_matrix<float>(4, 3, 5), evaluate<float>);
    TensorFile file = read_safetensors(folder / "a");
    file.source = "guest";
    file.tensors["weight"].bytes[2] ^= std::byte{0x40};
    auto target = some_parameters<float>(2);
    try {
        load_model(file, target, evaluate<float>);
        ADD_FAILURE();
    } catch (const io_error& caught) {
        EXPECT_EQ(std::string(caught.what())
                      .find("[toeplitz.io.931] load_model: file 'guest': expected the replayed output within "
                            "0.00024 of "
                            "the stored one, relatively, got a deviation of "),
                  0U)
            << caught.what();
    }
    EXPECT_TRUE(same(target, some_parameters<float>(2)));
}

TEST(ModelFileTest, ProbesMustBeThereAndUsable) {
    const auto refused = [](int id, const std::string& complaint, const TensorFile& file) {
        auto target = some_parameters<float>(2);
        expect_error<io_error>(
            id, detail::text("[toeplitz.io.", id, "] load_model: file 'in memory': ", complaint),
            [&] { load_model(file, target, evaluate<float>); });
        EXPECT_TRUE(same(target, some_parameters<float>(2)));
    };
    TensorFile file;
    store_parameters(file, some_parameters<float>(1));
    refused(930, "expected a tensor 'probe.input', got none", file);
    file.tensors["probe.input"] = make_tensor(std::span<const float>(std::array{1.F, 2.F, 3.F}), {1, 3});
    refused(930, "expected a tensor 'probe.output', got none", file);
    file.tensors["probe.output"] = make_tensor(std::span<const Token>(std::array{Token{1}}), {1});
    refused(930, "expected a 'probe.output' of F32 or F64 numbers, got I32 of shape (1)", file);
    file.tensors["probe.output"] = {Dtype::f32, {1, 0}, {}};
    refused(930, "expected a 'probe.output' of F32 or F64 numbers, got F32 of shape (1, 0)", file);
    file.tensors["probe.output"] = make_tensor(std::span<const float>(std::array{NAN}), {1});
    refused(930, "expected a 'probe.output' of finite numbers, got others", file);
    file.tensors["probe.output"] = make_tensor(std::span<const float>(std::array{1.F, 2.F}), {1, 2});
    refused(931, "expected a replayed output of shape 1×2, got 1×5", file);
    file.tensors["weight"].shape = {3, 5};
    auto target = some_parameters<float>(2);
    EXPECT_THROW(load_model(file, target, evaluate<float>), io_error);
}

TEST(ModelFileTest, ErrorsOfTheEvaluationPass) {
    const TemporaryFolder folder;
    save_model(folder / "a", some_parameters<float>(1), {}, std::vector<Token>{2}, embed);
    auto target = some_parameters<float>(2);
    const auto fails = [](const LinearParameters<float>&, std::span<const Token>) -> Matrix<float> {
        throw shape_error(1, "test");
    };
    EXPECT_THROW(load_model(folder / "a", target, fails), shape_error);
    EXPECT_TRUE(same(target, some_parameters<float>(2)));
}

TEST(ModelFileTest, ModelsThatAreNotFiniteAreNotSaved) {
    const TemporaryFolder folder;
    const std::string path = folder / "a";
    auto parameters = some_parameters<float>(1);
    save_model(path, parameters, {}, std::vector<Token>{2}, embed);
    const std::string before = read_bytes(path);
    const auto overflows = [](const auto& p, std::span<const Token> tokens) {
        return (embed(p, tokens).array() * HUGE_VALF).matrix().eval();
    };
    expect_error<io_error>(931,
                           "[toeplitz.io.931] save_model: file " + detail::in_quotes(path) +
                               ": expected a probe with finite outputs, got a NaN or an infinity",
                           [&] { save_model(path, parameters, {}, std::vector<Token>{2}, overflows); });
    parameters.weight(0, 2) = NAN;  // which no output shows
    expect_error<io_error>(912,
                           "[toeplitz.io.912] store_parameters: file " + detail::in_quotes(path) +
                               ": expected finite numbers, got nan in 'weight' at 2",
                           [&] { save_model(path, parameters, {}, std::vector<Token>{1}, embed); });
    EXPECT_EQ(read_bytes(path), before);
}

TEST(ModelFileTest, AFlippedBitIsNoticed) {
    const TemporaryFolder folder;
    const std::string path = folder / "a";
    auto parameters = some_parameters<float>(1);
    save_model(path, parameters, {{"config", "{}"}}, std::vector<Token>{2}, embed);
    const std::string bytes = read_bytes(path);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ 1 << i * 5 % 8);
        write_bytes(path, changed);
        EXPECT_THROW(load_model(path, parameters, embed), io_error) << "byte " << i;
    }
    write_bytes(path, bytes);
    EXPECT_EQ(load_model(path, parameters, embed), (std::map<std::string, std::string>{{"config", "{}"}}));
}

}  // namespace
}  // namespace toeplitz::test
