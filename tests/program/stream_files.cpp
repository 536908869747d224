// SPDX-License-Identifier: MIT

/// \file
/// Writes what the tests of toeplitz-stream read into a directory, and checks what the program wrote.

#include <cmath>
#include <iostream>
#include <string>

#include <toeplitz/io/safetensors.hpp>

namespace {

using namespace toeplitz;

template <class Scalar>
Matrix<Scalar> waves(Index rows, Index cols, double pitch) {
    return Matrix<Scalar>::NullaryExpr(rows, cols, [=](Index t, Index c) {
        return static_cast<Scalar>(std::sin(pitch * static_cast<double>((t + 1) * (t + 3 * c + 2))));
    });
}

/// Channel c decays by 0.9 a step, c / 2 radians at a time: a mode each.
template <class Scalar>
Matrix<Scalar> decays(Index rows, Index cols) {
    return Matrix<Scalar>::NullaryExpr(rows, cols, [](Index t, Index c) {
        const auto time = static_cast<double>(t);
        return static_cast<Scalar>(std::pow(0.9, time) * std::cos(0.5 * static_cast<double>(c) * time));
    });
}

template <class Scalar>
void write(const std::string& path, const std::string& name, const Matrix<Scalar>& matrix) {
    TensorFile file;
    file.tensors[name] = make_tensor(MatrixView<const Scalar>(matrix));
    write_safetensors(path, file);
}

/// Largest |y − lags ∗ x|.
double largest_error(const std::string& lags_path, const std::string& x_path, const std::string& y_path) {
    const auto lags = read_safetensors(lags_path).at("lags").matrix<double>();
    const auto x = read_safetensors(x_path).at("x").matrix<double>();
    const auto y = read_safetensors(y_path).at("y").matrix<double>();
    if (y.rows() != x.rows() || y.cols() != x.cols()) return HUGE_VAL;
    double most = 0;
    for (Index t = 0; t < x.rows(); ++t) {
        for (Index c = 0; c < x.cols(); ++c) {
            double sum = 0;
            for (Index s = 0; s <= t && s < lags.rows(); ++s) sum += lags(s, c) * x(t - s, c);
            most = std::fmax(most, std::abs(sum - y(t, c)));
        }
    }
    return most;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 5) {
        const bool is_right = largest_error(argv[1], argv[2], argv[3]) <= std::stod(argv[4]);
        std::cout << (is_right ? "right\n" : "wrong\n");
        return is_right ? 0 : 1;
    }
    if (argc != 2) return 2;
    const std::string directory = argv[1];
    write(directory + "/lags_float", "lags", waves<float>(500, 3, 0.01));
    write(directory + "/lags_double", "lags", waves<double>(40, 3, 0.01));
    write(directory + "/decays_float", "lags", decays<float>(500, 3));
    write(directory + "/decays_double", "lags", decays<double>(500, 3));
    write(directory + "/x_float", "x", waves<float>(2000, 3, 0.02));
    write(directory + "/x_double", "x", waves<double>(2000, 3, 0.02));
    write(directory + "/x_none", "x", Matrix<float>(0, 3));
    write(directory + "/x_wide", "x", waves<float>(20, 4, 0.02));
    std::cout << "written\n";
    return 0;
}
