// SPDX-License-Identifier: MIT

/// \file
/// Writes what the tests of toeplitz-certify and distill read, good files and bad ones, into a directory.

#include <cmath>
#include <iostream>
#include <limits>
#include <string>

#include <toeplitz/io/safetensors.hpp>

namespace {

using namespace toeplitz;

/// A Gaussian, a Gaussian with a spike, noise.
template <class Scalar>
Matrix<Scalar> some_lags(Index n) {
    Matrix<Scalar> lags(2 * n - 1, 3);
    for (Index i = 0; i < lags.rows(); ++i) {
        const double t = static_cast<double>(i - n + 1);
        const double bump = std::exp(-8 * t * t / static_cast<double>(n * n));
        lags(i, 0) = static_cast<Scalar>(bump);
        lags(i, 1) = static_cast<Scalar>(bump + (t == 0 ? 1 : 0));
        lags(i, 2) = static_cast<Scalar>(std::sin(t * t));
    }
    return lags;
}

/// Lags 0..n−1: one mode, two modes, noise.
Matrix<float> some_causal_lags(Index n) {
    Matrix<float> lags(n, 3);
    for (Index i = 0; i < n; ++i) {
        const double t = static_cast<double>(i);
        lags(i, 0) = static_cast<float>(std::pow(0.75, t));
        lags(i, 1) = static_cast<float>(std::pow(0.9, t) * std::cos(t) + std::pow(0.5, t));
        lags(i, 2) = static_cast<float>(std::sin(t * t));
    }
    return lags;
}

template <class Scalar>
void write(const std::string& path, const Matrix<Scalar>& lags, const std::string& name = "lags") {
    TensorFile file;
    file.tensors[name] = make_tensor(MatrixView<const Scalar>(lags));
    write_safetensors(path, file);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string directory = argv[1];
    write(directory + "/float", some_lags<float>(801));
    write(directory + "/double", some_lags<double>(301));
    write(directory + "/causal", some_causal_lags(600));
    write<float>(directory + "/two_channels", some_causal_lags(600).leftCols(2));
    write(directory + "/one", some_lags<float>(1));
    write<float>(directory + "/even", some_lags<float>(8).topRows(14));
    write<float>(directory + "/no_channels", Matrix<float>(15, 0));
    write(directory + "/other_name", some_lags<float>(8), "kernel");
    write<Index>(directory + "/integers", Matrix<Index>::Zero(15, 1));
    Matrix<float> lags = some_lags<float>(8);
    lags(3, 2) = std::numeric_limits<float>::quiet_NaN();
    write(directory + "/nan", lags);
    TensorFile file;
    file.tensors["lags"] = make_tensor(std::span<const float>(lags.data(), 15), {15});
    write_safetensors(directory + "/vector", file);
    std::cout << "written\n";
    return 0;
}
