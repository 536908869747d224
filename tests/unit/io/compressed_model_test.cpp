// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/random.hpp>

#include <toeplitz/io/compressed_model.hpp>

namespace toeplitz::test {
namespace {

constexpr Index n = 20;

/// Two channels of band + low rank, and one that is exact.
CompressedTnoParameters<float> sample_parameters() {
    CompressedTnoParameters<float> parameters;
    parameters.groups.push_back({.taps = random_matrix<float>(3, 2, 1),
                                 .inducing = random_matrix<float>(9, 2, 2),
                                 .bounds = Vector<double>::Constant(2, 0.25)});
    parameters.groups.push_back(
        {.lags = random_matrix<float>(2 * n - 1, 1, 3), .bounds = Vector<double>::Zero(1)});
    return parameters;
}

// The names are those of every file that was ever written.
TEST(CompressedModelTest, ShapesComeFromTheFile) {
    const CompressedTnoParameters<float> saved = sample_parameters();
    TensorFile file;
    store_parameters(file, saved, {.prefix = "toep."});
    std::string names;
    for (const auto& [name, tensor] : file.tensors) names += name + ' ';
    EXPECT_EQ(names,
              "toep.groups.0.bounds toep.groups.0.inducing toep.groups.0.taps toep.groups.1.bounds "
              "toep.groups.1.lags ");

    auto loaded = compressed_tno_parameters<float>(file, "toep.");
    load_parameters(file, loaded, {.prefix = "toep."});
    ASSERT_EQ(loaded.groups.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(loaded.groups[i].taps, saved.groups[i].taps);
        EXPECT_EQ(loaded.groups[i].inducing, saved.groups[i].inducing);
        EXPECT_EQ(loaded.groups[i].lags, saved.groups[i].lags);
        EXPECT_EQ(loaded.groups[i].bounds, saved.groups[i].bounds);
    }
    EXPECT_EQ(loaded.groups[0].method(), Method::band_ski);
    EXPECT_EQ(loaded.groups[0].bound(), 0.25);
    EXPECT_EQ(loaded.groups[1].method(), Method::fft);

    const CompressedTno<float> mixer({.channels = 3, .length = n});
    const Matrix<float> x = random_matrix<float>(n, 3, 4);
    Matrix<float> y(n, 3);
    Matrix<float> expected(n, 3);
    Workspace ws;
    mixer.prepare(loaded, n).evaluate(x, y, ws);
    mixer.prepare(saved, n).evaluate(x, expected, ws);
    EXPECT_EQ(y, expected);
    EXPECT_GT(y.norm(), 1);
}

TEST(CompressedModelTest, StateSpacesComeBackAsTheyWere) {
    CompressedTnoParameters<float> saved;
    saved.groups.push_back({.poles = random_matrix<float>(3, 4, 1) / 4,
                            .residues = random_matrix<float>(3, 4, 2),
                            .direct = random_matrix<float>(4, 2, 3),
                            .bounds = Vector<double>::Constant(2, 0.5)});
    saved.groups.push_back({.poles = random_matrix<float>(3, 2, 4) / 4,
                            .residues = random_matrix<float>(3, 2, 5),
                            .direct = random_matrix<float>(2, 1, 6),
                            .backward_poles = random_matrix<float>(1, 2, 7) / 4,
                            .backward_residues = random_matrix<float>(1, 2, 8),
                            .backward_direct = random_matrix<float>(3, 1, 9),
                            .bounds = Vector<double>::Constant(1, 0.25)});
    TensorFile file;
    store_parameters(file, saved);
    auto loaded = compressed_tno_parameters<float>(file);
    load_parameters(file, loaded);
    ASSERT_EQ(loaded.groups.size(), 2U);
    EXPECT_EQ(loaded.groups[0].method(), Method::state_space);
    EXPECT_EQ(loaded.groups[1].method(), Method::two_sided);
    Index same = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& a, const auto& b) {
            EXPECT_EQ(a, b) << name.text();
            ++same;
        },
        loaded, saved);
    EXPECT_EQ(same, 4 + 7);
    const CompressedTno<float> mixer({.channels = 3, .length = n});
    const Matrix<float> x = random_matrix<float>(n, 3, 4);
    Matrix<float> y(n, 3);
    Matrix<float> expected(n, 3);
    Workspace ws;
    mixer.prepare(loaded, n).evaluate(x, y, ws);
    mixer.prepare(saved, n).evaluate(x, expected, ws);
    EXPECT_EQ(y, expected);
    EXPECT_GT(y.norm(), 1);
}

TEST(CompressedModelTest, AFileWithoutAGroupIsRefused) {
    EXPECT_THROW(compressed_tno_parameters<float>(TensorFile{}), io_error);
}

}  // namespace
}  // namespace toeplitz::test
