// SPDX-License-Identifier: MIT
// The gated unit on images beside what the authors' formula gives: tests/data/make_images.py.

#include <gtest/gtest.h>

#include <toeplitz/io/official.hpp>
#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/gtu.hpp>
#include <toeplitz/nn/separable_mixer.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/train/clip.hpp>

namespace toeplitz::test {
namespace {

constexpr double allowed = 1e-12;  // relative; the file was computed in double as well

/// Compares output and gradients of a unit, both axes of which have these options, with tensors of a kind.
template <class Axis>
void expect_official(const typename Axis::Options& axis, const std::string& kind) {
    const TensorFile file = read_safetensors(std::string(TOEPLITZ_TEST_DATA_DIR) + "/images.safetensors");
    const auto& shape = file.at(kind + ".x").shape;  // images × height × width × channels
    using Unit = Gtu<SeparableMixer<Axis, Axis>>;
    typename Unit::Options options{.width = shape.at(3), .inner_width = 4};
    options.mixer.image_width = shape.at(2);
    options.mixer.scale = 2;
    options.mixer.rows = options.mixer.columns = axis;
    const Unit unit(options);
    auto parameters = unit.make_parameters();
    auto expected = unit.make_parameters();
    load_parameters(file, parameters, {.prefix = kind + ".parameters."}, OfficialImageNames());
    load_parameters(file, expected, {.prefix = kind + ".gradients."}, OfficialImageNames());

    const auto read = [&](const char* name) {
        Matrix<double> rows(shape.at(0) * shape.at(1) * shape.at(2), shape.at(3));
        file.at(kind + name).copy_to(std::span(rows.data(), static_cast<std::size_t>(rows.size())));
        return rows;
    };
    const Matrix<double> x = read(".x");
    Matrix<double> y(x.rows(), x.cols());
    Matrix<double> dx(x.rows(), x.cols());
    auto gradients = zeros_like(parameters);
    typename Unit::Cache cache;
    Workspace ws;
    unit.forward(parameters, x, Sequences::images(shape.at(1), shape.at(2)), y, cache, ws);
    unit.backward(parameters, x, cache, read(".g"), dx, gradients, ws);
    EXPECT_LE((y - read(".y")).norm(), allowed * y.norm());
    EXPECT_LE((dx - read(".dx")).norm(), allowed * dx.norm());
    const double size = gradient_norm(expected);
    for_each_parameter(
        [&](const ParameterName& name, const auto& actual, const auto& wanted) {
            EXPECT_LE((actual - wanted).norm(), allowed * size) << name.text();
        },
        gradients, expected);
}

TEST(OfficialImagesTest, TnoAlongBothAxesIsTheAuthorsSumOfBothOrders) {
    using Axis = Tno<double, Causality::bidirectional>;
    expect_official<Axis>({.mlp = {.width = 5, .layers = 2}, .decay = {.lambda = 0.95}}, "tno");
}

TEST(OfficialImagesTest, FdTnoAlongBothAxesIsTheAuthorsSumOfBothOrders) {
    using Axis = FdTno<double, Causality::bidirectional>;
    expect_official<Axis>({.mlp = {.width = 5, .layers = 2},
                           .input = FrequencyInput::angle,
                           .grid = FrequencyGrid::power_of_two,
                           .scale = {},
                           .pole = {}},
                          "fd");
}

}  // namespace
}  // namespace toeplitz::test
