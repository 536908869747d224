// SPDX-License-Identifier: MIT
// Models of images in files, and official parameters of both axes.

#include <gtest/gtest.h>

#include <support/tensor_files.hpp>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/io/official.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test {
namespace {

using ImageRows = Tno<double, Causality::bidirectional>;
using ImageColumns = SkiTno<double, Causality::bidirectional>;
using ImageAxis = AnyOf<ImageRows, ImageColumns>;
using ImageMixer = SeparableMixer<ImageAxis, ImageAxis>;
using ImageNet = Model<ImageMixer>;

constexpr Index picture_height = 5;
constexpr Index picture_width = 4;

ImageNet image_net() {
    ImageNet::Options options{.input = {.vocabulary = 7}, .width = 3, .layers = 2};
    options.block.gtu.mixer.image_width = picture_width;
    options.block.gtu.mixer.scale = 2;
    options.block.gtu.mixer.rows = ImageAxis::options<ImageRows>({.mlp = {.width = 4}});
    options.block.gtu.mixer.columns =
        ImageAxis::options<ImageColumns>({.length = picture_height, .rank = 3, .taps = 3});
    options.head = Head::mean_pool;
    options.outputs = 2;
    return ImageNet(options);
}

TEST(ImageModelTest, SurvivesAFileWithTheMixersOfItsAxes) {
    const ImageNet model = image_net();
    const auto parameters = model.make_parameters(1);
    std::vector<Token> pixels(picture_height * picture_width);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<Token>(i * 5 % 7);
    const TemporaryFolder folder;
    const std::string path = folder / "image_model";
    save_model(path, model, parameters, pixels, picture_height * picture_width);
    const auto loaded = load_model<ImageNet>(path);
    for_each_parameter(
        [](const ParameterName& name, const auto& a, const auto& b) { EXPECT_EQ(a, b) << name.text(); },
        loaded.parameters, parameters);
    const ImageMixer& mixer = loaded.model.block(1).gtu().mixer();
    EXPECT_EQ(mixer.image_width(), picture_width);
    EXPECT_EQ(mixer.options().scale, 2);
    EXPECT_STREQ(mixer.rows().architecture(), "tno");
    EXPECT_STREQ(mixer.columns().architecture(), "ski_tno");
}

TEST(ImageModelTest, TakesOfficialParametersOfBothAxes) {
    const ImageNet model = image_net();
    const auto theirs = model.make_parameters(2);
    TensorFile file;
    store_parameters(file, theirs, {}, OfficialImageNames());
    for (const auto& [name, tensor] : file.tensors) EXPECT_EQ(name.find("toep."), std::string::npos) << name;
    EXPECT_TRUE(file.tensors.contains("layers.1.self_attn.gtu.toep1.rpe.pos_proj.weight"));
    auto ours = model.make_parameters(3);
    load_parameters(file, ours, {}, OfficialImageNames());
    for_each_parameter(
        [](const ParameterName& name, const auto& a, const auto& b) { EXPECT_EQ(a, b) << name.text(); }, ours,
        theirs);
}

}  // namespace
}  // namespace toeplitz::test
