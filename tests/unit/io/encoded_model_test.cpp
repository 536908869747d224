// SPDX-License-Identifier: MIT
/// \file
/// Model files whose weights are in fewer bits.

#include <gtest/gtest.h>

#include <support/any_model.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {
namespace {

using Trial = std::tuple<WeightFormat, bool, OutputWeights>;

class EncodedModelTest : public testing::TestWithParam<Trial> {};
INSTANTIATE_TEST_SUITE_P(All, EncodedModelTest,
                         testing::Combine(testing::Values(WeightFormat::bf16, WeightFormat::int8),
                                          testing::Bool(),
                                          testing::Values(OutputWeights::separate, OutputWeights::tied)));

TinyModel some_model(const Trial& trial) {
    const auto [format, takes_features, output_weights] = trial;
    return {{tiny_mixer("causal_fd_tno"), tiny_mixer("tno")},
            takes_features,
            takes_features,
            format,
            output_weights};
}

bool is_weight(const std::string& name) {
    return name.ends_with("gtu.v_proj.weight") || name.ends_with("gtu.u_proj.weight") ||
           name.ends_with("gtu.o.weight") || name.find(".glu.l") != std::string::npos ||
           name == "embed.weight" || name == "out.weight";
}

TEST_P(EncodedModelTest, HasTheBitsOfExactParametersPreparedInTheFormat) {
    const TemporaryFolder folder;
    const Matrix<float> y = save_tiny(folder / "a", some_model(GetParam()));
    EXPECT_TRUE(evaluate_tiny(Any::load(folder / "a")) == y);
}

TEST_P(EncodedModelTest, GoesAroundToTheSameBytes) {
    const TemporaryFolder folder;
    save_tiny(folder / "a", some_model(GetParam()), {{"name", "tiny"}});
    save_again(folder / "b", Any::load(folder / "a"));
    EXPECT_TRUE(read_bytes(folder / "a") == read_bytes(folder / "b"));
}

TEST_P(EncodedModelTest, HoldsPackedWeightsInTheFormatAndAllElseAsItWas) {
    const auto [format, takes_features, output_weights] = GetParam();
    const TemporaryFolder folder;
    TinyModel tiny = some_model(GetParam());
    save_tiny(folder / "a", tiny);
    tiny.weights = WeightFormat::exact;
    save_tiny(folder / "exact", tiny);
    TensorFile file = read_safetensors(folder / "a");
    int weights = 0;
    for (const auto& [name, exact] : read_safetensors(folder / "exact").tensors) {
        if (name == "probe.output") continue;
        const StoredTensor& tensor = file.at(name);
        EXPECT_EQ(tensor.shape, exact.shape) << name;
        if (!is_weight(name) || name.ends_with("bias")) {
            EXPECT_EQ(tensor, exact) << name;
            continue;
        }
        ++weights;
        EXPECT_EQ(tensor.dtype, format == WeightFormat::bf16 ? Dtype::bf16 : Dtype::i8) << name;
        const Matrix<float> expected = exact.matrix<float>();
        Matrix<float> numbers = tensor.matrix<float>();
        if (format == WeightFormat::int8) {
            const StoredTensor& scales = file.at(name + "_scale");
            EXPECT_EQ(scales.dtype, Dtype::f32);
            EXPECT_EQ(scales.shape, (std::vector<Index>{exact.shape[0], 1}));
            numbers = scales.matrix<float>().col(0).asDiagonal() * numbers;
            file.tensors.erase(name + "_scale");
        }
        const float most = expected.cwiseAbs().maxCoeff();
        const float step = format == WeightFormat::bf16 ? most * 0x1p-7F : most / 127;
        EXPECT_LE((numbers - expected).cwiseAbs().maxCoeff(), step * 0.501F) << name;
    }
    const bool has_head = takes_features || output_weights == OutputWeights::separate;
    EXPECT_EQ(weights, 1 + 2 * 6 + (has_head ? 1 : 0));
    EXPECT_EQ(file.tensors.size(), read_safetensors(folder / "exact").tensors.size());
}

TEST(EncodedModelFileTest, HoldsPartsInDifferentFormats) {
    using M = Model<Any::Mixer>;
    const TemporaryFolder folder;
    const M model({.input = {.vocabulary = 5}, .width = 2});
    auto parameters = model.make_parameters(1);
    parameters.embed = convert_weights(parameters.embed, WeightFormat::int8);
    parameters.layers[0].glu = convert_weights(parameters.layers[0].glu, WeightFormat::bf16);
    save_model(folder / "a", model, parameters, tiny_tokens, tiny_length);
    const auto loaded = load_model<M>(folder / "a");
    EXPECT_EQ(loaded.parameters.embed.encoded.format(), WeightFormat::int8);
    EXPECT_EQ(loaded.parameters.layers[0].glu.l2.encoded.format(), WeightFormat::bf16);
    EXPECT_TRUE(loaded.parameters.layers[0].gtu.o.encoded.empty());
    EXPECT_EQ(loaded.parameters.layers[0].gtu.o.weight, parameters.layers[0].gtu.o.weight);
}

TEST(EncodedModelFileTest, WeightsOfATypeThatIsNoFormatAreConvertedAsEver) {
    const Linear<float> linear({.inputs = 3, .outputs = 4});
    const auto parameters = linear.make_parameters(1);
    TensorFile file;
    store_parameters(file, convert_weights(parameters, WeightFormat::bf16));
    auto loaded = zeros_like(parameters);
    load_parameters(file, loaded);
    EXPECT_EQ(loaded.weight, EncodedMatrix<float>(parameters.weight, WeightFormat::bf16).decoded());
    EXPECT_EQ(loaded.bias, parameters.bias);
}

TEST(EncodedModelFileTest, NumbersThatAFormatMakesInfiniteAreRefused) {
    auto parameters = Linear<float>({.inputs = 3, .outputs = 4}).make_parameters(1);
    parameters.weight(2, 1) = 3.4e38F;
    TensorFile file;
    expect_error<io_error>(
        912,
        "[toeplitz.io.912] store_parameters: file 'in memory': expected finite numbers, got "
        "inf in 'weight' at 7",
        [&] { store_parameters(file, convert_weights(parameters, WeightFormat::bf16)); });
    parameters.weight(2, 1) = std::numeric_limits<float>::infinity();
    expect_error<io_error>(
        912,
        "[toeplitz.io.912] store_parameters: file 'in memory': expected finite numbers, got "
        "nan in 'weight_scale' at 2",
        [&] {
            TensorFile other;
            store_parameters(other, convert_weights(parameters, WeightFormat::int8));
        });
}

/// Loads a file of a model in int8 that was changed.
class EncodedModelErrorTest : public testing::Test {
protected:
    EncodedModelErrorTest() {
        save_tiny(path, {{tiny_mixer("tno")}, false, false, WeightFormat::int8});
        file = read_safetensors(path);
    }
    void expect_mismatch(const std::string& lines) {
        write_safetensors(path, file);
        try {
            Any::load(path);
            ADD_FAILURE() << "nothing was thrown";
        } catch (const io_error& caught) {
            EXPECT_EQ(caught.id(), 920);
            EXPECT_NE(std::string(caught.what()).find(lines), std::string::npos) << caught.what();
        }
    }
    TemporaryFolder folder;
    std::string path = folder / "a";
    TensorFile file;
};

TEST_F(EncodedModelErrorTest, ScalesAreMissing) {
    file.tensors.erase("out.weight_scale");
    expect_mismatch("1 mismatch:\n  'out.weight_scale': missing");
}

TEST_F(EncodedModelErrorTest, ScalesOfAnotherTypeOrShape) {
    const std::vector<double> wide(5, 1.0);
    file.tensors["out.weight_scale"] = make_tensor(std::span(wide), {5, 1});
    expect_mismatch("1 mismatch:\n  'out.weight_scale': expected F32, got F64");
    const std::vector<float> few(4, 1.0F);
    file.tensors["out.weight_scale"] = make_tensor(std::span(few), {4, 1});
    expect_mismatch("1 mismatch:\n  'out.weight_scale': expected shape (5, 1), got (4, 1)");
}

TEST_F(EncodedModelErrorTest, ScalesThatAreNotFinite) {
    std::vector<float> scales(5, 1.0F);
    scales[3] = std::numeric_limits<float>::quiet_NaN();
    file.tensors["out.weight_scale"] = make_tensor(std::span(scales), {5, 1});
    expect_mismatch("1 mismatch:\n  'out.weight_scale': expected finite numbers, got a NaN at 3");
}

TEST_F(EncodedModelErrorTest, ScalesOfWeightsThatAreNumbers) {
    file.tensors["out.weight"] = make_tensor(MatrixView<const float>(random_matrix<float>(5, 2, 1)));
    expect_mismatch("1 mismatch:\n  'out.weight_scale': unexpected");
}

TEST_F(EncodedModelErrorTest, AnotherWeightIsNotWhatTheProbeKnows) {
    for (std::byte& number : file.tensors.at("out.weight").bytes) number = std::byte{0x7f};
    write_safetensors(path, file);
    try {
        Any::load(path);
        ADD_FAILURE() << "nothing was thrown";
    } catch (const io_error& caught) {
        EXPECT_EQ(caught.id(), 931);
        EXPECT_NE(std::string(caught.what()).find("within 0.12 of the stored one"), std::string::npos)
            << caught.what();
    }
}

TEST(EncodedModelFileTest, ABf16WeightThatIsNotFiniteIsRefused) {
    const TemporaryFolder folder;
    save_tiny(folder / "a", {{tiny_mixer("tno")}, false, false, WeightFormat::bf16});
    TensorFile file = read_safetensors(folder / "a");
    file.tensors.at("out.weight").bytes[2] = std::byte{0x80};
    file.tensors.at("out.weight").bytes[3] = std::byte{0x7f};
    write_safetensors(folder / "a", file);
    try {
        Any::load(folder / "a");
        ADD_FAILURE() << "nothing was thrown";
    } catch (const io_error& caught) {
        EXPECT_EQ(caught.id(), 920);
        EXPECT_NE(
            std::string(caught.what()).find("'out.weight': expected finite numbers, got an infinity at 1"),
            std::string::npos)
            << caught.what();
    }
}

}  // namespace
}  // namespace toeplitz::test
